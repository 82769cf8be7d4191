package dense_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

func TestWrongLayers(t *testing.T) {
	input := dense.Input(4)
	for _, c := range []struct {
		what   string
		layers []dense.Layer
	}{
		{"first one Input", nil},
		{"first layer must be Input", []dense.Layer{dense.Dense(3)}},
		{"must be the first layer", []dense.Layer{input, input}},
		{"shape of a sample", []dense.Layer{dense.Input()}},
		{"shape of a sample", []dense.Layer{dense.Input(4, 0)}},
		{"shape of a sample", []dense.Layer{dense.Input(1<<40, 1<<40)}},
		{"0 units", []dense.Layer{input, dense.Dense(0)}},
		{"units", []dense.Layer{input, dense.Dense(1 << 40)}},
		{"[0, 1)", []dense.Layer{input, dense.Dropout(1)}},
		{"[0, 1)", []dense.Layer{input, dense.Dropout(math.NaN())}},
		{"layer 2 is nil", []dense.Layer{input, nil}},
		{"layer 2 is nil", []dense.Layer{input, dense.Frozen(nil)}},
		{"reshape", []dense.Layer{input, dense.Reshape(2, 0)}},
		{"cannot hold", []dense.Layer{input, dense.Reshape(3, -1)}},
		{"reshape", []dense.Layer{input, dense.Reshape(-1, -1)}},
		{"epsilon", []dense.Layer{input, dense.BatchNormalization(dense.NormOptions{Epsilon: -1})}},
		{"means", []dense.Layer{input, dense.Normalization([]float32{1}, []float32{1})}},
		{"variance -1", []dense.Layer{dense.Input(1), dense.Normalization([]float32{1}, []float32{-1})}},
		{"mean NaN", []dense.Layer{dense.Input(1), dense.Normalization([]float32{float32(math.NaN())}, []float32{1})}},
		{"orthogonal", []dense.Layer{input, dense.Dense(2, dense.WithBiasInitializer(dense.Orthogonal(1)))}},
		{"variance scaling", []dense.Layer{input, dense.Dense(2, dense.WithKernelInitializer(dense.VarianceScaling(1, "fan", "uniform")))}},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := dense.Sequential(c.layers...)
			require.ErrorIs(t, err, train.ErrOption)
			require.ErrorContains(t, err, c.what)
		})
	}
}

// everything is a network with every kind of layer.
func everything(t *testing.T, threads int) *dense.Model {
	return compiled(t, threads, dense.Input(6, 7), dense.Rescaling(0.5, 0), dense.Dense(40, dense.GELU),
		dense.LayerNormalization(), dense.Flatten(), dense.Dense(300), dense.BatchNormalization(), dense.Activation(dense.ReLU), dense.Dropout(0.3),
		dense.Dense(70, dense.Tanh, dense.WithActivityRegularizer(dense.L2(1e-3)), dense.WithKernelRegularizer(dense.L1L2(1e-4, 1e-4))),
		dense.Dense(5, dense.Softmax))
}

// wide is a network of a large layer and a small one, which threads share in their own way.
func wide(t *testing.T, threads int) *dense.Model {
	return compiled(t, threads, dense.Input(42), dense.Dense(500, dense.ReLU), dense.Dropout(0.2), dense.Dense(5, dense.Softmax))
}

