package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// holder is a value that takes the place of a variable's handle.
type holder struct {
	tensor string // in the syntax of the scope
	dtype  tensor.DType
}

// scope is the graph, or the body of a function, in which some tensors that are handles of variables become values.
type scope struct {
	values    map[string]holder              // by normalized reference to the handle
	normalize func(ref string) string        // one spelling for every reference
	output    func(node, name string) string // the normalized reference to the one output of a node
	renamed   map[string]string              // outputs that get another name with the op of their node; nil for the graph
}

// topScope is the graph, where a variable's node is in values.
func topScope(values map[string]holder) *scope {
	normalize := func(ref string) string {
		node, output, err := ParseTensor(ref)
		if err != nil {
			return ref
		}
		return tensorName(node, output)
	}
	return &scope{values: values, normalize: normalize, output: func(node, _ string) string { return node }}
}

// functionScope is the body of a function whose arguments with the given numbers are handles; nil if an argument is a list.
func functionScope(fn *tfproto.FunctionDef, handles []int, dtypes []tensor.DType) *scope {
	args := map[string]bool{}
	for _, a := range fn.Signature.InputArg {
		if a.NumberAttr != "" || a.TypeListAttr != "" {
			return nil
		}
		args[a.Name] = true
	}
	values := map[string]holder{}
	for k, i := range handles {
		if i < 0 || i >= len(fn.Signature.InputArg) {
			return nil
		}
		h := holder{tensor: fn.Signature.InputArg[i].Name}
		if dtypes != nil {
			h.dtype = dtypes[k]
		}
		values[h.tensor] = h
	}
	normalize := func(ref string) string {
		node, rest, _ := strings.Cut(ref, ":")
		switch {
		case args[node]:
			return node
		case rest != "" && !strings.Contains(rest, ":"):
			return ref + ":0"
		default:
			return ref
		}
	}
	return &scope{values: values, normalize: normalize, renamed: map[string]string{}, output: func(node, name string) string { return node + ":" + name + ":0" }}
}

// spread adds the outputs of Identity nodes on handles to the values.
func (s *scope) spread(nodes []*tfproto.NodeDef) {
	for changed := true; changed; {
		changed = false
		for _, n := range nodes {
			if n.Op != "Identity" || len(n.Input) == 0 || DTypeOf(n.Attr["T"].GetType()) != tensor.Resource {
				continue
			}
			out := s.output(n.Name, "output")
			if h, ok := s.values[s.normalize(n.Input[0])]; ok && !s.has(out) {
				s.values[out] = holder{tensor: out, dtype: h.dtype}
				changed = true
			}
		}
	}
}

// has reports whether a tensor is a handle.
func (s *scope) has(ref string) bool {
	_, ok := s.values[s.normalize(ref)]
	return ok
}

// handleInputs returns the positions of a node's inputs that are handles.
func (s *scope) handleInputs(n *tfproto.NodeDef) []int {
	data, _ := splitInputs(n.Input)
	var at []int
	for i, in := range data {
		if s.has(in) {
			at = append(at, i)
		}
	}
	return at
}

// whyWritten says why a variable has to stay; "" if the nodes that run only read it through its handle.
func (f *freezer) whyWritten(v *tfproto.NodeDef) string {
	return f.whyNot(f.running, topScope(map[string]holder{v.Name: {}}), nil, map[string]bool{})
}

// whyRefWritten is whyWritten for a variable of TensorFlow 1, which ops write through a reference.
func (f *freezer) whyRefWritten(v *tfproto.NodeDef) string {
	for _, n := range f.running {
		data, _ := splitInputs(n.Input)
		for i, in := range data {
			if inputNode(in) != v.Name || n.Op == "IsVariableInitialized" {
				continue
			}
			if def := f.op(n.Op); def == nil || takesRef(n, def, i) {
				return fmt.Sprintf("%s may write it (node %s)", n.Op, n.Name)
			}
		}
	}
	return ""
}

// takesRef reports whether input i of n is a reference.
func takesRef(n *tfproto.NodeDef, def *tfproto.OpDef, i int) bool {
	for _, arg := range def.InputArg {
		types, err := argTypes(n, def, arg)
		if err != nil {
			return true
		}
		if i < len(types) {
			return arg.IsRef
		}
		i -= len(types)
	}
	return true
}

