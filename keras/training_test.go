package keras_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
)

// trainable is Dense(4), batch normalization, dropout, Dense(3), Dense(2), with weights.
func trainable(t *testing.T) *keras.Model {
	t.Helper()
	m, err := keras.NewSequential("m", keras.Input(5), keras.Dense(4, "relu"), keras.BatchNormalization(), keras.Dropout(0.5), keras.Dense(3, "tanh"),
		keras.Dense(2, "softmax"))
	require.NoError(t, err)
	var values []*tensor.Tensor
	for _, v := range m.Variables() {
		values = append(values, tensor.Must(tensor.New(tensor.Float32, v.Shape...)))
	}
	require.NoError(t, m.SetWeights(values))
	return m
}

func ops(g *graph.Graph) map[string]int {
	count := map[string]int{}
	for _, n := range g.Def.GetNode() {
		count[n.GetOp()]++
	}
	return count
}

func TestTrainingBase(t *testing.T) {
	m := trainable(t)
	b, err := m.TrainingBase(keras.TrainingOptions{Features: "dense_1"})
	require.NoError(t, err)
	require.Equal(t, []string{"dense/kernel", "dense/bias", "batch_normalization/gamma", "batch_normalization/beta", "dense_1/kernel", "dense_1/bias"}, b.Trainable)
	require.Empty(t, b.Updates, "statistics stay")
	require.NotEmpty(t, b.Seed)
	require.Equal(t, tensor.Shape{-1, 3}, b.Inference.Signatures[0].Outputs[0].Shape)
	require.Zero(t, ops(b.Inference)["StatelessRandomUniform"])
	require.Equal(t, 1, ops(b.Training)["StatelessRandomUniform"])
	require.Len(t, b.Inference.Variables, 8, "those of the head are not there")
	require.Len(t, b.Training.Variables, 8)
	for name, v := range b.Inference.Variables {
		require.Same(t, v, b.Training.Variables[name], "%s: shared", name)
	}

	b, err = m.TrainingBase(keras.TrainingOptions{Features: "dense_1", BatchStatistics: true, Trainable: func(l *keras.Layer) bool { return l.Name != "dense" }})
	require.NoError(t, err)
	require.Equal(t, []string{"batch_normalization/gamma", "batch_normalization/beta", "dense_1/kernel", "dense_1/bias"}, b.Trainable)
	require.Len(t, b.Updates, 2)
	require.Equal(t, 2, ops(b.Training)["AssignVariableOp"])
	require.Zero(t, ops(b.Inference)["AssignVariableOp"])

	b, err = m.TrainingBase(keras.TrainingOptions{Features: "dense_1", BatchStatistics: true, Trainable: func(l *keras.Layer) bool { return l.Name == "dense_1" }})
	require.NoError(t, err)
	require.Empty(t, b.Updates, "a layer that is not trained uses its statistics")

	b, err = m.TrainingBase(keras.TrainingOptions{Features: "dense", BatchStatistics: true})
	require.NoError(t, err)
	require.Empty(t, b.Updates, "behind the features")
	require.Empty(t, b.Seed)
	require.Equal(t, []string{"dense/kernel", "dense/bias"}, b.Trainable)
}

// Features can be named by the tensor of Graph that they are.
func TestTrainingBaseOfATensor(t *testing.T) {
	m := trainable(t)
	b, err := m.TrainingBase(keras.TrainingOptions{Features: "dense/Relu:0"})
	require.NoError(t, err)
	require.Equal(t, []string{"dense/kernel", "dense/bias"}, b.Trainable)
	b, err = m.TrainingBase(keras.TrainingOptions{})
	require.NoError(t, err)
	require.Len(t, b.Trainable, 8, "the model's output")
}

func TestTrainingBaseRefuses(t *testing.T) {
	m := trainable(t)
	for _, features := range []string{"wobble", "dense/MatMul:0", "Relu:0"} {
		_, err := m.TrainingBase(keras.TrainingOptions{Features: features})
		require.ErrorIs(t, err, keras.ErrUnsupported)
		require.ErrorContains(t, err, features)
	}
	without, err := keras.NewSequential("m", keras.Input(5), keras.Dense(4, "relu"))
	require.NoError(t, err)
	_, err = without.TrainingBase(keras.TrainingOptions{})
	require.ErrorIs(t, err, keras.ErrWeights)
}
