package dense

import (
	"fmt"
	"runtime"

	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/dense/internal/pool"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// passage is the memory of one inference: activations of up to capacity samples.
type passage struct {
	m        *Model
	capacity int
	input    matrix
	values   []matrix // each node's output
	scratch  *scratch
	activity []float64 // of each sample, where losses are wanted
}

// chunk is how many samples go through the network together.
const chunk = 64

// take returns an idle passage for n samples, or a new one.
func (m *Model) take(n int) (*passage, error) {
	size := 0
	if n > 1 {
		size = 1
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	if free := m.free[size]; len(free) > 0 {
		c := free[len(free)-1]
		m.free[size] = free[:len(free)-1]
		m.mu.Unlock()
		return c, nil
	}
	m.mu.Unlock()
	return newPassage(m, []int{1, chunk}[size]), nil
}

// give returns a passage.
func (m *Model) give(c *passage) {
	size := 0
	if c.capacity > 1 {
		size = 1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.free[size] = append(m.free[size], c)
	}
}

func newPassage(m *Model, capacity int) *passage {
	c := &passage{m: m, capacity: capacity, input: newMatrix(capacity*m.inputPer, m.inputColumns), scratch: newScratch(m.OutputWidth())}
	c.activity = make([]float64, capacity)
	last := c.input
	for i, e := range m.entries {
		out := last
		if !e.node.inPlace() || m.fusedSigmoid() && i == len(m.entries)-1 {
			out = newMatrix(capacity*outPer(e), e.out)
		}
		c.values = append(c.values, out)
		last = out
	}
	return c
}

// output is where forward leaves the predictions.
func (c *passage) output() matrix {
	if len(c.values) == 0 {
		return c.input
	}
	return c.values[len(c.values)-1]
}

// forward runs n samples through the network. large, which may be nil, computes the large layers: entries first … last-1 are
// one and what works on each of its outputs alone.
func (c *passage) forward(in matrix, n int, large func(first, last int, in matrix, rows int)) {
	entries := c.m.entries
	for i := 0; i < len(entries); i++ {
		e := &entries[i]
		rows := n * e.per
		if e.fold {
			rows = n
		}
		if d, ok := e.node.(*denseNode); ok && large != nil && !d.small() {
			first := i
			for i+1 < len(entries) && entries[i+1].node.reach() == reachBlock {
				i++
			}
			large(first, i+1, in, rows)
		} else {
			e.node.infer(in, c.values[i], block{0, rows, 0, c.values[i].panels()}, c.scratch)
		}
		in = c.values[i]
	}
}

// PredictInto predicts samples, row-major [n, features], into dst, [n, OutputWidth], n being len(x)/features. It allocates
// nothing once as many calls as run at the same time have been made.
func (m *Model) PredictInto(dst, x []float32) error {
	features, width := m.inputPer*m.inputColumns, m.OutputWidth()
	n := len(x) / features
	if n*features != len(x) || len(dst) != n*width {
		return fmt.Errorf("dense: %w: %d features in and %d numbers out; each sample has %d and %d", train.ErrData, len(x), len(dst),
			features, width)
	}
	// Subnormal numbers count as zero on every thread, and so they must here.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer kernel.Restore(kernel.FlushDenormals())
	defer m.predicting.Add(-1)
	only := m.predicting.Add(1) == 1
	switch cost := n * m.multiplications(); {
	case n >= togetherSamples && cost >= 10*aloneCost && m.poolRun.TryLock():
		defer m.poolRun.Unlock()
		return m.predictThreads(dst, x, n)
	case n < togetherSamples && cost >= aloneCost && only && m.threads != 1 && m.poolRun.TryLock():
		defer m.poolRun.Unlock()
		if m.brisk() {
			return m.predictTogether(dst, x, n)
		}
	}
	c, err := m.take(n)
	if err != nil {
		return err
	}
	for first := 0; first < n; first += c.capacity {
		c.predict(dst, x, first, min(n, first+c.capacity))
	}
	m.give(c)
	return nil
}

// predict does samples first … last-1 of x.
func (c *passage) predict(dst, x []float32, first, last int) {
	c.forward(c.load(x, first, last), last-first, nil)
	c.unload(dst, first, last)
}

// load returns samples first … last-1 of x: copied to the input, or one row as it lies there, where the first layer takes that.
func (c *passage) load(x []float32, first, last int) matrix {
	per, columns := c.m.inputPer, c.input.columns
	if c.m.takesRow() && last-first == 1 {
		return matrix{data: x[first*columns:][:columns], stride: kernel.Width, columns: columns}
	}
	for r := range (last - first) * per {
		kernel.Gather(c.input.data[r*kernel.Width:], c.input.stride, x[(first*per+r)*columns:][:columns])
	}
	return c.input
}

// takesRow reports whether the first layer multiplies one row by several panels, which needs no padding.
func (m *Model) takesRow() bool {
	if m.inputPer > 1 || len(m.entries) == 0 {
		return false
	}
	d, ok := m.entries[0].node.(*denseNode)
	return ok && d.kernel.panels() > 1
}

// unload copies the output to samples first … last-1 of dst.
func (c *passage) unload(dst []float32, first, last int) {
	out := c.output()
	for s := range last - first {
		out.row(dst[(first+s)*out.columns:][:out.columns], s)
	}
}

// multiplications returns how many a sample's prediction takes, those of the activations left out.
func (m *Model) multiplications() int {
	n := 0
	for _, e := range m.entries {
		if e.kernel != nil {
			n += e.kernel.size() * e.per
		}
	}
	return n
}

// crowd is the memory of a prediction on all threads.
type crowd struct {
	passages []*passage
	dst, x   []float32
	n, step  int
	run      func(task, worker int)
}

// predictThreads divides the samples among the pool's threads. The caller holds poolRun and its thread.
func (m *Model) predictThreads(dst, x []float32, n int) error {
	p, err := m.threadPool()
	if err != nil {
		return err
	}
	c := m.crowd
	if c == nil {
		c = &crowd{}
		for range p.Threads() {
			c.passages = append(c.passages, newPassage(m, chunk))
		}
		c.run = func(task, worker int) {
			last := min(c.n, (task+1)*c.step)
			for first := task * c.step; first < last; first += chunk {
				c.passages[worker].predict(c.dst, c.x, first, min(last, first+chunk))
			}
		}
		m.crowd = c
	}
	c.dst, c.x, c.n, c.step = dst, x, n, clampRows(n, 2*p.Threads(), 8, chunk)
	for (n+c.step-1)/c.step > pool.MaxTasks {
		c.step *= 2
	}
	p.Run((n+c.step-1)/c.step, nil, false, c.run)
	c.dst, c.x = nil, nil
	return nil
}

// Predict predicts samples [n, …] in inference mode; the result is [n, …], of the model's output shape.
func (m *Model) Predict(x *tensor.Tensor) (*tensor.Tensor, error) {
	values, err := tensor.Data[float32](x)
	if err != nil {
		return nil, fmt.Errorf("dense: predict: %w", err)
	}
	if x.Rank() == 0 || !x.Shape()[1:].Equal(m.inputShape) {
		return nil, fmt.Errorf("dense: predict: %w: input of shape %v; [samples, …] of %v is needed", train.ErrData, x.Shape(),
			tensor.Shape(m.inputShape))
	}
	n := x.Shape()[0]
	out, err := tensor.New(tensor.Float32, append([]int{n}, m.outputShape...)...)
	if err != nil {
		return nil, err
	}
	dst, err := tensor.Data[float32](out)
	if err != nil {
		return nil, err
	}
	return out, m.PredictInto(dst, values)
}