func compiled(t *testing.T, threads int, layers ...dense.Layer) *dense.Model {
	m, err := dense.New(dense.Config{Seed: 4, Threads: threads}, layers...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	o := train.Adam(0.003)
	o.GlobalClipNorm = 1
	require.NoError(t, m.Compile(o, train.Loss{Name: train.SparseCategoricalCrossentropy}))
	return m
}

// long is a network of many inputs, which are halved in large batches, even one whose halves are whole panels.
func long(t *testing.T, threads int) *dense.Model { return halved(t, threads, 301) }
func even(t *testing.T, threads int) *dense.Model { return halved(t, threads, 256) }

func halved(t *testing.T, threads, inputs int) *dense.Model {
	m, err := dense.New(dense.Config{Seed: 4, Threads: threads}, dense.Input(inputs), dense.Dense(70, dense.ReLU), dense.Dense(5, dense.Softmax))
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	require.NoError(t, m.Compile(train.Adam(0.003), train.Loss{Name: train.SparseCategoricalCrossentropy}))
	return m
}

func manySamples(n int) *train.Dataset { return samplesOf(n, 6, 7) }

// samplesOf returns n samples of a shape, of five classes.
func samplesOf(n int, shape ...int) *train.Dataset {
	r := train.NewRandom(1, 2)
	x, y := make([]float32, n*product(shape)), make([]int32, n)
	for i := range x {
		x[i] = float32(r.Normal())
	}
	for i := range y {
		y[i] = int32(r.IntN(5))
	}
	return &train.Dataset{X: tensor.Must(tensor.Of(x, append([]int{n}, shape...)...)), Y: tensor.Must(tensor.Of(y))}
}

// TestSameBitsForAnyThreads trains on 1, 2, 3 and 8 threads.
func TestSameBitsForAnyThreads(t *testing.T) {
	for name, network := range map[string]func(*testing.T, int) *dense.Model{"everything": everything, "wide": wide, "long": long, "even": even} {
		d := manySamples(300)
		switch name {
		case "long":
			d = samplesOf(300, 301)
		case "even":
			d = samplesOf(300, 256)
		}
		t.Run(name, func(t *testing.T) { onEveryLevel(t, func(t *testing.T) { sameBits(t, network, d) }) })
	}
}

func sameBits(t *testing.T, network func(*testing.T, int) *dense.Model, d *train.Dataset) {
	var want []train.Weight
	var wantLosses []float32
	for _, threads := range []int{1, 2, 3, 8} {
		m := network(t, threads)
		b, err := m.Bind(d)
		require.NoError(t, err)
		order, losses := make([]int32, 300), make([]float32, 3)
		for i := range order {
			order[i] = int32(i * 7 % 300)
		}
		for range 2 {
			require.NoError(t, b.Train(order, 128, nil, losses))
		}
		got, err := m.Weights(true)
		require.NoError(t, err)
		if want == nil {
			want, wantLosses = got, append(wantLosses, losses...)
			continue
		}
		require.Equal(t, wantLosses, losses, "%d threads", threads)
		for i := range want {
			require.Equal(t, want[i].Value, got[i].Value, "%s, %d threads", want[i].Name, threads)
		}
	}
}

// TestHalves shows that a batch large enough for its inputs to be halved teaches what a small one does: it holds the same samples,
// four times each.
func TestHalves(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		var want []train.Weight
		for _, times := range []int{1, 4} {
			m := long(t, 2)
			require.NoError(t, m.Compile(train.SGD(0.1), train.Loss{Name: train.SparseCategoricalCrossentropy}))
			b, err := m.Bind(samplesOf(40, 301))
			require.NoError(t, err)
			var order []int32
			for i := range 40 * times {
				order = append(order, int32(i%40))
			}
			for range 5 {
				require.NoError(t, b.Train(order, len(order), nil, nil))
			}
			got, err := m.Weights(true)
			require.NoError(t, err)
			if want == nil {
				want = got
			}
			for i := range want {
				a, err := tensor.Data[float32](want[i].Value)
				require.NoError(t, err)
				b, err := tensor.Data[float32](got[i].Value)
				require.NoError(t, err)
				require.InDeltaSlice(t, a, b, 1e-5, want[i].Name)
			}
		}
	})
}

