package graph_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// TestThaw tells weights from statistics and from what images are prepared with.
func TestThaw(t *testing.T) {
	b := graph.NewBuilder()
	float := graph.Attrs{"T": tensor.Float32}
	vector := func(name string, n int) graph.Ref { return b.Const(name, tensor.Must(tensor.New(tensor.Float32, n))) }
	op := func(op, name string, in ...graph.Ref) graph.Ref { return b.Op(op, name, in, float) }
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 4, 4, 3})
	y := op("Sub", "prepared", x, vector("pixel_mean", 3))
	y = op("Mul", "scaled", y, b.Const("pixel_scale", tensor.Scalar(float32(2))))
	kernel := op("Identity", "kernel/read", b.Const("kernel", tensor.Must(tensor.New(tensor.Float32, 1, 1, 3, 2))))
	y = b.Op("Conv2D", "conv", []graph.Ref{y, kernel}, graph.Attrs{"T": tensor.Float32, "strides": []int{1, 1, 1, 1}, "padding": "SAME"})
	// batch normalization as TensorFlow 1 and Keras's exports write it
	inverse := op("Mul", "bn/mul", op("Rsqrt", "bn/rsqrt", op("AddV2", "bn/add", vector("variance", 2), b.Const("epsilon", tensor.Scalar(float32(1e-3))))), vector("gamma", 2))
	y = op("Mul", "bn/mul_1", y, inverse)
	y = op("AddV2", "bn/add_1", y, op("Sub", "bn/sub", vector("beta", 2), op("Mul", "bn/mul_2", vector("mean", 2), inverse)))
	y = op("Mul", "half", y, b.Const("number", tensor.Scalar(float32(0.5))))
	y = b.Op("FusedBatchNormV3", "fused", []graph.Ref{y, vector("scale", 2), vector("offset", 2), vector("moving_mean", 2), vector("moving_variance", 2)},
		graph.Attrs{"T": tensor.Float32, "U": tensor.Float32, "is_training": false})
	y = op("BiasAdd", "biased", y, vector("bias", 2))
	g, err := b.Finish(graph.Signature{Name: "s", Inputs: []graph.Port{{Name: "x", Tensor: x.Tensor()}}, Outputs: []graph.Port{{Name: "y", Tensor: y.Tensor()}}})
	require.NoError(t, err)
	before := len(g.Def.Node)

	thawed, err := graph.Thaw(g)
	require.NoError(t, err)
	require.Equal(t, []string{"beta", "bias", "gamma", "kernel", "offset", "scale"}, slices.Sorted(maps.Keys(thawed.Variables)))
	require.Len(t, g.Def.Node, before, "the given graph stays")
	require.Len(t, thawed.Def.Node, before+6, "each weight is read once")
	require.Empty(t, g.Variables)

	frozen, kept, err := graph.Freeze(thawed)
	require.NoError(t, err)
	require.Empty(t, kept, "it freezes again")
	require.Empty(t, frozen.Variables)
}

func TestDifferentiable(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 8, 8, 1})
	both := b.Op("IdentityN", "both", []graph.Ref{x, b.Op("Relu", "relu", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32})}, graph.Attrs{"T": []tensor.DType{tensor.Float32, tensor.Float32}})
	again := b.Op("IdentityN", "again", []graph.Ref{both.Output(1)}, graph.Attrs{"T": []tensor.DType{tensor.Float32}})
	y := b.Op("EnsureShape", "y", []graph.Ref{again, "^both"}, graph.Attrs{"T": tensor.Float32, "shape": tensor.Shape{-1, 8, 8, 1}})
	kernel := b.Const("kernel", tensor.Must(tensor.New(tensor.Float32, 3, 3, 1, 1)))
	strided := b.Op("Conv2D", "strided", []graph.Ref{y, kernel}, graph.Attrs{"T": tensor.Float32, "strides": []int{1, 2, 2, 1}, "dilations": []int{1, 2, 2, 1}, "padding": "SAME"})
	out := func(name string, r graph.Ref) graph.Port { return graph.Port{Name: name, Tensor: r.Tensor()} }
	g, err := b.Finish(graph.Signature{Name: "s", Inputs: []graph.Port{out("x", x)}, Outputs: []graph.Port{out("a", again), out("b", y), out("c", strided)}})
	require.NoError(t, err)
	d, err := graph.Differentiable(g)
	require.NoError(t, err)
	ops := map[string]string{}
	for _, n := range d.Def.Node {
		ops[n.GetName()] = n.GetOp()
	}
	require.Equal(t, map[string]string{"x": "Placeholder", "relu": "Relu", "both": "NoOp", "again": "NoOp", "y": "Identity", "kernel": "Const", "strided": "Conv2D"}, ops,
		"strides and dilations at once have no rewrite")
	require.Equal(t, "relu", d.Signatures[0].Outputs[0].Tensor)
	require.Equal(t, "IdentityN", g.Def.Node[2].GetOp(), "the given graph stays")
}
