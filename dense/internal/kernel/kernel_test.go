package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard stands before and after every slice handed to a kernel.
const guard = float32(-12345.5)

// guarded is a slice with guard words around it.
type guarded struct {
	all  []float32
	data []float32
}

func random(r *rand.Rand, n int, scale float64) guarded {
	g := guarded{all: make([]float32, n+64)}
	for i := range g.all {
		g.all[i] = guard
	}
	g.data = g.all[32 : 32+n : 32+n]
	for i := range g.data {
		g.data[i] = float32(r.NormFloat64() * scale)
	}
	return g
}

func (g guarded) check(t *testing.T, what ...any) {
	t.Helper()
	for i, v := range g.all {
		if i < 32 || i >= len(g.all)-32 {
			require.Equal(t, guard, v, append([]any{"guard word %d: "}, what...)...)
		}
	}
}

// onEveryLevel runs f on each level that the processor has.
func onEveryLevel(t *testing.T, f func(t *testing.T)) {
	before := Current()
	defer func() { require.NoError(t, Use(before)) }()
	for l := Portable; l <= Best(); l++ {
		t.Run(l.String(), func(t *testing.T) {
			require.NoError(t, Use(l))
			f(t)
		})
	}
}

// near requires |got-want| <= tolerance*max(1, |want|), NaN equal to NaN.
func near(t *testing.T, want float64, got float32, tolerance float64, what ...any) {
	t.Helper()
	g := float64(got)
	if math.IsNaN(want) && math.IsNaN(g) || want == g || math.Abs(g-want) <= tolerance*max(1, math.Abs(want)) {
		return
	}
	require.Fail(t, "differs", "want %v, got %v: %v", want, got, fmt.Sprint(what...))
}

func TestUse(t *testing.T) {
	require.Error(t, Use(Best()+1))
	require.Error(t, Use(-1))
	require.NoError(t, Use(Best()))
	require.Equal(t, Best(), Current())
}

func TestProduct(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for _, inputs := range []int{1, 2, 3, 7, 8, 9, 15, 16, 31, 32, 33, 40, 63, 64, 65, 100} {
			for rows := 1; rows <= 19; rows++ {
				for _, columns := range []int{1, 15, 16, 17, 32} {
					for _, initStride := range []int{0, Width} {
						stride := (rows + 3) * Width
						x, w := random(r, Panels(inputs)*stride, 1), random(r, inputs*Width, 1)
						init, out := random(r, rows*Width, 1), random(r, rows*Width, 1)
						Product(x.data, stride, rows, inputs, w.data, init.data, initStride, out.data, columns)
						for i := range rows * Width {
							row, c := i/Width, i%Width
							if c >= columns {
								if c >= 16 && columns <= 16 && Current() != Portable {
									require.Zero(t, out.data[i])
								}
								continue
							}
							want := float64(init.data[row*initStride+c])
							for k := range inputs {
								want += float64(x.data[k/Width*stride+row*Width+k%Width]) * float64(w.data[k*Width+c])
							}
							near(t, want, out.data[i], 1e-5, inputs, rows, columns, i)
						}
						out.check(t)
					}
				}
			}
		}
	})
}

// TestProductRowAlone shows that a row gets the same bits in a batch, alone, and from Gemv.
func TestProductRowAlone(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 1))
		for _, inputs := range []int{1, 5, 32, 77, 200} {
			for panels := 1; panels <= 9; panels++ {
				const rows = 13
				stride := (rows + 1) * Width
				x, w := random(r, Panels(inputs)*stride, 1), random(r, panels*inputs*Width, 1)
				init, batch := random(r, panels*Width, 1), random(r, panels*rows*Width, 1)
				for p := range panels {
					Product(x.data, stride, rows, inputs, w.data[p*inputs*Width:], init.data[p*Width:], 0, batch.data[p*rows*Width:], Width)
				}
				for row := range rows {
					alone := random(r, panels*Width, 1)
					Gemv(x.data[row*Width:], stride, inputs, w.data, inputs*Width, panels, init.data, alone.data, Width)
					for p := range panels {
						require.Equal(t, batch.data[(p*rows+row)*Width:][:Width], alone.data[p*Width:][:Width])
					}
					alone.check(t)
				}
			}
		}
	})
}

