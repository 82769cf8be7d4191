package dense

import (
	"github.com/cambium-go/cambium/dense/internal/pool"
	"github.com/cambium-go/cambium/train"
)

// evaluation is the memory of bound.Evaluate.
type evaluation struct {
	passages []*passage
	losses   []float64 // of each sample of the order
	order    []int32
	outputs  []float32
	wanted   bool
	step     int // samples a task
	run      func(task, worker int)
}

// Evaluate predicts in inference mode; samples go through the network in pieces of their own, whatever the batch size.
func (b *bound) Evaluate(order []int32, batch int, outputs, losses []float32) error {
	if err := b.check(order, batch, outputs, losses); err != nil {
		return err
	}
	if len(order) == 0 {
		return nil
	}
	p, err := b.m.threadPool()
	if err != nil {
		return err
	}
	b.m.poolRun.Lock()
	defer b.m.poolRun.Unlock()
	e := &b.evaluation
	if e.run == nil {
		for range p.Threads() {
			e.passages = append(e.passages, newPassage(b.m, chunk))
		}
		e.run = func(task, worker int) {
			last := min(len(e.order), (task+1)*e.step)
			for first := task * e.step; first < last; first += chunk {
				b.evaluate(e.passages[worker], first, min(last, first+chunk))
			}
		}
	}
	if len(e.losses) < len(order) {
		e.losses = make([]float64, len(order))
	}
	e.order, e.outputs, e.wanted = order, outputs, losses != nil
	e.step = chunk
	for (len(order)+e.step-1)/e.step > pool.MaxTasks {
		e.step *= 2
	}
	p.Begin()
	p.Run((len(order)+e.step-1)/e.step, nil, false, e.run)
	p.End()
	if losses == nil {
		return nil
	}
	penalties := b.m.penalties()
	for i := 0; i*batch < len(order); i++ {
		first, last := i*batch, min(len(order), (i+1)*batch)
		sum := 0.0
		for _, v := range e.losses[first:last] {
			sum += v
		}
		losses[i] = float32(sum/float64(last-first) + penalties)
	}
	return nil
}

// evaluate does samples first … last-1 of the order.
func (b *bound) evaluate(c *passage, first, last int) {
	e := &b.evaluation
	for i := first; i < last; i++ {
		b.gather(c.input, i-first, int(e.order[i]), b.m.inputPer, 0, b.m.inputColumns)
	}
	clear(c.activity)
	c.scratch.activity = c.activity
	c.forward(c.input, last-first, nil)
	out, width := c.output(), b.m.OutputWidth()
	for i := first; i < last; i++ {
		out.row(c.scratch.row, i-first)
		if e.outputs != nil {
			copy(e.outputs[i*width:], c.scratch.row)
		}
		if e.wanted {
			y, weight := b.target(int(e.order[i])), float64(b.weight(int(e.order[i])))
			e.losses[i] = weight*c.sampleLoss(i-first, y) + c.activity[i-first]
		}
	}
}

// sampleLoss returns the loss of row r, whose prediction stands in the scratch. Cross-entropies of the network's own softmax
// or sigmoid are taken from that node's input, as in training.
func (c *passage) sampleLoss(r int, y []float32) float64 {
	l, n := c.m.loss, len(c.values)
	switch c.m.kindOfHead() {
	case softmaxHead, sigmoidHead:
		l.FromLogits = true
		in := c.input
		if n > 1 {
			in = c.values[n-2]
		}
		in.row(c.scratch.rowGrad, r)
		return float64(train.SampleLoss(l, y, c.scratch.rowGrad))
	}
	return float64(train.SampleLoss(l, y, c.scratch.row))
}
