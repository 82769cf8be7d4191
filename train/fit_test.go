package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

var (
	small  = train.MLP{Inputs: 4, Hidden: []int{6}, Activation: "relu", Dropout: 0.2, Outputs: 3, OutputActivation: "softmax"}
	sparse = train.Loss{Name: train.SparseCategoricalCrossentropy}
)

func model(t *testing.T, m train.MLP, l train.Loss, o train.Optimizer) *traintest.Reference {
	t.Helper()
	r, err := traintest.NewReference(m, l, o, 3)
	require.NoError(t, err)
	return r
}

func values(t *testing.T, m train.Trainable) []*tensor.Tensor {
	t.Helper()
	weights, err := m.Weights(true)
	require.NoError(t, err)
	var v []*tensor.Tensor
	for _, w := range weights {
		v = append(v, w.Value)
	}
	return v
}

func TestFitIsReproducible(t *testing.T) {
	trained := func(c train.Config) ([]*tensor.Tensor, *train.Result) {
		m := model(t, small, sparse, train.Adam(0.01))
		r, err := train.Fit(context.Background(), m, traintest.Samples(small, sparse, 50), c)
		require.NoError(t, err)
		return values(t, m), r
	}
	c := train.Config{Epochs: 3, BatchSize: 8, Seed: 1, ValidationSplit: 0.2, Metrics: []train.Metric{train.CategoricalAccuracy()}}
	a, result := trained(c)
	b, _ := trained(c)
	require.Equal(t, a, b)
	require.EqualValues(t, 3*5, result.Steps, "40 of 50 samples in batches of 8")
	require.Equal(t, []string{"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}, result.History.Keys())
	require.Equal(t, 3, result.BestEpoch)
	c.Seed = 2
	other, _ := trained(c)
	require.NotEqual(t, a, other)
	c.Seed, c.NoShuffle = 1, true
	unshuffled, _ := trained(c)
	require.NotEqual(t, a, unshuffled)
}

// Blocks say how often Fit looks around; they change no weight and no figure.
func TestBlocks(t *testing.T) {
	trained := func(block int) ([]*tensor.Tensor, train.History, int) {
		m := model(t, small, sparse, train.Adam(0.01))
		reports := 0
		r, err := train.Fit(context.Background(), m, traintest.Samples(small, sparse, 50), train.Config{Epochs: 2, BatchSize: 8, Seed: 1, ValidationSplit: 0.2,
			Metrics: []train.Metric{train.CategoricalAccuracy()}, Block: block, OnProgress: func(train.Progress) { reports++ }})
		require.NoError(t, err)
		return values(t, m), r.History, reports
	}
	whole, history, reports := trained(0)
	require.Equal(t, 2, reports)
	for block, want := range map[int]int{1: 10, 8: 10, 17: 6, 40: 2} {
		weights, h, reports := trained(block)
		require.Equal(t, whole, weights)
		require.Equal(t, want, reports, "blocks of %d", block)
		for i := range history {
			for key, v := range history[i].Logs {
				require.InDelta(t, v, h[i].Logs[key], 1e-6, "blocks of %d: %s", block, key)
			}
		}
	}
	_, err := train.Fit(context.Background(), model(t, small, sparse, train.Adam(0.01)), traintest.Samples(small, sparse, 50), train.Config{Block: -1})
	require.ErrorIs(t, err, train.ErrOption)
}

// The loss of an epoch is the mean over samples, also where the last batch is smaller.
func TestFitFiguresAreSampleMeans(t *testing.T) {
	data := traintest.Samples(small, sparse, 50)
	still := model(t, train.MLP{Inputs: 4, Outputs: 3, OutputActivation: "softmax"}, sparse, train.SGD(1e-30)) // does not move
	bound, err := still.Bind(data)
	require.NoError(t, err)
	order := make([]int32, 50)
	for i := range order {
		order[i] = int32(i)
	}
	loss := make([]float32, 1)
	require.NoError(t, bound.Evaluate(order[:40], 40, nil, loss))
	want := float64(loss[0])
	require.NoError(t, bound.Evaluate(order[40:], 10, nil, loss))
	r, err := train.Fit(context.Background(), still, data, train.Config{BatchSize: 16, ValidationSplit: 0.2})
	require.NoError(t, err)
	require.InEpsilon(t, want, r.History[0].Logs["loss"], 1e-6, "the first four fifths")
	require.InEpsilon(t, loss[0], r.History[0].Logs["val_loss"], 1e-6, "the last fifth")
}

func TestFitValidationSources(t *testing.T) {
	data := traintest.Samples(small, sparse, 50)
	labels, err := train.Labels(data.Y, 3)
	require.NoError(t, err)
	held := train.StratifiedSplit(labels, 0.2, 1)
	require.Equal(t, held, train.StratifiedSplit(labels, 0.2, 1))
	require.NotEqual(t, held, train.StratifiedSplit(labels, 0.2, 2))
	count := func(indices []int32) (n [3]int) {
		for _, i := range indices {
			n[labels[i]]++
		}
		return n
	}
	all := make([]int32, 50)
	for i := range all {
		all[i] = int32(i)
	}
	for c, n := range count(all) {
		require.InDelta(t, float64(n)*0.2, count(held)[c], 0.5, "class %d", c)
	}
	require.Equal(t, []int32{1}, append(train.StratifiedSplit([]int32{0, 1, 1}, 0.01, 5)[:0], 1), "one of the pair, none of the single")
	require.Len(t, train.StratifiedSplit([]int32{0, 1, 1}, 0.01, 5), 1)

	for name, c := range map[string]train.Config{
		"a set": {Validation: traintest.Samples(small, sparse, 9)}, "a split": {ValidationSplit: 0.5}, "indices": {ValidationIndices: held},
	} {
		r, err := train.Fit(context.Background(), model(t, small, sparse, train.SGD(0.1)), data, c)
		require.NoError(t, err, name)
		require.Contains(t, r.History[0].Logs, "val_loss", name)
	}
	_, err = train.Fit(context.Background(), model(t, small, sparse, train.SGD(0.1)), data, train.Config{ValidationSplit: 0.5, ValidationIndices: held})
	require.ErrorIs(t, err, train.ErrOption)
}

// steps runs Fit and fails it with an error after the epoch in at, as a crash between two epochs would.
func stopAt(at int) (func(train.Epoch) error, error) {
	crash := errors.New("crash")
	return func(e train.Epoch) error {
		if e.Epoch == at {
			return crash
		}
		return nil
	}, crash
}

func TestResumeEndsWithTheSameBits(t *testing.T) {
	data := traintest.Samples(small, sparse, 60)
	config := func(path string) train.Config {
		return train.Config{Epochs: 12, BatchSize: 8, Seed: 4, ValidationSplit: 0.25, Checkpoint: path, Metrics: []train.Metric{train.CategoricalAccuracy()},
			EarlyStopping: &train.EarlyStopping{Patience: 3}, ReduceLROnPlateau: &train.ReduceLROnPlateau{Patience: 1, Factor: 0.5}}
	}
	whole := model(t, small, sparse, train.Adam(0.1))
	want, err := train.Fit(context.Background(), whole, data, config(filepath.Join(t.TempDir(), "c.npz")))
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "c.npz")
	for _, at := range []int{1, 3, 6} { // each run dies in the epoch named, before its checkpoint is written
		c := config(path)
		var crash error
		c.OnEpoch, crash = stopAt(at)
		c.Resume = true
		_, err = train.Fit(context.Background(), model(t, small, sparse, train.Adam(0.1)), data, c)
		if want.EarlyStopped && len(want.History) < at {
			continue
		}
		require.ErrorIs(t, err, crash)
	}
	c := config(path)
	c.Resume = true
	last := model(t, small, sparse, train.Adam(0.1))
	got, err := train.Fit(context.Background(), last, data, c)
	require.NoError(t, err)
	require.Equal(t, values(t, whole), values(t, last))
	require.Equal(t, want.BestEpoch, got.BestEpoch)
	require.Equal(t, want.Steps, got.Steps)
	require.Len(t, got.History, len(want.History))
	for i := range want.History {
		require.Equal(t, want.History[i].Logs, got.History[i].Logs)
	}
	again, err := train.Fit(context.Background(), last, data, c)
	require.NoError(t, err)
	require.Equal(t, values(t, whole), values(t, last), "resuming a finished run changes nothing")
	require.Len(t, again.History, len(want.History))
}

func TestCheckpointsOfOthersAreRefused(t *testing.T) {
	data := traintest.Samples(small, sparse, 60)
	path := filepath.Join(t.TempDir(), "c.npz")
	c := train.Config{BatchSize: 8, Seed: 4, Checkpoint: path, Resume: true, Identity: "a"}
	fit := func(m train.MLP, o train.Optimizer, c train.Config) error {
		_, err := train.Fit(context.Background(), model(t, m, sparse, o), data, c)
		return err
	}
	require.NoError(t, fit(small, train.Adam(0.1), c))
	wide, seeded, batched, other, split := small, c, c, c, c
	wide.Hidden = []int{7}
	seeded.Seed, batched.BatchSize, other.Identity, split.ValidationSplit = 5, 16, "b", 0.5
	for want, err := range map[string]error{
		"weights": fit(wide, train.Adam(0.1), c), "optimizer": fit(small, train.SGD(0.1), c), "seed": fit(small, train.Adam(0.1), seeded),
		"batch size": fit(small, train.Adam(0.1), batched), "identity": fit(small, train.Adam(0.1), other),
		"training samples": fit(small, train.Adam(0.1), split),
	} {
		require.ErrorIs(t, err, train.ErrCheckpoint)
		require.ErrorContains(t, err, want)
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, n := range []int{0, 1, 40, len(whole) / 2, len(whole) - 1} {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		require.ErrorIs(t, fit(small, train.Adam(0.1), c), train.ErrCheckpoint, "%d bytes of %d", n, len(whole))
	}
	for at := 0; at < len(whole); at += 97 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		if err := fit(small, train.Adam(0.1), c); err != nil { // a name's or a date's bit may be of no consequence
			require.ErrorIs(t, err, train.ErrCheckpoint, "byte %d", at)
		}
	}
}

func TestCancelKeepsTheLastEpoch(t *testing.T) {
	data := traintest.Samples(small, sparse, 60)
	ctx, cancel := context.WithCancel(context.Background())
	c := train.Config{Epochs: 50, Checkpoint: filepath.Join(t.TempDir(), "c.npz"), OnEpoch: func(e train.Epoch) error {
		if e.Epoch == 2 {
			cancel()
		}
		return nil
	}}
	r, err := train.Fit(ctx, model(t, small, sparse, train.Adam(0.1)), data, c)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, r.History, 2)
	c.Epochs, c.Resume, c.OnEpoch = 3, true, nil
	r, err = train.Fit(context.Background(), model(t, small, sparse, train.Adam(0.1)), data, c)
	require.NoError(t, err)
	require.Len(t, r.History, 3)
}

