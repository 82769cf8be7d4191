package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func TestParts(t *testing.T) {
	ports := graph.Parts([]graph.Port{
		{Name: "dense", DType: tensor.Float32, Shape: tensor.Shape{2}, Tensor: "dense:0"},
		{Name: "sparse", DType: tensor.Float32, Components: map[string]string{"values": "v:0", "indices": "i:0", "dense_shape": "s:0"}},
		{
			Name: "ragged", DType: tensor.String, Components: map[string]string{"values": "w:0", "row_splits_0": "r:0"},
			Types: map[string]tensor.DType{"values": tensor.String, "row_splits_0": tensor.Int32},
		},
	})
	require.Equal(t, []graph.Port{
		{Name: "dense", DType: tensor.Float32, Shape: tensor.Shape{2}, Tensor: "dense:0"},
		{Name: "sparse/dense_shape", DType: tensor.Int64, Tensor: "s:0"},
		{Name: "sparse/indices", DType: tensor.Int64, Tensor: "i:0"},
		{Name: "sparse/values", DType: tensor.Float32, Tensor: "v:0"},
		{Name: "ragged/row_splits_0", DType: tensor.Int32, Tensor: "r:0"},
		{Name: "ragged/values", DType: tensor.String, Tensor: "w:0"},
	}, ports)
}
