//go:build cgo

package tfbridge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// TestElementGradients compares the gradients that networks need with central differences.
func TestElementGradients(t *testing.T) {
	one := func(op string) func(o ops, x graph.Ref) graph.Ref {
		return func(o ops, x graph.Ref) graph.Ref { return o.f(op, x) }
	}
	activation := func(name string) func(o ops, x graph.Ref) graph.Ref {
		return func(o ops, x graph.Ref) graph.Ref {
			y, err := o.activate(name, x)
			require.NoError(t, err)
			return y
		}
	}
	for name, f := range map[string]func(o ops, x graph.Ref) graph.Ref{
		"Abs": one("Abs"), "Neg": one("Neg"), "Exp": one("Exp"), "Square": one("Square"), "Softplus": one("Softplus"),
		"Log":     func(o ops, x graph.Ref) graph.Ref { return o.f("Log", o.f("Abs", x)) },
		"Log1p":   func(o ops, x graph.Ref) graph.Ref { return o.f("Log1p", o.f("Abs", x)) },
		"Minimum": func(o ops, x graph.Ref) graph.Ref { return o.f("Minimum", x, o.scalar(0.25)) },
		"Maximum": func(o ops, x graph.Ref) graph.Ref { return o.f("Maximum", x, o.scalar(0.25)) },
		"clip":    func(o ops, x graph.Ref) graph.Ref { return o.clip(x, -1, 0.25) },
		"divide":  func(o ops, x graph.Ref) graph.Ref { return o.div(o.scalar(1), x) },
		"AddN": func(o ops, x graph.Ref) graph.Ref {
			return o.Op("AddN", "AddN", []graph.Ref{x, o.f("Square", x)}, graph.Attrs{"T": tensor.Float32, "N": 2})
		},
		"identity": one("Identity"), "relu": activation("relu"), "relu6": activation("relu6"), "leaky_relu": activation("leaky_relu"), "elu": activation("elu"),
		"selu": activation("selu"), "sigmoid": activation("sigmoid"), "hard_sigmoid": activation("hard_sigmoid"), "tanh": activation("tanh"),
		"softsign": activation("softsign"), "silu": activation("silu"), "mish": activation("mish"), "gelu": activation("gelu"), "softmax": activation("softmax"),
	} {
		t.Run(name, func(t *testing.T) {
			o := ops{graph.NewBuilder()}
			x := o.Placeholder("x", tensor.Float32, tensor.Shape{1, 5})
			y := o.Op("Identity", "y", []graph.Ref{o.mul(f(o, x), o.Const("factors", tensor.Must(tensor.Of([]float32{1, 2, -1, 3, 0.5}, 1, 5))))}, graph.Attrs{"T": tensor.Float32})
			g, err := addGradients(o.Builder, []graph.Ref{y}, []graph.Ref{x}, nil)
			require.NoError(t, err)
			built, err := o.Finish()
			require.NoError(t, err)
			s, err := load(built, &Options{}, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.close()) }()
			at := []float32{-1.7, -0.4, 0.3, 0.9, 2.1}
			run := func(x []float32, fetch string) []float32 {
				r, err := s.do(map[string]*tensor.Tensor{"x:0": tensor.Must(tensor.Of(x, 1, 5))}, []string{fetch})
				require.NoError(t, err)
				v, err := tensor.Data[float32](r[0])
				require.NoError(t, err)
				return v
			}
			sum := func(x []float32) float64 {
				total := 0.0
				for _, v := range run(x, "y:0") {
					total += float64(v)
				}
				return total
			}
			got := run(at, g[0].Tensor())
			const h = 1.0 / 256
			for i := range at {
				up, down := append([]float32{}, at...), append([]float32{}, at...)
				up[i] += h
				down[i] -= h
				require.InDelta(t, (sum(up)-sum(down))/(2*h), got[i], 2e-3, "element %d", i)
			}
		})
	}
}

func TestGradientsRefuse(t *testing.T) {
	float := graph.Attrs{"T": tensor.Float32}
	image := func(b *graph.Builder) graph.Ref { return b.Placeholder("x", tensor.Float32, tensor.Shape{1, 8, 8, 1}) }
	kernel := func(b *graph.Builder) graph.Ref {
		return b.Const("kernel", tensor.Must(tensor.New(tensor.Float32, 3, 3, 1, 1)))
	}
	for name, c := range map[string]struct {
		build func(b *graph.Builder) (x, y graph.Ref)
		words []string
	}{
		"no gradient": {func(b *graph.Builder) (x, y graph.Ref) {
			x = image(b)
			return x, b.Op("EnsureShape", "ensure", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32, "shape": tensor.Shape{1, 8, 8, 1}})
		}, []string{"ensure", "EnsureShape"}},
		"dilated": {func(b *graph.Builder) (x, y graph.Ref) {
			x = image(b)
			return x, b.Op("Conv2D", "conv", []graph.Ref{x, kernel(b)}, graph.Attrs{"T": tensor.Float32, "strides": []int{1, 1, 1, 1}, "dilations": []int{1, 2, 2, 1}, "padding": "SAME"})
		}, []string{"conv", "dilated"}},
		"explicit": {func(b *graph.Builder) (x, y graph.Ref) {
			x = image(b)
			return x, b.Op("Conv2D", "conv", []graph.Ref{x, kernel(b)}, graph.Attrs{"T": tensor.Float32, "strides": []int{1, 1, 1, 1}, "padding": "EXPLICIT", "explicit_paddings": []int{0, 0, 1, 1, 1, 1, 0, 0}})
		}, []string{"conv", "EXPLICIT"}},
		"rank 4": {func(b *graph.Builder) (x, y graph.Ref) {
			x = image(b)
			return x, b.Op("LogSoftmax", "log", []graph.Ref{x}, float)
		}, []string{"log", "LogSoftmax", "rank"}},
		"independent": {func(b *graph.Builder) (x, y graph.Ref) {
			x = image(b)
			return x, b.Op("StopGradient", "stop", []graph.Ref{x}, float)
		}, []string{"gradients"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := graph.NewBuilder()
			x, y := c.build(b)
			_, err := addGradients(b, []graph.Ref{y}, []graph.Ref{x}, nil)
			require.ErrorIs(t, err, graph.ErrUnsupported)
			for _, w := range c.words {
				require.ErrorContains(t, err, w)
			}
		})
	}
}
