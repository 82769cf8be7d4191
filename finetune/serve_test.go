package finetune

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// The exported SavedModel, with its output of strings, runs on the native engine too: one probability and many.
func TestExportRunsNatively(t *testing.T) {
	for name, classes := range map[string][]string{"binary_crossentropy": {"no", "yes"}, "sparse_categorical_crossentropy": {"a", "b", "c"}} {
		data := t.TempDir()
		for i, class := range classes {
			noise(t, filepath.Join(data, class), 6, uint64(i))
		}
		o := options(t, data)
		o.Loss, o.Epochs = name, 1
		run(t, o)
		x, err := tensor.New(tensor.Float32, 4, 28, 28, 1)
		require.NoError(t, err)
		values, err := tensor.Data[float32](x)
		require.NoError(t, err)
		for i := range values {
			values[i] = float32(i * 37 % 256)
		}
		call := func(engine cambium.Engine) map[string]*tensor.Tensor {
			m, err := cambium.Load(filepath.Join(o.Out, "saved_model"), &cambium.Options{Engine: engine})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			got, err := m.Call(t.Context(), map[string]*tensor.Tensor{"inputs": x})
			require.NoError(t, err)
			_, err = m.Predict(t.Context(), x)
			require.ErrorContains(t, err, "one input and one output")
			return got
		}
		got := call(cambium.Native)
		require.Equal(t, tensor.Shape{4, len(classes)}, got["probabilities"].Shape())
		named, err := tensor.Data[string](got["class"])
		require.NoError(t, err)
		require.Subset(t, classes, named)
		if !tfbridge.Available {
			continue
		}
		want := call(cambium.TensorFlow)
		require.True(t, want["class"].Equal(got["class"]), "%v", got["class"])
		p, err := tensor.Data[float32](want["probabilities"])
		require.NoError(t, err)
		q, err := tensor.Data[float32](got["probabilities"])
		require.NoError(t, err)
		require.InDeltaSlice(t, p, q, 1e-6)
	}
}
