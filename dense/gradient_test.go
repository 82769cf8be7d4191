package dense_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// textbook is a layer written as its formula, in float64: forward for a batch x [samples][features], in training mode. It
// consumes its weights from w and adds penalties to *penalty.
type textbook func(x [][]float64, w *[][]float64, penalty *float64) [][]float64

// perElement applies a function to every element.
func perElement(f func(float64) float64) textbook {
	return func(x [][]float64, _ *[][]float64, _ *float64) [][]float64 {
		return mapRows(x, func(row []float64) []float64 {
			y := make([]float64, len(row))
			for i, v := range row {
				y[i] = f(v)
			}
			return y
		})
	}
}

func mapRows(x [][]float64, f func([]float64) []float64) [][]float64 {
	y := make([][]float64, len(x))
	for i, row := range x {
		y[i] = f(row)
	}
	return y
}

func pop(w *[][]float64) []float64 {
	v := (*w)[0]
	*w = (*w)[1:]
	return v
}

func norms(v []float64) (l1, l2 float64) {
	for _, x := range v {
		l1, l2 = l1+math.Abs(x), l2+x*x
	}
	return l1, l2
}

// linear is Dense without activation; kernel penalties as given.
func linear(units int, l1, l2 float64) textbook {
	return func(x [][]float64, w *[][]float64, penalty *float64) [][]float64 {
		kernel, bias := pop(w), pop(w)
		a, b := norms(kernel)
		*penalty += l1*a + l2*b
		return mapRows(x, func(row []float64) []float64 {
			y := slices.Clone(bias)
			for i, v := range row {
				for u := range units {
					y[u] += v * kernel[i*units+u]
				}
			}
			return y
		})
	}
}

