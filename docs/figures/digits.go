package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/finetune"
	"github.com/cambium-go/cambium/internal/fetch"
	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// mnistFigures trains on MNIST as the text's commands do, and keeps the pictures.
func mnistFigures(ctx context.Context) error {
	out, err := os.MkdirTemp("", "figures-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	o := finetune.Default()
	o.Data, o.Out, o.Log = "mnist", out, os.Stderr
	report, err := finetune.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Printf("784-128-10: %.4f\n", report.Test.Accuracy)
	for _, name := range []string{"curves", "confusion"} {
		if err := keep(filepath.Join(out, name+".png"), "mnist_"+name); err != nil {
			return err
		}
	}
	o.Tune = 12
	if _, err := finetune.Run(ctx, o); err != nil {
		return err
	}
	return keep(filepath.Join(out, "trials.png"), "trials")
}

func keep(from, name string) error {
	return save(name, func(w io.Writer) (image.Point, error) {
		data, err := os.ReadFile(from)
		if err == nil {
			_, err = w.Write(data)
		}
		return image.Point{}, err
	})
}

// convolution shows a digit and what two filters of 3×3 make of it, then the larger of each 2×2 pixels.
func convolution(ctx context.Context) error {
	dir, err := fetch.MNIST(ctx, os.Stderr)
	if err != nil {
		return err
	}
	set, err := mnist.Read(dir)
	if err != nil {
		return err
	}
	x, err := set.Test.Scaled(784)
	if err != nil {
		return err
	}
	digit, err := tensor.Data[float32](x)
	if err != nil {
		return err
	}
	digit = digit[:784]
	horizontal := filter(digit, 28, [9]float32{-1, -1, -1, 0, 0, 0, 1, 1, 1})
	vertical := filter(digit, 28, [9]float32{-1, 0, 1, -1, 0, 1, -1, 0, 1})
	pooled := pool(vertical, 28)
	return save("convolution", func(w io.Writer) (image.Point, error) {
		return strip(w, []tile{{digit, 28}, {horizontal, 28}, {vertical, 28}, {pooled, 14}})
	})
}

// filter is a 3×3 convolution with the edges padded, then relu, scaled to 1.
func filter(x []float32, n int, kernel [9]float32) []float32 {
	out, top := make([]float32, n*n), float32(0)
	for r := range n {
		for c := range n {
			for i, k := range kernel {
				if y, z := r+i/3-1, c+i%3-1; y >= 0 && y < n && z >= 0 && z < n {
					out[r*n+c] += k * x[y*n+z]
				}
			}
			out[r*n+c] = max(out[r*n+c], 0)
			top = max(top, out[r*n+c])
		}
	}
	for i := range out {
		out[i] /= top
	}
	return out
}

// pool takes the largest of each 2×2 pixels.
func pool(x []float32, n int) []float32 {
	var out []float32
	for r := 0; r < n; r += 2 {
		for c := 0; c < n; c += 2 {
			out = append(out, max(x[r*n+c], x[r*n+c+1], x[(r+1)*n+c], x[(r+1)*n+c+1]))
		}
	}
	return out
}

// tile is a square of grey values from 0 to 1.
type tile struct {
	pixels []float32
	side   int
}

// strip draws tiles side by side, all as large as the others.
func strip(w io.Writer, tiles []tile) (image.Point, error) {
	const side, gap = 168, 8
	m := image.NewGray(image.Rect(0, 0, len(tiles)*(side+gap)-gap, side))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for i, t := range tiles {
		for y := range side {
			for x := range side {
				v := t.pixels[y*t.side/side*t.side+x*t.side/side]
				m.SetGray(i*(side+gap)+x, y, color.Gray{Y: uint8(math.Round(float64(v) * 255))})
			}
		}
	}
	return m.Bounds().Size(), png.Encode(w, m)
}

// transfer trains a base to tell odd digits from even ones, and then all ten apart from few images: on the base's hidden
// layer, kept as it is, and from scratch.
func transfer(ctx context.Context) error {
	dir, err := fetch.MNIST(ctx, os.Stderr)
	if err != nil {
		return err
	}
	set, err := mnist.Read(dir)
	if err != nil {
		return err
	}
	base, err := network(2, nil)
	if err != nil {
		return err
	}
	defer base.Close()
	if _, err := base.Fit(ctx, few(set.Train, 1<<30, 2), train.Config{Epochs: 5, BatchSize: 128, Seed: 1}); err != nil {
		return err
	}
	weights, err := base.Weights(true)
	if err != nil {
		return err
	}
	test := few(set.Test, 1<<30, 10)
	p := plot.Panel{Title: "ten digits, after a base learnt odd and even", X: "images a class", Y: "test accuracy", YRange: [2]float64{0.3, 1},
		Series: []plot.Series{{Name: "on the base's features"}, {Name: "from scratch"}}}
	for _, n := range []int{1, 2, 5, 10, 20, 50} {
		for i, base := range [][]train.Weight{weights[:4], nil} {
			accuracy, err := learn(ctx, few(set.Train, n, 10), test, base)
			if err != nil {
				return err
			}
			s := &p.Series[i]
			s.X, s.Y = append(s.X, float64(n)), append(s.Y, accuracy)
			fmt.Printf("%d images a class, %s: %.3f\n", n, s.Name, accuracy)
		}
	}
	return write("transfer", p)
}

// network is 784-256-128-classes; with the hidden layers' weights from a base, those layers are frozen.
func network(classes int, base []train.Weight) (*dense.Model, error) {
	first, second := dense.Dense(256, dense.ReLU), dense.Dense(128, dense.ReLU)
	if base != nil {
		first, second = dense.Frozen(first), dense.Frozen(second)
	}
	m, err := dense.New(dense.Config{Seed: 1}, dense.Input(28, 28), dense.Flatten(), first, dense.Dropout(0.3), second, dense.Dropout(0.3),
		dense.Dense(classes, dense.Softmax))
	if err != nil {
		return nil, err
	}
	if base != nil {
		own, err := m.Weights(true)
		if err != nil {
			return nil, err
		}
		values := []*tensor.Tensor{base[0].Value, base[1].Value, base[2].Value, base[3].Value, own[4].Value, own[5].Value}
		if err := m.SetWeights(values); err != nil {
			return nil, err
		}
	}
	return m, m.Compile(train.Adam(0.001), train.Loss{Name: train.SparseCategoricalCrossentropy}, train.CategoricalAccuracy())
}

func learn(ctx context.Context, d, test *train.Dataset, base []train.Weight) (float64, error) {
	m, err := network(10, base)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if _, err := m.Fit(ctx, d, train.Config{Epochs: 100, BatchSize: 16, Seed: 1}); err != nil {
		return 0, err
	}
	figures, err := m.Evaluate(test)
	return figures["accuracy"], err
}

// few returns the first n images of each digit, labelled by the remainder of the digit by classes.
func few(s mnist.Set, n, classes int) *train.Dataset {
	var pixels []uint8
	var labels []int32
	count := [10]int{}
	for i, l := range s.Labels.Bytes() {
		if count[l] == n {
			continue
		}
		count[l]++
		pixels, labels = append(pixels, s.Images.Bytes()[i*784:(i+1)*784]...), append(labels, int32(int(l)%classes))
	}
	return &train.Dataset{X: tensor.Must(tensor.Of(pixels, len(labels), 28, 28)), Scale: 1.0 / 255, Y: tensor.Must(tensor.Of(labels))}
}
