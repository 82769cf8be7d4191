package finetune

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
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

// unfrozenDigits are the settings of a fine-tuning of the base of 0-4 for 5-9, quick ones.
func unfrozenDigits(t *testing.T, base, unfreeze string) Options {
	o := digits(t, base)
	o.Preprocess, o.Unfreeze, o.UnfreezeEpochs, o.UnfreezeLearningRate, o.Epochs = "none", unfreeze, 2, 0.001, 20
	return o
}

func TestUnfreeze(t *testing.T) {
	frozen := frozenDigits(t)
	reports := map[string]*Report{}
	for name, c := range map[string]struct {
		base, unfreeze string
		layers         []string
		change         func(o *Options)
	}{
		"keras":       {"base.keras", "2", []string{"conv2d_1", "conv2d_2"}, nil},
		"all":         {"base.keras", "all", []string{"conv2d", "conv2d_1", "conv2d_2"}, nil},
		"a layer":     {"base.keras", "conv2d_2", []string{"conv2d_2"}, nil},
		"after one":   {"base.keras", "max_pooling2d", []string{"conv2d_1", "conv2d_2"}, nil},
		"saved model": {"base", "2", []string{"digits_base/conv2d_1", "digits_base/conv2d_2"}, nil},
		"its layer":   {"base", "conv2d_2", []string{"digits_base/conv2d_2"}, nil},
		"frozen":      {frozen, "2", []string{"conv2d_1", "conv2d_2"}, nil},
		"pooled":      {"base.keras", "1", []string{"conv2d_1"}, func(o *Options) { o.Layer = "conv2d_1" }},
		"others": {"base.keras", "1", []string{"conv2d_2"}, func(o *Options) {
			o.Hidden, o.Dropout, o.ClassWeights, o.LabelSmoothing, o.Optimizer, o.Warmup, o.Decay = []int{8}, 0.2, "balanced", 0.1, "momentum", 0.5, "cosine"
			o.UnfreezeBatchNorm, o.Compare = true, true
		}},
		"tuned":     {"base.keras", "1", []string{"conv2d_2"}, func(o *Options) { o.Tune = 2 }},
		"augmented": {"base.keras", "1", []string{"conv2d_2"}, func(o *Options) { o.Augment, o.AugmentVariants = images.Augmentation{Rotation: 0.1}, 1 }},
		"all data":  {"base.keras", "1", []string{"conv2d_2"}, func(o *Options) { o.ValidationSplit, o.Patience = 0, 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			o := unfrozenDigits(t, c.base, c.unfreeze)
			var log bytes.Buffer
			o.Log = &log
			if c.change != nil {
				c.change(&o)
			}
			r := run(t, o) // compares the exported models with the trained one
			reports[name] = r
			f := r.FineTuning
			require.Equal(t, c.layers, f.Layers)
			require.Equal(t, "native", r.Engine)
			require.Equal(t, "tensorflow", f.Engine)
			page, err := os.ReadFile(filepath.Join(o.Out, "report.html"))
			require.NoError(t, err)
			require.Contains(t, string(page), "native for the head, tensorflow for the base")
			require.Equal(t, c.base != "base.keras", f.Trace)
			require.Equal(t, f.Trace, strings.Contains(log.String(), "the trace of its inference"))
			require.Len(t, r.History, f.FromEpoch+1, "two epochs")
			for i, e := range r.History {
				require.Equal(t, i+1, e.Epoch)
			}
			require.Positive(t, f.Parameters)
			if r.Validation != nil {
				require.NotNil(t, f.FrozenValidation)
				if f.Kept && c.change == nil {
					require.Less(t, r.Validation.Loss, f.FrozenValidation.Loss)
				}
				require.InDelta(t, r.History[r.BestEpoch-1].Logs["val_accuracy"], r.Validation.Accuracy, 1e-9)
			}
			entries, err := filepath.Glob(filepath.Join(o.Out, "checkpoint", ".*"))
			require.NoError(t, err)
			require.Empty(t, entries)
			if f.Trace {
				require.NoFileExists(t, filepath.Join(o.Out, "model.keras"))
			} else {
				require.FileExists(t, filepath.Join(o.Out, "model.keras"))
			}
		})
	}
	if !tfbridge.Available {
		return // each was skipped
	}
	require.InDelta(t, reports["keras"].Test.Loss, reports["saved model"].Test.Loss, 1e-4, "the same network from another file")
	require.InDelta(t, reports["keras"].Test.Loss, reports["frozen"].Test.Loss, 1e-4)
}

// On the pooled features of the base, digits that it has never seen are hard to tell apart; its layers learn to. The learning rate is
// what scripts/unfreezing chose by validation losses.
func TestUnfreezingHelpsWhereTheBaseIsPoor(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	o := digits(t, "base.keras")
	o.Layer, o.ValidationSplit, o.Unfreeze, o.UnfreezeEpochs, o.UnfreezeLearningRate = "conv2d_2", 0.2, "all", 25, 0.003
	r := run(t, o)
	f := r.FineTuning
	t.Logf("validation accuracy %.3f frozen, %.3f unfrozen; test accuracy %.3f frozen, %.3f unfrozen", f.FrozenValidation.Accuracy, r.Validation.Accuracy, f.FrozenTest.Accuracy, r.Test.Accuracy)
	require.Greater(t, r.Validation.Accuracy, f.FrozenValidation.Accuracy)
	require.Greater(t, r.Test.Accuracy, f.FrozenTest.Accuracy+0.05, "over five seeds 0.834 and 0.920 were seen")
}

