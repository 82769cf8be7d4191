package graph

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
)

// Prune returns the graph without the nodes that the given ones do not depend on, and without the functions that nothing
// uses then. A root is a node or a tensor, "node:0". Signatures, checkpoint, init op and variables that lost a node are
// dropped. The given graph is not changed.
func Prune(g *Graph, roots ...string) (*Graph, error) {
	nodes, err := index(g.Def)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(roots))
	for i, r := range roots {
		if names[i] = inputNode(r); nodes[names[i]] == nil {
			return nil, fmt.Errorf("%w: %q is no node of the graph", ErrMalformed, r)
		}
	}
	keep := nodes.upstream(names)
	r := *g
	r.Def = &tfproto.GraphDef{Versions: g.Def.Versions, Library: g.Def.Library}
	for _, n := range g.Def.Node {
		if keep[n.Name] {
			r.Def.Node = append(r.Def.Node, n)
		}
	}
	r.Def.Library = usedFunctions(r.Def)
	r.dropDangling(keep)
	return &r, nil
}

// dropDangling drops what refers to nodes that are not kept.
func (g *Graph) dropDangling(keep map[string]bool) {
	kept := func(t string) bool { return keep[inputNode(t)] }
	g.Signatures = slices.DeleteFunc(slices.Clone(g.Signatures), func(s Signature) bool {
		for _, p := range append(slices.Clone(s.Inputs), s.Outputs...) {
			if !allOf(p.Tensors(), kept) {
				return true
			}
		}
		return false
	})
	if c := g.Checkpoint; c != nil && !(kept(c.RestoreOp) && kept(c.FilenameTensor)) {
		g.Checkpoint = nil
	}
	if g.Init.Op != "" && !kept(g.Init.Op) {
		g.Init.Op = ""
	}
	g.Init.Assets = filter(g.Init.Assets, kept)
	g.Variables = filter(g.Variables, kept)
}

// roots returns the tensors and nodes by which a graph is used: those of its signatures, its init op, and, if it still has
// something to restore, its checkpoint.
func (g *Graph) roots() []string {
	var r []string
	for _, s := range g.Signatures {
		for _, p := range append(slices.Clone(s.Inputs), s.Outputs...) {
			r = append(r, p.Tensors()...)
		}
	}
	if g.Init.Op != "" {
		r = append(r, g.Init.Op)
	}
	if c := g.Checkpoint; c != nil {
		r = append(r, c.RestoreOp, c.FilenameTensor)
	}
	return r
}

// fedTensors returns the tensors that a caller replaces: inputs of signatures, assets, the name of the checkpoint.
func (g *Graph) fedTensors() []string {
	r := sortedKeys(g.Init.Assets)
	for _, s := range g.Signatures {
		for _, p := range s.Inputs {
			r = append(r, p.Tensors()...)
		}
	}
	if g.Checkpoint != nil {
		r = append(r, g.Checkpoint.FilenameTensor)
	}
	return r
}

func allOf(list []string, is func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !is(s) })
}

// filter returns the entries whose key is wanted; nil stays nil.
func filter[V any](m map[string]V, wanted func(string) bool) map[string]V {
	if m == nil {
		return nil
	}
	r := map[string]V{}
	for k, v := range m {
		if wanted(k) {
			r[k] = v
		}
	}
	return r
}

// usedFunctions returns the library without the functions that no node, and no function that a node uses, refers to.
func usedFunctions(def *tfproto.GraphDef) *tfproto.FunctionDefLibrary {
	library := def.GetLibrary()
	if library == nil {
		return nil
	}
	functions := functionsByName(def)
	gradient := map[string]string{}
	for _, g := range library.Gradient {
		gradient[g.GetFunctionName()] = g.GetGradientFunc()
	}
	used := map[string]bool{}
	var todo []string
	use := func(nodes []*tfproto.NodeDef) {
		for _, n := range nodes {
			todo = append(todo, functionNames(n)...)
		}
	}
	use(def.Node)
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if f := functions[name]; f != nil && !used[name] {
			used[name] = true
			use(f.GetNodeDef())
			todo = append(todo, gradient[name])
		}
	}
	if len(used) == 0 {
		return nil
	}
	r := &tfproto.FunctionDefLibrary{}
	for _, f := range library.Function {
		if used[f.GetSignature().GetName()] {
			r.Function = append(r.Function, f)
		}
	}
	for _, g := range library.Gradient {
		if used[g.GetFunctionName()] {
			r.Gradient = append(r.Gradient, g)
		}
	}
	return r
}

// functionNames returns the names of the functions that a node refers to, by its op or in attributes.
func functionNames(n *tfproto.NodeDef) []string {
	names := []string{n.Op}
	for _, a := range n.Attr {
		if f := a.GetFunc(); f != nil {
			names = append(names, f.Name)
		}
		for _, f := range a.GetList().GetFunc() {
			names = append(names, f.GetName())
		}
	}
	return names
}
