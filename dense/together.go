package dense

import (
	"time"

	"github.com/cambium-go/cambium/dense/internal/pool"
)

// together is the memory of predicting few samples with several threads, which share the panels of each large layer. Waking a
// thread takes longer than that saves, so it is done only where predictions follow each other so closely that the threads are
// still awake from the one before.
type together struct {
	passage     *passage
	first, last int // entries to compute
	in          matrix
	rows        int
	parts       int
	run         func(task, worker int)
}

const (
	togetherSamples = 16 // fewer than these; more are divided among the threads
	closely         = 15 * time.Microsecond
)

// brisk reports whether the last prediction was just before this one. The caller holds poolRun.
func (m *Model) brisk() bool {
	if m.together != nil && m.pool.Awake() {
		return true
	}
	now := time.Since(began)
	last := m.predicted
	m.predicted = now
	return last > 0 && now-last < closely
}

// began is what times are counted from.
var began = time.Now()

func newTogether(m *Model, p *pool.Pool) *together {
	t := &together{passage: newPassage(m, togetherSamples), parts: p.Threads()}
	t.run = func(task, _ int) {
		in, values := t.in, t.passage.values
		panels := values[t.first].panels()
		for i := t.first; i < t.last; i++ {
			m.entries[i].node.infer(in, values[i], block{0, t.rows, task * panels / t.parts, (task + 1) * panels / t.parts}, nil)
			in = values[i]
		}
	}
	return t
}

// predictTogether predicts n samples. The caller holds poolRun and its thread.
func (m *Model) predictTogether(dst, x []float32, n int) error {
	p, err := m.threadPool()
	if err != nil {
		return err
	}
	if m.together == nil {
		m.together = newTogether(m, p)
	}
	t := m.together
	t.passage.forward(t.passage.load(x, 0, n), n, func(first, last int, in matrix, rows int) {
		t.first, t.last, t.in, t.rows = first, last, in, rows
		p.Run(t.parts, nil, false, t.run)
	})
	t.in = matrix{} // which may be the caller's memory
	t.passage.unload(dst, 0, n)
	return nil
}
