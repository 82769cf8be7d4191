package dense

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/dense/internal/pool"
	"github.com/cambium-go/cambium/train"
)

// trainer holds what training steps need: the activations and gradients of a batch, the steps' plan for each batch size, and
// a scratch for each thread.
type trainer struct {
	m        *Model
	pool     *pool.Pool
	capacity int
	input    matrix
	tapes    []tape
	head     *head
	plans    map[int]*plan
	updates  updater
	halves   halves
	shares   shares
	scratch  []*scratch

	// The present step:
	batch   batch
	steps   uint64 // counts them
	halved  bool
	data    *bound
	order   []int32
	next    []int32 // the samples of the step after it, brought closer meanwhile
	outputs []float32
}

// newTrainer makes room for batches of up to capacity samples.
func newTrainer(m *Model, p *pool.Pool, capacity int) *trainer {
	t := &trainer{m: m, pool: p, capacity: capacity, plans: map[int]*plan{}, tapes: make([]tape, len(m.entries))}
	t.halves = newHalves(t)
	if t.shares.input = t.ownsInput(); t.shares.input {
		t.input.columns = m.inputColumns
	} else {
		t.input = newMatrix(capacity*m.inputPer, m.inputColumns)
	}
	penalties := make([]float64, capacity)
	last := t.input
	for i, e := range m.entries {
		tp := &t.tapes[i]
		tp.in, tp.per, tp.batch, tp.penalties = last, e.per, &t.batch, penalties
		tp.out = last
		if !t.inPlace(i) {
			tp.out = newMatrix(capacity*outPer(e), e.out)
		}
		last = tp.out
	}
	t.head = newHead(m, t, penalties)
	t.shares.backward, t.shares.lowest = t.ownsBackward()
	t.gradients()
	if len(m.entries) > 0 {
		if _, ok := m.entries[0].node.(*denseNode); ok {
			t.tapes[0].nonzeros = newNonzeros(capacity*m.inputPer, m.inputColumns)
		}
	}
	for i, e := range m.entries {
		if a, ok := e.node.(allocator); ok {
			a.allocate(&t.tapes[i], capacity*e.per)
		}
	}
	for range p.Threads() {
		s := newScratch(m.OutputWidth())
		s.own = t.newOwn()
		t.scratch = append(t.scratch, s)
	}
	t.updates = newUpdater(t)
	return t
}

func newScratch(width int) *scratch {
	return &scratch{row: make([]float32, width), rowGrad: make([]float32, width)}
}

// outPer is the rows a sample of a node's output.
func outPer(e entry) int {
	if f, ok := e.node.(*foldNode); ok {
		return f.to
	}
	return e.per
}

// inPlace reports whether entry i may overwrite its input.
func (t *trainer) inPlace(i int) bool {
	e := t.m.entries[i]
	if !e.node.inPlace() || e.node.keepsInput() || t.m.fusedSigmoid() && i == len(t.m.entries)-1 {
		return false
	}
	return i == 0 || !t.m.entries[i-1].node.keepsOutput()
}

// gradients gives every tape where its gradients go: nodes that work in place share one matrix.
func (t *trainer) gradients() {
	last, back := t.head.gradient, t.backward()
	for i := len(t.tapes) - 1; i >= 0; i-- {
		e, tp := t.m.entries[i], &t.tapes[i]
		tp.dOut = last
		tp.dIn = last
		if slices.Contains(back, i) && !slices.Contains(t.shares.backward, i) && !e.node.inPlace() {
			tp.dIn = newMatrix(t.capacity*e.per, e.in)
		}
		last = tp.dIn
	}
}

// backward lists the nodes to go back through, in that order.
func (t *trainer) backward() []int {
	var list []int
	for i := len(t.m.entries) - 1; i >= 0; i-- {
		e := t.m.entries[i]
		// A normalization's backward also prepares the gradients of its own vectors.
		if !t.head.skips(i) && (e.needsInputGrad || e.needsGrad && len(e.learnedParameters) > 0) {
			list = append(list, i)
		}
	}
	return list
}

// step trains on one batch and returns its loss. next is the batch after it.
func (t *trainer) step(data *bound, order, next []int32, outputs []float32) (float64, error) {
	t.data, t.order, t.next, t.outputs = data, order, next, outputs
	t.batch = batch{len(order), data.sparse, uint64(t.m.iterations), t.m.seed}
	t.steps++
	clear(t.head.penalties[:len(order)])
	p := t.plan(len(order))
	t.halved = p.halved
	t.updates.prepare()
	for i := range p.phases {
		ph := &p.phases[i]
		t.pool.Run(ph.tasks, ph.bounds, ph.alone, ph.run)
	}
	t.updates.run()
	t.m.iterations++
	loss := t.head.loss(len(order)) + t.updates.penalty()
	if notFinite(loss) {
		return loss, fmt.Errorf("dense: %w: %v", train.ErrNotFinite, loss)
	}
	return loss, nil
}

// gather brings samples first … last-1 of the batch into the input matrix.
func (t *trainer) gather(b block, _ *scratch) {
	var z *nonzeros
	if len(t.tapes) > 0 {
		z = t.tapes[0].nonzeros
	}
	for s := b.first; s < b.last; s++ {
		t.bring(t.input, z, s, 0, t.m.inputColumns)
	}
}

// bring copies columns first … end-1 of the batch's sample s into its place, and notes which are not 0 where zeros are skipped.
func (t *trainer) bring(in matrix, z *nonzeros, s, first, end int) {
	per := t.m.inputPer
	t.data.gather(in, s, int(t.order[s]), per, first, end)
	if t.batch.sparse {
		z.note(in, s*per, (s+1)*per, first, end)
	}
}

// prefetch asks for columns first … end-1 of sample i.
func (b *bound) prefetch(i, first, end int) {
	n := b.m.inputPer * b.m.inputColumns
	if b.m.inputPer > 1 {
		first, end = 0, n
	}
	if b.bytes == nil {
		kernel.Prefetch(b.floats[i*n+first : i*n+end])
	} else {
		kernel.Prefetch(b.bytes[i*n+first : i*n+end])
	}
}

// gather copies columns first … end-1 of sample i into place s of a matrix; first begins a panel.
func (b *bound) gather(m matrix, s, i, per, first, end int) {
	n, p0 := m.columns*per, first/kernel.Width
	for k := range per {
		at, from := m.data[p0*m.stride+(s*per+k)*kernel.Width:], i*n+k*m.columns+first
		if b.bytes == nil {
			kernel.Gather(at, m.stride, b.floats[from:][:end-first])
			continue
		}
		kernel.GatherBytes(at, m.stride, b.bytes[from:][:end-first])
		if b.scale != 1 {
			for p := range kernel.Panels(end - first) {
				line := at[p*m.stride:][:kernel.Width]
				kernel.Scale(line, line, b.scale, 0)
			}
		}
	}
}
