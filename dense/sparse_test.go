package dense_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// sparseCase is a training that may skip zeros.
type sparseCase struct {
	name      string
	shape     []int // of a sample
	units     int
	share     float64 // of what is not 0
	batch     int
	bytes     bool
	weights   bool
	blank     bool // every third sample is all zeros
	layer     []dense.DenseOption
	optimizer train.Optimizer
	threads   int
}

func sparseCases() []sparseCase {
	base := sparseCase{shape: []int{301}, units: 70, share: 0.2, batch: 100, optimizer: train.Adam(0.01), threads: 2}
	var cases []sparseCase
	add := func(name string, change func(c *sparseCase)) {
		c := base
		change(&c)
		c.name = name
		cases = append(cases, c)
	}
	for _, share := range []float64{0, 0.01, 0.2, 0.4, 1} {
		for _, batch := range []int{1, 7, 32, 100, 512} {
			add(fmt.Sprintf("share %v batch %d", share, batch), func(c *sparseCase) { c.share, c.batch = share, batch })
		}
	}
	for _, inputs := range []int{33, 256, 520} {
		for _, units := range []int{10, 33, 128} {
			add(fmt.Sprintf("%d inputs %d units", inputs, units), func(c *sparseCase) { c.shape, c.units = []int{inputs}, units })
		}
	}
	for threads := 1; threads <= 3; threads++ {
		for _, batch := range []int{32, 100} {
			add(fmt.Sprintf("%d threads batch %d", threads, batch), func(c *sparseCase) { c.threads, c.batch = threads, batch })
		}
	}
	add("bytes", func(c *sparseCase) { c.bytes = true })
	add("blank samples", func(c *sparseCase) { c.blank = true })
	add("several rows", func(c *sparseCase) { c.shape = []int{3, 270} })
	add("a batch that workers do not gather", func(c *sparseCase) { c.shape, c.batch = []int{1200}, 512 })
	add("weights", func(c *sparseCase) { c.weights = true })
	add("L1 and L2", func(c *sparseCase) {
		c.layer = []dense.DenseOption{dense.WithKernelRegularizer(dense.L1L2(1e-3, 1e-3))}
	})
	clipped := func(change func(o *train.Optimizer)) train.Optimizer {
		o := train.Adam(0.01)
		change(&o)
		return o
	}
	for name, o := range map[string]train.Optimizer{
		"SGD": train.SGD(0.1), "momentum": train.Momentum(0.1, 0.9), "Nesterov": train.Nesterov(0.1, 0.9), "RMSprop": train.RMSprop(0.01),
		"Adagrad": train.Adagrad(0.1), "AdamW": train.AdamW(0.01),
		"AMSGrad":     clipped(func(o *train.Optimizer) { o.AMSGrad = true }),
		"norm":        clipped(func(o *train.Optimizer) { o.ClipNorm = 0.01 }),
		"global norm": clipped(func(o *train.Optimizer) { o.GlobalClipNorm = 0.01 }),
		"clip value":  clipped(func(o *train.Optimizer) { o.ClipValue = 1e-3 }),
		"decay":       clipped(func(o *train.Optimizer) { o.Name, o.WeightDecay = train.SGDName, 0.01 }),
	} {
		add(name, func(c *sparseCase) { c.optimizer = o })
	}
	return cases
}

// TestSparse shows that skipping zeros changes no bit of losses, weights and the optimizer's state.
func TestSparse(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		for _, c := range sparseCases() {
			t.Run(c.name, func(t *testing.T) {
				require.Equal(t, c.train(t, -1), c.train(t, 1))
			})
		}
	})
}

// train trains on three batches, the last one smaller, skipping the zeros of data with up to a share of other values, and returns
// the bits of the losses, the weights and the state.
func (c sparseCase) train(t *testing.T, share float64) [][]uint32 {
	defer dense.SkipZeros(share)()
	m, err := dense.New(dense.Config{Seed: 4, Threads: c.threads}, dense.Input(c.shape...), dense.Dense(c.units, append(c.layer, dense.ReLU)...),
		dense.Flatten(), dense.Dense(5, dense.Softmax))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Compile(c.optimizer, train.Loss{Name: train.SparseCategoricalCrossentropy}))
	samples := 3*c.batch - c.batch/3
	b, err := m.Bind(c.data(samples))
	require.NoError(t, err)
	defer b.Close()
	order, losses := make([]int32, samples), make([]float32, 3)
	for i := range order {
		order[i] = int32(i)
	}
	require.NoError(t, b.Train(order, c.batch, nil, losses))
	require.Equal(t, share > 0, dense.Skips(b))
	all := [][]uint32{bitsOf(losses)}
	weights, err := m.Weights(false)
	require.NoError(t, err)
	state, err := m.State()
	require.NoError(t, err)
	for _, w := range append(weights, state.Slots...) {
		values, err := tensor.Data[float32](w.Value)
		require.NoError(t, err)
		all = append(all, bitsOf(values))
	}
	return all
}

func bitsOf(x []float32) []uint32 {
	bits := make([]uint32, len(x))
	for i, v := range x {
		bits[i] = math.Float32bits(v)
	}
	return bits
}

func (c sparseCase) data(samples int) *train.Dataset {
	r, features := train.NewRandom(6, 6), 1
	for _, n := range c.shape {
		features *= n
	}
	x, bytes, y := make([]float32, samples*features), make([]uint8, samples*features), make([]int32, samples)
	for i := range x {
		if r.Float64() < c.share && !(c.blank && i/features%3 == 0) {
			x[i], bytes[i] = float32(r.Normal()), uint8(1+r.IntN(255))
		}
	}
	for i := range y {
		y[i] = int32(r.IntN(5))
	}
	shape := append([]int{samples}, c.shape...)
	d := &train.Dataset{X: tensor.Must(tensor.Of(x, shape...)), Y: tensor.Must(tensor.Of(y))}
	if c.bytes {
		d.X, d.Scale = tensor.Must(tensor.Of(bytes, shape...)), 1./255
	}
	if c.weights {
		d.Weights = make([]float32, samples)
		for i := range d.Weights {
			d.Weights[i] = r.Float32()
		}
	}
	return d
}

// TestSkips shows which data sets have their zeros skipped, and that a step on them allocates nothing.
func TestSkips(t *testing.T) {
	for _, c := range []struct {
		share float64
		bytes bool
		want  bool
	}{{0, false, true}, {0.2, false, true}, {0.2, true, true}, {0.6, false, false}, {0.6, true, false}, {1, false, false}} {
		m, err := dense.Sequential(dense.Input(300), dense.Dense(70, dense.ReLU), dense.Dense(5, dense.Softmax))
		require.NoError(t, err)
		require.NoError(t, m.Compile(train.Adam(0.01), train.Loss{Name: train.SparseCategoricalCrossentropy}))
		b, err := m.Bind(sparseCase{shape: []int{300}, share: c.share, bytes: c.bytes}.data(100))
		require.NoError(t, err)
		order := make([]int32, 100)
		step := func() { require.NoError(t, b.Train(order, 100, nil, nil)) }
		step()
		require.Equal(t, c.want, dense.Skips(b), "%+v", c)
		require.Zero(t, leastAllocations(step), "%+v", c)
		require.NoError(t, m.Close())
	}
}
