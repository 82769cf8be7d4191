package finetune

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// findFeatures returns the tensor of a flat graph that its features are: that of the layer that was named, else the model's
// output, or for a classifier what goes into its head (the last matrix product or 1×1 convolution).
func findFeatures(g *graph.Graph, layer string) (string, error) {
	c := cutter{nodes: map[string]*tfproto.NodeDef{}}
	for _, n := range g.Def.GetNode() {
		c.nodes[n.GetName()] = n
	}
	if layer != "" {
		return c.named(g, layer)
	}
	out := outputPort(g.Signatures[0])
	head, classifier := c.head(out.Tensor)
	if !classifier {
		return out.Tensor, nil
	}
	if head == nil {
		return "", fmt.Errorf("%w: its output %s looks like classes, but nothing before it looks like a head; choose a layer with --layer", ErrOption, out.Name)
	}
	return graph.Ref(c.passed(inputs(head)[0])).Tensor(), nil
}

// outputPort is the output to use: hub's "default", else the first.
func outputPort(s graph.Signature) graph.Port {
	if i := slices.IndexFunc(s.Outputs, func(p graph.Port) bool { return p.Name == "default" }); i >= 0 {
		return s.Outputs[i]
	}
	return s.Outputs[0]
}

type cutter struct {
	nodes map[string]*tfproto.NodeDef
}

// named returns the output of a node, or of the last node of a layer's name scope.
func (c *cutter) named(g *graph.Graph, layer string) (string, error) {
	if c.nodes[layer] != nil {
		return layer + ":0", nil
	}
	uses := map[string]int{} // of the scope's nodes by nodes of the scope
	var scope []string
	for _, n := range g.Def.GetNode() {
		if !strings.HasPrefix(n.GetName(), layer+"/") || n.GetOp() == "Const" {
			continue
		}
		scope = append(scope, n.GetName())
		for _, in := range inputs(n) {
			if name, _, err := graph.ParseTensor(in); err == nil && strings.HasPrefix(name, layer+"/") {
				uses[name]++
			}
		}
	}
	last := slices.DeleteFunc(slices.Clone(scope), func(name string) bool { return uses[name] > 0 })
	if len(last) == 0 {
		return "", fmt.Errorf("%w: there is no layer %q", ErrOption, layer)
	}
	return last[len(last)-1] + ":0", nil
}

// head walks back from an output and returns the matrix product or convolution of a classifier's head. It is one if there is a
// softmax behind it or its names say so.
func (c *cutter) head(ref string) (head *tfproto.NodeDef, classifier bool) {
	for range len(c.nodes) {
		name, _, err := graph.ParseTensor(ref)
		n := c.nodes[name]
		if err != nil || n == nil {
			return nil, classifier
		}
		lower := strings.ToLower(name)
		for _, word := range []string{"logits", "predictions", "probabilities", "probs"} {
			classifier = classifier || strings.Contains(lower, word)
		}
		switch n.GetOp() {
		case "Softmax", "LogSoftmax":
			classifier = true
		case "MatMul", "Conv2D":
			return n, classifier
		case "Identity", "Reshape", "Squeeze", "BiasAdd", "Add", "AddV2", "Sigmoid", "Mean", "AvgPool", "Cast", "StopGradient":
		default:
			return nil, classifier
		}
		ref = inputs(n)[0]
	}
	return nil, classifier
}

// passed goes back over what changes nothing, and over the cast that a head of float32 begins with on a base of mixed precision.
func (c *cutter) passed(ref string) string {
	for range len(c.nodes) {
		name, _, err := graph.ParseTensor(ref)
		n := c.nodes[name]
		same := n.GetOp() == "Identity" || n.GetOp() == "StopGradient" || n.GetOp() == "Cast" && half(n.GetAttr()["SrcT"])
		if err != nil || !same {
			return ref
		}
		ref = inputs(n)[0]
	}
	return ref
}

// half reports whether an attribute is an element type of 16 bits.
func half(a *tfproto.AttrValue) bool {
	d := graph.DTypeOf(a.GetType())
	return d == tensor.Float16 || d == tensor.BFloat16
}

// inputs returns a node's data inputs.
func inputs(n *tfproto.NodeDef) []string {
	return slices.DeleteFunc(slices.Clone(n.GetInput()), func(in string) bool { return strings.HasPrefix(in, "^") })
}
