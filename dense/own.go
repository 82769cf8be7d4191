package dense

import "github.com/cambium-go/cambium/dense/internal/kernel"

// own is a worker's part of a training step. Its tapes are the trainer's, except for two matrices that each worker may fill
// for itself when it first needs them: the batch, and the gradient that the lowest layer's weights are updated from. What one
// core writes and the same core reads does not travel between caches, and the threads need not meet in between.
type own struct {
	tapes    []tape
	gathered [2][]uint64 // the step that each sample's columns were last gathered for, by half
	all      [2]uint64   // the step that all samples' were
	blocks   []uint64    // the step that a panel of the input was last gathered for all samples on its own
	panels   []uint64    // the step that each panel of the gradient was last computed for
}

// shares says what each worker does for itself.
type shares struct {
	input    bool  // gather the batch, or a half of its columns: the first node is a large product
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
	if len(t.tapes) > 0 && t.tapes[0].nonzeros != nil {
		o.tapes[0].nonzeros = t.tapes[0].nonzeros.forWorker(t.shares.input)
	}
	if t.shares.input {
		o.tapes[0].in = newMatrix(t.capacity*t.m.inputPer, t.m.inputColumns)
		for half := range o.gathered {
			o.gathered[half] = make([]uint64, t.capacity)
		}
		o.blocks = make([]uint64, o.tapes[0].in.panels())
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

// gatherOwn brings samples first … last-1 of the batch, or their columns of a half, into the worker's own input, unless they are
// there.
func (t *trainer) gatherOwn(half, first, last int, o *own) {
	if !t.shares.input || o.all[half] == t.steps {
		return
	}
	from, end := 0, t.m.inputColumns
	if t.halved {
		from, end = t.halves.columns(half, end)
	}
	for s := first; s < last; s++ {
		if o.gathered[half][s] != t.steps {
			o.gathered[half][s] = t.steps
			t.bring(o.tapes[0].in, o.tapes[0].nonzeros, s, from, end)
		}
	}
	if last-first == t.batch.samples {
		o.all[half] = t.steps
	}
}

// prepareOwn makes sure that the worker has what the gradients of blocks first … last-1 down a panel of node i's weights are
// computed from.
func (t *trainer) prepareOwn(i, panel, first, last int, s *scratch) {
	o := &s.own
	if i == 0 && t.shares.input {
		for down := first; down < last; down++ {
			t.gatherBlock(down, o)
		}
	}
	if tp := &o.tapes[i]; tp.sparse() {
		for down := first; down < last; down++ {
			tp.nonzeros.transpose(down, tp.rows(), t.steps)
		}
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

// gatherBlock brings a panel of the input into the worker's own, of those samples that it has not gathered.
func (t *trainer) gatherBlock(down int, o *own) {
	half, from, middle := 0, down*kernel.Width, t.halves.split/kernel.Width
	if t.halved && down >= middle {
		half = 1
	}
	both := t.halved && down == middle && t.halves.split%kernel.Width > 0 // the block that is divided
	if o.all[half] == t.steps || both && o.all[0] == t.steps || o.blocks[down] == t.steps {
		return
	}
	o.blocks[down] = t.steps
	done := true
	for s := range t.batch.samples {
		if o.gathered[half][s] != t.steps {
			done = false
			t.bring(o.tapes[0].in, o.tapes[0].nonzeros, s, from, min(from+kernel.Width, t.m.inputColumns))
		}
	}
	if done {
		o.all[half] = t.steps
	}
}
