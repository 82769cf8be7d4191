package dense

import (
	"math/bits"

	"github.com/cambium-go/cambium/dense/internal/kernel"
)

// nonzeros says which elements of the batch are not 0, where the first product skips those that are: forward row by row, for the
// gradient column by column. Both add up what is left in the order of the products that skip nothing, so that the bits are
// the same.
type nonzeros struct {
	rows          []uint32 // [panels of the input][stride], a word a row
	stride        int
	columns       []uint64 // [panels of the input][words][32], a word for 64 rows of a column
	words, panels int
	done          []uint64 // the step that a panel's columns were last taken from its rows
}

// sparseShare is up to what share of elements other than 0 zeros are skipped: with more that takes longer than to multiply with
// them.
var sparseShare = 0.4

// densitySamples is how many samples tell how many zeros a data set has.
const densitySamples = 16

// skipsZeros decides whether the steps on a data set skip zeros: by some of its samples, so that data without zeros pays nothing.
func (t *trainer) skipsZeros(b *bound) bool {
	if len(t.tapes) == 0 || t.tapes[0].nonzeros == nil {
		return false
	}
	tp := &t.scratch[0].own.tapes[0]
	z, per, columns := tp.nonzeros, t.m.inputPer, t.m.inputColumns
	count, samples := 0, min(b.samples, densitySamples)
	for i := range samples {
		b.gather(tp.in, 0, i*b.samples/samples, per, 0, columns)
		z.note(tp.in, 0, per, 0, columns)
		for p := range z.panels {
			for _, word := range z.rows[p*z.stride:][:per] {
				count += bits.OnesCount32(word)
			}
		}
	}
	return float64(count) <= sparseShare*float64(samples*per*columns)
}

// newNonzeros makes room for so many rows.
func newNonzeros(rows, columns int) *nonzeros {
	z := &nonzeros{stride: rows, words: (rows + wordRows - 1) / wordRows, panels: kernel.Panels(columns)}
	z.rows = make([]uint32, z.panels*rows)
	z.columns, z.done = make([]uint64, z.panels*z.words*kernel.Width), make([]uint64, z.panels)
	return z
}

// forWorker returns a worker's own: its rows are those of all unless it gathers for itself.
func (z *nonzeros) forWorker(gathers bool) *nonzeros {
	own := newNonzeros(z.stride, z.panels*kernel.Width)
	if !gathers {
		own.rows = z.rows
	}
	return own
}

// wordRows is how many rows of a column a word is for.
const wordRows = 64

// note finds the non-zeros of columns first … end-1 of rows r0 … r1-1.
func (z *nonzeros) note(m matrix, r0, r1, first, end int) {
	p := first / kernel.Width
	for r := r0; r < r1; r++ {
		kernel.NonZeros(z.rows[p*z.stride+r:], z.stride, m.data[p*m.stride+r*kernel.Width:], m.stride, kernel.Panels(end)-p)
	}
}

// transpose turns the words of a panel's rows into those of its columns, unless it has for this step.
func (z *nonzeros) transpose(p, rows int, step uint64) {
	if z.done[p] == step {
		return
	}
	z.done[p] = step
	for first := 0; first < rows; first += wordRows {
		kernel.TransposeBits(z.column(p, first), z.rows[p*z.stride+first:p*z.stride+min(rows, first+wordRows)])
	}
}

// column returns the words of panel p's columns for the rows from first on.
func (z *nonzeros) column(p, first int) []uint64 {
	return z.columns[(p*z.words+first/wordRows)*kernel.Width : (p+1)*z.words*kernel.Width]
}

// sparseProduct adds what inputs from … to-1 contribute to a block of one panel to init.
func (n *denseNode) sparseProduct(t *tape, b block, from, to int, init []float32, out []float32) {
	w, z, stride := n.kernel.value[b.p0*n.kernel.panelSize():], t.nonzeros, 0
	for down := from / kernel.Width; down < kernel.Panels(to); down++ {
		first := down * kernel.Width
		keep := ^uint32(0) << max(from-first, 0) & (1<<min(to-first, kernel.Width) - 1)
		kernel.SparseProduct(t.in.from(down, b.first), z.rows[down*z.stride+b.first:], keep, b.count(), w[first*kernel.Width:], init, stride, out)
		init, stride = out, kernel.Width
	}
}

// sparseGradient computes block (panel, down) of xᵀ·dy into g.
func (n *denseNode) sparseGradient(t *tape, panel, down int, g []float32) {
	clear(g)
	for first := 0; first < t.rows(); first += wordRows {
		kernel.SparseOuter(t.in.from(down, first), t.nonzeros.column(down, first), t.dOut.from(panel, first), left(n.kernel.inputs, down), g)
	}
}

// sparseRows is up to how many rows a gradient is updated from at once: with more they outgrow the first-level cache.
const sparseRows = 128

// sparseLearn computes the gradient of blocks first … last-1 down a panel and applies a rule with it.
func (n *denseNode) sparseLearn(t *tape, panel, first, last int, r kernel.Rule, constants *[8]float32, s *scratch) {
	k := n.kernel
	for down := first; down < last; down++ {
		from, end := k.extent(panel, down)
		m, v := k.slotsOf(from, end)
		kernel.SparseOuterUpdate(r, t.in.from(down, 0), t.nonzeros.column(down, 0), t.dOut.from(panel, 0), t.rows(), left(k.inputs, down),
			k.value[from:end], m, v, constants, s.tile[:])
		k.updated(panel, down)
	}
}
