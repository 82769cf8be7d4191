package cambium_test

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// pixels reads a digit as the model of the given kind takes it: 0..1, [1, 784] for the MLP, [1, 28, 28, 1] for the CNN.
func pixels(t *testing.T, kind, digit string) *tensor.Tensor {
	t.Helper()
	f, err := os.Open(filepath.Join("scripts/testdata/mnist/digits", digit))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	img, err := png.Decode(f)
	require.NoError(t, err)
	values := make([]float32, 0, 784)
	for y := range 28 {
		for x := range 28 {
			grey, _, _, _ := img.At(x, y).RGBA()
			values = append(values, float32(grey>>8)/255)
		}
	}
	if kind == "cnn" {
		return tensor.Must(tensor.Of(values, 1, 28, 28, 1))
	}
	return tensor.Must(tensor.Of(values, 1, 784))
}
