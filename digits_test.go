package cambium_test

import (
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
)

// TestDigits runs both MNIST models in every format, on each engine that can, on twenty digits that Keras was asked about too.
func TestDigits(t *testing.T) {
	text, err := os.ReadFile("scripts/testdata/mnist/golden.json")
	require.NoError(t, err)
	var golden struct {
		Probabilities map[string]map[string][]float32 `json:"probabilities"`
	}
	require.NoError(t, json.Unmarshal(text, &golden))
	for _, engine := range []cambium.Engine{cambium.Native, cambium.TensorFlow} {
		for kind, want := range golden.Probabilities {
			require.Len(t, want, 20)
			for _, format := range []string{"saved_model", "saved_model_tf1", "frozen.pb", "my_mnist.keras", "my_mnist.h5"} {
				t.Run(string(engine)+"/"+kind+"/"+format, func(t *testing.T) {
					checkDigits(t, engine, kind, filepath.Join("scripts/testdata/mnist", kind, format), want)
				})
			}
		}
	}
}

func checkDigits(t *testing.T, engine cambium.Engine, kind, path string, want map[string][]float32) {
	t.Helper()
	if engine == cambium.TensorFlow {
		needTensorFlow(t)
	}
	model, err := cambium.Load(path, &cambium.Options{Engine: engine})
	if engine == cambium.Native && kind == "cnn" {
		require.ErrorIs(t, err, dense.ErrUnsupported)
		require.Regexp(t, "Conv2D|MaxPool", err.Error()) // the error names what is missing
		return
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, model.Close()) }()
	require.Equal(t, engine, cambium.EngineOf(model))
	for digit, probabilities := range want {
		y, err := model.Predict(t.Context(), pixels(t, kind, digit))
		require.NoError(t, err)
		require.NoError(t, tensor.AllClose(y, tensor.Must(tensor.Of(probabilities, 1, 10)), 1e-4, 1e-6), digit)
	}
}

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