// TestOuterUpdate shows that fusing changes no bit.
func TestOuterUpdate(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 2))
		for rule := SGD; rule < ruleCount; rule++ {
			for _, inputs := range []int{1, 7, 8, 29, 32, 40, 100} {
				for _, rows := range []int{1, 4, 11, 33, 70} {
					for _, columns := range []int{10, 32} {
						stride, n := (rows+1)*Width, inputs*Width
						x, dy := random(r, Panels(inputs)*stride, 1), random(r, rows*Width, 1)
						w, m, v := random(r, n, 1), random(r, n, 1), random(r, n, 1)
						for i := range v.data {
							v.data[i] *= v.data[i]
							if i%Width >= columns { // padding
								w.data[i], m.data[i], v.data[i] = 0, 0, 0
							}
						}
						for i := range dy.data {
							if i%Width >= columns {
								dy.data[i] = 0
							}
						}
						k := [8]float32{0.01, 0.9, 0.1, 1e-3, 0.99}
						g, wantW, wantM, wantV := random(r, Width*Width, 1), slices.Clone(w.data), slices.Clone(m.data), slices.Clone(v.data)
						for first := 0; first < inputs; first += Width {
							block := min(Width, inputs-first)
							at, end := first*Width, (first+block)*Width
							Outer(x.data[first/Width*stride:], dy.data, rows, block, columns, g.data)
							Update(rule, wantW[at:end], g.data[:end-at], wantM[at:end], wantV[at:end], &k)
						}
						OuterUpdate(rule, x.data, stride, dy.data, rows, inputs, columns, w.data, m.data, v.data, &k, g.data)
						g.check(t)
						require.Equal(t, [3][]float32{wantW, wantM, wantV}, [3][]float32{w.data, m.data, v.data}, "rule %d, %d inputs, %d rows, %d columns", rule, inputs, rows, columns)
						w.check(t)
						m.check(t)
						v.check(t)
					}
				}
			}
		}
	})
}

func TestOuter(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 1))
		for inputs := 1; inputs <= Width; inputs++ {
			for _, rows := range []int{1, 2, 3, 4, 5, 8, 11, 32} {
				for _, columns := range []int{1, 16, 17, 32} {
					x, dy, out := random(r, rows*Width, 1), random(r, rows*Width, 1), random(r, inputs*Width, 1)
					Outer(x.data, dy.data, rows, inputs, columns, out.data)
					for i := range inputs {
						for c := range columns {
							want := 0.0
							for b := range rows {
								want += float64(x.data[b*Width+i]) * float64(dy.data[b*Width+c])
							}
							near(t, want, out.data[i*Width+c], 1e-5, inputs, rows, columns, i, c)
						}
					}
					out.check(t)
				}
			}
		}
	})
}

// lengths covers whole vectors, halves and every tail.
func lengths() []int {
	var l []int
	for n := range 50 {
		l = append(l, n)
	}
	return append(l, 64, 96, 100, 1000)
}

// special values meet every activation.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 6, 5.999, 6.001, 3, -3, 2.999, 88, -88, 89, -89, 100, -100, 104, -104, 1e30, -1e30,
	0.5, -0.5, 0.624, 0.626, -0.625, 1e-5, -1e-5, 1e-20, 20, -20, 0.999, 1.001, 1.42, -1.42, float32(math.NaN())}

func TestActivations(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 1))
		for a := range activationCount {
			for _, n := range lengths() {
				x, y := random(r, n, 4), random(r, n, 1)
				if n >= 96 {
					copy(x.data, special)
				}
				const alpha = 0.3
				Activate(a, y.data, x.data, alpha)
				for i := range n {
					want := a.value(float64(x.data[i]), alpha)
					if math.Abs(want) > math.MaxFloat32 {
						want = math.Inf(1)
					}
					near(t, want, y.data[i], 6e-7, "activation ", a, " of ", x.data[i])
				}
				y.check(t)
				ref := y
				if a.FromInput() {
					ref = x
				}
				dy, dz := random(r, n, 1), random(r, n, 1)
				Gradient(a, dz.data, dy.data, ref.data, alpha)
				for i := range n {
					if math.IsNaN(float64(x.data[i])) || math.Abs(float64(ref.data[i])) > 1e29 {
						continue
					}
					near(t, float64(dy.data[i])*a.derivative(float64(ref.data[i]), alpha), dz.data[i], 2e-6, "gradient ", a, " at ", ref.data[i])
				}
				dz.check(t)
			}
		}
	})
}

