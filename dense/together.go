package dense

import (
	"time"

	"github.com/cambium-go/cambium/dense/internal/pool"
)

// together is the memory of predicting few samples with several threads, which share the panels of each large layer. Waking a
// thread takes longer than that saves, so it is done only where predictions follow each other so closely that the threads are
// still awake from the one before.
type together struct {
	passage *passage
	node    *denseNode
	in, out matrix
	rows    int
	parts   int
	run     func(task, worker int)
}

const (
	togetherSamples = 16 // fewer than these; more are divided among the threads
	closely         = 15 * time.Microsecond
)

// brisk reports whether the last prediction began just before this one, and is over.
func (m *Model) brisk(predictions int64) bool {
	now := time.Since(began)
	last := time.Duration(m.predicted.Swap(int64(now)))
	return predictions == 1 && last > 0 && now-last < closely
}

// began is what times are counted from.
var began = time.Now()

func newTogether(m *Model, p *pool.Pool) *together {
	t := &together{passage: newPassage(m, togetherSamples)}
	t.run = func(task, _ int) {
		panels := t.out.panels()
		t.node.infer(t.in, t.out, block{0, t.rows, task * panels / t.parts, (task + 1) * panels / t.parts}, nil)
	}
	t.parts = p.Threads()
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
	t.passage.load(x, 0, n)
	t.passage.forward(n, func(d *denseNode, in, out matrix, rows int) {
		t.node, t.in, t.out, t.rows = d, in, out, rows
		p.Run(t.parts, nil, false, t.run)
	})
	t.passage.unload(dst, 0, n)
	return nil
}
