package graph

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// ForSignature returns what one signature needs and nothing else, as one flat graph: functions inlined, variables that no
// signature writes frozen, passed-on values and idle control dependencies gone, every input a placeholder. It is the form
// that runs fastest and that an engine without functions can run. "" means the only signature, else serving_default.
//
// The outputs are the same bits as the model's own. Variables that had to stay (the model counts, trains, …) are restored
// from the Checkpoint as before, or are in Variables. The given graph is not changed.
func ForSignature(g *Graph, name string) (*Graph, error) {
	s, err := g.Signature(name)
	if err != nil {
		return nil, err
	}
	name = s.Name
	r, _, err := Freeze(g) // with all signatures: what any of them writes is no constant
	if err != nil {
		return nil, err
	}
	if s, err = r.Signature(name); err != nil {
		return nil, err
	}
	r.Signatures = []Signature{*s}
	if err := r.cutInputs(); err != nil {
		return nil, err
	}
	nodes, err := index(r.Def)
	if err != nil {
		return nil, err
	}
	if !r.sharesState(nodes) {
		r.Init.Op = ""
	}
	r.dropIdle(nodes)
	return Simplify(r)
}

// sharesState reports whether the init op touches a variable, a table or other state that the outputs depend on.
func (g *Graph) sharesState(nodes nodeIndex) bool {
	defs := g.definitions()
	state := func(roots []string) map[string]bool {
		found := map[string]bool{}
		for name := range nodes.upstream(roots) {
			n := nodes[name]
			if data, _ := splitInputs(n.Input); len(data) == 0 && !isPlaceholder(n.Op) && (defs.op(n.Op) == nil || defs.op(n.Op).IsStateful) {
				found[sharedName(n)] = true
			}
		}
		return found
	}
	needed := state([]string{g.Init.Op})
	without := *g
	without.Init = Init{}
	for key := range state(without.running()) {
		if needed[key] {
			return true
		}
	}
	return false
}

// cutInputs makes every input of the one signature a placeholder, where it is a tensor in the middle of the graph.
func (g *Graph) cutInputs() error {
	if err := g.Check(); err != nil {
		return err
	}
	nodes, err := index(g.Def)
	if err != nil {
		return err
	}
	s := &g.Signatures[0]
	s.Inputs = slices.Clone(s.Inputs)
	cut := cutter{definitions: g.definitions(), nodes: nodes, replaced: map[string]*tfproto.NodeDef{}, moved: map[string]string{}}
	for i := range s.Inputs {
		p := &s.Inputs[i]
		if p.Components == nil {
			if p.Tensor, err = cut.tensor(p.Tensor, p.DType, p.Shape); err != nil {
				return fmt.Errorf("signature %s, input %s: %w", s.Name, p.Name, err)
			}
			continue
		}
		parts := map[string]string{}
		for key, t := range p.Components {
			if parts[key], err = cut.tensor(t, tensor.Invalid, nil); err != nil {
				return fmt.Errorf("signature %s, input %s: %w", s.Name, p.Name, err)
			}
		}
		p.Components = parts
	}
	g.Def = cut.apply(g.Def)
	return nil
}

type cutter struct {
	definitions
	nodes    nodeIndex
	replaced map[string]*tfproto.NodeDef // placeholders by name, in the place of a node or new
	moved    map[string]string           // tensors that a new placeholder stands for
}

// tensor returns the placeholder that takes the place of a tensor, under the same name if its node has no other outputs.
func (c *cutter) tensor(ref string, d tensor.DType, shape tensor.Shape) (string, error) {
	node, output, err := ParseTensor(ref)
	if err != nil {
		return "", err
	}
	n := c.nodes[node]
	if isPlaceholder(n.Op) {
		return ref, nil
	}
	types, err := c.outputs(n)
	if err != nil {
		return "", err
	}
	if output >= len(types) {
		return "", fmt.Errorf("%w: node %s has %d outputs", ErrMalformed, node, len(types))
	}
	if d == tensor.Invalid {
		d = types[output]
	}
	name := node
	if len(types) > 1 {
		for name = fmt.Sprintf("%s_%d", node, output); c.nodes[name] != nil; {
			name += "_"
		}
		c.moved[tensorName(node, output)] = name
	}
	c.replaced[name] = &tfproto.NodeDef{Name: name, Op: "Placeholder", Attr: map[string]*tfproto.AttrValue{
		"dtype": typeAttr(d),
		"shape": {Value: &tfproto.AttrValue_Shape{Shape: ShapeProto(shape)}},
	}}
	return name + ":0", nil
}

// apply returns the graph with the placeholders.
func (c *cutter) apply(def *tfproto.GraphDef) *tfproto.GraphDef {
	r := &tfproto.GraphDef{Versions: def.Versions, Library: def.Library}
	for _, n := range def.Node {
		if c.replaced[n.Name] != nil {
			continue
		}
		copied := copyNode(n)
		for i, in := range copied.Input {
			if node, output, err := ParseTensor(in); err == nil {
				if to := c.moved[tensorName(node, output)]; to != "" {
					copied.Input[i] = to
				}
			}
		}
		r.Node = append(r.Node, copied)
	}
	for _, name := range sortedKeys(c.replaced) {
		r.Node = append(r.Node, c.replaced[name])
	}
	return r
}
