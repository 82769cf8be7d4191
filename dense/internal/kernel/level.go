package kernel

import (
	"fmt"
	"os"
)

// Level is a set of kernels.
type Level int

// The levels, slowest first.
const (
	Portable Level = iota
	AVX2
	AVX512
)

var levelNames = [...]string{"portable", "avx2", "avx512"}

// String returns the level's name as CAMBIUM_SIMD takes it.
func (l Level) String() string { return levelNames[l] }

var (
	// current is the level in use and simd its functions, nil for Portable.
	current Level
	simd    *table
)

func init() {
	level := Best()
	if name := os.Getenv("CAMBIUM_SIMD"); name != "" {
		for l, n := range levelNames {
			if n == name && Level(l) <= Best() {
				level = Level(l)
			}
		}
	}
	if err := Use(level); err != nil {
		panic(err)
	}
}

// Current returns the level in use.
func Current() Level { return current }

// Use makes all kernels run on level l. It fails if the processor lacks it.
func Use(l Level) error {
	if l < Portable || l > Best() {
		return fmt.Errorf("kernel: level %v is not available: this processor has %v", int(l), Best())
	}
	current, simd = l, tables[l]
	return nil
}

// table is what one instruction set provides. Indices of arrays are rows of a tile.
type table struct {
	rows                         int // rows of the largest tile
	width                        int // columns of a tile: 32 or 16
	product, productHalf         [9]func(x *float32, xPanel uintptr, k int, w, init *float32, initStride uintptr, out *float32)
	outer, outerHalf             [9]func(x, dy *float32, rows, tiles int, out *float32)
	gemv                         [5]func(x *float32, xPanel uintptr, k int, w *float32, wPanel uintptr, init, out *float32, outPanel uintptr)
	activation                   [activationCount]func(dst, src *float32, n int, alpha float32)
	gradient                     [activationCount]func(dz, dy, ref *float32, n int, alpha float32)
	scale                        func(dst, src *float32, n int, a, b float32)
	add                          func(dst, src *float32, n int)
	regularize                   func(g, w *float32, n int, l1, l2 float32)
	clip                         func(g *float32, n int, limit float32)
	dropout                      func(dst, src *float32, n int, key, start, threshold uint32, scale float32)
	columnSum, columnAbsolute    func(x *float32, rows int, out *float32)
	columnDot                    func(x, y *float32, rows int, out *float32)
	columnSquares                func(x *float32, rows int, mean, out *float32)
	columnAffine                 func(dst, src *float32, rows int, shift, a, b *float32)
	normGrad                     func(dx, dy, xhat *float32, rows int, c1, c2, a *float32)
	softmax                      func(dst, src *float32, rows int, panel uintptr, panels int, mask, top, sum *float32)
	softmaxHalf                  func(dst, src *float32, rows int, mask, top, sum *float32)
	update                       [ruleCount]func(w, g, m, v *float32, n int, consts *[8]float32)
	outerUpdate, outerUpdateHalf [ruleCount]func(x *float32, xPanel uintptr, dy *float32, rows, tiles int, w, m, v, grad *float32, consts *[8]float32) // tiles of rows by 32, or nil
	gather                       func(dst *float32, panel uintptr, panels int, src *float32)
	gatherBytes                  func(dst *float32, panel uintptr, panels int, src *uint8)
	transpose                    func(dst, src *float32)
	nonZeros                     func(x *float32, xPanel uintptr, panels int, bits *uint32, stride uintptr)
	transposeBits                func(columns *uint64, rows *uint32, n int)
	sparseProduct                func(x *float32, nonzero *uint32, keep uint32, rows int, w, init *float32, initStride uintptr, out *float32)
	sparseOuter                  func(x *float32, nonzero *uint64, dy *float32, columns int, out *float32)
	sparseUpdate                 [ruleCount]func(x *float32, nonzero *uint64, words int, dy *float32, columns int, w, m, v *float32, consts *[8]float32)
}
