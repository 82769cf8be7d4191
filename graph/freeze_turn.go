package graph

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// readers are the ops that read a variable through the first of so many inputs, its handle, and what they become when that is
// the value: the op; the name of their output, where the new op calls it "output"; and by the name of each attribute that
// the new op needs the one that it comes from.
var readers = map[string]struct {
	inputs     int
	op, output string
	attrs      map[string]string
}{
	"ReadVariableOp":   {1, "Identity", "value", map[string]string{"T": "dtype"}},
	"ResourceGather":   {2, "GatherV2", "output", map[string]string{"Tparams": "dtype", "Tindices": "Tindices", "batch_dims": "batch_dims"}},
	"ResourceGatherNd": {2, "GatherNd", "output", map[string]string{"Tparams": "dtype", "Tindices": "Tindices"}},
	"VariableShape":    {1, "Shape", "output", map[string]string{"out_type": "out_type"}},
}

// turnScope returns the nodes of a scope with every use of a handle turned into a use of the value. taken tells which names a
// new node must not have.
func (f *freezer) turnScope(nodes []*tfproto.NodeDef, s *scope, taken func(string) bool) ([]*tfproto.NodeDef, error) {
	s.spread(s.uses(nodes))
	out := make([]*tfproto.NodeDef, 0, len(nodes)+len(s.values))
	for _, n := range nodes {
		c := copyNode(n)
		if s.renamed == nil {
			s.waitForValues(c)
			if h, ok := s.values[n.Name]; ok && IsVariable(n.Op) { // its value goes where it stood
				out = append(out, f.nodes[h.tensor])
			}
		}
		at := s.handleInputs(n)
		dtypes := make([]tensor.DType, len(at))
		for k, i := range at {
			h := s.values[s.normalize(n.Input[i])]
			c.Input[i], dtypes[k] = h.tensor, h.dtype
		}
		if len(at) > 0 {
			added, err := f.turn(c, at, dtypes, s, taken)
			if err != nil {
				return nil, err
			}
			out = append(out, added...)
		}
		out = append(out, c)
	}
	for _, n := range out {
		for i, in := range n.Input {
			if to := s.renamed[s.normalize(in)]; to != "" {
				n.Input[i] = to
			}
		}
	}
	return out, nil
}

// waitForValues makes control dependencies on variables of the graph ones on their values.
func (s *scope) waitForValues(n *tfproto.NodeDef) {
	for i, in := range n.Input {
		if h, ok := s.values[inputNode(in)]; ok && isControl(in) {
			n.Input[i] = "^" + inputNode(h.tensor)
		}
	}
}

// turn changes a node that now takes values for handles, and returns nodes that it needs.
func (f *freezer) turn(n *tfproto.NodeDef, at []int, dtypes []tensor.DType, s *scope, taken func(string) bool) ([]*tfproto.NodeDef, error) {
	branches, _ := branchesOf(n)
	_, reads := readers[n.Op]
	switch {
	case reads:
		return turnReader(n, dtypes[0], s, taken), nil
	case n.Op == "Identity":
		n.Attr["T"] = typeAttr(dtypes[0])
		delete(n.Attr, "_output_shapes")
	case n.Op == "VarIsInitializedOp" || n.Op == "IsVariableInitialized":
		s.rename(n.Name, "is_initialized")
		_, control := splitInputs(n.Input)
		c := constNode(n.Name, tensor.Scalar(true))
		n.Op, n.Attr, n.Input = c.Op, c.Attr, control
	case branches != nil:
		return nil, f.turnBranches(n, at, dtypes)
	} // any other op takes the value of a TensorFlow 1 variable, and goes on doing so
	return nil, nil
}

func turnReader(n *tfproto.NodeDef, d tensor.DType, s *scope, taken func(string) bool) []*tfproto.NodeDef {
	r, old := readers[n.Op], n.Attr
	n.Attr = map[string]*tfproto.AttrValue{}
	for name, from := range r.attrs {
		if a := old[from]; a != nil {
			n.Attr[name] = a
		}
	}
	if a := old["_output_shapes"]; a != nil {
		n.Attr["_output_shapes"] = a
	}
	var added []*tfproto.NodeDef
	switch n.Op {
	case "VariableShape":
		n.Attr["T"] = typeAttr(d)
	case "ResourceGather":
		name := n.Name + "/axis"
		for taken(name) {
			name += "_"
		}
		axis := constNode(name, tensor.Scalar(int32(old["batch_dims"].GetI())))
		n.Attr["Taxis"] = typeAttr(tensor.Int32)
		n.Input = slices.Insert(n.Input, 2, s.output(axis.Name, "output"))
		added = append(added, axis)
	}
	if r.output != "output" {
		s.rename(n.Name, r.output)
	}
	n.Op = r.op
	return added
}

