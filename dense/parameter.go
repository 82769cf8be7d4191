package dense

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/dense/internal/kernel"
)

// parameter is a variable of the model. A kernel [inputs, units] is stored as
//
//	value [panels of 32 units][depth][32], depth being inputs rounded up to a multiple of 32
//
// and a vector [units] is a matrix of one row. Padding is zero and stays zero. Slots and gradients have the same layout.
type parameter struct {
	name            string
	shape           []int
	inputs, columns int
	depth           int
	trainable       bool
	regularizer     Regularizer

	value      []float32
	slots      [][]float32
	gradient   []float32 // only where norms are clipped
	transposed []float32 // [panels of 32 inputs][units rounded up to 32][32], where the gradient of the input is needed
	next       []float32 // the transposed copy of the step after this one, where the present one is still read during the update
	penalty    []float64 // regularization penalty of each block of 32 by 32
	squares    []float64 // of each block's gradient, where norms are clipped
}

func newParameter(name string, shape []int, trainable bool) *parameter {
	p := &parameter{name: name, shape: slices.Clone(shape), inputs: 1, columns: 1, trainable: trainable}
	switch len(shape) {
	case 0:
	case 1:
		p.columns = shape[0]
	default:
		p.inputs, p.columns = shape[0], shape[1]
	}
	p.depth = 1
	if len(shape) == 2 {
		p.depth = kernel.Panels(p.inputs) * kernel.Width
	}
	p.value = alignedFloats(p.panels() * p.panelSize())
	p.penalty = make([]float64, p.blocks())
	return p
}

func (p *parameter) panels() int    { return kernel.Panels(p.columns) }
func (p *parameter) panelSize() int { return p.depth * kernel.Width }

// blocksDown is the number of blocks of 32 inputs in a panel.
func (p *parameter) blocksDown() int { return kernel.Panels(p.inputs) }
func (p *parameter) blocks() int     { return p.panels() * p.blocksDown() }

// size is the number of weights.
func (p *parameter) size() int { return p.inputs * p.columns }

// extent returns where block (panel, down) lies in the layout.
func (p *parameter) extent(panel, down int) (first, end int) {
	first = panel*p.panelSize() + down*kernel.Width*kernel.Width
	return first, first + min(kernel.Width, p.inputs-down*kernel.Width)*kernel.Width
}

// slotsOf returns what a kernel's rule takes for m and v: a part of the one or two slots, or of the value where there are none.
func (p *parameter) slotsOf(first, end int) (m, v []float32) {
	switch len(p.slots) {
	case 0:
		return p.value[first:end], p.value[first:end]
	case 1:
		return p.slots[0][first:end], p.slots[0][first:end]
	}
	return p.slots[0][first:end], p.slots[1][first:end]
}

// pack copies row-major values into the layout.
func (p *parameter) pack(dst, src []float32) {
	for i := range p.inputs {
		for panel := range p.panels() {
			n := left(p.columns, panel)
			copy(dst[panel*p.panelSize()+i*kernel.Width:], src[i*p.columns+panel*kernel.Width:][:n])
		}
	}
}

// unpack copies the layout into row-major values.
func (p *parameter) unpack(dst, src []float32) {
	for i := range p.inputs {
		for panel := range p.panels() {
			n := left(p.columns, panel)
			copy(dst[i*p.columns+panel*kernel.Width:][:n], src[panel*p.panelSize()+i*kernel.Width:])
		}
	}
}

// set replaces the value by row-major values.
func (p *parameter) set(values []float32) {
	p.pack(p.value, values)
	p.transposeAll()
}

// fill sets every element, padding excepted.
func (p *parameter) fill(dst []float32, v float32) {
	values := make([]float32, p.size())
	for i := range values {
		values[i] = v
	}
	p.pack(dst, values)
}

// needTransposed makes p keep its transposed copy.
func (p *parameter) needTransposed() {
	p.transposed = alignedFloats(p.blocksDown() * p.panels() * kernel.Width * kernel.Width)
	p.transposeAll()
}

// needNext makes the update leave the transposed copy alone until swap.
func (p *parameter) needNext() {
	if p.next == nil {
		p.next = alignedFloats(len(p.transposed))
	}
}

// swap follows an update of all blocks.
func (p *parameter) swap() {
	if p.next != nil {
		p.transposed, p.next = p.next, p.transposed
	}
}

func (p *parameter) transposeAll() {
	if p.transposed == nil {
		return
	}
	for panel := range p.panels() {
		for down := range p.blocksDown() {
			p.transpose(p.transposed, panel, down)
		}
	}
}

// updated refreshes the transposed copy of a block, if there is one.
func (p *parameter) updated(panel, down int) {
	switch {
	case p.next != nil:
		p.transpose(p.next, panel, down)
	case p.transposed != nil:
		p.transpose(p.transposed, panel, down)
	}
}

func (p *parameter) transpose(dst []float32, panel, down int) {
	first, _ := p.extent(panel, down)
	kernel.Transpose(dst[(down*p.panels()+panel)*kernel.Width*kernel.Width:], p.value[first:])
}

// regularize adds the penalty's gradient to g, that of block (panel, down), and notes the penalty.
func (p *parameter) regularize(panel, down int, g []float32) {
	first, end := p.extent(panel, down)
	w := p.value[first:end]
	p.penalty[panel*p.blocksDown()+down] = p.regularizer.penalty(w)
	kernel.Regularize(g, w, p.regularizer.L1, 2*p.regularizer.L2)
}

// penaltySum adds up what regularize noted.
func (p *parameter) penaltySum() float64 {
	sum := 0.0
	for _, v := range p.penalty {
		sum += v
	}
	return sum
}

// penaltyNow computes the penalty of the present values, in the same order as regularize and penaltySum.
func (p *parameter) penaltyNow() float64 {
	sum := 0.0
	for panel := range p.panels() {
		for down := range p.blocksDown() {
			first, end := p.extent(panel, down)
			sum += p.regularizer.penalty(p.value[first:end])
		}
	}
	return sum
}

// Regularizer is a penalty on weights or outputs, added to the loss: L1·Σ|w| + L2·Σw², as keras.regularizers.L1L2.
type Regularizer struct{ L1, L2 float32 }

// L1 returns the penalty l·Σ|w|.
func L1(l float32) Regularizer { return Regularizer{L1: l} }

// L2 returns the penalty l·Σw².
func L2(l float32) Regularizer { return Regularizer{L2: l} }

// L1L2 returns the penalty l1·Σ|w| + l2·Σw².
func L1L2(l1, l2 float32) Regularizer { return Regularizer{L1: l1, L2: l2} }

func (r Regularizer) zero() bool { return r == Regularizer{} }

// penalty is that of whole rows of 32.
func (r Regularizer) penalty(w []float32) float64 {
	var sums [kernel.Width]float32
	total := 0.0
	if r.L1 != 0 {
		kernel.ColumnAbsolute(w, len(w)/kernel.Width, sums[:])
		total += float64(r.L1) * sum64(sums[:])
	}
	if r.L2 != 0 {
		kernel.ColumnDot(w, w, len(w)/kernel.Width, sums[:])
		total += float64(r.L2) * sum64(sums[:])
	}
	return total
}

func sum64(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

func notFinite(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
