package main

import (
	"context"
	"fmt"
	"math"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// wave is samples of a sine with noise: one number in, one out.
func wave(n int, noise float64, seed uint64) *train.Dataset {
	r := train.NewRandom(seed, 1)
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(4*r.Float64() - 2)
		y[i] = float32(math.Sin(2*float64(x[i])) + noise*r.Normal())
	}
	return &train.Dataset{X: tensor.Must(tensor.Of(x, n, 1)), Y: tensor.Must(tensor.Of(y, n, 1))}
}

// fit trains a network on a wave and returns its history.
func fit(ctx context.Context, d *train.Dataset, o train.Optimizer, c train.Config, layers ...dense.Layer) (*dense.Model, *train.Result, error) {
	m, err := dense.New(dense.Config{Seed: 1}, append([]dense.Layer{dense.Input(1)}, layers...)...)
	if err != nil {
		return nil, nil, err
	}
	if err := m.Compile(o, train.Loss{Name: train.MeanSquaredError}); err != nil {
		return nil, nil, err
	}
	c.Seed = 1
	result, err := m.Fit(ctx, d, c)
	return m, result, err
}

func column(name string, h train.History, key string) plot.Series {
	s := plot.Series{Name: name}
	for _, e := range h {
		s.X, s.Y = append(s.X, float64(e.Epoch)), append(s.Y, e.Logs[key])
	}
	return s
}

// batches compares batch sizes by epochs and by steps.
func batches(ctx context.Context) error {
	d := wave(256, 0.1, 1)
	epochs := plot.Panel{Title: "by epochs", X: "epoch", Y: "loss", YRange: [2]float64{0, 0.6}}
	steps := plot.Panel{Title: "by steps", X: "step", Y: "loss", XRange: [2]float64{0, 640}, YRange: [2]float64{0, 0.6}}
	for _, batch := range []int{4, 32, 256} {
		m, r, err := fit(ctx, d, train.SGD(0.1), train.Config{Epochs: 60, BatchSize: batch}, dense.Dense(32, dense.Tanh), dense.Dense(1))
		if err != nil {
			return err
		}
		s := column(fmt.Sprintf("batch %d", batch), r.History, "loss")
		epochs.Series = append(epochs.Series, s)
		byStep := plot.Series{Name: s.Name, Y: s.Y}
		for _, e := range s.X {
			byStep.X = append(byStep.X, e*256/float64(batch))
		}
		for len(byStep.X) > 1 && byStep.X[len(byStep.X)-2] > 640 {
			byStep.X, byStep.Y = byStep.X[:len(byStep.X)-1], byStep.Y[:len(byStep.X)-1]
		}
		steps.Series = append(steps.Series, byStep)
		m.Close()
	}
	return write("batches", epochs, steps)
}

// rates compares learning rates.
func rates(ctx context.Context) error {
	d := wave(256, 0.1, 1)
	p := plot.Panel{Title: "learning rate", X: "epoch", Y: "loss", YRange: [2]float64{0, 1.5}}
	for _, rate := range []float64{0.001, 0.02, 0.3, 1} {
		m, r, err := fit(ctx, d, train.SGD(rate), train.Config{Epochs: 60, BatchSize: 32}, dense.Dense(32, dense.Tanh), dense.Dense(1))
		if r == nil {
			return err
		}
		p.Series = append(p.Series, column(fmt.Sprint(rate), r.History, "loss"))
		m.Close()
	}
	return write("rates", p)
}

// overfitting trains a network that is too large for twenty samples, without and with cures.
func overfitting(ctx context.Context) error {
	data, check := wave(20, 0.35, 5), wave(400, 0.35, 6)
	config := train.Config{Epochs: 1500, BatchSize: 20, Validation: check, OverfittingPatience: 100}
	m, r, err := fit(ctx, data, train.Adam(0.01), config, dense.Dense(64, dense.Tanh), dense.Dense(64, dense.Tanh), dense.Dense(1))
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Println(r.Overfitting.Advice())
	curves := plot.Panel{Title: "64-64 units on 20 samples", X: "epoch", Y: "loss", YRange: [2]float64{0, 0.8},
		Series: []plot.Series{column("training", r.History, "loss"), column("validation", r.History, "val_loss")}}
	if r.Overfitting.Detected {
		curves.Marks = []plot.Mark{{Name: fmt.Sprintf("overfits after epoch %d", r.Overfitting.Epoch), At: float64(r.Overfitting.Epoch)}}
	}
	config.EarlyStopping = &train.EarlyStopping{Patience: 100}
	l2 := dense.WithKernelRegularizer(dense.L2(0.001))
	cured, _, err := fit(ctx, data, train.Adam(0.01), config, dense.Dense(64, dense.Tanh, l2), dense.Dense(64, dense.Tanh, l2), dense.Dense(1, l2))
	if err != nil {
		return err
	}
	defer cured.Close()
	x, _ := tensor.Data[float32](data.X)
	y, _ := tensor.Data[float32](data.Y)
	points := plot.Series{Name: "samples", Scatter: true}
	for i := range x {
		points.X, points.Y = append(points.X, float64(x[i])), append(points.Y, float64(y[i]))
	}
	of := func(m *dense.Model) func(x float64) float64 {
		return func(x float64) float64 {
			var p [1]float32
			if m.PredictInto(p[:], []float32{float32(x)}) != nil {
				return math.NaN()
			}
			return float64(p[0])
		}
	}
	fits := plot.Panel{Title: "what the networks learnt", X: "x", Y: "y", YRange: [2]float64{-2.2, 2.2}, Series: []plot.Series{points,
		line("overfitted", -2, 2, of(m)), line("early stopping and L2", -2, 2, of(cured)), line("the truth", -2, 2, func(x float64) float64 { return math.Sin(2 * x) })}}
	return write("overfitting", curves, fits)
}