// TestActivationDerivative compares derivative with central differences of value.
func TestActivationDerivative(t *testing.T) {
	for a := range activationCount {
		for _, x := range []float64{-7, -2.5, -0.7, -0.01, 0.01, 0.4, 2.5, 7} {
			const h, alpha = 1e-6, 0.3
			want := (a.value(x+h, alpha) - a.value(x-h, alpha)) / (2 * h)
			ref := a.value(x, alpha)
			if a.FromInput() {
				ref = x
			}
			require.InDelta(t, want, a.derivative(ref, alpha), 1e-6*max(1, math.Abs(want)), "activation %d at %v", a, x)
		}
	}
}

func TestElementwise(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 1))
		for _, n := range lengths() {
			x, w := random(r, n, 2), random(r, n, 1)
			if n > 5 {
				w.data[3], w.data[n-1] = 0, 0
			}
			dst := random(r, n, 1)
			Scale(dst.data, x.data, 1.5, -0.25)
			for i, v := range x.data {
				near(t, float64(v)*1.5-0.25, dst.data[i], 1e-6)
			}
			dst.check(t)

			copy(dst.data, x.data)
			Add(dst.data, w.data)
			for i, v := range x.data {
				near(t, float64(v)+float64(w.data[i]), dst.data[i], 1e-6)
			}
			dst.check(t)

			copy(dst.data, x.data)
			Regularize(dst.data, w.data, 0.1, 0.3)
			for i, v := range x.data {
				want := float64(v) + 0.3*float64(w.data[i])
				if w.data[i] != 0 {
					want += math.Copysign(0.1, float64(w.data[i]))
				}
				near(t, want, dst.data[i], 1e-6)
			}
			dst.check(t)

			copy(dst.data, x.data)
			Clip(dst.data, 0.7)
			for i, v := range x.data {
				require.Equal(t, min(max(v, -0.7), 0.7), dst.data[i])
			}
			dst.check(t)

			const key, start, threshold = 99, 4294967290, 1 << 30 // start wraps around
			Dropout(dst.data, x.data, key, start, threshold, 1.25)
			for i, v := range x.data {
				want := v * 1.25
				if hash(uint32((key+start+i)&math.MaxUint32)) < threshold {
					want = 0
				}
				require.Equal(t, want, dst.data[i])
			}
			dst.check(t)
		}
	})
}

func TestColumns(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(6, 1))
		for _, rows := range []int{1, 2, 3, 7, 8, 33} {
			x, y := random(r, rows*Width, 1), random(r, rows*Width, 1)
			a, b, c := random(r, Width, 1), random(r, Width, 1), random(r, Width, 1)
			sum, dot, squares, absolute := random(r, Width, 1), random(r, Width, 1), random(r, Width, 1), random(r, Width, 1)
			ColumnSum(x.data, rows, sum.data)
			ColumnAbsolute(x.data, rows, absolute.data)
			ColumnDot(x.data, y.data, rows, dot.data)
			ColumnSquares(x.data, rows, a.data, squares.data)
			for col := range Width {
				var s, d, q, m float64
				for row := range rows {
					v := float64(x.data[row*Width+col])
					s, d = s+v, d+v*float64(y.data[row*Width+col])
					m += math.Abs(v)
					q += (v - float64(a.data[col])) * (v - float64(a.data[col]))
				}
				near(t, s, sum.data[col], 2e-6)
				near(t, d, dot.data[col], 2e-6)
				near(t, m, absolute.data[col], 2e-6)
				near(t, q, squares.data[col], 2e-6)
			}
			dst := random(r, rows*Width, 1)
			ColumnAffine(dst.data, x.data, rows, a.data, b.data, c.data)
			for i, v := range x.data {
				col := i % Width
				near(t, (float64(v)-float64(a.data[col]))*float64(b.data[col])+float64(c.data[col]), dst.data[i], 2e-6)
			}
			dst.check(t)
			NormGrad(dst.data, x.data, y.data, rows, a.data, b.data, c.data)
			for i, v := range x.data {
				col := i % Width
				want := (float64(v) - float64(a.data[col]) - float64(y.data[i])*float64(b.data[col])) * float64(c.data[col])
				near(t, want, dst.data[i], 2e-6)
			}
			for _, g := range []guarded{sum, absolute, dot, squares, dst} {
				g.check(t)
			}
		}
	})
}