// frozenDigits writes the base as a frozen graph.
func frozenDigits(t *testing.T) string {
	t.Helper()
	g, err := flatBase(filepath.Join(digitsBase, "base.keras"))
	require.NoError(t, err)
	data, err := proto.Marshal(g.Def)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "frozen.pb")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestWrongLayers(t *testing.T) {
	for _, c := range [][3]string{{"base.keras", "4", "3 layers with weights"}, {"base.keras", "conv9", "conv9"}, {"base.keras", "predictions", "predictions"},
		{"base", "4", "3 layers with weights"}, {"base", "conv9", "digits_base/conv2d"}} {
		o := unfrozenDigits(t, c[0], c[1])
		_, err := Run(context.Background(), o)
		require.ErrorIs(t, err, ErrOption)
		require.ErrorContains(t, err, c[2])
		require.NoDirExists(t, o.Out)
	}
	o := unfrozenDigits(t, "base", "all")
	o.UnfreezeBatchNorm = true
	_, err := Run(context.Background(), o)
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "training mode")
}

// resumeTolerance is what two uninterrupted runs may differ by: oneDNN's kernels in TensorFlow add up in no settled order. (With
// TF_ENABLE_ONEDNN_OPTS=0 in the environment they give the same bits.)
const resumeTolerance = 1e-4

// A run that is interrupted, in the head's training or in that of the base, ends with the same weights as one that is not.
func TestResumeFineTuning(t *testing.T) {
	o := unfrozenDigits(t, "base.keras", "2")
	o.Epochs, o.UnfreezeEpochs = 6, 6
	want := run(t, o)
	weights, err := keras.Load(filepath.Join(o.Out, "model.keras"))
	require.NoError(t, err)
	for _, stop := range []int{2, 6, 7, 9, 11} {
		p := o
		p.Out = filepath.Join(t.TempDir(), "out")
		ctx, cancel := context.WithCancel(context.Background())
		p.OnEpoch = func(e train.Epoch) error {
			if e.Epoch == stop {
				cancel()
			}
			return nil
		}
		_, err := Run(ctx, p)
		require.ErrorIs(t, err, context.Canceled, "epoch %d", stop)
		p.OnEpoch, p.Resume = nil, true
		got := run(t, p)
		require.Len(t, got.History, len(want.History))
		for i := range want.History {
			for key, v := range want.History[i].Logs {
				require.InDelta(t, v, got.History[i].Logs[key], resumeTolerance, "interrupted after epoch %d, epoch %d, %s", stop, i+1, key)
			}
		}
		require.Equal(t, want.BestEpoch, got.BestEpoch)
		m, err := keras.Load(filepath.Join(p.Out, "model.keras"))
		require.NoError(t, err)
		for i, w := range weights.Variables() {
			a, err := tensor.Data[float32](w.Value)
			require.NoError(t, err)
			b, err := tensor.Data[float32](m.Variables()[i].Value)
			require.NoError(t, err)
			require.InDeltaSlice(t, a, b, resumeTolerance, "interrupted after epoch %d: %s", stop, w.Path)
		}
	}
	o.Resume, o.Unfreeze = true, "1"
	_, err = Run(context.Background(), o)
	require.ErrorIs(t, err, train.ErrCheckpoint, "another fine-tuning's")
}

// A fine-tuning that makes things worse is not kept.
func TestUselessFineTuning(t *testing.T) {
	o := unfrozenDigits(t, "base.keras", "all")
	o.Epochs, o.UnfreezeLearningRate = 100, 0.1
	r := run(t, o)
	require.False(t, r.FineTuning.Kept)
	require.Contains(t, strings.Join(r.Warnings, "\n"), "did not lower the validation loss")
	require.InDelta(t, r.FineTuning.FrozenTest.Loss, r.Test.Loss, 1e-5)
	require.Less(t, r.BestEpoch, r.FineTuning.FromEpoch)
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

func (d dot) pixels(_ context.Context, _ []byte, x *tensor.Tensor) error {
	raw, err := tensor.Of([]float32{d.value, -d.value}, 1, 2, 1)
	return (&base{}).preprocessed(x, raw, err)
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
	require.ErrorContains(t, err, "not [2,2,1]")
	_, err = newImageStore(context.Background(), dir, &base{shape: []int{1 << 20, 1 << 20, 16}}, pictures[:1], nil)
	require.ErrorContains(t, err, "the pixels of 1 images, 70368744.2 MB in "+dir)
	_, err = newImageStore(context.Background(), dir+"/nowhere", b, pictures, nil)
	require.ErrorContains(t, err, "nowhere")
	entries, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
