package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// growth measures how the time of a training step grows with the width of the hidden layer, with the batch size and with the
// number of threads. It shows the machine that it was drawn on.
func growth(context.Context) error {
	const samples = 12288
	r := train.NewRandom(1, 1)
	x, y := make([]float32, samples*784), make([]int32, samples)
	for i := range x {
		x[i] = r.Float32()
	}
	for i := range y {
		y[i] = int32(r.IntN(10))
	}
	data := &train.Dataset{X: tensor.Must(tensor.Of(x, samples, 784)), Y: tensor.Must(tensor.Of(y))}
	width := curve{Title: "784-N-10, batch 128", X: "hidden units N"}
	batch := curve{Title: "784-128-10", X: "log₂ of the batch size"}
	threads := curve{Title: "784-128-10, batch 128", X: "threads"}
	for units := 128; units <= 1024; units += 128 {
		if err := width.measure(data, float64(units), units, 128, 0); err != nil {
			return err
		}
	}
	for size := 1; size <= 4096; size *= 2 {
		if err := batch.measure(data, math.Log2(float64(size)), 128, size, 0); err != nil {
			return err
		}
	}
	for n := 1; n <= runtime.NumCPU(); n++ {
		if err := threads.measure(data, float64(n), 128, 128, n); err != nil {
			return err
		}
	}
	return write("growth", width.panel(), batch.panel(), threads.panel())
}

// curve is microseconds a sample over something.
type curve struct {
	Title, X string
	points   plot.Series
}

// measure trains a network and keeps the fastest of five passes over the data, at x.
func (c *curve) measure(d *train.Dataset, x float64, units, batch, threads int) error {
	m, err := dense.New(dense.Config{Threads: threads}, dense.Input(784), dense.Dense(units, dense.ReLU), dense.Dense(10, dense.Softmax))
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Compile(train.Adam(0.001), train.Loss{Name: train.SparseCategoricalCrossentropy}); err != nil {
		return err
	}
	bound, err := m.Bind(d)
	if err != nil {
		return err
	}
	order := make([]int32, d.Samples())
	for i := range order {
		order[i] = int32(i)
	}
	train.NewRandom(2, 2).Shuffle(order)
	best := time.Hour
	for range 5 {
		began := time.Now()
		if err := bound.Train(order, batch, nil, nil); err != nil {
			return err
		}
		best = min(best, time.Since(began))
	}
	c.points.X, c.points.Y = append(c.points.X, x), append(c.points.Y, best.Seconds()*1e6/float64(len(order)))
	fmt.Printf("%s, %s %g: %.2f µs a sample\n", c.Title, c.X, x, c.points.Y[len(c.points.Y)-1])
	return nil
}

func (c *curve) panel() plot.Panel {
	top := 0.0
	for _, y := range c.points.Y {
		top = max(top, y)
	}
	return plot.Panel{Title: c.Title, X: c.X, Y: "µs a sample", Series: []plot.Series{c.points}, YRange: [2]float64{0, top * 1.05}}
}