// rename notes that the output of a node is now called "output".
func (s *scope) rename(node, from string) {
	if s.renamed != nil {
		s.renamed[s.output(node, from)] = s.output(node, "output")
	}
}

// turnBranches makes a node of structured control flow use functions that take values for handles.
func (f *freezer) turnBranches(n *tfproto.NodeDef, at []int, dtypes []tensor.DType) error {
	branches, first := branchesOf(n)
	args := argNumbers(at, first)
	turned := make([]*tfproto.NameAttrList, len(branches))
	for i, b := range branches {
		name, err := f.specialize(f.functions[b.GetName()], isLoop(n.Op), args, dtypes)
		if err != nil {
			return err
		}
		turned[i] = &tfproto.NameAttrList{Name: name, Attr: b.GetAttr()}
	}
	function := func(i int) *tfproto.AttrValue {
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_Func{Func: turned[i]}}
	}
	types := "Tin"
	switch n.Op {
	case "If", "StatelessIf":
		n.Attr["then_branch"], n.Attr["else_branch"] = function(0), function(1)
	case "While", "StatelessWhile":
		n.Attr["cond"], n.Attr["body"], types = function(0), function(1), "T"
		delete(n.Attr, "output_shapes") // those of the handles
		delete(n.Attr, "_output_shapes")
	case "Case", "StatelessCase":
		n.Attr["branches"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: &tfproto.AttrValue_ListValue{Func: turned}}}
	default:
		n.Attr["f"] = function(0)
	}
	delete(n.Attr, "_read_only_resource_inputs")
	list := slices.Clone(n.Attr[types].GetList().GetType())
	for k, i := range args {
		if i >= len(list) {
			return fmt.Errorf("%w: node %s has more inputs than types in %s", ErrMalformed, n.Name, types)
		}
		list[i] = tfproto.DataType(dtypes[k])
	}
	n.Attr[types] = typesAttr(list)
	return nil
}

// specialize returns the name of a copy of fn whose arguments with the given numbers are values of the given types.
func (f *freezer) specialize(fn *tfproto.FunctionDef, loop bool, args []int, dtypes []tensor.DType) (string, error) {
	key := fmt.Sprint(fn.Signature.Name, loop, args, dtypes)
	if name := f.special[key]; name != "" {
		return name, nil
	}
	sig := &tfproto.OpDef{
		Name: f.freeFunction(fn.Signature.Name + "_frozen"), InputArg: slices.Clone(fn.Signature.InputArg), OutputArg: slices.Clone(fn.Signature.OutputArg),
		Attr: fn.Signature.Attr, IsStateful: fn.Signature.IsStateful, ControlOutput: fn.Signature.ControlOutput,
	}
	c := &tfproto.FunctionDef{Signature: sig, Attr: maps.Clone(fn.Attr), ArgAttr: maps.Clone(fn.ArgAttr), ControlRet: fn.ControlRet, Ret: maps.Clone(fn.Ret)}
	delete(c.Attr, "_input_shapes")                     // those of the handles
	f.functions[sig.Name], f.special[key] = c, sig.Name // now, since a function may call itself in a branch
	for k, i := range args {
		sig.InputArg[i] = &tfproto.OpDef_ArgDef{Name: sig.InputArg[i].Name, Type: tfproto.DataType(dtypes[k])}
		delete(c.ArgAttr, uint32(i))
		if loop && i < len(sig.OutputArg) && DTypeOf(sig.OutputArg[i].Type) == tensor.Resource {
			sig.OutputArg[i] = &tfproto.OpDef_ArgDef{Name: sig.OutputArg[i].Name, Type: tfproto.DataType(dtypes[k])}
		}
	}
	s := functionScope(fn, args, dtypes)
	var err error
	taken := func(name string) bool {
		return slices.ContainsFunc(fn.NodeDef, func(n *tfproto.NodeDef) bool { return n.Name == name })
	}
	if c.NodeDef, err = f.turnScope(fn.NodeDef, s, taken); err != nil {
		return "", fmt.Errorf("function %s: %w", fn.Signature.Name, err)
	}
	for k, r := range c.Ret {
		if to := s.renamed[s.normalize(r)]; to != "" {
			c.Ret[k] = to
		}
	}
	library := f.graph.Def.Library
	f.graph.Def.Library = &tfproto.FunctionDefLibrary{Function: append(slices.Clip(library.GetFunction()), c), Gradient: library.GetGradient()}
	return sig.Name, nil
}

func (f *freezer) freeFunction(name string) string {
	free := name
	for i := 1; f.functions[free] != nil; i++ {
		free = name + "_" + strconv.Itoa(i)
	}
	return free
}
