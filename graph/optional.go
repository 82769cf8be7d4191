package graph

import (
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
)

// MarkOptional marks the inputs of the signatures that a call may leave out: placeholders with a default that depends on nothing
// but other inputs and constants.
func MarkOptional(g *Graph) {
	if !slices.ContainsFunc(g.Def.GetNode(), hasDefault) {
		return
	}
	nodes := make(nodeIndex, len(g.Def.GetNode()))
	for _, n := range g.Def.GetNode() {
		nodes[n.GetName()] = n
	}
	for i := range g.Signatures {
		fed := map[string]bool{}
		for _, p := range g.Signatures[i].Inputs {
			for _, t := range p.Tensors() {
				fed[inputNode(t)] = true
			}
		}
		for k := range g.Signatures[i].Inputs {
			p := &g.Signatures[i].Inputs[k]
			n := nodes[inputNode(p.Tensor)]
			p.Optional = n != nil && hasDefault(n) && !nodes.wantsMore(n, fed)
		}
	}
}

// wantsMore reports whether the default of a placeholder depends on another one that has none and is not fed.
func (x nodeIndex) wantsMore(n *tfproto.NodeDef, fed map[string]bool) bool {
	roots := make([]string, len(n.Input))
	for i, in := range n.Input {
		roots[i] = inputNode(in)
	}
	for name := range x.upstream(roots) {
		if other := x[name]; isPlaceholder(other.Op) && !hasDefault(other) && !fed[name] {
			return true
		}
	}
	return false
}

func hasDefault(n *tfproto.NodeDef) bool { return n.GetOp() == "PlaceholderWithDefault" }

// Given returns the signature for a call: without the optional inputs that are not given.
func (s *Signature) Given(given func(input string) bool) *Signature {
	r := *s
	r.Inputs = slices.DeleteFunc(slices.Clone(s.Inputs), func(p Port) bool { return p.Optional && !given(p.Name) })
	return &r
}

// Needed returns the inputs that every call has to give; where each has a default, all of them, since a model is there to be given
// something.
func (s *Signature) Needed() []Port {
	if needed := s.Given(func(string) bool { return false }).Inputs; len(needed) > 0 {
		return needed
	}
	return s.Inputs
}
