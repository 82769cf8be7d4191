package tfbridge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func zeros(t *testing.T, d tensor.DType, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(d, shape...)
	require.NoError(t, err)
	return x
}

func TestCheckInputs(t *testing.T) {
	ports := []graph.Port{
		{Name: "image", DType: tensor.Float32, Shape: tensor.Shape{-1, 28, 28}},
		{Name: "threshold", DType: tensor.Float64, Shape: tensor.Shape{}},
		{Name: "words", DType: tensor.String},
	}
	image := zeros(t, tensor.Float32, 2, 28, 28)
	threshold := zeros(t, tensor.Float64)
	words := zeros(t, tensor.String, 3)
	type inputs = map[string]*tensor.Tensor
	for _, c := range []struct {
		name   string
		inputs inputs
		want   string // of the message; "" means that the inputs are right
	}{
		{"right", inputs{"image": image, "threshold": threshold, "words": words}, ""},
		{"another batch", inputs{"image": zeros(t, tensor.Float32, 0, 28, 28), "threshold": threshold, "words": words}, ""},
		{"any rank", inputs{"image": image, "threshold": threshold, "words": zeros(t, tensor.String, 1, 2, 3)}, ""},
		{"nothing", nil, `"image" is missing; the inputs are "image" (float32 [?,28,28]), "threshold" (float64 []), "words" (object unknown)`},
		{"one missing", inputs{"image": image, "words": words}, `"threshold" is missing`},
		{"one too many", inputs{"image": image, "threshold": threshold, "words": words, "x": words}, `there is no "x"; the inputs are "image"`},
		{"nil", inputs{"image": nil, "threshold": threshold, "words": words}, `"image" is nil; it takes float32 [?,28,28]`},
		{"a tensor that was never made", inputs{"image": {}, "threshold": threshold, "words": words}, `"image" is dtype(0)`},
		{"another type", inputs{"image": zeros(t, tensor.Uint8, 2, 28, 28), "threshold": threshold, "words": words}, `"image" is uint8 [2,28,28], it takes float32 [?,28,28]`},
		{"numbers for strings", inputs{"image": image, "threshold": threshold, "words": threshold}, `"words" is float64 [], it takes object unknown`},
		{"another rank", inputs{"image": zeros(t, tensor.Float32, 2, 784), "threshold": threshold, "words": words}, `"image" is float32 [2,784], of rank 2; it takes float32 [?,28,28], of rank 3`},
		{"a vector for a scalar", inputs{"image": image, "threshold": zeros(t, tensor.Float64, 1), "words": words}, `"threshold" is float64 [1], of rank 1; it takes float64 [], of rank 0`},
		{"another dimension", inputs{"image": zeros(t, tensor.Float32, 28, 28, 1), "threshold": threshold, "words": words}, "dimension 2 is 1 and must be 28"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkInputs(ports, c.inputs)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrInput)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestCheckInputRefusesHandles(t *testing.T) {
	err := checkInput(&graph.Port{Name: "table", DType: tensor.Resource}, zeros(t, tensor.Int64))
	require.ErrorIs(t, err, ErrInput)
	require.ErrorContains(t, err, "cannot be passed from outside TensorFlow")
}