// TestPredictAlone shows that a sample's prediction does not depend on its company, nor on who predicts at the same time.
func TestPredictAlone(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		m := everything(t, 2)
		const n = 200
		x, err := tensor.Data[float32](manySamples(n).X)
		require.NoError(t, err)
		all := make([]float32, n*5)
		require.NoError(t, m.PredictInto(all, x))
		var wait sync.WaitGroup
		for worker := range 4 {
			wait.Go(func() {
				one, several := make([]float32, 5), make([]float32, n*5)
				for i := worker; i < n; i += 4 {
					if m.PredictInto(one, x[i*42:(i+1)*42]) != nil || fmt.Sprint(one) != fmt.Sprint(all[i*5:(i+1)*5]) {
						panic("a sample alone differs")
					}
				}
				if m.PredictInto(several, x) != nil || fmt.Sprint(several) != fmt.Sprint(all) {
					panic("a batch differs")
				}
			})
		}
		wait.Wait()
	})
}

// TestPredictQuickly shows that predictions which follow each other closely, and so share threads, are the same.
func TestPredictQuickly(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		m := compiled(t, 3, dense.Input(6, 7), dense.Flatten(), dense.Dense(2500, dense.ReLU), dense.Dense(5, dense.Softmax))
		const n = 60
		x, err := tensor.Data[float32](manySamples(n).X)
		require.NoError(t, err)
		all, got := make([]float32, n*5), make([]float32, n*5)
		require.NoError(t, m.PredictInto(all, x))
		for size := 1; size < 8; size += 3 {
			for i := 0; i < n; i += size {
				end := min(n, i+size)
				require.NoError(t, m.PredictInto(got[i*5:end*5], x[i*42:end*42]))
			}
			require.Equal(t, all, got)
			clear(got)
		}
		require.Zero(t, leastAllocations(func() { _ = m.PredictInto(got[:5], x[:42]) }))
	})
}

func TestPredictDoesNotAllocate(t *testing.T) {
	m := everything(t, 2)
	x, err := tensor.Data[float32](manySamples(500).X)
	require.NoError(t, err)
	y := make([]float32, 500*5)
	for _, n := range []int{1, 2, 64, 500} {
		require.Zero(t, leastAllocations(func() { _ = m.PredictInto(y[:n*5], x[:n*42]) }), "%d samples", n)
	}
}

// leastAllocations returns the allocations of a call once the memory for every way to predict is there, whichever of them the
// calls' timing leads to. What the runtime allocates meanwhile is counted too, so the least of several series counts.
func leastAllocations(f func()) float64 {
	least := testing.AllocsPerRun(20, f)
	for range 4 {
		least = min(least, testing.AllocsPerRun(20, f))
	}
	return least
}

func TestWrongUse(t *testing.T) {
	m := everything(t, 1)
	_, err := m.Predict(tensor.Must(tensor.New(tensor.Float32, 3, 42)))
	require.ErrorIs(t, err, train.ErrData)
	_, err = m.Predict(tensor.Must(tensor.New(tensor.Int32, 3, 6, 7)))
	require.Error(t, err)
	require.ErrorIs(t, m.PredictInto(make([]float32, 4), make([]float32, 42)), train.ErrData)
	out, err := m.Predict(tensor.Must(tensor.New(tensor.Float32, 0, 6, 7)))
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{0, 5}, out.Shape())

	weights, err := m.Weights(true)
	require.NoError(t, err)
	var values []*tensor.Tensor
	for _, w := range weights {
		values = append(values, w.Value)
	}
	require.NoError(t, m.SetWeights(values))
	require.ErrorIs(t, m.SetWeights(values[1:]), train.ErrData)
	values[0], values[1] = values[1], values[0]
	require.ErrorIs(t, m.SetWeights(values), train.ErrData)
	values[0] = nil
	require.Error(t, m.SetWeights(values))

	require.Error(t, m.SetLearningRate(math.NaN()))
	require.ErrorIs(t, m.SetState(train.State{}), train.ErrData)
	loose, err := dense.Sequential(dense.Input(2), dense.Dense(2))
	require.NoError(t, err)
	_, err = loose.Bind(manySamples(1))
	require.ErrorIs(t, err, train.ErrOption)
	require.Error(t, loose.Compile(train.Optimizer{}, train.Loss{Name: train.MeanSquaredError}))
	require.Error(t, loose.Compile(train.SGD(1), train.Loss{}))
	require.ErrorContains(t, loose.Compile(train.SGD(1), train.Loss{Name: train.MeanSquaredError}, nil), "metric 1 is nil")
	for _, threads := range []int{-1, 100_000} {
		_, err = dense.New(dense.Config{Threads: threads}, dense.Input(2), dense.Dense(2, nil))
		require.ErrorIs(t, err, train.ErrOption)
	}
	_, err = loose.Fit(context.Background(), manySamples(1), train.Config{})
	require.ErrorContains(t, err, "not compiled")
	require.ErrorIs(t, loose.Store(nil), train.ErrOption)
	_, err = dense.FromKeras(nil, dense.Config{})
	require.ErrorIs(t, err, train.ErrOption)

	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.PredictInto(make([]float32, 5), make([]float32, 42)), dense.ErrClosed)
	_, err = m.Bind(manySamples(1))
	require.ErrorIs(t, err, dense.ErrClosed)
}

