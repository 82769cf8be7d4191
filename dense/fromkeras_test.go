package dense_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

const mnistModels = "../scripts/testdata/mnist/"

// The same network from each format gives the same probabilities.
func TestFromKerasAndFromGraphAgree(t *testing.T) {
	k, err := keras.Load(mnistModels + "mlp/my_mnist.h5")
	require.NoError(t, err)
	first, err := dense.FromKeras(k, dense.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, first.Close()) }()
	m, err := savedmodel.Read(mnistModels + "mlp/saved_model")
	require.NoError(t, err)
	mg, err := m.MetaGraph()
	require.NoError(t, err)
	g, err := mg.Graph()
	require.NoError(t, err)
	require.NoError(t, savedmodel.ReadVariables(g))
	second, err := dense.FromGraph(g, "", dense.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, second.Close()) }()

	values := make([]float32, 3*784)
	for i := range values {
		values[i] = float32(math.Abs(math.Sin(float64(i))))
	}
	x := tensor.Must(tensor.Of(values, 3, 784))
	want, err := first.Predict(x)
	require.NoError(t, err)
	got, err := second.Predict(x)
	require.NoError(t, err)
	require.NoError(t, tensor.AllClose(got, want, 1e-5, 1e-7))
}

// sequential is a Keras configuration of one layer on [batch, 4].
func sequential(t *testing.T, class string, config map[string]any) *keras.Model {
	t.Helper()
	layer := func(class string, config map[string]any) map[string]any {
		return map[string]any{"module": "keras.layers", "class_name": class, "config": config, "registered_name": nil}
	}
	config["name"], config["dtype"] = "layer", "float32"
	text, err := json.Marshal(map[string]any{"module": "keras", "class_name": "Sequential", "registered_name": nil, "config": map[string]any{
		"name": "model", "trainable": true, "layers": []any{
			layer("InputLayer", map[string]any{"batch_shape": []any{nil, 4}, "dtype": "float32", "name": "x"}), layer(class, config),
		},
	}})
	require.NoError(t, err)
	k, err := keras.FromConfig(text)
	require.NoError(t, err)
	return k
}

func TestFromKerasLayers(t *testing.T) {
	x := tensor.Must(tensor.Of([]float32{-2, -0.5, 0.5, 8}, 1, 4))
	for _, test := range []struct {
		class  string
		config map[string]any
		want   []float32
	}{
		{"ReLU", map[string]any{}, []float32{0, 0, 0.5, 8}},
		{"ReLU", map[string]any{"max_value": 6.0}, []float32{0, 0, 0.5, 6}},
		{"ReLU", map[string]any{"negative_slope": 0.5}, []float32{-1, -0.25, 0.5, 8}},
		{"LeakyReLU", map[string]any{"negative_slope": 0.25}, []float32{-0.5, -0.125, 0.5, 8}},
		{"Rescaling", map[string]any{"scale": 2.0, "offset": 1.0}, []float32{-3, 0, 2, 17}},
		{"Activation", map[string]any{"activation": "linear"}, []float32{-2, -0.5, 0.5, 8}},
		{"GaussianNoise", map[string]any{"stddev": 0.5}, []float32{-2, -0.5, 0.5, 8}},
	} {
		t.Run(test.class, func(t *testing.T) {
			m, err := dense.FromKeras(sequential(t, test.class, test.config), dense.Config{})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			got, err := m.Predict(x)
			require.NoError(t, err)
			require.NoError(t, tensor.AllClose(got, tensor.Must(tensor.Of(test.want, 1, 4)), 1e-6, 0))
		})
	}
}

// What the engine lacks is named.
func TestFromKerasNamesWhatIsMissing(t *testing.T) {
	k, err := keras.Load(mnistModels + "cnn/my_mnist.keras")
	require.NoError(t, err)
	_, err = dense.FromKeras(k, dense.Config{})
	require.ErrorIs(t, err, dense.ErrUnsupported)
	require.ErrorContains(t, err, "conv2d (Conv2D)")

	_, err = dense.FromKeras(sequential(t, "ReLU", map[string]any{"threshold": 1.0}), dense.Config{})
	require.ErrorIs(t, err, dense.ErrUnsupported)
	require.ErrorContains(t, err, "threshold")
}
