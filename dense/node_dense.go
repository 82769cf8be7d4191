package dense

import "github.com/cambium-go/cambium/dense/internal/kernel"

// denseNode computes x·kernel + bias.
type denseNode struct {
	kernel, bias *parameter // bias may be nil
	biasValue    []float32  // the bias, or zeros
}

func newDenseNode(k, bias *parameter) *denseNode {
	n := &denseNode{kernel: k, bias: bias}
	if bias != nil {
		n.biasValue = bias.value
	} else {
		n.biasValue = alignedFloats(k.panels() * kernel.Width)
	}
	return n
}

// smallWeights is up to how many bytes of weights a thread reads whole rather than share them panel by panel.
const smallWeights = 64 << 10

// small reports whether a thread does whole rows: there are few weights, or no panels to share.
func (n *denseNode) small() bool {
	return n.kernel.panels() == 1 || 4*n.kernel.panels()*n.kernel.panelSize() <= smallWeights
}

func (n *denseNode) reach() reach      { return reachProduct }
func (n *denseNode) columns(int) int   { return n.kernel.columns }
func (n *denseNode) keepsInput() bool  { return true }
func (n *denseNode) keepsOutput() bool { return false }
func (n *denseNode) inPlace() bool     { return false }

func (n *denseNode) infer(in, out matrix, b block, _ *scratch) {
	k := n.kernel
	if b.count() == 1 && b.p0 < b.p1 && k.panels() > 1 {
		kernel.Gemv(in.data[b.first*kernel.Width:], in.stride, k.inputs, k.value[b.p0*k.panelSize():], k.panelSize(), b.p1-b.p0,
			n.biasValue[b.p0*kernel.Width:], out.data[b.p0*out.stride+b.first*kernel.Width:], out.stride)
		return
	}
	x := in.data[b.first*kernel.Width:]
	for p := b.p0; p < b.p1; p++ {
		kernel.Product(x, in.stride, b.count(), k.inputs, k.value[p*k.panelSize():], n.biasValue[p*kernel.Width:], 0,
			out.from(p, b.first), left(k.columns, p))
	}
}

func (n *denseNode) train(t *tape, b block, s *scratch) {
	if !t.sparse() {
		n.infer(t.in, t.out, b, s)
		return
	}
	for p := b.p0; p < b.p1; p++ {
		n.sparseProduct(t, block{b.first, b.last, p, p + 1}, 0, n.kernel.inputs, n.biasValue[p*kernel.Width:], t.out.from(p, b.first))
	}
}

// backward: dx = dy·kernelᵀ.
func (n *denseNode) backward(t *tape, b block, _ *scratch) {
	k := n.kernel
	dy := t.dOut.data[b.first*kernel.Width:]
	for p := b.p0; p < b.p1; p++ {
		w := k.transposed[p*k.panels()*kernel.Width*kernel.Width:]
		kernel.Product(dy, t.dOut.stride, b.count(), k.columns, w, zeros[:], 0, t.dIn.from(p, b.first), left(k.inputs, p))
	}
}

// kernelGradient computes block (panel, down) of xᵀ·dy into g, biasGradient the sums of dy's columns.
func (n *denseNode) kernelGradient(t *tape, panel, down int, g []float32) {
	if t.sparse() {
		n.sparseGradient(t, panel, down, g)
		return
	}
	k := n.kernel
	kernel.Outer(t.in.from(down, 0), t.dOut.from(panel, 0), t.rows(), left(k.inputs, down), left(k.columns, panel), g)
}

// learn computes the gradient of blocks first … last-1 down a panel and applies a rule with it.
func (n *denseNode) learn(t *tape, panel, first, last int, r kernel.Rule, constants *[8]float32, s *scratch) {
	k := n.kernel
	from, _ := k.extent(panel, first)
	_, end := k.extent(panel, last-1)
	m, v := k.slotsOf(from, end)
	if t.sparse() {
		n.sparseLearn(t, panel, first, last, r, constants, s)
		return
	}
	kernel.OuterUpdate(r, t.in.data[first*t.in.stride:], t.in.stride, t.dOut.from(panel, 0), t.rows(), (end-from)/kernel.Width,
		left(k.columns, panel), k.value[from:end], m, v, constants, s.tile[:])
	for down := first; down < last; down++ {
		k.updated(panel, down)
	}
}

func (n *denseNode) biasGradient(t *tape, panel int, g []float32) {
	kernel.ColumnSum(t.dOut.from(panel, 0), t.rows(), g)
}