func TestEarlyStoppingRestoresTheBestWeights(t *testing.T) {
	l := train.Loss{Name: train.MeanSquaredError}
	m := train.MLP{Inputs: 4, Outputs: 1, OutputActivation: "linear"}
	data := traintest.Samples(m, l, 40)
	reference := model(t, m, l, train.SGD(0.5)) // too high a rate: the loss rises after some epochs
	var best []*tensor.Tensor
	lowest := math.Inf(1)
	r, err := train.Fit(context.Background(), reference, data, train.Config{Epochs: 30, BatchSize: 4, ValidationSplit: 0.25,
		EarlyStopping: &train.EarlyStopping{Patience: 4},
		OnEpoch: func(e train.Epoch) error {
			if e.Logs["val_loss"] < lowest {
				lowest, best = e.Logs["val_loss"], values(t, reference)
			}
			return nil
		}})
	require.NoError(t, err)
	require.True(t, r.EarlyStopped)
	require.True(t, r.Overfitting.Stopped)
	require.Len(t, r.History, r.BestEpoch+4)
	require.Equal(t, best, values(t, reference))
}

func TestBeforeEpoch(t *testing.T) {
	data := traintest.Samples(small, sparse, 60)
	var epochs []int
	full := errors.New("full")
	c := train.Config{Epochs: 3, Checkpoint: filepath.Join(t.TempDir(), "c.npz"), BeforeEpoch: func(epoch int) error {
		if epochs = append(epochs, epoch); epoch == 3 && len(epochs) == 3 {
			return full
		}
		return nil
	}}
	r, err := train.Fit(context.Background(), model(t, small, sparse, train.Adam(0.1)), data, c)
	require.ErrorIs(t, err, full)
	require.Len(t, r.History, 2)
	c.Resume = true
	r, err = train.Fit(context.Background(), model(t, small, sparse, train.Adam(0.1)), data, c)
	require.NoError(t, err)
	require.Len(t, r.History, 3)
	require.Equal(t, []int{1, 2, 3, 3}, epochs)
}

