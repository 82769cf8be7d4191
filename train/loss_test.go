package train_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/train"
)

// every loss with every option that changes its formula.
func everyLoss() []train.Loss {
	return []train.Loss{
		{Name: train.MeanSquaredError}, {Name: train.MeanAbsoluteError}, {Name: train.Huber}, {Name: train.Huber, Delta: 0.3},
		{Name: train.LogCosh},
		{Name: train.BinaryCrossentropy}, {Name: train.BinaryCrossentropy, FromLogits: true},
		{Name: train.BinaryCrossentropy, LabelSmoothing: 0.2}, {Name: train.BinaryCrossentropy, FromLogits: true, LabelSmoothing: 0.2},
		{Name: train.CategoricalCrossentropy}, {Name: train.CategoricalCrossentropy, FromLogits: true},
		{Name: train.CategoricalCrossentropy, LabelSmoothing: 0.1},
		{Name: train.CategoricalCrossentropy, FromLogits: true, LabelSmoothing: 0.1},
		{Name: train.SparseCategoricalCrossentropy}, {Name: train.SparseCategoricalCrossentropy, FromLogits: true},
		{Name: train.SparseCategoricalCrossentropy, FromLogits: true, LabelSmoothing: 0.1},
		{Name: train.SparseCategoricalCrossentropy, LabelSmoothing: 0.1},
	}
}

// batch draws targets and predictions that suit a loss.
func batch(l train.Loss, n, width int) (y, p []float64, weights []float32) {
	r := train.NewRandom(3, uint64(width))
	crossentropy := l.Name == train.BinaryCrossentropy || l.Name == train.CategoricalCrossentropy || l.Sparse()
	for range n {
		class, sum := r.IntN(width), 0.0
		if l.Sparse() {
			y = append(y, float64(class))
		}
		for j := range width {
			v := 2 * r.Normal()
			if crossentropy && !l.FromLogits {
				v = 0.05 + r.Float64()*0.9
			}
			p, sum = append(p, v), sum+v
			switch {
			case l.Sparse():
			case l.Name == train.CategoricalCrossentropy && j == class:
				y = append(y, 1)
			case l.Name == train.CategoricalCrossentropy:
				y = append(y, 0)
			case crossentropy:
				y = append(y, float64(r.IntN(2)))
			default:
				y = append(y, 2*r.Normal())
			}
		}
		weights = append(weights, 0.5+r.Float32())
	}
	return y, p, weights
}

func TestGradientMeetsFiniteDifferences(t *testing.T) {
	for _, l := range everyLoss() {
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) {
			const width = 4
			y, p, weights := batch(l, 5, width)
			gradient := make([]float64, len(p))
			train.LossGradient(gradient, l, y, p, width, weights)
			for i := range p {
				const h = 1e-6
				at := p[i]
				p[i] = at + h
				up := train.LossValue(l, y, p, width, weights)
				p[i] = at - h
				down := train.LossValue(l, y, p, width, weights)
				p[i] = at
				require.InDelta(t, (up-down)/(2*h), gradient[i], 1e-8, "prediction %d", i)
			}
		})
	}
}

func TestSaturatedPredictionsAreClipped(t *testing.T) {
	for _, name := range []train.LossName{train.BinaryCrossentropy, train.CategoricalCrossentropy, train.SparseCategoricalCrossentropy} {
		l := train.Loss{Name: name}
		y := []float32{0, 1}
		if l.Sparse() {
			y = []float32{1}
		}
		p, gradient := []float32{1, 0}, make([]float32, 2)
		require.InDelta(t, -math.Log(1e-7), train.LossValue(l, y, p, 2, nil), 0.2, name)
		train.LossGradient(gradient, l, y, p, 2, nil)
		require.Equal(t, []float32{0, 0}, gradient, "%s: a clipped probability has no slope", name)
	}
}

func TestLossValidate(t *testing.T) {
	for _, l := range everyLoss() {
		require.NoError(t, l.Validate())
	}
	for _, l := range []train.Loss{
		{}, {Name: "mse"}, {Name: train.MeanSquaredError, FromLogits: true}, {Name: train.Huber, Delta: -1},
		{Name: train.BinaryCrossentropy, LabelSmoothing: 1.5}, {Name: train.CategoricalCrossentropy, LabelSmoothing: math.NaN()},
	} {
		require.ErrorIs(t, l.Validate(), train.ErrOption, "%+v", l)
	}
}