// TestNotANumber shows that NaN is noticed whatever layers it passes.
func TestNotANumber(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		m, err := dense.Sequential(dense.Input(3), dense.Dense(40, dense.ReLU), dense.Dense(2, dense.Softmax))
		require.NoError(t, err)
		defer m.Close()
		require.NoError(t, m.Compile(train.SGD(1e30), train.Loss{Name: train.SparseCategoricalCrossentropy}))
		x := tensor.Must(tensor.Of([]float32{1, 2, 3, -1, 2, 1}, 2, 3))
		b, err := m.Bind(&train.Dataset{X: x, Y: tensor.Must(tensor.Of([]int32{0, 1}))})
		require.NoError(t, err)
		err = b.Train([]int32{0, 1, 0, 1, 0, 1, 0, 1}, 2, nil, nil)
		require.ErrorIs(t, err, train.ErrNotFinite)
		require.ErrorContains(t, err, "batch ")
		values, err := tensor.Data[float32](x)
		require.NoError(t, err)
		values[4] = float32(math.NaN())
		_, err = m.Bind(&train.Dataset{X: x, Y: tensor.Must(tensor.Of([]int32{0, 1}))})
		require.ErrorIs(t, err, train.ErrData)
		require.ErrorContains(t, err, "sample 1")
	})
}

func TestInitializers(t *testing.T) {
	shape := []int{200, 100}
	for _, c := range []struct {
		name      string
		deviation float64
		limit     float64
	}{
		{"zeros", 0, 0}, {"glorot_uniform", math.Sqrt(2. / 300), math.Sqrt(6. / 300)}, {"glorot_normal", math.Sqrt(2. / 300), 3},
		{"he_uniform", math.Sqrt(2. / 200), math.Sqrt(6. / 200)}, {"he_normal", math.Sqrt(2. / 200), 3},
		{"lecun_uniform", math.Sqrt(1. / 200), math.Sqrt(3. / 200)}, {"lecun_normal", math.Sqrt(1. / 200), 3},
		{"random_uniform", 0.1 / math.Sqrt(12), 0.05}, {"random_normal", 0.05, 1}, {"truncated_normal", 0.05 * 0.87962566, 0.1},
		{"orthogonal", 1 / math.Sqrt(200), 1}, {"identity", math.Sqrt(1. / 200), 1}, {"variance_scaling", math.Sqrt(1. / 200), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, err := dense.ParseInitializer(c.name)
			require.NoError(t, err)
			require.Equal(t, c.name, i.Name())
			values, err := i.Values(train.NewRandom(1, 1), shape)
			require.NoError(t, err)
			squares := 0.0
			for _, v := range values {
				squares += float64(v) * float64(v)
				require.LessOrEqual(t, math.Abs(float64(v)), c.limit)
			}
			require.InDelta(t, c.deviation, math.Sqrt(squares/float64(len(values))), 0.02*c.deviation)
			again, err := i.Values(train.NewRandom(1, 1), shape)
			require.NoError(t, err)
			require.Equal(t, values, again)
		})
	}
	_, err := dense.ParseInitializer("none")
	require.ErrorIs(t, err, train.ErrOption)
}

