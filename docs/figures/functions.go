package main

import (
	"context"
	"math"

	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/train"
)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func step(x float64) float64 {
	if x > 0 {
		return 1
	}
	return 0
}

func relu(x float64) float64 { return max(x, 0) }

func activations(context.Context) error {
	return write("activations",
		plot.Panel{Title: "activation", X: "sum of weighted inputs", YRange: [2]float64{-1.2, 3}, Series: []plot.Series{
			line("step", -4, 4, step), line("sigmoid", -4, 4, sigmoid), line("tanh", -4, 4, math.Tanh), line("relu", -4, 4, relu)}},
		plot.Panel{Title: "its slope, by which errors travel back", X: "sum of weighted inputs", YRange: [2]float64{-0.1, 1.3}, Series: []plot.Series{
			line("step", -4, 4, func(float64) float64 { return 0 }),
			line("sigmoid", -4, 4, func(x float64) float64 { return sigmoid(x) * (1 - sigmoid(x)) }),
			line("tanh", -4, 4, func(x float64) float64 { return 1 - math.Tanh(x)*math.Tanh(x) }), line("relu", -4, 4, step)}})
}

// loss returns the line of a loss of one prediction.
func loss(name string, l train.Loss, target, from, to float64) plot.Series {
	return line(name, from, to, func(x float64) float64 { return train.SampleLoss(l, []float64{target}, []float64{x}) })
}

func losses(context.Context) error {
	return write("losses",
		plot.Panel{Title: "losses of a number", X: "prediction - target", YRange: [2]float64{0, 4}, Series: []plot.Series{
			loss("mean squared error", train.Loss{Name: train.MeanSquaredError}, 0, -3, 3),
			loss("mean absolute error", train.Loss{Name: train.MeanAbsoluteError}, 0, -3, 3),
			loss("huber", train.Loss{Name: train.Huber}, 0, -3, 3)}},
		plot.Panel{Title: "losses of a probability, the target is 1", X: "prediction", YRange: [2]float64{0, 4}, Series: []plot.Series{
			loss("cross-entropy", train.Loss{Name: train.BinaryCrossentropy}, 1, 0.001, 1),
			loss("mean squared error", train.Loss{Name: train.MeanSquaredError}, 1, 0, 1)}})
}

// optimizers walk down a long valley, f(x, y) = x²/20 + y², from the same place.
func optimizers(context.Context) error {
	paths := plot.Panel{Title: "ways down a valley", X: "first weight", Y: "second weight", XRange: [2]float64{-9, 3}, YRange: [2]float64{-2.4, 2.4}}
	curves := plot.Panel{Title: "loss", X: "step"}
	for _, o := range []struct {
		name string
		o    train.Optimizer
	}{{"sgd 0.9", train.SGD(0.9)}, {"momentum 0.1", train.Momentum(0.1, 0.9)}, {"rmsprop 0.3", train.RMSprop(0.3)}, {"adam 0.3", train.Adam(0.3)}} {
		w, slots := []float32{-7, 2}, [][]float32{}
		for range o.o.Slots() {
			slots = append(slots, make([]float32, 2))
		}
		path, curve := plot.Series{Name: o.name}, plot.Series{Name: o.name}
		for i := range int64(40) {
			path.X, path.Y = append(path.X, float64(w[0])), append(path.Y, float64(w[1]))
			curve.X, curve.Y = append(curve.X, float64(i)), append(curve.Y, float64(w[0]*w[0]/20+w[1]*w[1]))
			gradient := []float32{w[0] / 10, 2 * w[1]}
			o.o.Update(o.o.Coefficients(i, float32(o.o.LearningRate)), w, gradient, slots)
		}
		paths.Series, curves.Series = append(paths.Series, path), append(curves.Series, curve)
	}
	return write("optimizers", paths, curves)
}

// threshold shows what moving the threshold of a yes does to precision and recall, on scores of two overlapping groups.
func threshold(context.Context) error {
	r := train.NewRandom(4, 1)
	var truth, score []float32
	for i := range 2000 {
		yes := float32(0)
		if i%4 == 0 {
			yes = 1
		}
		truth, score = append(truth, yes), append(score, float32(sigmoid(2.2*float64(yes)-1.1+r.Normal())))
	}
	at := func(m func(float64) train.Metric) func(x float64) float64 {
		return func(x float64) float64 {
			metric := m(x)
			metric.Update(truth, score, 1, nil)
			return metric.Result()
		}
	}
	return write("threshold", plot.Panel{Title: "a quarter of the samples is positive", X: "threshold", YRange: [2]float64{0, 1.05}, Series: []plot.Series{
		line("precision", 0, 0.95, at(train.Precision)), line("recall", 0, 0.95, at(train.Recall)), line("F1", 0, 0.95, at(train.F1))}})
}
