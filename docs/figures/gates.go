package main

import (
	"context"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// corners are the four inputs of a logic gate.
var corners = [][]float64{{0, 0}, {0, 1}, {1, 0}, {1, 1}}

// gate is a panel with a gate's four answers over what a model answers everywhere.
func gate(title string, targets []int, answer func(x, y float64) float64) plot.Panel {
	p := plot.Panel{Title: title, X: "x1", Y: "x2", XRange: [2]float64{-0.5, 1.5}, YRange: [2]float64{-0.5, 1.5}, Field: answer,
		Series: []plot.Series{{Name: "0", Scatter: true}, {Name: "1", Scatter: true}}}
	for i, c := range corners {
		s := &p.Series[targets[i]]
		s.X, s.Y = append(s.X, c[0]), append(s.Y, c[1])
	}
	return p
}

// perceptron learns a gate by the perceptron rule and returns what it answers.
func perceptron(targets []int) (func(x, y float64) float64, error) {
	p := dense.NewPerceptron(2)
	_, _, err := p.Fit(corners, targets, 1, 100)
	return func(x, y float64) float64 {
		answer, _ := p.Predict([]float64{x, y}) // two inputs for two
		return float64(answer)
	}, err
}

func gates(context.Context) error {
	var panels []plot.Panel
	for _, g := range []struct {
		name    string
		targets []int
	}{{"AND", []int{0, 0, 0, 1}}, {"OR", []int{0, 1, 1, 1}}, {"NAND", []int{1, 1, 1, 0}}, {"NOR", []int{1, 0, 0, 0}}} {
		answer, err := perceptron(g.targets)
		if err != nil {
			return err
		}
		panels = append(panels, gate(g.name, g.targets, answer))
	}
	return write("gates", panels...)
}

func xor(ctx context.Context) error {
	targets := []int{0, 1, 1, 0}
	straight, err := perceptron(targets)
	if err != nil {
		return err
	}
	m, err := dense.New(dense.Config{Seed: 1}, dense.Input(2), dense.Dense(8, dense.Tanh), dense.Dense(1, dense.Sigmoid))
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Compile(train.Adam(0.05), train.Loss{Name: train.BinaryCrossentropy}); err != nil {
		return err
	}
	x := tensor.Must(tensor.Of([]float32{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2))
	y := tensor.Must(tensor.Of([]float32{0, 1, 1, 0}, 4, 1))
	if _, err := m.Fit(ctx, &train.Dataset{X: x, Y: y}, train.Config{Epochs: 300, BatchSize: 4}); err != nil {
		return err
	}
	bent := func(x, y float64) float64 {
		var p [1]float32
		if m.PredictInto(p[:], []float32{float32(x), float32(y)}) != nil {
			return 0.5
		}
		return float64(p[0])
	}
	return write("xor", gate("XOR, one perceptron", targets, straight), gate("XOR, 2-8-1 network", targets, bent))
}
