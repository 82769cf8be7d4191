//go:build cgo

package tfbridge

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge/internal/binding"
)

// ownPrefix starts the names of the nodes that this package adds to a graph.
const ownPrefix = "cambium/"

// isResource reports whether a node is a variable of TensorFlow 2, which is read and written through a handle; isReference,
// whether it is one of TensorFlow 1.
func isResource(n *tfproto.NodeDef) bool { return n.GetOp() == "VarHandleOp" }

func isReference(n *tfproto.NodeDef) bool {
	return n.GetOp() == "VariableV2" || n.GetOp() == "Variable"
}

// mustRestore reports whether the checkpoint has values that the graph does not hold already.
func mustRestore(g *graph.Graph) bool {
	if g.Checkpoint == nil || g.Checkpoint.RestoreOp == "" {
		return false
	}
	if g.Variables == nil {
		return true
	}
	return slices.ContainsFunc(g.Def.GetNode(), func(n *tfproto.NodeDef) bool {
		return (isResource(n) || isReference(n)) && g.Variables[n.GetName()] == nil
	})
}

// setter returns the names of the placeholder and of the assignment through which a variable is set.
func setter(variable string) (value, assign string) {
	return ownPrefix + "set/" + variable + "/value", ownPrefix + "set/" + variable + "/assign"
}

// withSetters returns the graph's nodes with a placeholder and an assignment for each variable whose value the graph holds.
func withSetters(g *graph.Graph) *tfproto.GraphDef {
	if len(g.Variables) == 0 {
		return g.Def
	}
	def := &tfproto.GraphDef{Versions: g.Def.GetVersions(), Library: g.Def.GetLibrary(), Node: slices.Clone(g.Def.GetNode())}
	for _, n := range g.Def.GetNode() {
		t := g.Variables[n.GetName()]
		if t == nil || !isResource(n) && !isReference(n) {
			continue
		}
		dtype := &tfproto.AttrValue{Value: &tfproto.AttrValue_Type{Type: tfproto.DataType(t.DType())}}
		value, assign := setter(n.GetName())
		node := &tfproto.NodeDef{Name: assign, Op: "AssignVariableOp", Input: []string{n.GetName(), value}, Device: n.GetDevice(), Attr: map[string]*tfproto.AttrValue{"dtype": dtype}}
		if isReference(n) {
			node.Op, node.Attr = "Assign", map[string]*tfproto.AttrValue{"T": dtype}
		}
		def.Node = append(def.Node, &tfproto.NodeDef{Name: value, Op: "Placeholder", Attr: map[string]*tfproto.AttrValue{"dtype": dtype}}, node)
	}
	return def
}

// setVariables gives the variables the values that the graph holds, in one run. The graph was imported with its setters.
func (s *session) setVariables(g *graph.Graph) error {
	feeds := map[string]*tensor.Tensor{}
	var targets []string
	for _, name := range slices.Sorted(maps.Keys(g.Variables)) {
		value, assign := setter(name)
		if s.operation(assign) != nil {
			feeds[value+":0"] = g.Variables[name]
			targets = append(targets, assign)
		}
	}
	if targets == nil {
		return nil
	}
	_, err := s.do(feeds, nil, targets...)
	return err
}

// variables returns the current values of variables, by the names of their nodes.
func (s *session) variables(nodes []*tfproto.NodeDef) (map[string]*tensor.Tensor, error) {
	values := make(map[string]*tensor.Tensor, len(nodes))
	fetches := make([]string, len(nodes))
	for i, n := range nodes {
		fetches[i] = n.GetName() + ":0"
		if isResource(n) {
			read, err := s.reader(n)
			if err != nil {
				return nil, err
			}
			fetches[i] = read
		}
	}
	if len(nodes) == 0 {
		return values, nil
	}
	list, err := s.do(nil, fetches)
	if err != nil {
		return nil, fmt.Errorf("reading the variables: %w", err)
	}
	for i, n := range nodes {
		values[n.GetName()] = list[i]
	}
	return values, nil
}

// reader returns the tensor that reads a variable through its handle; the node is added where it is not there yet.
func (s *session) reader(n *tfproto.NodeDef) (string, error) {
	name := ownPrefix + "get/" + n.GetName()
	if s.operation(name) != nil {
		return name + ":0", nil
	}
	handle := s.graph.Operation(n.GetName())
	if handle == nil {
		return "", fmt.Errorf("%w: the graph has no node %q", ErrName, n.GetName())
	}
	_, err := s.graph.AddOperation(binding.OpSpec{
		Type:  "ReadVariableOp",
		Name:  name,
		Input: []binding.Input{handle.Output(0)},
		Attrs: map[string]any{"dtype": binding.DataType(n.GetAttr()["dtype"].GetType())},
	})
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	return name + ":0", nil
}
