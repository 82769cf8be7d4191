package dense

import (
	"github.com/cambium-go/cambium/dense/internal/kernel"
)

// matrix is activations in the layout of package kernel: panels of 32 columns, stride float32 apart.
type matrix struct {
	data            []float32
	stride, columns int
}

// newMatrix returns a matrix for up to rows rows. One row is left between panels, so that they do not fall on the same
// sets of a cache.
func newMatrix(rows, columns int) matrix {
	m := matrix{stride: (rows + 1) * kernel.Width, columns: columns}
	m.data = alignedFloats(m.panels() * m.stride)
	return m
}

func (m matrix) panels() int { return kernel.Panels(m.columns) }

// from returns panel p from row r on.
func (m matrix) from(p, r int) []float32 {
	return m.data[p*m.stride+r*kernel.Width : (p+1)*m.stride : (p+1)*m.stride]
}

// rows returns panel p's rows of a block.
func (m matrix) rows(p int, b block) []float32 {
	return m.from(p, b.first)[:(b.last-b.first)*kernel.Width]
}

// at returns where column c of row r is.
func (m matrix) at(r, c int) int { return c/kernel.Width*m.stride + r*kernel.Width + c%kernel.Width }

// row copies row r to dst, [columns].
func (m matrix) row(dst []float32, r int) {
	kernel.Scatter(dst[:m.columns], m.data[r*kernel.Width:], m.stride)
}

// setRow copies src, [columns], to row r.
func (m matrix) setRow(r int, src []float32) {
	kernel.Gather(m.data[r*kernel.Width:], m.stride, src)
}

// left returns how many real columns panel p has, at most 32.
func left(columns, p int) int { return min(kernel.Width, columns-p*kernel.Width) }

// block is a part of a matrix: rows first … last-1 of panels p0 … p1-1.
type block struct{ first, last, p0, p1 int }

func (b block) count() int { return b.last - b.first }
