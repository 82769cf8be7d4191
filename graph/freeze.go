package graph

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Kept is a variable that Freeze had to leave.
type Kept struct {
	Variable string // the node
	Reason   string // "AssignAddVariableOp may write it (node …)"
}

// Freeze returns the inlined graph with the variables that nothing writes as constants, VARIABLE/value, and without what no
// signature needs any more: a node that reads such a variable becomes an Identity, a gather from one an ordinary gather,
// also in the functions of While, If and Case. A variable stays if a signature or the init op may write it or hands it to
// an op that is not known to only read, or if its value is not in g.Variables; those are returned too. If no variable
// stays, nothing is left to restore and the graph's Checkpoint is nil; the init op goes where it does nothing.
//
// The outputs of every signature are the same bits as before. The given graph is not changed.
func Freeze(g *Graph) (*Graph, []Kept, error) {
	flat, err := Inline(g)
	if err != nil {
		return nil, nil, err
	}
	f := &freezer{definitions: flat.definitions(), graph: flat, special: map[string]string{}}
	if f.nodes, err = index(flat.Def); err != nil {
		return nil, nil, err
	}
	running := f.nodes.upstream(flat.running())
	for _, n := range flat.Def.Node {
		if running[n.Name] {
			f.running = append(f.running, n)
		}
	}
	f.users = topScope(nil).uses(f.running)
	values, kept := f.decide()
	if err := f.rewrite(values); err != nil {
		return nil, nil, err
	}
	flat.dropIdle(f.nodes)
	r, err := Prune(flat, flat.roots()...)
	return r, kept, err
}

// running returns the nodes that run once the model is loaded: the outputs of the signatures and the init op.
func (g *Graph) running() []string {
	var r []string
	for _, s := range g.Signatures {
		for _, p := range s.Outputs {
			for _, t := range p.Tensors() {
				r = append(r, inputNode(t))
			}
		}
	}
	if g.Init.Op != "" {
		r = append(r, g.Init.Op)
	}
	return r
}

type freezer struct {
	definitions
	graph   *Graph
	nodes   nodeIndex
	running []*tfproto.NodeDef // those that run once the model is loaded
	users   map[string][]use   // of tensors, among them
	special map[string]string  // by function and arguments: the function that takes values for handles
}

// decide makes a constant for every variable to freeze. It returns them by the variable's node, and the other variables.
func (f *freezer) decide() (map[string]holder, []Kept) {
	shared := map[string][]*tfproto.NodeDef{} // the nodes that stand for one variable
	var keys []string
	for _, n := range f.running {
		if !IsVariable(n.Op) {
			continue
		}
		key := sharedName(n)
		if shared[key] == nil {
			keys = append(keys, key)
		}
		shared[key] = append(shared[key], n)
	}
	values := map[string]holder{}
	var kept []Kept
	for _, key := range keys {
		value, reason := f.judge(shared[key])
		for _, n := range shared[key] {
			if reason != "" {
				kept = append(kept, Kept{Variable: n.Name, Reason: reason})
				continue
			}
			values[n.Name] = holder{tensor: f.addConst(n.Name+"/value", value), dtype: value.DType()}
		}
	}
	return values, kept
}

// judge returns the value of a variable, or why it has to stay.
func (f *freezer) judge(nodes []*tfproto.NodeDef) (*tensor.Tensor, string) {
	var value *tensor.Tensor
	for _, n := range nodes {
		if v := f.graph.Variables[n.Name]; v != nil {
			value = v
		}
		if reason := f.whyWritten(n); reason != "" {
			return nil, reason
		}
	}
	if value == nil {
		return nil, "its value was not read"
	}
	if d := DTypeOf(nodes[0].Attr["dtype"].GetType()); d != value.DType() {
		return nil, fmt.Sprintf("its value is %v, the graph says %v", value.DType(), d)
	}
	return value, ""
}

// addConst makes a constant node under a free name.
func (f *freezer) addConst(name string, value *tensor.Tensor) string {
	for f.nodes[name] != nil {
		name += "_"
	}
	f.nodes[name] = constNode(name, value)
	return name
}

// rewrite makes the nodes that run read constants.
func (f *freezer) rewrite(values map[string]holder) error {
	turned, err := f.turnScope(f.running, topScope(values), func(name string) bool { return f.nodes[name] != nil })
	if err != nil {
		return err
	}
	runs := make(map[string]bool, len(f.running))
	for _, n := range f.running {
		runs[n.Name] = true
	}
	for _, n := range f.graph.Def.Node {
		if !runs[n.Name] {
			turned = append(turned, n)
		}
	}
	f.graph.Def.Node = turned
	f.nodes, err = index(f.graph.Def)
	return err
}

// dropIdle drops the init op if it does nothing, and the checkpoint if what runs has no state that one would hold.
func (g *Graph) dropIdle(nodes nodeIndex) {
	defs, idle := g.definitions(), true
	for name := range nodes.upstream([]string{g.Init.Op}) {
		idle = idle && !defs.hasEffect(nodes[name])
	}
	if idle {
		g.Init.Op = ""
	}
	def := &tfproto.GraphDef{Library: g.Def.Library}
	for name := range nodes.upstream(g.running()) {
		def.Node = append(def.Node, nodes[name])
	}
	all := def.Node
	for _, fn := range usedFunctions(def).GetFunction() {
		all = append(all, fn.NodeDef...)
	}
	if !slices.ContainsFunc(all, func(n *tfproto.NodeDef) bool { return IsVariable(n.Op) || isMutableTable(n.Op) }) {
		g.Checkpoint = nil
	}
}

// constNode returns a constant; its elements are shared with value.
func constNode(name string, value *tensor.Tensor) *tfproto.NodeDef {
	p, _ := TensorProto(value) // no tensor that exists makes it fail
	return &tfproto.NodeDef{Name: name, Op: "Const", Attr: map[string]*tfproto.AttrValue{
		"dtype": typeAttr(value.DType()),
		"value": {Value: &tfproto.AttrValue_Tensor{Tensor: p}},
	}}
}

func typeAttr(d tensor.DType) *tfproto.AttrValue {
	return &tfproto.AttrValue{Value: &tfproto.AttrValue_Type{Type: tfproto.DataType(d)}}
}

func typesAttr(list []tfproto.DataType) *tfproto.AttrValue {
	return &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: &tfproto.AttrValue_ListValue{Type: list}}}
}

func shapesAttr(list []*tfproto.TensorShapeProto) *tfproto.AttrValue {
	return &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: &tfproto.AttrValue_ListValue{Shape: list}}}
}
