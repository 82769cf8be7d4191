package kernel

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// BenchmarkProduct reports GFLOP/s of the forward product on one thread, all operands in the engine's layout.
func BenchmarkProduct(b *testing.B) {
	before := Current()
	defer func() { _ = Use(before) }()
	for l := Portable; l <= Best(); l++ {
		for _, size := range [][3]int{{32, 784, 128}, {128, 784, 128}, {1024, 1024, 1024}} {
			b.Run(fmt.Sprintf("%v/%dx%dx%d", l, size[0], size[1], size[2]), func(b *testing.B) {
				_ = Use(l)
				rows, inputs, panels := size[0], size[1], size[2]/Width
				stride := (rows + 1) * Width
				x, w := make([]float32, Panels(inputs)*stride), make([]float32, panels*inputs*Width)
				bias, out := make([]float32, Width), make([]float32, panels*rows*Width)
				report(b, 2*float64(rows)*float64(inputs)*float64(size[2]), func() {
					for r := 0; r < rows; r += 128 { // as the engine divides them
						n := min(128, rows-r)
						for p := range panels {
							Product(x[r*Width:], stride, n, inputs, w[p*inputs*Width:], bias, 0, out[(p*rows+r)*Width:], Width)
						}
					}
				})
			})
		}
	}
}

// BenchmarkOuter reports GFLOP/s of the weight gradient on one thread.
func BenchmarkOuter(b *testing.B) {
	for _, rows := range []int{32, 128, 512} {
		b.Run(fmt.Sprintf("784x%dx128", rows), func(b *testing.B) {
			const inputs, panels = 784, 4
			stride := (rows + 1) * Width
			x, dy, out := make([]float32, Panels(inputs)*stride), make([]float32, panels*stride), make([]float32, Width*Width)
			report(b, 2*float64(rows)*inputs*panels*Width, func() {
				for p := range panels {
					for i := range Panels(inputs) {
						Outer(x[i*stride:], dy[p*stride:], rows, min(Width, inputs-i*Width), Width, out)
					}
				}
			})
		})
	}
}

// report runs f and reports its fastest call: on a machine that does other things too, the one that was not disturbed.
func report(b *testing.B, flops float64, f func()) {
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		began := time.Now()
		f()
		best = min(best, time.Since(began))
	}
	b.ReportMetric(flops/best.Seconds()/1e9, "GFLOP/s")
}

// BenchmarkUpdate reports nanoseconds a weight of each optimizer over the weights of 784-128, blocks of 1,024 as in training.
func BenchmarkUpdate(b *testing.B) {
	const n = 100352
	w, g, m, v := make([]float32, n), make([]float32, 1024), make([]float32, n), make([]float32, n)
	for i := range v {
		v[i] = float32(i%7) * 1e-4
	}
	for i := range g {
		g[i] = float32(i%5) * 1e-3
	}
	for rule, name := range []string{"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam"} {
		b.Run(name, func(b *testing.B) {
			k := [8]float32{1e-9, 0.1, 0.001, 1e-7, 1}
			for b.Loop() {
				for i := 0; i < n; i += 1024 {
					Update(Rule(rule), w[i:i+1024], g, m[i:i+1024], v[i:i+1024], &k)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/n, "ns/weight")
		})
	}
}
