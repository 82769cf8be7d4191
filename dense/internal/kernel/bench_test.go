package kernel

import (
	"fmt"
	"testing"
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
				for b.Loop() {
					for r := 0; r < rows; r += 48 {
						n := min(48, rows-r)
						for p := range panels {
							Product(x[r*Width:], stride, n, inputs, w[p*inputs*Width:], bias, 0, out[(p*rows+r)*Width:], Width)
						}
					}
				}
				report(b, 2*float64(rows)*float64(inputs)*float64(size[2]))
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
			for b.Loop() {
				for p := range panels {
					for i := range Panels(inputs) {
						Outer(x[i*stride:], dy[p*stride:], rows, min(Width, inputs-i*Width), Width, out)
					}
				}
			}
			report(b, 2*float64(rows)*inputs*panels*Width)
		})
	}
}

func report(b *testing.B, flops float64) {
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
