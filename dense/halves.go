package dense

import "github.com/cambium-go/cambium/dense/internal/kernel"

// halves is how a large first product is computed in training: the two halves of its inputs apart, and then added. A worker
// that does one half, forward and for the gradient, needs only those columns of the samples, so that with two workers each
// sample passes through one core and not through both. The sums are the same for any number of workers.
type halves struct {
	split int    // the first input of the second half; 0 where the first node is no large product
	rest  matrix // what the second half adds to the output
}

// From how many inputs and samples on a product is halved: with fewer, what the workers exchange instead costs more.
const (
	halvesInputs  = 256
	halvesSamples = 64
)

func newHalves(t *trainer) (h halves) {
	if len(t.m.entries) == 0 {
		return h
	}
	e := t.m.entries[0]
	if d, ok := e.node.(*denseNode); ok && !d.small() && e.in >= halvesInputs {
		h.split = e.in / 16 * 8 // tiles of the gradient are 8 inputs high
		h.rest = newMatrix(t.capacity*e.per, e.out)
	}
	return h
}

func (h *halves) on() bool { return h.split > 0 }

// columns returns the columns of a half, whole panels of the input: both halves have the one that is divided.
func (h *halves) columns(half, columns int) (first, end int) {
	if half == 0 {
		return 0, kernel.Panels(h.split) * kernel.Width
	}
	return h.split / kernel.Width * kernel.Width, columns
}

// blocks returns the blocks down a panel of the weights that belong to a half. The one that is divided belongs to the first
// half in as many of the panels as makes the halves alike.
func (h *halves) blocks(half, panel int, p *parameter) (first, end int) {
	middle := h.split / kernel.Width
	if panel*kernel.Width < h.split%kernel.Width*p.panels() {
		middle++
	}
	if half == 0 {
		return 0, middle
	}
	return middle, p.blocksDown()
}

// actions returns the two actions of the first product: the halves, counted as panels one after the other, and their sum.
func (h *halves) actions(t *trainer) []action {
	e, out := t.m.entries[0], t.tapes[0].out
	halves := newAction(e, out, e.per, func(b block, s *scratch) {
		half, panel := b.p0/out.panels(), b.p0%out.panels()
		t.gatherOwn(half, b.first/e.per, b.last/e.per, &s.own)
		e.node.(*denseNode).half(&s.own.tapes[0], h, half, block{b.first, b.last, panel, panel + 1})
	})
	halves.panels = 2 * out.panels()
	sum := action{reach: reachBlock, panels: out.panels(), per: e.per, cost: float64(out.columns * e.per), run: func(b block, _ *scratch) {
		for p := b.p0; p < b.p1; p++ {
			kernel.Add(out.rows(p, b), h.rest.rows(p, b))
		}
	}}
	return []action{halves, sum}
}

// half computes what one half of the inputs adds to a block of one panel; the first half has the bias.
func (n *denseNode) half(t *tape, h *halves, half int, b block) {
	k, p := n.kernel, b.p0
	if t.sparse() {
		if half == 0 {
			n.sparseProduct(t, b, 0, h.split, n.biasValue[p*kernel.Width:], t.out.from(p, b.first))
		} else {
			n.sparseProduct(t, b, h.split, k.inputs, zeros[:], h.rest.from(p, b.first))
		}
		return
	}
	product := func(from, to int, init []float32, stride int, out []float32) {
		x := t.in.data[from/kernel.Width*t.in.stride+b.first*kernel.Width+from%kernel.Width:]
		kernel.Product(x, t.in.stride, b.count(), to-from, k.value[p*k.panelSize()+from*kernel.Width:], init, stride, out, left(k.columns, p))
	}
	if half == 0 {
		product(0, h.split, n.biasValue[p*kernel.Width:], 0, t.out.from(p, b.first))
		return
	}
	out, from := h.rest.from(p, b.first), h.split
	init, stride := zeros[:], 0
	if from%kernel.Width > 0 {
		next := kernel.Panels(from) * kernel.Width
		product(from, next, init, stride, out)
		from, init, stride = next, out, kernel.Width
	}
	product(from, k.inputs, init, stride, out)
}
