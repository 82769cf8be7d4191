package cambium_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/tensor"
)

// TestConvert converts models in every direction and checks that they still read a digit as before.
func TestConvert(t *testing.T) {
	for _, kind := range []string{"mlp", "cnn"} {
		for _, src := range []string{"my_mnist.h5", "my_mnist.keras", "saved_model", "saved_model_tf1", "frozen.pb"} {
			for _, dst := range []string{"out.h5", "out.keras", "out"} {
				t.Run(kind+"/"+src+" to "+dst, func(t *testing.T) {
					from, to := filepath.Join("scripts/testdata/mnist", kind, src), filepath.Join(t.TempDir(), dst)
					err := cambium.Convert(from, to)
					if fromKeras := filepath.Ext(src) == ".h5" || filepath.Ext(src) == ".keras"; !fromKeras && dst != "out" {
						require.ErrorIs(t, err, cambium.ErrConvert)
						require.NoFileExists(t, to)
						return
					}
					require.NoError(t, err)
					_, err = cambium.Inspect(to)
					require.NoError(t, err)
					checkSame(t, kind, from, to)
				})
			}
		}
	}
}

func checkSame(t *testing.T, kind, from, to string) {
	t.Helper()
	needTensorFlow(t)
	x := pixels(t, kind, "3_1.png")
	var answers []*tensor.Tensor
	for _, path := range []string{from, to} {
		model, err := cambium.Load(path, nil)
		require.NoError(t, err)
		y, err := model.Predict(t.Context(), x)
		require.NoError(t, err)
		require.NoError(t, model.Close())
		answers = append(answers, y)
	}
	require.NoError(t, tensor.AllClose(answers[1], answers[0], 1e-5, 1e-6))
}

func TestConvertKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	note := filepath.Join(dir, "note.txt")
	require.NoError(t, os.WriteFile(note, []byte("mine"), 0o600))
	require.ErrorIs(t, cambium.Convert(mlp+"my_mnist.h5", dir), cambium.ErrConvert)
	require.ErrorIs(t, cambium.Convert(mlp+"my_mnist.h5", note), cambium.ErrConvert)
	require.ErrorIs(t, cambium.Convert(mlp+"my_mnist.h5", filepath.Join(dir, "frozen.pb")), cambium.ErrConvert)
	text, err := os.ReadFile(note)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
	require.Error(t, cambium.Convert("no/such.h5", filepath.Join(dir, "x.keras")))
}

func TestConvertNeedsAName(t *testing.T) {
	require.ErrorIs(t, cambium.Convert("scripts/testdata/mnist/mlp/my_mnist.h5", ""), cambium.ErrConvert)
}
