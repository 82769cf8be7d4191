package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// sparse returns random values of which a share is not 0.
func sparse(r *rand.Rand, n int, share float64) guarded {
	g := random(r, n, 1)
	for i := range g.data {
		if r.Float64() >= share {
			g.data[i] = float32(math.Copysign(0, r.NormFloat64()))
		}
	}
	return g
}

func TestNonZeros(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(10, 1))
		for _, panels := range []int{1, 2, 5} {
			const xStride, stride, row = 3 * Width, 7, 4
			x := sparse(r, panels*xStride, 0.3)
			x.data[2*Width+5] = float32(math.NaN())
			got := make([]uint32, panels*stride)
			NonZeros(got[row:], stride, x.data[2*Width:], xStride, panels)
			for i, word := range got {
				want := uint32(0)
				for c, v := range x.data[i/stride*xStride+2*Width:][:Width] {
					if i%stride == row && v != 0 {
						want |= 1 << c
					}
				}
				require.Equal(t, want, word, "word %d", i)
			}
		}
	})
}

func TestTransposeBits(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 1))
		for n := range 65 {
			rows, columns := make([]uint32, n), make([]uint64, Width)
			for i := range rows {
				rows[i] = r.Uint32()
			}
			columns[3] = r.Uint64()
			TransposeBits(columns, rows)
			for i, word := range columns {
				want := uint64(0)
				for b, bits := range rows {
					want |= uint64(bits>>i&1) << b
				}
				require.Equal(t, want, word, "column %d of %d rows", i, n)
			}
		}
	})
}

// TestSparse shows that skipping zeros changes no bit of the products.
func TestSparse(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(12, 1))
		for _, share := range []float64{0, 0.01, 0.2, 0.5, 1} {
			for _, rows := range []int{1, 7, 32, 64, 100, 130} {
				for _, inputs := range []int{1, 8, 31, 32, 47, 100} {
					sparseProducts(t, r, share, rows, inputs)
				}
			}
		}
	})
}

func sparseProducts(t *testing.T, r *rand.Rand, share float64, rows, inputs int) {
	panels, stride := Panels(inputs), (rows+1)*Width
	x, w, bias := sparse(r, panels*stride, share), random(r, panels*Width*Width, 1), random(r, Width, 1)
	nonzero := make([]uint32, panels*rows)
	for row := range rows {
		clear(x.data[(panels-1)*stride+row*Width+inputs-(panels-1)*Width:][:panels*Width-inputs]) // padding
		NonZeros(nonzero[row:], rows, x.data[row*Width:], stride, panels)
	}
	want, got := random(r, rows*Width, 1), random(r, rows*Width, 1)
	Product(x.data, stride, rows, inputs, w.data, bias.data, 0, want.data, Width)
	init, step, half := bias.data, 0, uint32(0xfff)
	for p := range panels { // the first twelve inputs and the rest of each panel
		for _, keep := range []uint32{half, ^half} {
			SparseProduct(x.data[p*stride:], nonzero[p*rows:], keep, rows, w.data[p*Width*Width:], init, step, got.data)
			init, step = got.data, Width
		}
	}
	require.Equal(t, want.data, got.data, "share %v, %d rows, %d inputs", share, rows, inputs)
	got.check(t)

	dy, columns := random(r, rows*Width, 1), make([]uint64, Width)
	for p := range panels {
		n := min(Width, inputs-p*Width)
		want, got := random(r, n*Width, 1), random(r, n*Width, 1)
		Outer(x.data[p*stride:], dy.data, rows, n, Width, want.data)
		clear(got.data)
		for first := 0; first < rows; first += 64 {
			TransposeBits(columns, nonzero[p*rows+first:p*rows+min(rows, first+64)])
			SparseOuter(x.data[p*stride+first*Width:], columns, dy.data[first*Width:], n, got.data)
		}
		require.Equal(t, want.data, got.data, "share %v, %d rows, %d inputs", share, rows, inputs)
		got.check(t)
	}
}

// TestSparseOuterUpdate shows that skipping zeros changes no bit of the fused update either.
func TestSparseOuterUpdate(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 1))
		k := [8]float32{0.01, 0.9, 0.1, 1e-3, 0.99}
		for rule := SGD; rule < ruleCount; rule++ {
			for _, rows := range []int{1, 63, 64, 130} {
				for _, columns := range []int{1, 15, 32} {
					x, dy, n := sparse(r, rows*Width, 0.3), random(r, rows*Width, 1), columns*Width
					bits, nonzero := make([]uint32, rows), make([]uint64, (rows+63)/64*Width)
					for row := range rows {
						NonZeros(bits[row:], 1, x.data[row*Width:], 0, 1)
						TransposeBits(nonzero[row/64*Width:], bits[row&^63:row+1])
					}
					w, m, v, g := random(r, n, 1), random(r, n, 1), random(r, n, 1), random(r, Width*Width, 1)
					for i := range v.data {
						v.data[i] *= v.data[i]
					}
					wantW, wantM, wantV := slices.Clone(w.data), slices.Clone(m.data), slices.Clone(v.data)
					OuterUpdate(rule, x.data, 0, dy.data, rows, columns, Width, wantW, wantM, wantV, &k, g.data)
					SparseOuterUpdate(rule, x.data, nonzero, dy.data, rows, columns, w.data, m.data, v.data, &k, g.data)
					require.Equal(t, [3][]float32{wantW, wantM, wantV}, [3][]float32{w.data, m.data, v.data}, "rule %d, %d rows, %d columns", rule, rows, columns)
					for _, s := range []guarded{w, m, v, g} {
						s.check(t)
					}
				}
			}
		}
	})
}
