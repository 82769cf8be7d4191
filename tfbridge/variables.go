//go:build cgo

package tfbridge

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// setter is how a variable gets its value: the placeholder to feed and the node to run.
type setter struct {
	variable, value, assign string
}

// setterPrefix starts the names of the nodes that this package adds to a graph.
const setterPrefix = "cambium/set/"

// withSetters returns the graph's nodes with, for each variable whose value the graph holds, a placeholder and an assignment.
func withSetters(g *graph.Graph) (*tfproto.GraphDef, []setter) {
	if len(g.Variables) == 0 {
		return g.Def, nil
	}
	kinds := map[string]*tfproto.NodeDef{}
	for _, n := range g.Def.GetNode() {
		kinds[n.GetName()] = n
	}
	def := &tfproto.GraphDef{Versions: g.Def.GetVersions(), Library: g.Def.GetLibrary(), Node: slices.Clone(g.Def.GetNode())}
	var setters []setter
	for i, name := range slices.Sorted(maps.Keys(g.Variables)) {
		n := kinds[name]
		assign := assignment(n)
		if assign == nil {
			continue
		}
		dtype := &tfproto.AttrValue{Value: &tfproto.AttrValue_Type{Type: tfproto.DataType(g.Variables[name].DType())}}
		s := setter{variable: name, value: fmt.Sprintf("%s%d/value", setterPrefix, i), assign: fmt.Sprintf("%s%d/assign", setterPrefix, i)}
		value := &tfproto.NodeDef{Name: s.value, Op: "Placeholder", Attr: map[string]*tfproto.AttrValue{"dtype": dtype}}
		assign.Name, assign.Input, assign.Device = s.assign, []string{name, s.value}, n.GetDevice()
		assign.Attr = map[string]*tfproto.AttrValue{"dtype": dtype}
		if assign.Op == "Assign" {
			assign.Attr = map[string]*tfproto.AttrValue{"T": dtype}
		}
		def.Node = append(def.Node, value, assign)
		setters = append(setters, s)
	}
	return def, setters
}

// assignment returns a node that assigns to a variable; nil if n is none.
func assignment(n *tfproto.NodeDef) *tfproto.NodeDef {
	switch n.GetOp() {
	case "VarHandleOp":
		return &tfproto.NodeDef{Op: "AssignVariableOp"}
	case "Variable", "VariableV2":
		return &tfproto.NodeDef{Op: "Assign"}
	default:
		return nil
	}
}

// set gives the variables their values, all in one run.
func (s *session) set(values map[string]*tensor.Tensor, setters []setter) error {
	if len(setters) == 0 {
		return nil
	}
	feeds := map[string]*tensor.Tensor{}
	var targets []string
	for _, x := range setters {
		feeds[x.value+":0"] = values[x.variable]
		targets = append(targets, x.assign)
	}
	return s.do(feeds, targets...)
}