// TestOrthogonal checks that the shorter side is orthonormal.
func TestOrthogonal(t *testing.T) {
	for _, shape := range [][]int{{7, 3}, {3, 7}} {
		v, err := dense.Orthogonal(2).Values(train.NewRandom(1, 1), shape)
		require.NoError(t, err)
		short := min(shape[0], shape[1])
		for a := range short {
			for b := range short {
				sum := 0.0
				for i := range max(shape[0], shape[1]) {
					if shape[0] < shape[1] {
						sum += float64(v[a*shape[1]+i]) * float64(v[b*shape[1]+i])
					} else {
						sum += float64(v[i*shape[1]+a]) * float64(v[i*shape[1]+b])
					}
				}
				want := 0.0
				if a == b {
					want = 4
				}
				require.InDelta(t, want, sum, 1e-5)
			}
		}
	}
}

// TestDropout checks that the given share of elements is dropped, others in every step, and that inference keeps all.
func TestDropout(t *testing.T) {
	m, err := dense.New(dense.Config{Seed: 9}, dense.Input(1000), dense.Dropout(0.3))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Compile(train.SGD(1), train.Loss{Name: train.MeanSquaredError}))
	const samples = 20
	ones := make([]float32, samples*1000)
	for i := range ones {
		ones[i] = 1
	}
	x := tensor.Must(tensor.Of(ones, samples, 1000))
	b, err := m.Bind(&train.Dataset{X: x, Y: x})
	require.NoError(t, err)
	order := make([]int32, samples)
	for i := range order {
		order[i] = int32(i)
	}
	var before []float32
	for range 3 {
		y := make([]float32, len(ones))
		require.NoError(t, b.Train(order, samples, y, nil))
		kept := 0
		for _, v := range y {
			if v != 0 {
				require.InDelta(t, 1/0.7, v, 1e-6)
				kept++
			}
		}
		require.InDelta(t, 0.7, float64(kept)/float64(len(y)), 0.015)
		require.NotEqual(t, y[:1000], y[1000:2000])
		require.NotEqual(t, before, y)
		before = y
	}
	y := make([]float32, len(ones))
	require.NoError(t, b.Evaluate(order, samples, y, nil))
	require.Equal(t, ones, y)
}

// TestAdapt checks mean and variance against their definition.
func TestAdapt(t *testing.T) {
	layer, err := dense.Adapt(tensor.Must(tensor.Of([]float32{1, 10, 3, 30, 5, 20}, 3, 2)))
	require.NoError(t, err)
	m, err := dense.Sequential(dense.Input(2), layer)
	require.NoError(t, err)
	defer m.Close()
	y, err := m.Predict(tensor.Must(tensor.Of([]float32{5, 20}, 1, 2)))
	require.NoError(t, err)
	v, err := tensor.Data[float32](y)
	require.NoError(t, err)
	require.InDelta(t, 2/math.Sqrt(8./3), v[0], 1e-6)
	require.InDelta(t, 0, v[1], 1e-6)
	_, err = dense.Adapt(tensor.Must(tensor.Of([]float32{1})))
	require.ErrorIs(t, err, train.ErrData)
}

func TestPerceptronWrongUse(t *testing.T) {
	p := dense.NewPerceptron(2)
	for _, c := range []struct {
		x [][]float64
		y []int
	}{{nil, nil}, {[][]float64{{1, 2}}, []int{0, 1}}, {[][]float64{{1}}, []int{0}}, {[][]float64{{1, 2}}, []int{2}}} {
		_, _, err := p.Fit(c.x, c.y, 1, 10)
		require.ErrorIs(t, err, train.ErrData)
	}
	for _, x := range [][]float64{nil, {1}, {1, 2, 3}} {
		_, err := p.Predict(x)
		require.ErrorIs(t, err, train.ErrData)
	}
}
