package dense_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// kerasCases is what scripts/record_dense.py recorded: see there for the layout of values.
type kerasCases struct {
	Steps, Batch int
	Cases        []*kerasCase
	arrays       map[string]*tensor.Tensor
}

type kerasCase struct {
	Name      string
	Input     []int
	Layers    []kerasLayer
	Loss      kerasLoss
	Targets   string
	Optimizer kerasOptimizer
	Weighted  bool
	Weights   [][]int
	Trainable []bool
	values    []float32
}

type kerasLayer struct {
	Class, Activation      string
	Units                  int
	NoBias                 bool `json:"no_bias"`
	Kernel, Bias, Activity []float32
	Rate                   float64
	Scale, Offset          float32
	Shape                  []int
	Momentum               float32
	NoCenter               bool `json:"no_center"`
	NoScale                bool `json:"no_scale"`
	Frozen                 bool
}

type kerasLoss struct {
	Name           train.LossName
	FromLogits     bool    `json:"from_logits"`
	LabelSmoothing float64 `json:"label_smoothing"`
	Delta          float64
}

type kerasOptimizer struct {
	Name           string
	LearningRate   float64  `json:"learning_rate"`
	WeightDecay    *float64 `json:"weight_decay"`
	AMSGrad        bool
	Centered       bool
	Momentum       *float64
	ClipNorm       float64
	ClipValue      float64
	GlobalClipNorm float64 `json:"global_clipnorm"`
}

// loadKeras reads the recorded cases; CAMBIUM_DENSE_CASES names another folder of them (scripts/parity_dense.py).
func loadKeras(t *testing.T) *kerasCases {
	folder := os.Getenv("CAMBIUM_DENSE_CASES")
	if folder == "" {
		folder = filepath.Join("..", "scripts", "testdata", "dense")
	}
	text, err := os.ReadFile(filepath.Join(folder, "cases.json"))
	require.NoError(t, err)
	var c kerasCases
	require.NoError(t, json.Unmarshal(text, &c))
	file, err := os.Open(filepath.Join(folder, "cases.npz"))
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	named, err := tensor.ReadNPZ(file, info.Size())
	require.NoError(t, err)
	c.arrays = map[string]*tensor.Tensor{}
	for _, n := range named {
		c.arrays[n.Name] = n.Tensor
	}
	for i, k := range c.Cases {
		k.values, err = tensor.Data[float32](c.arrays[fmt.Sprintf("case%d", i)])
		require.NoError(t, err)
	}
	return &c
}

// take cuts n values off the front.
func (k *kerasCase) take(n int) []float32 {
	v := k.values[:n]
	k.values = k.values[n:]
	return v
}

func product(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

func (l kerasLayer) layer(t *testing.T) dense.Layer {
	a, err := dense.ParseActivation(l.Activation)
	require.NoError(t, err)
	pair := func(v []float32) dense.Regularizer {
		if v == nil {
			return dense.Regularizer{}
		}
		return dense.L1L2(v[0], v[1])
	}
	switch l.Class {
	case "Dense":
		options := []dense.DenseOption{a, dense.WithKernelRegularizer(pair(l.Kernel)), dense.WithBiasRegularizer(pair(l.Bias)),
			dense.WithActivityRegularizer(pair(l.Activity))}
		if l.NoBias {
			options = append(options, dense.NoBias)
		}
		return dense.Dense(l.Units, options...)
	case "Activation":
		return dense.Activation(a)
	case "BatchNormalization":
		return dense.BatchNormalization(dense.NormOptions{Momentum: l.Momentum, NoCenter: l.NoCenter, NoScale: l.NoScale})
	case "LayerNormalization":
		return dense.LayerNormalization()
	case "Dropout":
		return dense.Dropout(l.Rate)
	case "Flatten":
		return dense.Flatten()
	case "Reshape":
		return dense.Reshape(l.Shape...)
	case "Rescaling":
		return dense.Rescaling(l.Scale, l.Offset)
	case "Normalization":
		return dense.Normalization(nil, nil)
	}
	require.Fail(t, "unknown layer", l.Class)
	return nil
}

func (o kerasOptimizer) optimizer(t *testing.T) train.Optimizer {
	opt, err := train.ParseOptimizer(o.Name, o.LearningRate)
	require.NoError(t, err)
	if o.WeightDecay != nil {
		opt.WeightDecay = *o.WeightDecay
	}
	if o.Momentum != nil {
		opt.Momentum = *o.Momentum
	}
	opt.AMSGrad, opt.Centered = o.AMSGrad, o.Centered
	opt.ClipNorm, opt.ClipValue, opt.GlobalClipNorm = o.ClipNorm, o.ClipValue, o.GlobalClipNorm
	return opt
}

// model builds a case's network with the recorded weights, from seed 7, which scripts/record_dense.py draws dropout with.
func (k *kerasCase) model(t *testing.T, o train.Optimizer, start []*tensor.Tensor) *dense.Model {
	layers := []dense.Layer{dense.Input(k.Input...)}
	for _, l := range k.Layers {
		layer := l.layer(t)
		if l.Frozen {
			layer = dense.Frozen(layer)
		}
		layers = append(layers, layer)
	}
	m, err := dense.New(dense.Config{Threads: 2}, layers...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	m.Seed(7)
	require.NoError(t, m.Compile(o, train.Loss(k.Loss)))
	require.NoError(t, m.SetWeights(start))
	return m
}

// TestKeras compares predictions within 1e-6, gradients within 1e-5, and 200 steps from the same weights over the same
// batches: losses within 1e-5 relative, weights within 1e-4. On every SIMD level.
func TestKeras(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		c := loadKeras(t)
		for _, k := range c.Cases {
			t.Run(k.Name, func(t *testing.T) { k.compare(t, c) })
		}
	})
}

