package traintest

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

func (s *suite) wrongUse(t *testing.T) {
	for name, m := range map[string]train.MLP{
		"no inputs":          {Outputs: 3},
		"no outputs":         {Inputs: 3},
		"a layer of 0 units": {Inputs: 3, Hidden: []int{0}, Outputs: 2},
		"dropout 1":          {Inputs: 3, Hidden: []int{4}, Outputs: 2, Dropout: 1},
		"unknown activation": {Inputs: 3, Hidden: []int{4}, Outputs: 2, Activation: "wobble"},
	} {
		_, err := s.new(m, sparse, train.SGD(0.1), 1)
		require.Error(t, err, name)
	}
	_, err := s.new(small, train.Loss{Name: "wobble"}, train.SGD(0.1), 1)
	require.Error(t, err, "unknown loss")
	_, err = s.new(small, sparse, train.SGD(math.NaN()), 1)
	require.Error(t, err, "learning rate NaN")

	model := s.make(t, small, sparse, train.SGD(0.1), 1)
	_, err = model.Bind(Samples(train.MLP{Inputs: 8, Outputs: 3}, sparse, 10))
	require.Error(t, err, "eight features for seven")
	data := Samples(small, sparse, 10)
	data.Y = tensor.Must(tensor.Of(make([]int32, 9)))
	_, err = model.Bind(data)
	require.Error(t, err, "nine labels for ten samples")
	data.Y = tensor.Must(tensor.Of([]int32{0, 1, 2, 3, 0, 1, 2, 0, 1, 2}))
	_, err = model.Bind(data)
	require.ErrorContains(t, err, "sample 3", "label 3 of classes 0 to 2")
	_, err = model.Bind(&train.Dataset{X: tensor.Must(tensor.New(tensor.Float64, 10, 7))})
	require.Error(t, err, "float64 features")

	before := values(t, model)
	b := bind(t, model, Samples(small, sparse, 10))
	require.Error(t, b.Train([]int32{0, 10}, 2, nil, nil), "sample 10 of 10")
	require.Error(t, b.Train([]int32{-1}, 1, nil, nil), "sample -1")
	require.Error(t, b.Train([]int32{0}, 0, nil, nil), "batch size 0")
	require.Error(t, b.Evaluate(order(0, 10), 4, make([]float32, 29), nil), "too little room for outputs")
	require.Error(t, b.Evaluate(order(0, 10), 4, nil, make([]float32, 2)), "too little room for losses")
	unlabelled := bind(t, model, &train.Dataset{X: Samples(small, sparse, 10).X})
	require.Error(t, unlabelled.Train(order(0, 10), 4, nil, nil), "no targets")
	require.NoError(t, b.Train(nil, 4, nil, nil), "nothing to do")
	requireEqual(t, before, values(t, model), "after refused steps")

	require.NoError(t, b.Close())
	require.Error(t, b.Train(order(0, 10), 4, nil, nil), "after Close")
	require.NoError(t, model.Close())
	_, err = model.Bind(Samples(small, sparse, 10))
	require.Error(t, err, "a closed model")
	require.Error(t, unlabelled.Evaluate(order(0, 10), 4, nil, nil), "of a closed model")
}

func (s *suite) notFinite(t *testing.T) {
	l := train.Loss{Name: train.MeanSquaredError}
	m := small
	m.OutputActivation, m.Hidden = "linear", nil
	model := s.make(t, m, l, train.SGD(1e30), 1)
	b, losses := bind(t, model, Samples(m, l, 64)), make([]float32, 64)
	err := b.Train(order(0, 64), 1, nil, losses)
	if err == nil { // an engine may run the batches to their end: the losses tell
		require.True(t, losses[63]-losses[63] != 0, "the loss is %v", losses[63])
		return
	}
	require.ErrorIs(t, err, train.ErrNotFinite)
}

func (s *suite) allocations(t *testing.T) {
	if s.options.Allocates {
		t.Skip("this engine allocates in a step")
	}
	model := s.make(t, dropout(), sparse, train.Adam(0.001), 1)
	b, all := bind(t, model, Samples(small, sparse, 70)), order(0, 70)
	outputs, losses := make([]float32, 210), make([]float32, 5)
	step := func() {
		if err := b.Train(all, 16, outputs, losses); err != nil {
			t.Error(err)
		}
		if err := b.Evaluate(all, 16, outputs, losses); err != nil {
			t.Error(err)
		}
	}
	step()
	least := testing.AllocsPerRun(20, step)
	for range 4 { // what the runtime and other goroutines allocate meanwhile is counted too
		least = min(least, testing.AllocsPerRun(20, step))
	}
	require.Zero(t, least)
}

// fit trains through train.Fit until the data are learnt.
func (s *suite) fit(t *testing.T) {
	data := Samples(small, sparse, 300)
	model := s.make(t, small, sparse, train.Adam(0.01), 1)
	result, err := train.Fit(context.Background(), model, data, train.Config{Epochs: 20, BatchSize: 32, Seed: 1, ValidationSplit: 0.2,
		Metrics: []train.Metric{train.CategoricalAccuracy()}, EarlyStopping: &train.EarlyStopping{Patience: 20}})
	require.NoError(t, err)
	best := result.History[result.BestEpoch-1].Logs
	require.Greater(t, best["val_accuracy"], 0.9)
	losses := make([]float32, 1)
	require.NoError(t, bind(t, model, data).Evaluate(order(240, 300), 60, nil, losses))
	require.InDelta(t, best["val_loss"], losses[0], 1e-5, "the best epoch's weights are back")
}