func TestDivergence(t *testing.T) {
	l := train.Loss{Name: train.MeanSquaredError}
	m := train.MLP{Inputs: 4, Outputs: 1, OutputActivation: "linear"}
	r, err := train.Fit(context.Background(), model(t, m, l, train.SGD(0.6)), traintest.Samples(m, l, 40), train.Config{Epochs: 300, BatchSize: 4})
	require.ErrorIs(t, err, train.ErrNotFinite)
	require.Regexp(t, `epoch \d+, batch \d+ of 10 \(learning rate 0\.6\)`, err.Error())
	require.Len(t, r.Warnings, 1)
	require.Contains(t, r.Warnings[0], "the loss rises")

	r, err = train.Fit(context.Background(), model(t, m, l, train.Adagrad(1e8)), traintest.Samples(m, l, 40), train.Config{BatchSize: 4})
	require.NoError(t, err, "large, but finite from the second step on")
	require.Len(t, r.Warnings, 1)
	require.Contains(t, r.Warnings[0], "over epoch 1")
}

func TestUselessData(t *testing.T) {
	good := traintest.Samples(small, sparse, 10)
	x, err := tensor.Data[float32](traintest.Samples(small, sparse, 10).X)
	require.NoError(t, err)
	x[9] = float32(math.NaN())
	for want, d := range map[string]*train.Dataset{
		"no samples":                {X: tensor.Must(tensor.New(tensor.Float32, 0, 4)), Y: tensor.Must(tensor.New(tensor.Int32, 0))},
		"feature 1 of sample 2":     {X: tensor.Must(tensor.Of(x, 10, 4)), Y: good.Y},
		"label of sample 1 is 3":    {X: good.X, Y: tensor.Must(tensor.Of([]int32{0, 3, 0, 0, 0, 0, 0, 0, 0, 0}))},
		"label of sample 0 is -1":   {X: good.X, Y: tensor.Must(tensor.Of([]int32{-1, 0, 0, 0, 0, 0, 0, 0, 0, 0}))},
		"are of class 2":            {X: good.X, Y: tensor.Must(tensor.Of([]int32{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}))},
		"targets of shape [9]":      {X: good.X, Y: tensor.Must(tensor.New(tensor.Int32, 9))},
		"the weight of sample 0":    {X: good.X, Y: good.Y, Weights: []float32{-1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		"samples have weight 0":     {X: good.X, Y: good.Y, Weights: make([]float32, 10)},
		"with 3 sample weights":     {X: good.X, Y: good.Y, Weights: []float32{1, 1, 1}},
		"features are int32":        {X: tensor.Must(tensor.New(tensor.Int32, 10, 4)), Y: good.Y},
		"no targets":                {X: good.X},
		"targets are complex64":     {X: good.X, Y: tensor.Must(tensor.New(tensor.Complex64, 10))},
		"takes 4 features a sample": {X: tensor.Must(tensor.New(tensor.Float32, 10, 5)), Y: good.Y},
	} {
		_, err := train.Fit(context.Background(), model(t, small, sparse, train.SGD(0.1)), d, train.Config{})
		require.ErrorIs(t, err, train.ErrData, want)
		require.ErrorContains(t, err, want)
	}
}

func TestWrongConfig(t *testing.T) {
	scheduled := train.SGD(0.1)
	scheduled.Schedule = train.CosineDecay{Initial: 0.1, Steps: 10}
	for name, c := range map[string]train.Config{
		"epochs": {Epochs: -1}, "batch": {BatchSize: -1}, "split": {ValidationSplit: 1}, "nan": {ValidationSplit: math.NaN()}, "resume": {Resume: true},
		"patience": {EarlyStopping: &train.EarlyStopping{Patience: -1}}, "factor": {ReduceLROnPlateau: &train.ReduceLROnPlateau{Factor: 1}},
		"monitor":   {EarlyStopping: &train.EarlyStopping{Monitor: "val_loss"}},
		"index":     {ValidationIndices: []int32{99}},
		"twice":     {ValidationIndices: []int32{1, 2, 1}},
		"metric":    {Metrics: []train.Metric{nil}},
		"scheduled": {ReduceLROnPlateau: &train.ReduceLROnPlateau{}},
	} {
		_, err := train.Fit(context.Background(), model(t, small, sparse, scheduled), traintest.Samples(small, sparse, 10), c)
		require.ErrorIs(t, err, train.ErrOption, name)
	}
	_, err := train.Fit(context.Background(), nil, traintest.Samples(small, sparse, 10), train.Config{})
	require.ErrorIs(t, err, train.ErrOption)
	_, err = train.Fit(nil, model(t, small, sparse, scheduled), traintest.Samples(small, sparse, 10), train.Config{}) //nolint:staticcheck // what is tested
	require.ErrorIs(t, err, train.ErrOption)
}

// Weights that are 0 for all samples of one of the two parts are as useless as for all.
func TestPartsOfWeightZero(t *testing.T) {
	for want, weights := range map[string][]float32{"all 6 samples": {0, 0, 0, 0, 0, 0, 1, 1}, "all 2 samples": {1, 1, 1, 1, 1, 1, 0, 0}} {
		data := traintest.Samples(small, sparse, 8)
		data.Weights = weights
		_, err := train.Fit(context.Background(), model(t, small, sparse, train.SGD(0.1)), data, train.Config{ValidationSplit: 0.25})
		require.ErrorIs(t, err, train.ErrData)
		require.ErrorContains(t, err, want)
	}
}

func TestDetectOverfitting(t *testing.T) {
	curve := func(loss, val func(i int) float64) (h train.History) {
		for i := range 20 {
			h = append(h, train.Epoch{Epoch: i + 1, Logs: map[string]float64{"loss": loss(i), "val_loss": val(i)}})
		}
		return h
	}
	falls := func(i int) float64 { return 1 / float64(i+1) }
	turns := func(i int) float64 { return 0.3 + 0.01*math.Abs(float64(i-7)) }
	flat := func(i int) float64 { return max(falls(i), 0.2) + 0.001*float64(i%2) }
	for name, c := range map[string]struct {
		h    train.History
		want train.Overfitting
	}{
		"loss falls, val_loss rises":     {curve(falls, turns), train.Overfitting{Detected: true, Epoch: 8}},
		"both fall":                      {curve(falls, falls), train.Overfitting{}},
		"val_loss levels off":            {curve(falls, flat), train.Overfitting{}},
		"both rise: the rate is too big": {curve(turns, turns), train.Overfitting{}},
		"too soon to tell":               {curve(falls, turns)[:11], train.Overfitting{}},
		"no validation":                  {train.History{{Epoch: 1, Logs: map[string]float64{"loss": 1}}}, train.Overfitting{}},
	} {
		require.Equal(t, c.want, train.DetectOverfitting(c.h, 5), name)
	}
	advice := train.Overfitting{Detected: true, Epoch: 8}.Advice()
	for _, cure := range []string{"epoch 8", "dropout", "regularization", "early stopping", "data", "smaller"} {
		require.Contains(t, advice, cure)
	}
	require.Contains(t, train.Overfitting{Detected: true, Epoch: 8, Stopped: true}.Advice(), "cures besides early stopping: more data")
}

func TestHistoryFiles(t *testing.T) {
	h := train.History{{Epoch: 1, Logs: map[string]float64{"val_loss": 2, "loss": 1.5, "learning_rate": 0.1, "accuracy": math.NaN()}, Seconds: 0.25},
		{Epoch: 2, Logs: map[string]float64{"loss": 1}}}
	var b strings.Builder
	require.NoError(t, h.WriteCSV(&b))
	require.Equal(t, "epoch,loss,accuracy,val_loss,learning_rate,seconds\n1,1.5,NaN,2,0.1,0.250\n2,1,,,,0.000\n", b.String())
	text, err := json.Marshal(h[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"epoch":1,"loss":1.5,"accuracy":null,"val_loss":2,"learning_rate":0.1,"seconds":0.25}`, string(text))
	var back train.Epoch
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, map[string]float64{"val_loss": 2, "loss": 1.5, "learning_rate": 0.1}, back.Logs)
	epochs, losses := h.Column("val_loss")
	require.Equal(t, []int{1}, epochs)
	require.Equal(t, []float64{2}, losses)
}

func TestBar(t *testing.T) {
	var b bytes.Buffer
	progress, epoch := train.Bar(&b)
	progress(train.Progress{Epoch: 1, Epochs: 2, Samples: 50, Of: 100, Loss: 0.5, Seconds: 1})
	require.Contains(t, b.String(), "epoch 1/2 [============            ]  50% 50 samples/s, 3s left, loss 0.5000")
	require.NoError(t, epoch(train.Epoch{Epoch: 1, Logs: map[string]float64{"loss": 0.25, "learning_rate": 1}, Seconds: 2}))
	require.Contains(t, b.String(), "epoch 1/2  loss 0.2500  2.00 s")
}

func TestRandom(t *testing.T) {
	r := train.NewRandom(1, 2)
	require.Equal(t, []uint64{r.At(0), r.At(1)}, []uint64{r.Uint64(), r.Uint64()}, "a stream is a function of its index")
	require.NotEqual(t, train.NewRandom(1, 2).Uint64(), train.NewRandom(2, 1).Uint64())
	const n = 100000
	sum, squares, counts := 0.0, 0.0, [7]int{}
	for range n {
		v := r.Normal()
		sum, squares = sum+v, squares+v*v
		counts[r.IntN(7)]++
	}
	require.InDelta(t, 0, sum/n, 0.02)
	require.InDelta(t, 1, squares/n, 0.02)
	for _, c := range counts {
		require.InDelta(t, n/7, c, 500)
	}
	order := []int32{0, 1, 2, 3, 4}
	r.Shuffle(order)
	require.ElementsMatch(t, []int32{0, 1, 2, 3, 4}, order)
}

// These bits may never change: seeds written down by users would give other results.
func TestRandomNeverChanges(t *testing.T) {
	r := train.NewRandom(42, 0)
	require.Equal(t, "6310bf04d8207f46", fmt.Sprintf("%x", r.Uint64()))
}
