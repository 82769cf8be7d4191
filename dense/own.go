package dense

import "github.com/cambium-go/cambium/dense/internal/kernel"

// own is a worker's part of a training step. Its tapes are the trainer's, except for two matrices that each worker may fill
// for itself when it first needs them: the batch, and the gradient that the lowest layer's weights are updated from. What one
// core writes and the same core reads does not travel between caches, and the threads need not meet in between.
type own struct {
	tapes    []tape
	gathered []uint64 // the step that each sample was last gathered for
	all      uint64   // the step that all were
	panels   []uint64 // the step that each panel of the gradient was last computed for
}

// shares says what each worker does for itself.
type shares struct {
	input    bool  // gather the batch: the first node is a large product
	backward []int // go back through these nodes, a small product and elementwise ones, to the output of …
	lowest   int   // … this node
}

// ownBytes is up to what size each worker has a copy of a matrix.
const ownBytes = 2 << 20

// ownsInput decides whether each worker gathers the batch for itself.
func (t *trainer) ownsInput() bool {
	if len(t.m.entries) == 0 {
		return false
	}
	first := t.m.entries[0]
	d, ok := first.node.(*denseNode)
	return ok && !d.small() && t.pool.Threads() <= d.kernel.panels() && t.fits(first.per, first.in)
}

// ownsBackward decides which nodes each worker goes back through for itself, and where they lead.
func (t *trainer) ownsBackward() (nodes []int, lowest int) {
	back := t.backward()
	for at := len(back) - 1; at >= 0; at-- {
		e := t.m.entries[back[at]]
		if e.node.reach() == reachBlock && len(e.learnedParameters) == 0 {
			continue
		}
		d, ok := e.node.(*denseNode)
		if !ok || !d.small() || !t.fits(e.per, e.in) {
			break
		}
		lowest = back[len(back)-1] - 1
		if _, ok := t.m.entries[lowest].node.(*denseNode); ok {
			return back[at:], lowest
		}
		break
	}
	return nil, -1
}

func (t *trainer) fits(per, columns int) bool {
	return 4*t.capacity*per*kernel.Panels(columns)*kernel.Width <= ownBytes
}

// newOwn returns a worker's part.
func (t *trainer) newOwn() own {
	o := own{tapes: append([]tape{}, t.tapes...)}
	if t.shares.input {
		o.tapes[0].in = newMatrix(t.capacity*t.m.inputPer, t.m.inputColumns)
		o.gathered = make([]uint64, t.capacity)
	}
	if len(t.shares.backward) > 0 {
		e := t.m.entries[t.shares.backward[0]]
		gradient := newMatrix(t.capacity*e.per, e.in)
		for k, i := range t.shares.backward {
			o.tapes[i].dIn = gradient
			if k > 0 {
				o.tapes[i].dOut = gradient
			}
		}
		o.tapes[t.shares.lowest].dOut = gradient
		e.kernel.needNext()
		o.panels = make([]uint64, gradient.panels())
	}
	return o
}

// gatherOwn brings samples first … last-1 of the batch into the worker's own input, unless they are there.
func (t *trainer) gatherOwn(first, last int, o *own) {
	if !t.shares.input || o.all == t.steps {
		return
	}
	for s := first; s < last; s++ {
		if o.gathered[s] != t.steps {
			o.gathered[s] = t.steps
			t.data.gather(o.tapes[0].in, s, int(t.order[s]), t.m.inputPer)
		}
	}
	if last-first == t.batch.samples {
		o.all = t.steps
	}
}

// prepareOwn makes sure that the worker has what the gradient of a panel of node i's weights is computed from.
func (t *trainer) prepareOwn(i, panel int, s *scratch) {
	o := &s.own
	if i == 0 {
		t.gatherOwn(0, t.batch.samples, o)
	}
	if i != t.shares.lowest || o.panels[panel] == t.steps {
		return
	}
	o.panels[panel] = t.steps
	for _, back := range t.shares.backward {
		e := t.m.entries[back]
		e.node.backward(&o.tapes[back], block{0, t.batch.samples * e.per, panel, panel + 1}, s)
	}
}