func softmax64(row []float64) []float64 {
	y, sum := make([]float64, len(row)), 0.0
	for i, v := range row {
		y[i] = math.Exp(v - slices.Max(row))
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
	return y
}

func moments(v []float64) (mean, variance float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, variance
}

func batchNorm(x [][]float64, w *[][]float64, _ *float64) [][]float64 {
	gamma, beta := pop(w), pop(w)
	pop(w)
	pop(w)
	y := mapRows(x, slices.Clone[[]float64])
	for c := range gamma {
		column := make([]float64, len(x))
		for r := range x {
			column[r] = x[r][c]
		}
		mean, variance := moments(column)
		for r := range x {
			y[r][c] = (x[r][c]-mean)/math.Sqrt(variance+1e-3)*gamma[c] + beta[c]
		}
	}
	return y
}

func layerNorm(x [][]float64, w *[][]float64, _ *float64) [][]float64 {
	gamma, beta := pop(w), pop(w)
	return mapRows(x, func(row []float64) []float64 {
		mean, variance := moments(row)
		y := make([]float64, len(row))
		for c, v := range row {
			y[c] = (v-mean)/math.Sqrt(variance+1e-3)*gamma[c] + beta[c]
		}
		return y
	})
}

func activityPenalty(l1, l2 float64) textbook {
	return func(x [][]float64, _ *[][]float64, penalty *float64) [][]float64 {
		for _, row := range x {
			a, b := norms(row)
			*penalty += (l1*a + l2*b) / float64(len(x))
		}
		return x
	}
}

func sigmoid64(x float64) float64  { return 1 / (1 + math.Exp(-x)) }
func softplus64(x float64) float64 { return math.Log1p(math.Exp(x)) }
func elu64(x float64) float64 {
	if x > 0 {
		return x
	}
	return math.Expm1(x)
}

// activations64 are the textbook's activations.
var activations64 = map[string]struct {
	function dense.ActivationFunction
	formula  func(float64) float64
}{
	"relu":         {dense.ReLU, func(x float64) float64 { return max(x, 0) }},
	"relu6":        {dense.ReLU6, func(x float64) float64 { return min(max(x, 0), 6) }},
	"leaky_relu":   {dense.LeakyReLU(0.2), func(x float64) float64 { return max(x, 0.2*x) }},
	"elu":          {dense.ELU(1), elu64},
	"selu":         {dense.SELU, func(x float64) float64 { return 1.0507009873554805 * (max(x, 0) + 1.6732632423543772*min(elu64(x), 0)) }},
	"sigmoid":      {dense.Sigmoid, sigmoid64},
	"hard_sigmoid": {dense.HardSigmoid, func(x float64) float64 { return min(max(x/6+0.5, 0), 1) }},
	"tanh":         {dense.Tanh, math.Tanh},
	"softplus":     {dense.Softplus, softplus64},
	"softsign":     {dense.Softsign, func(x float64) float64 { return x / (1 + math.Abs(x)) }},
	"exponential":  {dense.Exponential, math.Exp},
	"silu":         {dense.SiLU, func(x float64) float64 { return x * sigmoid64(x) }},
	"mish":         {dense.Mish, func(x float64) float64 { return x * math.Tanh(softplus64(x)) }},
	"gelu":         {dense.GELU, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
	"gelu_tanh": {dense.GELUTanh, func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}},
}

// gradientCase is a network twice: as layers and as the textbook's formulas.
type gradientCase struct {
	name    string
	inputs  int
	layers  []dense.Layer
	formula []textbook
	loss    train.Loss
}

func gradientCases() []gradientCase {
	mse := train.Loss{Name: train.MeanSquaredError}
	both := func(name string, middle dense.Layer, formula textbook) gradientCase {
		return gradientCase{name, 5, []dense.Layer{dense.Dense(35), middle, dense.Dense(3)}, []textbook{linear(35, 0, 0), formula, linear(3, 0, 0)}, mse}
	}
	softmax := func(x [][]float64, _ *[][]float64, _ *float64) [][]float64 { return mapRows(x, softmax64) }
	cases := []gradientCase{
		both("batch normalization", dense.BatchNormalization(), batchNorm),
		both("layer normalization", dense.LayerNormalization(), layerNorm),
		both("softmax", dense.Activation(dense.Softmax), softmax),
		both("rescaling", dense.Rescaling(0.5, 0.25), perElement(func(x float64) float64 { return x*0.5 + 0.25 })),
		both("normalization", dense.Normalization(make([]float32, 35), slices.Repeat([]float32{4}, 35)), func(x [][]float64, w *[][]float64, p *float64) [][]float64 {
			pop(w)
			pop(w)
			pop(w)
			return perElement(func(x float64) float64 { return x / 2 })(x, w, p)
		}),
		{"first layer normalized", 5, []dense.Layer{dense.LayerNormalization(), dense.BatchNormalization(), dense.Dense(3)},
			[]textbook{layerNorm, batchNorm, linear(3, 0, 0)}, mse},
		{"regularizers", 5, []dense.Layer{dense.Dense(35, dense.Tanh, dense.WithKernelRegularizer(dense.L1L2(0.01, 0.03))), dense.Dense(3)},
			[]textbook{linear(35, 0.01, 0.03), perElement(math.Tanh), linear(3, 0, 0)}, mse},
		{"one regularizer", 5, []dense.Layer{dense.Dense(35, dense.Tanh, dense.WithKernelRegularizer(dense.L1(0.02))), dense.Dense(3)},
			[]textbook{linear(35, 0.02, 0), perElement(math.Tanh), linear(3, 0, 0)}, mse},
		{"activity", 5, []dense.Layer{dense.Dense(35, dense.Tanh, dense.WithActivityRegularizer(dense.L1L2(0.01, 0.03))), dense.Dense(3)},
			[]textbook{linear(35, 0, 0), perElement(math.Tanh), activityPenalty(0.01, 0.03), linear(3, 0, 0)}, mse},
	}
	for name, a := range activations64 {
		cases = append(cases, both("activation "+name, dense.Activation(a.function), perElement(a.formula)))
	}
	slices.SortFunc(cases[8:], func(a, b gradientCase) int { return len(a.name) - len(b.name) })
	net := func(name string, l train.Loss, output dense.ActivationFunction, formula textbook) {
		c := gradientCase{name, 5, []dense.Layer{dense.Dense(9, dense.Tanh), dense.Dense(3, output)},
			[]textbook{linear(9, 0, 0), perElement(math.Tanh), linear(3, 0, 0)}, l}
		if formula != nil {
			c.formula = append(c.formula, formula)
		}
		cases = append(cases, c)
	}
	for _, smoothing := range []float64{0, 0.1} {
		for _, name := range []train.LossName{train.CategoricalCrossentropy, train.SparseCategoricalCrossentropy} {
			net(fmt.Sprintf("%s probabilities %v", name, smoothing), train.Loss{Name: name, LabelSmoothing: smoothing}, dense.Softmax, softmax)
			net(fmt.Sprintf("%s logits %v", name, smoothing), train.Loss{Name: name, FromLogits: true, LabelSmoothing: smoothing}, dense.Linear, nil)
		}
		net(fmt.Sprintf("binary probabilities %v", smoothing), train.Loss{Name: train.BinaryCrossentropy, LabelSmoothing: smoothing}, dense.Sigmoid, perElement(sigmoid64))
		net(fmt.Sprintf("binary logits %v", smoothing), train.Loss{Name: train.BinaryCrossentropy, FromLogits: true, LabelSmoothing: smoothing}, dense.Linear, nil)
	}
	for _, name := range []train.LossName{train.MeanAbsoluteError, train.Huber, train.LogCosh} {
		net(string(name), train.Loss{Name: name}, dense.Linear, nil)
	}
	return cases
}

// value returns the loss of weights w on x in float64.
func (c gradientCase) value(x [][]float64, y []float64, w [][]float64) float64 {
	penalty := 0.0
	for _, f := range c.formula {
		x = f(x, &w, &penalty)
	}
	return train.LossValue(c.loss, y, slices.Concat(x...), len(x[0]), nil) + penalty
}

// TestGradients compares the gradients of every layer, loss and regularizer with central differences of the textbook's
// formulas in float64: within 1e-5, relative above 1.
func TestGradients(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		for _, c := range gradientCases() {
			t.Run(c.name, c.compare)
		}
	})
}

