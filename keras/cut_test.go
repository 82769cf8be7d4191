package keras_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
)

// TestCutAsLayer cuts every recorded model at every layer that has one output and puts the part into another model: the same
// weights in the same order, the same shape.
func TestCutAsLayer(t *testing.T) {
	parts := 0
	for _, path := range recordedFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := keras.Load(path)
			require.NoError(t, err)
			for _, l := range m.Layers {
				part, err := m.Cut(l.Name)
				if err != nil {
					require.ErrorIs(t, err, keras.ErrUnsupported)
					continue
				}
				require.Equal(t, l.Name, part.Outputs[0].Name)
				g, err := part.Graph()
				require.NoError(t, err, l.Name)
				require.Equal(t, l.OutputShapes[0], g.Signatures[0].Outputs[0].Shape)
				if len(part.Inputs) != 1 || part.Inputs[0].DType.String() != "float32" || l.Class == "InputLayer" {
					continue
				}
				layer, err := part.AsLayer()
				require.NoError(t, err, l.Name)
				whole, err := keras.NewSequential("whole", keras.Input(part.Inputs[0].Shape[1:]...), layer.With("name", "part"))
				require.NoError(t, err, l.Name)
				require.NoError(t, whole.SetWeights(part.Weights()), l.Name)
				require.Equal(t, part.Outputs[0].Shape, whole.Outputs[0].Shape, l.Name)
				parts++
			}
		})
	}
	require.Greater(t, parts, 50)
}

func TestCut(t *testing.T) {
	m, err := keras.NewSequential("m", keras.Input(4), keras.Dense(3, "relu"), keras.Dropout(0.5), keras.Dense(2, "softmax"))
	require.NoError(t, err)
	for features, want := range map[string]int{"dense/Relu:0": 2, "dropout": 3, "dense": 2, "": 4} {
		part, err := m.Cut(features)
		require.NoError(t, err)
		require.Len(t, part.Layers, want, features)
	}
	require.Len(t, m.Layers, 4)
	for _, features := range []string{"dense/BiasAdd:0", "dense9"} {
		_, err = m.Cut(features)
		require.ErrorIs(t, err, keras.ErrUnsupported)
		require.ErrorContains(t, err, features)
	}
}

func TestUnfreeze(t *testing.T) {
	m, err := keras.NewSequential("m", keras.Input(4), keras.Dense(3, "relu").With("trainable", false), keras.BatchNormalization().With("trainable", false))
	require.NoError(t, err)
	require.Zero(t, m.TrainableParameters())
	m.Unfreeze()
	require.Equal(t, 4*3+3+2*3, m.TrainableParameters(), "not the moving statistics")
}
