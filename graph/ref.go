package graph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// maxOutputs bounds the outputs of one node: what a corrupt attribute may ask for.
const maxOutputs = 1 << 16

// ParseTensor splits the name of a tensor, "node:1" or "node" for output 0, into the node and the number of the output.
func ParseTensor(s string) (node string, output int, err error) {
	node, index, found := strings.Cut(s, ":")
	if found {
		output, err = strconv.Atoi(index)
	}
	if err != nil || node == "" || node[0] == '^' || output < 0 || output >= maxOutputs {
		return "", 0, fmt.Errorf("%w: %q does not name a tensor; the form is \"node:0\"", ErrMalformed, s)
	}
	return node, output, nil
}

// tensorName writes a tensor as a node's input: "node" or "node:1".
func tensorName(node string, output int) string {
	if output == 0 {
		return node
	}
	return node + ":" + strconv.Itoa(output)
}

// inputNode returns the node that an input of a node refers to, whether it is data or a control dependency.
func inputNode(input string) string {
	node, _, _ := strings.Cut(strings.TrimPrefix(input, "^"), ":")
	return node
}

// isControl reports whether an input is a control dependency.
func isControl(input string) bool { return strings.HasPrefix(input, "^") }

// splitInputs separates a node's data inputs from its control dependencies.
func splitInputs(inputs []string) (data, control []string) {
	for i, in := range inputs {
		if isControl(in) {
			return inputs[:i:i], inputs[i:]
		}
	}
	return inputs, nil
}

// isName reports whether a reference can be made of a node's name.
func isName(s string) bool { return s != "" && s[0] != '^' && !strings.Contains(s, ":") }

// nodeIndex finds nodes by name.
type nodeIndex map[string]*tfproto.NodeDef

// index checks that names are given once and that every input names a node, and returns the nodes by name.
func index(def *tfproto.GraphDef) (nodeIndex, error) {
	x := make(nodeIndex, len(def.GetNode()))
	for _, n := range def.GetNode() {
		if !isName(n.GetName()) {
			return nil, fmt.Errorf("%w: %q is no name for a node (%s)", ErrMalformed, n.GetName(), n.GetOp())
		}
		if x[n.Name] != nil {
			return nil, fmt.Errorf("%w: two nodes are named %q", ErrMalformed, n.Name)
		}
		x[n.Name] = n
	}
	for _, f := range def.GetLibrary().GetFunction() {
		if f.GetSignature().GetName() == "" {
			return nil, fmt.Errorf("%w: a function of the library has no name", ErrMalformed)
		}
	}
	for _, n := range def.GetNode() {
		if err := x.checkInputs(n); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// checkInputs checks that the inputs of n name nodes, data before control dependencies.
func (x nodeIndex) checkInputs(n *tfproto.NodeDef) error {
	control := false
	for _, in := range n.Input {
		if isControl(in) {
			control = true
		} else if _, _, err := ParseTensor(in); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		} else if control {
			return fmt.Errorf("%w: node %s has input %q after a control dependency", ErrMalformed, n.Name, in)
		}
		if x[inputNode(in)] == nil {
			return fmt.Errorf("%w: node %s has input %q, which the graph does not have", ErrMalformed, n.Name, in)
		}
	}
	return nil
}

// Check reports the first contradiction in the graph: a name given twice, an input or a signature's tensor that does not
// exist.
func (g *Graph) Check() error {
	x, err := index(g.Def)
	if err != nil {
		return err
	}
	for _, s := range g.Signatures {
		for _, ports := range [][]Port{s.Inputs, s.Outputs} {
			for _, p := range ports {
				for _, t := range p.Tensors() {
					node, _, err := ParseTensor(t)
					if err != nil {
						return fmt.Errorf("signature %s, %s: %w", s.Name, p.Name, err)
					}
					if x[node] == nil {
						return fmt.Errorf("%w: signature %s binds %s to %s, which the graph does not have", ErrMalformed, s.Name, p.Name, t)
					}
				}
			}
		}
	}
	return nil
}

// ShapeOf returns TensorFlow's message as a shape: -1 for an unknown dimension, nil for an unknown rank.
func ShapeOf(p *tfproto.TensorShapeProto) tensor.Shape {
	if p == nil || p.UnknownRank || len(p.Dim) > tensor.MaxRank {
		return nil
	}
	s := make(tensor.Shape, len(p.Dim))
	for i, d := range p.Dim {
		s[i] = max(int(d.GetSize()), -1)
	}
	return s
}

// DTypeOf returns the element type that TensorFlow's enumeration names, without the mark of a reference; Invalid for a
// number that this package does not know.
func DTypeOf(d tfproto.DataType) tensor.DType {
	const ref = 100
	if d > ref {
		d -= ref
	}
	if d < 0 || d >= ref || !tensor.DType(d).Valid() {
		return tensor.Invalid
	}
	return tensor.DType(d)
}
