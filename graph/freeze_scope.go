package graph

import (
	"fmt"
	"maps"
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

// use is a node that takes a tensor as the input at a position.
type use struct {
	node *tfproto.NodeDef
	at   int
}

// uses returns the users of every tensor of a scope, by normalized reference.
func (s *scope) uses(nodes []*tfproto.NodeDef) map[string][]use {
	users := map[string][]use{}
	for _, n := range nodes {
		data, _ := splitInputs(n.Input)
		for i, in := range data {
			ref := s.normalize(in)
			users[ref] = append(users[ref], use{n, i})
		}
	}
	return users
}

// spread adds the outputs of Identity nodes on handles to the values, and returns the other uses of handles.
func (s *scope) spread(users map[string][]use) []use {
	var others []use
	todo := sortedKeys(s.values)
	for len(todo) > 0 {
		ref := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, u := range users[ref] {
			out := s.output(u.node.Name, "output")
			if u.node.Op != "Identity" || DTypeOf(u.node.Attr["T"].GetType()) != tensor.Resource {
				others = append(others, u)
			} else if !s.has(out) {
				s.values[out] = holder{tensor: out, dtype: s.values[ref].dtype}
				todo = append(todo, out)
			}
		}
	}
	return others
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

// whyWritten says why a variable has to stay; "" if the nodes that run only read it.
func (f *freezer) whyWritten(v *tfproto.NodeDef) string {
	if v.Op == "VarHandleOp" {
		return f.whyNot(topScope(map[string]holder{v.Name: {}}), f.users, nil, map[string]bool{})
	}
	for _, u := range f.users[v.Name] { // a variable of TensorFlow 1: ops write it through a reference
		n := u.node
		if def := f.op(n.Op); n.Op != "IsVariableInitialized" && (def == nil || takesRef(n, def, u.at)) {
			return fmt.Sprintf("%s may write it (node %s)", n.Op, n.Name)
		}
	}
	return ""
}

// takesRef reports whether input i of n is a reference.
func takesRef(n *tfproto.NodeDef, def *tfproto.OpDef, i int) bool {
	for _, arg := range def.InputArg {
		count, err := argCount(n, def, arg)
		if err != nil {
			return true
		}
		if i < count {
			return arg.IsRef
		}
		i -= count
	}
	return true
}

// whyNot says why a handle of a scope cannot become a value. ret is what a function returns; seen holds the functions that
// were looked into.
func (f *freezer) whyNot(s *scope, users map[string][]use, ret map[string]string, seen map[string]bool) string {
	for _, u := range s.spread(users) {
		data, _ := splitInputs(u.node.Input)
		if r, reads := readers[u.node.Op]; (reads && u.at == 0 && len(data) == r.inputs) || u.node.Op == "VarIsInitializedOp" {
			continue
		}
		if reason := f.whyNotBranches(u, seen); reason != "" {
			return reason
		}
	}
	for _, r := range ret {
		if s.has(r) {
			return "a function returns its handle"
		}
	}
	return ""
}

// whyNotBranches is whyNot for a node that may hand the handle on to functions.
func (f *freezer) whyNotBranches(u use, seen map[string]bool) string {
	branches, first := branchesOf(u.node)
	if branches == nil {
		return fmt.Sprintf("%s may write it (node %s)", u.node.Op, u.node.Name)
	}
	for _, b := range branches {
		fn, arg := f.functions[b.GetName()], u.at-first
		key := fmt.Sprint(b.GetName(), arg, isLoop(u.node.Op))
		if seen[key] {
			continue
		}
		seen[key] = true
		if fn == nil {
			return fmt.Sprintf("node %s calls %q, which the graph does not have", u.node.Name, b.GetName())
		}
		s := functionScope(fn, []int{arg}, nil)
		if s == nil {
			return fmt.Sprintf("the function %s takes it in a list", b.GetName())
		}
		users, ret := s.uses(fn.NodeDef), fn.Ret
		if isLoop(u.node.Op) {
			ret = withoutLoopVariable(fn, s, users, arg)
		}
		if reason := f.whyNot(s, users, ret, seen); reason != "" {
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

// withoutLoopVariable returns what a loop's body returns, without the handle if it comes out where it went in.
func withoutLoopVariable(fn *tfproto.FunctionDef, s *scope, users map[string][]use, arg int) map[string]string {
	ret := maps.Clone(fn.Ret)
	s.spread(users)
	if out := fn.Signature.OutputArg; arg < len(out) && s.has(fn.Ret[out[arg].Name]) { // there is no other handle
		delete(ret, out[arg].Name)
	}
	return ret
}
