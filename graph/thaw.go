package graph

import (
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// kernelOps multiply what was computed with a weight, their second input.
var kernelOps = map[string]bool{"MatMul": true, "BatchMatMul": true, "BatchMatMulV2": true, "Conv2D": true, "DepthwiseConv2dNative": true, "Conv3D": true}

// Thaw returns the graph with its weights as resource variables of the constants' names, with their values in Variables, so that
// it can be trained. Weights are the float32 constants that are
//
//	the kernel of a matrix product or convolution, a BiasAdd's bias, a fused batch normalization's scale and offset;
//	behind such an op, what is added, subtracted or multiplied, if it has more than one element: (x·(scale·1/√variance)) + offset.
//
// Means and variances of batch normalizations stay constants, as do what an input is prepared with (x - mean) and numbers. The
// graph is a flat one, from ForSignature or a frozen file. It is not changed.
func Thaw(g *Graph) (*Graph, error) {
	nodes, err := index(g.Def)
	if err != nil {
		return nil, err
	}
	t := &thawer{nodes: nodes, learned: nodes.downstream(func(n *tfproto.NodeDef) bool { return kernelOps[n.Op] }),
		fed: nodes.downstream(func(n *tfproto.NodeDef) bool { return isPlaceholder(n.Op) }), weights: map[string]*tensor.Tensor{}}
	for _, n := range g.Def.Node {
		t.look(n)
	}
	return t.apply(g)
}

type thawer struct {
	nodes   nodeIndex
	learned map[string]bool // nodes behind a kernel
	fed     map[string]bool // nodes that depend on an input
	weights map[string]*tensor.Tensor
	depth   int
}

// look finds the weights among a node's inputs.
func (t *thawer) look(n *tfproto.NodeDef) {
	in, _ := splitInputs(n.Input)
	if !t.fed[n.Name] || len(in) < 2 {
		return
	}
	switch {
	case kernelOps[n.Op], n.Op == "BiasAdd":
		t.take(in[1], 1)
	case n.Op == "Conv2DBackpropInput": // (sizes, kernel, image): a transposed convolution
		t.take(in[1], 1)
	case n.Op == "FusedBatchNorm" || n.Op == "FusedBatchNormV2" || n.Op == "FusedBatchNormV3":
		t.take(in[1], 1)
		if len(in) > 2 {
			t.take(in[2], 1)
		}
	case n.Op == "Add" || n.Op == "AddV2" || n.Op == "Sub" || n.Op == "Mul":
		for i := range 2 {
			if t.learned[inputNode(in[1-i])] && !t.fed[inputNode(in[i])] {
				t.take(in[i], 2)
			}
		}
	}
}

// maxExpression bounds how deep an expression of constants is looked into: a damaged graph may go round in circles.
const maxExpression = 8

// take makes a weight of what a constant expression is made of, where it has so many elements. A variance stands under a root, a
// mean in the product that is subtracted from an offset.
func (t *thawer) take(ref string, elements int) {
	if t.depth > maxExpression {
		return
	}
	t.depth++
	defer func() { t.depth-- }()
	n := t.nodes[inputNode(ref)]
	in, _ := splitInputs(n.Input)
	switch n.Op {
	case "Const":
		if DTypeOf(n.Attr["dtype"].GetType()) != tensor.Float32 {
			return
		}
		if v, err := Value(n); err == nil && v.Len() >= elements {
			t.weights[n.Name] = v
		}
	case "Identity", "Reshape", "Squeeze", "ExpandDims", "Sub":
		if len(in) > 0 {
			t.take(in[0], elements)
		}
	case "Mul":
		for _, r := range in {
			t.take(r, elements)
		}
	}
}

// apply puts variables in the constants' places.
func (t *thawer) apply(g *Graph) (*Graph, error) {
	b := NewBuilder()
	for _, n := range g.Def.Node {
		if t.weights[n.Name] == nil {
			b.Name(n.Name)
		}
	}
	reads := map[string]string{}
	for _, n := range g.Def.Node {
		if v := t.weights[n.Name]; v != nil {
			reads[n.Name] = string(b.Read(b.Variable(n.Name, v)))
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	for _, n := range g.Def.Node {
		if t.weights[n.Name] != nil {
			continue
		}
		c := copyNode(n)
		for i, in := range c.Input {
			if to := reads[inputNode(in)]; to != "" && !isControl(in) {
				c.Input[i] = to
			}
		}
		b.def.Node = append(b.def.Node, c)
	}
	for name, v := range g.Variables {
		b.vars[name] = v
	}
	r := *g
	r.Def = &tfproto.GraphDef{Node: b.def.Node, Versions: g.Def.Versions, Library: g.Def.Library}
	r.Variables = b.vars
	return &r, r.Check()
}