func (c gradientCase) compare(t *testing.T) {
	m, err := dense.New(dense.Config{Seed: 3, Threads: 2}, append([]dense.Layer{dense.Input(c.inputs)}, c.layers...)...)
	require.NoError(t, err)
	defer m.Close()
	const rate, samples = 64, 11
	require.NoError(t, m.Compile(train.SGD(rate), c.loss))
	r := train.NewRandom(5, 5)
	x, y := make([]float32, samples*c.inputs), make([]float32, samples*c.loss.TargetWidth(m.OutputWidth()))
	for i := range x {
		x[i] = float32(r.Normal())
	}
	for i := range y {
		y[i] = r.Float32()
		if c.loss.Sparse() {
			y[i] = float32(r.IntN(m.OutputWidth()))
		}
	}
	before := weights64(t, m)
	rows, targets := make([][]float64, samples), doubles(y)
	for i := range rows {
		rows[i] = doubles(x[i*c.inputs : (i+1)*c.inputs])
	}
	d := &train.Dataset{X: tensor.Must(tensor.Of(x, samples, c.inputs)), Y: tensor.Must(tensor.Of(y, samples, len(y)/samples))}
	b, err := m.Bind(d)
	require.NoError(t, err)
	order, losses := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, make([]float32, 1)
	require.NoError(t, b.Train(order, samples, nil, losses))
	require.InDelta(t, c.value(rows, targets, before), losses[0], 2e-6*max(1, float64(losses[0])))
	after := weights64(t, m)
	list, err := m.Weights(true)
	require.NoError(t, err)
	for v, w := range list {
		if !w.Trainable {
			continue
		}
		for i := range before[v] {
			const h = 1e-6
			at := before[v][i]
			before[v][i] = at + h
			up := c.value(rows, targets, before)
			before[v][i] = at - h
			down := c.value(rows, targets, before)
			before[v][i] = at
			want := (up - down) / (2 * h)
			got := (at - after[v][i]) / rate
			require.InDelta(t, want, got, 1e-5*max(1, math.Abs(want)), "%s[%d]", w.Name, i)
		}
	}
}

func doubles(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func weights64(t *testing.T, m *dense.Model) [][]float64 {
	list, err := m.Weights(true)
	require.NoError(t, err)
	var w [][]float64
	for _, v := range list {
		data, err := tensor.Data[float32](v.Value)
		require.NoError(t, err)
		w = append(w, doubles(data))
	}
	return w
}