func TestSoftmax(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 1))
		for _, columns := range []int{1, 2, 10, 16, 17, 31, 32, 33, 64, 70} {
			for _, rows := range []int{1, 2, 5} {
				panels, stride := Panels(columns), (rows+1)*Width
				z, out := random(r, panels*stride, 5), random(r, panels*stride, 1)
				top, sum, mask := random(r, rows, 1), random(r, rows, 1), make([]float32, Width)
				for c := range mask {
					if (panels-1)*Width+c >= columns {
						mask[c] = Masked
					}
				}
				if rows == 5 {
					z.data[4*Width] = float32(math.NaN())
					z.data[2*Width] = 500
				}
				Softmax(out.data, z.data, rows, stride, panels, mask, top.data, sum.data)
				for row := range rows {
					at := func(c int) int { return c/Width*stride + row*Width + c%Width }
					m, total := math.Inf(-1), 0.0
					for c := range columns {
						m = max(m, float64(z.data[at(c)]))
					}
					for c := range columns {
						total += math.Exp(float64(z.data[at(c)]) - m)
					}
					if !math.IsNaN(m) {
						near(t, m, top.data[row], 0)
					}
					near(t, total, sum.data[row], 1e-6)
					for c := range columns {
						near(t, math.Exp(float64(z.data[at(c)])-m)/total, out.data[at(c)], 5e-7, columns, row, c)
					}
				}
				out.check(t)
				top.check(t)
				sum.check(t)
			}
		}
	})
}

func TestUpdate(t *testing.T) {
	constants := map[Rule][8]float32{
		SGD: {0.1}, Momentum: {0.1, 0.9}, Nesterov: {0.1, 0.9}, RMSprop: {0.01, 0.9, 0.1, 1e-7}, Adagrad: {0.1, 1e-7},
		Adam: {0.01, 0.1, 0.001, 1e-7, 0.99},
	}
	require.Len(t, constants, int(ruleCount))
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(8, 1))
		for rule, k := range constants {
			for _, n := range lengths() {
				w, g, m, v := random(r, n, 1), random(r, n, 1), random(r, n, 1), random(r, n, 1)
				for i := range v.data {
					v.data[i] = float32(math.Abs(float64(v.data[i])))
				}
				ww, wm, wv := append([]float32{}, w.data...), append([]float32{}, m.data...), append([]float32{}, v.data...)
				for i := range ww {
					rule.one(&ww[i], g.data[i], &wm[i], &wv[i], &k)
				}
				constants := k
				Update(rule, w.data, g.data, m.data, v.data, &constants)
				for i := range ww {
					near(t, float64(ww[i]), w.data[i], 1e-6, rule, n)
					near(t, float64(wm[i]), m.data[i], 1e-6, rule, n)
					near(t, float64(wv[i]), v.data[i], 1e-6, rule, n)
				}
				for _, s := range []guarded{w, g, m, v} {
					s.check(t)
				}
			}
		}
	})
}

func TestMoves(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 1))
		for columns := 1; columns < 140; columns++ {
			stride := 3 * Width
			src, dst := random(r, columns, 1), random(r, Panels(columns)*stride, 1)
			bytes := make([]uint8, columns)
			for i := range bytes {
				bytes[i] = uint8(r.UintN(256))
			}
			Gather(dst.data, stride, src.data)
			for c := range Panels(columns) * Width {
				want := float32(0)
				if c < columns {
					want = src.data[c]
				}
				require.Equal(t, want, dst.data[c/Width*stride+c%Width])
			}
			back := random(r, columns, 1)
			Scatter(back.data, dst.data, stride)
			require.Equal(t, src.data, back.data)
			GatherBytes(dst.data, stride, bytes)
			for c, b := range bytes {
				require.Equal(t, float32(b), dst.data[c/Width*stride+c%Width])
			}
			dst.check(t)
			back.check(t)
		}
		src, dst := random(r, Width*Width, 1), random(r, Width*Width, 1)
		Transpose(dst.data, src.data)
		for i, v := range src.data {
			require.Equal(t, v, dst.data[i%Width*Width+i/Width])
		}
		dst.check(t)
	})
}
