package graph

import (
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Simplify returns the graph without the nodes that only pass something on: Identity, IdentityN and Snapshot that wait for
// nothing, and control dependencies on nodes that have no effect. The outputs of every signature are the same bits as
// before; a signature's output may be another tensor then. The given graph is not changed.
func Simplify(g *Graph) (*Graph, error) {
	s := &simplifier{definitions: g.definitions(), fed: map[string]bool{}, ends: map[string]string{}}
	if err := g.Check(); err != nil {
		return nil, err
	}
	s.nodes, _ = index(g.Def) // Check has looked
	s.waits = s.nodes.waits(s.definitions)
	for _, t := range g.fedTensors() {
		s.fed[inputNode(t)] = true
	}
	r := *g
	r.Def = &tfproto.GraphDef{Versions: g.Def.Versions, Library: g.Def.Library}
	for _, n := range g.Def.Node {
		r.Def.Node = append(r.Def.Node, s.simplify(n))
	}
	r.Signatures = make([]Signature, len(g.Signatures))
	for i, sig := range g.Signatures {
		sig.Outputs = slices.Clone(sig.Outputs)
		for k := range sig.Outputs {
			s.simplifyPort(&sig.Outputs[k])
		}
		r.Signatures[i] = sig
	}
	return Prune(&r, r.roots()...)
}

type simplifier struct {
	definitions
	nodes nodeIndex
	waits map[string]bool // nodes that are worth waiting for
	fed   map[string]bool // nodes whose outputs a caller replaces
	ends  map[string]string
}

func (s *simplifier) simplify(n *tfproto.NodeDef) *tfproto.NodeDef {
	c := copyNode(n)
	c.Input = nil
	for _, in := range n.Input {
		switch {
		case !isControl(in):
			c.Input = append(c.Input, s.source(in))
		case s.waits[inputNode(in)]:
			c.Input = append(c.Input, in)
		}
	}
	return c
}

// source follows a tensor back through nodes that pass it on.
func (s *simplifier) source(ref string) string {
	var path []string
	for len(path) <= len(s.nodes) { // a circle of Identity nodes ends somewhere
		if end, ok := s.ends[ref]; ok {
			ref = end
			break
		}
		next := s.step(ref)
		if next == ref {
			break
		}
		path = append(path, ref)
		ref = next
	}
	for _, p := range path {
		s.ends[p] = ref
	}
	return ref
}

// step returns the input that a node passes on as ref; ref itself, in its shortest spelling, where it passes nothing on.
func (s *simplifier) step(ref string) string {
	node, output, err := ParseTensor(ref)
	if err != nil {
		return ref
	}
	n := s.nodes[node]
	data, control := splitInputs(n.Input)
	if !isPassing(n.Op) || s.fed[node] || output >= len(data) || slices.ContainsFunc(control, func(c string) bool { return s.waits[inputNode(c)] }) {
		return tensorName(node, output)
	}
	if from := s.nodes[inputNode(data[output])]; from.Device != n.Device || s.isRef(from) {
		return tensorName(node, output)
	}
	return data[output]
}

func isPassing(op string) bool { return op == "Identity" || op == "IdentityN" || op == "Snapshot" }

// isRef reports whether an output of n is a reference to a variable, whose value an Identity takes at its own time.
func (s *simplifier) isRef(n *tfproto.NodeDef) bool {
	def := s.op(n.Op)
	return def == nil || slices.ContainsFunc(def.OutputArg, func(a *tfproto.OpDef_ArgDef) bool { return a.IsRef })
}

// simplifyPort makes an output the tensor that it passes on. An output that is an input, which a session refuses to feed
// and fetch at once, stays as it is.
func (s *simplifier) simplifyPort(p *Port) {
	if p.Components != nil {
		return
	}
	source := s.source(p.Tensor)
	if n := s.nodes[inputNode(source)]; !s.fed[n.Name] && !isPlaceholder(n.Op) && DTypeOf(n.Attr["dtype"].GetType()) != tensor.Resource {
		p.Tensor = Ref(source).Tensor()
	}
}
