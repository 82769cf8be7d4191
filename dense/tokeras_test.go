package dense_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// TestStoredTrainingGoesOn interrupts training, writes a Keras file, reads it and goes on: the losses are those of training that
// was not interrupted, bit for bit.
func TestStoredTrainingGoesOn(t *testing.T) {
	rmsprop := train.RMSprop(0.002)
	rmsprop.Momentum, rmsprop.Centered = 0.5, true
	amsgrad := train.Adam(0.01)
	amsgrad.AMSGrad, amsgrad.ClipNorm = true, 0.5
	optimizers := map[string]train.Optimizer{"sgd": train.SGD(0.1), "momentum": train.Momentum(0.05, 0.9), "nesterov": train.Nesterov(0.05, 0.9), "rmsprop": rmsprop,
		"adam": train.Adam(0.01), "amsgrad": amsgrad, "adagrad": train.Adagrad(0.05)}
	losses := []train.Loss{{Name: train.CategoricalCrossentropy}, {Name: train.CategoricalCrossentropy, LabelSmoothing: 0.1}, {Name: train.MeanSquaredError}, {Name: train.Huber, Delta: 0.5}}
	i := 0
	for name, o := range optimizers {
		for _, ext := range []string{".keras", ".h5"} {
			loss := losses[i%len(losses)]
			i++
			t.Run(name+" "+string(loss.Name)+" "+ext, func(t *testing.T) {
				k, err := keras.NewSequential("m", keras.Input(6), keras.Dense(5, "relu"), keras.BatchNormalization(), keras.Dense(3, "softmax"))
				require.NoError(t, err)
				m, err := dense.FromKeras(k, dense.Config{Seed: 3})
				require.NoError(t, err)
				defer m.Close()
				require.NoError(t, m.Compile(o, loss, train.MSE()))
				steps(t, m, 0, 5)
				require.NoError(t, m.Store(k))
				path := filepath.Join(t.TempDir(), "m"+ext)
				require.NoError(t, keras.Write(path, k))
				want := steps(t, m, 5, 10)

				k, err = keras.Load(path)
				require.NoError(t, err)
				back, err := dense.FromKeras(k, dense.Config{})
				require.NoError(t, err)
				defer back.Close()
				require.NoError(t, back.CompileLike(k))
				require.Equal(t, o, back.Optimizer())
				require.Equal(t, loss, back.Loss())
				require.Equal(t, want, steps(t, back, 5, 10))
			})
		}
	}
}

// steps trains on a few seeded batches and returns the losses.
func steps(t *testing.T, m *dense.Model, from, to int) []float64 {
	t.Helper()
	var losses []float64
	for i := from; i < to; i++ {
		x, y := make([]float32, 8*6), make([]float32, 8*3)
		for j := range x {
			x[j] = float32((i*31+j*17)%23)/11 - 1
		}
		for j := range 8 {
			y[3*j+(i+j)%3] = 1
		}
		loss, err := m.TrainOnBatch(tensor.Must(tensor.Of(x, 8, 6)), tensor.Must(tensor.Of(y, 8, 3)))
		require.NoError(t, err)
		losses = append(losses, loss)
	}
	return losses
}

func TestCompileLikeRefuses(t *testing.T) {
	k, err := keras.NewSequential("m", keras.Input(6), keras.Dense(3, "softmax"))
	require.NoError(t, err)
	m, err := dense.FromKeras(k, dense.Config{})
	require.NoError(t, err)
	defer m.Close()
	require.ErrorIs(t, m.CompileLike(k), dense.ErrUnsupported)
	for name, c := range map[string]*keras.Compile{
		"another optimizer": {Optimizer: "Lion", OptimizerConfig: keras.Config{"learning_rate": 0.1}, Loss: "mse"},
		"a schedule":        {Optimizer: "Adam", OptimizerConfig: keras.Config{"learning_rate": map[string]any{"class_name": "ExponentialDecay"}}, Loss: "mse"},
		"another loss":      {Optimizer: "Adam", OptimizerConfig: keras.Config{"learning_rate": 0.1}, Loss: "hinge"},
		"no loss":           {Optimizer: "Adam", OptimizerConfig: keras.Config{"learning_rate": 0.1}},
	} {
		k.Compile = c
		require.ErrorIs(t, m.CompileLike(k), dense.ErrUnsupported, name)
	}
	other, err := keras.NewSequential("m", keras.Input(5), keras.Dense(3, "softmax"))
	require.NoError(t, err)
	require.ErrorIs(t, m.Store(other), keras.ErrWeights)
}