// whyNot says why a handle of a scope cannot become a value. ret is what a function returns; seen holds the functions that
// were looked into.
func (f *freezer) whyNot(nodes []*tfproto.NodeDef, s *scope, ret map[string]string, seen map[string]bool) string {
	s.spread(nodes)
	for _, n := range nodes {
		at := s.handleInputs(n)
		_, reads := readers[n.Op]
		switch {
		case len(at) == 0 || n.Op == "VarIsInitializedOp":
		case reads && len(at) == 1 && at[0] == 0:
		case n.Op == "Identity" && s.has(s.output(n.Name, "output")):
		default:
			if reason := f.whyNotBranches(n, at, seen); reason != "" {
				return reason
			}
		}
	}
	for _, r := range ret {
		if s.has(r) {
			return "a function returns its handle"
		}
	}
	return ""
}

// whyNotBranches is whyNot for a node that may hand the handles on to functions.
func (f *freezer) whyNotBranches(n *tfproto.NodeDef, at []int, seen map[string]bool) string {
	branches, first := branchesOf(n)
	if branches == nil {
		return fmt.Sprintf("%s may write it (node %s)", n.Op, n.Name)
	}
	for _, b := range branches {
		fn, args := f.functions[b.GetName()], argNumbers(at, first)
		key := fmt.Sprint(b.GetName(), args)
		if seen[key] {
			continue
		}
		seen[key] = true
		if fn == nil {
			return fmt.Sprintf("node %s calls %q, which the graph does not have", n.Name, b.GetName())
		}
		s := functionScope(fn, args, nil)
		if s == nil {
			return fmt.Sprintf("the function %s takes it in a list", b.GetName())
		}
		ret := fn.Ret
		if isLoop(n.Op) {
			ret = withoutLoopVariables(fn, s, args)
		}
		if reason := f.whyNot(fn.NodeDef, s, ret, seen); reason != "" {
			return reason
		}
	}
	return ""
}

// argNumbers turns positions among a node's inputs into numbers of arguments of its functions.
func argNumbers(at []int, first int) []int {
	args := make([]int, len(at))
	for i := range at {
		args[i] = at[i] - first
	}
	return args
}

func isLoop(op string) bool { return op == "While" || op == "StatelessWhile" }

// branchesOf returns the functions that a node of structured control flow, or a call, hands its inputs to, and the position
// of the input that becomes their first argument; nil where the op is another one.
func branchesOf(n *tfproto.NodeDef) (names []*tfproto.NameAttrList, first int) {
	switch n.Op {
	case "If", "StatelessIf":
		return []*tfproto.NameAttrList{n.Attr["then_branch"].GetFunc(), n.Attr["else_branch"].GetFunc()}, 1
	case "Case", "StatelessCase":
		return n.Attr["branches"].GetList().GetFunc(), 1
	case "While", "StatelessWhile":
		return []*tfproto.NameAttrList{n.Attr["cond"].GetFunc(), n.Attr["body"].GetFunc()}, 0
	case "PartitionedCall", "StatefulPartitionedCall":
		return []*tfproto.NameAttrList{n.Attr["f"].GetFunc()}, 0
	default:
		return nil, 0
	}
}

// withoutLoopVariables returns what a loop's body returns, without the handles that come out where they went in.
func withoutLoopVariables(fn *tfproto.FunctionDef, s *scope, args []int) map[string]string {
	s.spread(fn.NodeDef)
	ret := maps.Clone(fn.Ret)
	for _, i := range args {
		if i >= len(fn.Signature.OutputArg) {
			continue
		}
		out := fn.Signature.OutputArg[i].Name
		if s.origin(fn.NodeDef, fn.Ret[out]) == fn.Signature.InputArg[i].Name {
			delete(ret, out)
		}
	}
	return ret
}

// origin follows a handle through Identity nodes back to the argument that it is.
func (s *scope) origin(nodes []*tfproto.NodeDef, ref string) string {
	for range len(nodes) + 1 {
		ref = s.normalize(ref)
		i := slices.IndexFunc(nodes, func(n *tfproto.NodeDef) bool {
			return n.Op == "Identity" && s.output(n.Name, "output") == ref
		})
		if i < 0 || !s.has(ref) {
			break
		}
		ref = nodes[i].Input[0]
	}
	return ref
}
