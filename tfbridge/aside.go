//go:build cgo

package tfbridge

import (
	"context"
	"sync/atomic"
)

// aside is a run in a goroutine of its own, so that its caller can go away while TensorFlow works on.
type aside struct {
	engine *engine
	plan   *plan
	rows   int

	run  func() // made once: starting it allocates nothing
	done chan error
	over atomic.Bool // the run has ended, or the caller has gone: the second one to say so cleans up
}

// start runs a plan aside; wait must follow.
func (c *call) start(e *engine, p *plan, rows int) {
	c.aside.engine, c.aside.plan, c.aside.rows = e, p, rows
	c.aside.over.Store(false)
	go c.aside.run()
}

// wait waits until the run or the context ends. If the run was abandoned, the call belongs to it.
func (c *call) wait(ctx context.Context) (abandoned bool, err error) {
	select {
	case err = <-c.aside.done:
		return false, err
	case <-ctx.Done():
		c.aside.engine.gate.abandon()
		if c.aside.over.CompareAndSwap(false, true) {
			return true, ctx.Err()
		}
		c.aside.engine.gate.reclaim()
		return false, <-c.aside.done
	}
}

func (c *call) runAside() {
	a := &c.aside
	err := c.run(a.plan, a.rows)
	if a.over.CompareAndSwap(false, true) {
		a.done <- err
		return
	}
	if err == nil {
		c.freeOutputs(a.plan)
	}
	a.engine.gate.rejoin(c)
}
