package finetune

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

func TestChoose(t *testing.T) {
	layers := []baseLayer{{"scaled", nil}, {"block/conv", []string{"a", "b"}}, {"relu", nil}, {"block/dense", []string{"c"}}, {"last", []string{"d"}}, {"pool", nil}}
	for what, want := range map[string]int{"all": 0, "1": 4, "2": 3, "3": 1, "last": 4, "block/conv": 1, "conv": 1, "relu": 2, "scaled": 0} {
		first, err := choose(layers, what)
		require.NoError(t, err, what)
		require.Equal(t, want, first, what)
	}
	names, all := named(layers, 2)
	require.Equal(t, []string{"block/dense", "last"}, names)
	require.Equal(t, 3, all)
	for what, text := range map[string]string{"4": "3 layers with weights", "0": "3 layers with weights", "-1": "3 layers with weights",
		"conv9": `no layer "conv9" before the features; those with weights are block/conv, block/dense, last`, "pool": `neither layer "pool" nor one after it`} {
		_, err := choose(layers, what)
		require.ErrorIs(t, err, ErrOption, what)
		require.ErrorContains(t, err, text)
	}
	_, err := choose([]baseLayer{{"scaled", nil}}, "all")
	require.ErrorContains(t, err, "no weights")
}

func TestWrongFineTuning(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"no base":                  func(o *Options) { o.Base, o.Unfreeze, o.L2 = "none", "all", 0 },
		"epochs":                   func(o *Options) { o.Unfreeze, o.UnfreezeEpochs = "all", -1 },
		"a rate":                   func(o *Options) { o.Unfreeze, o.UnfreezeLearningRate = "all", math.NaN() },
		"nothing unfrozen":         func(o *Options) { o.Unfreeze, o.UnfreezeEpochs = "none", 3 },
		"no batch normalization":   func(o *Options) { o.UnfreezeBatchNorm = true },
		"a warm-up":                func(o *Options) { o.Warmup = float64(o.Epochs) + 1 },
		"a decay":                  func(o *Options) { o.Decay = "sudden" },
		"a warm-up and a decay":    func(o *Options) { o.Warmup, o.Decay = 1, "plateau" },
		"a warm-up that is no one": func(o *Options) { o.Warmup = math.NaN() },
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultHead()
			o.Base, o.Data, o.Out = "base.keras", "data", t.TempDir()
			change(&o)
			require.ErrorIs(t, o.Validate(), ErrOption)
		})
	}
}

func TestFineTuningSettings(t *testing.T) {
	o := DefaultHead()
	o.Warmup = 20
	h, err := o.fineTuning()
	require.NoError(t, err)
	require.Equal(t, 10, h.Epochs)
	require.InDelta(t, 1e-5, h.LearningRate, 1e-12)
	require.Equal(t, 10.0, h.Warmup)
	o.UnfreezeEpochs, o.UnfreezeLearningRate = 3, 0.5
	h, err = o.fineTuning()
	require.NoError(t, err)
	require.Equal(t, 3, h.Epochs)
	require.Equal(t, 0.5, h.LearningRate)

	require.Nil(t, (&Hyperparameters{}).schedule(1, 10, 5))
	require.Equal(t, train.Warmup{Target: 1, Steps: 10}, (&Hyperparameters{Warmup: 2}).schedule(1, 10, 5))
	require.Equal(t, train.CosineDecay{Initial: 1, Steps: 50}, (&Hyperparameters{Decay: "cosine"}).schedule(1, 10, 5))
	require.Equal(t, train.Warmup{Target: 1, Steps: 10, After: train.CosineDecay{Initial: 1, Steps: 40}}, (&Hyperparameters{Warmup: 2, Decay: "cosine"}).schedule(1, 10, 5))
}

func TestWarmup(t *testing.T) {
	o := options(t, blobs(t))
	o.Warmup = 2
	r := run(t, o)
	require.Less(t, r.History[0].Logs["learning_rate"], o.LearningRate/10)
	require.Equal(t, o.LearningRate, r.History[2].Logs["learning_rate"])
	require.Greater(t, r.Validation.Accuracy, 0.9)
}

// dot is a picture of one pixel.
type dot struct {
	picture
	value float32
	err   error
}

func (d dot) content() ([]byte, error) { return nil, d.err }

func (d dot) pixels(context.Context, []byte) (*tensor.Tensor, error) {
	return tensor.Of([]float32{d.value, -d.value}, 1, 2, 1)
}

func TestImageStore(t *testing.T) {
	dir, b := t.TempDir(), &base{shape: []int{1, 2, 1}}
	var pictures []picture
	for i := range 10000 {
		pictures = append(pictures, dot{value: float32(i)})
	}
	done := 0
	s, err := newImageStore(context.Background(), dir, b, pictures[:5000], nil)
	require.NoError(t, err)
	x, err := s.rows(1000, 5000)
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{4000, 1, 2, 1}, x.Shape())
	values, err := tensor.Data[float32](x)
	require.NoError(t, err)
	for i := range 4000 {
		require.Equal(t, []float32{float32(1000 + i), -float32(1000 + i)}, values[2*i:2*i+2])
	}
	require.NoError(t, s.close())
	require.NoError(t, s.close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	broken := errors.New("unreadable")
	_, err = newImageStore(context.Background(), dir, b, []picture{dot{}, dot{err: broken}}, func(n, _ int) { done = n })
	require.ErrorIs(t, err, broken)
	require.LessOrEqual(t, done, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = newImageStore(ctx, dir, b, pictures, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = newImageStore(context.Background(), dir, &base{shape: []int{2, 2, 1}}, pictures, nil)
	require.ErrorContains(t, err, "not [2 2 1]")
	_, err = newImageStore(context.Background(), dir+"/nowhere", b, pictures, nil)
	require.ErrorContains(t, err, "nowhere")
	entries, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
