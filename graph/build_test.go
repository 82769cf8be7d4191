package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Variables of one name are two variables.
func TestVariablesOfOneNameAreApart(t *testing.T) {
	b := graph.NewBuilder()
	first := b.Variable("kernel", tensor.Scalar(float32(1)))
	second := b.Variable("kernel", tensor.Scalar(float32(2)))
	require.NotEqual(t, first, second)
	g, err := b.Finish()
	require.NoError(t, err)
	require.Len(t, g.Variables, 2)
	names := map[string]bool{}
	for _, n := range g.Def.GetNode() {
		names[string(n.GetAttr()["shared_name"].GetS())] = true
	}
	require.Len(t, names, 2)
}

// A depthwise convolution keeps an explicit padding apart: TensorFlow 2.18 aborts when it fuses one.
func TestFoldKeepsPaddingOfDepthwiseConvolutions(t *testing.T) {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, -1, -1, 2})
	pads := b.Const("pads", tensor.Must(tensor.Of([]int32{0, 0, 0, 1, 0, 1, 0, 0}, 4, 2)))
	padded := b.Op("Pad", "pad", []graph.Ref{x, pads}, graph.Attrs{"T": tensor.Float32, "Tpaddings": tensor.Int32})
	kernel := b.Const("kernel", tensor.Must(tensor.New(tensor.Float32, 3, 3, 2, 1)))
	y := b.Op("DepthwiseConv2dNative", "y", []graph.Ref{padded, kernel}, graph.Attrs{
		"T": tensor.Float32, "strides": []int{1, 2, 2, 1}, "padding": "VALID", "data_format": "NHWC", "dilations": []int{1, 1, 1, 1},
	})
	g, err := b.Finish(graph.Signature{
		Name:    graph.DefaultSignature,
		Inputs:  []graph.Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1, -1, -1, 2}, Tensor: x.Tensor()}},
		Outputs: []graph.Port{{Name: "y", DType: tensor.Float32, Tensor: y.Tensor()}},
	})
	require.NoError(t, err)
	folded, err := graph.Fold(g)
	require.NoError(t, err)
	for _, n := range folded.Def.GetNode() {
		if n.GetOp() == "DepthwiseConv2dNative" {
			require.NotEqual(t, "EXPLICIT", string(n.GetAttr()["padding"].GetS()))
		}
	}
}