func (k *kerasCase) compare(t *testing.T, c *kerasCases) {
	var start []*tensor.Tensor
	for _, shape := range k.Weights {
		start = append(start, tensor.Must(tensor.Of(slices.Clone(k.take(product(shape))), shape...)))
	}
	m := k.model(t, k.Optimizer.optimizer(t), start)
	d := k.data(t, c)
	samples := d.Samples()
	x, err := tensor.Data[float32](d.X)
	require.NoError(t, err)
	forward := make([]float32, samples*m.OutputWidth())
	require.NoError(t, m.PredictInto(forward, x))
	want := k.take(len(forward))
	scale := 1.0 // sums of large terms round by more: the tolerance is relative to the largest prediction
	for _, v := range want {
		scale = max(scale, math.Abs(float64(v)))
	}
	closeTo(t, "prediction", want, forward, 1e-6*scale)

	order := make([]int32, samples)
	for i := range order {
		order[i] = int32(i)
	}
	k.gradients(t, d, start, order[:c.Batch])

	b, err := m.Bind(d)
	require.NoError(t, err)
	losses := make([]float32, c.Steps)
	perEpoch := (samples + c.Batch - 1) / c.Batch
	for step := 0; step < c.Steps; step += perEpoch {
		n := min(perEpoch, c.Steps-step)
		require.NoError(t, b.Train(order[:min(samples, n*c.Batch)], c.Batch, nil, losses[step:]))
	}
	closeTo(t, "loss", k.take(c.Steps), losses, 1e-5)
	weights, err := m.Weights(true)
	require.NoError(t, err)
	for i, w := range weights {
		require.Equal(t, k.Trainable[i], w.Trainable, w.Name)
		got, err := tensor.Data[float32](w.Value)
		require.NoError(t, err)
		closeTo(t, w.Name, k.take(len(got)), got, 1e-4)
	}
}

// data returns the recorded samples in the case's shape.
func (k *kerasCase) data(t *testing.T, c *kerasCases) *train.Dataset {
	x, err := tensor.Data[float32](c.arrays["x"])
	require.NoError(t, err)
	n := c.arrays["x"].Shape()[0]
	d := &train.Dataset{X: tensor.Must(tensor.Of(x, append([]int{n}, k.Input...)...)), Y: c.arrays[k.Targets]}
	if k.Weighted {
		d.Weights, err = tensor.Data[float32](c.arrays["weights"])
		require.NoError(t, err)
	}
	return d
}

// gradients compares those of the first batch: what one step of gradient descent with a power of two as its rate subtracts.
func (k *kerasCase) gradients(t *testing.T, d *train.Dataset, start []*tensor.Tensor, batch []int32) {
	const rate = 64
	m := k.model(t, train.SGD(rate), start)
	b, err := m.Bind(d)
	require.NoError(t, err)
	require.NoError(t, b.Train(batch, len(batch), nil, nil))
	weights, err := m.Weights(true)
	require.NoError(t, err)
	for i, w := range weights {
		if !k.Trainable[i] {
			continue
		}
		before, err := tensor.Data[float32](start[i])
		require.NoError(t, err)
		after, err := tensor.Data[float32](w.Value)
		require.NoError(t, err)
		g := make([]float32, len(after))
		for j := range g {
			g[j] = (before[j] - after[j]) / rate
		}
		closeTo(t, "gradient of "+w.Name, k.take(len(g)), g, 1e-5)
	}
}

// closeTo compares within a tolerance that is relative for values above 1.
func closeTo(t *testing.T, what string, want, got []float32, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		w, g := float64(want[i]), float64(got[i])
		if !(math.Abs(w-g) <= tolerance*max(1, math.Abs(w))) {
			require.Fail(t, "differs from Keras", "%s[%d]: Keras %v, here %v, difference %.2g", what, i, w, g, math.Abs(w-g))
		}
	}
}
