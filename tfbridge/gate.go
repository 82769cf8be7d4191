//go:build cgo

package tfbridge

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// gate lets so many calls run at once and owns what they run in. The one that was used last is used next: its memory is in
// the processor's caches.
type gate struct {
	tokens chan struct{}
	closed chan struct{}
	once   sync.Once

	mu        sync.Mutex
	idle      []*call
	abandoned int // calls that run though nobody waits for them
}

func newGate(n int) *gate {
	return &gate{tokens: make(chan struct{}, n), closed: make(chan struct{})}
}

// ended returns why nothing can be begun under a context; nil if it can.
func ended(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("%w: the context is nil; context.Background() never ends", ErrInput)
	}
	return ctx.Err()
}

// enter waits for its turn and returns a call to run in; leave gives it back.
func (g *gate) enter(ctx context.Context) (*call, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	select {
	case g.tokens <- struct{}{}:
	default:
		select {
		case g.tokens <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-g.closed:
			return nil, ErrClosed
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed() {
		<-g.tokens
		return nil, ErrClosed
	}
	n := len(g.idle) - 1
	if n < 0 {
		return newCall(), nil
	}
	c := g.idle[n]
	g.idle = g.idle[:n]
	return c, nil
}

func (g *gate) leave(c *call) {
	g.mu.Lock()
	g.idle = append(g.idle, c)
	g.mu.Unlock()
	<-g.tokens
}

func (g *gate) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

// abandon notes that nobody waits for a call that runs; rejoin gives it back when it has ended.
func (g *gate) abandon() {
	g.mu.Lock()
	g.abandoned++
	g.mu.Unlock()
}

func (g *gate) rejoin(c *call) {
	g.reclaim()
	g.leave(c)
}

// reclaim takes an abandon back.
func (g *gate) reclaim() {
	g.mu.Lock()
	g.abandoned--
	g.mu.Unlock()
}

// close turns new calls away, waits for those that run, and frees what they ran in. When only abandoned calls are left it
// interrupts them. When it returns, nothing runs.
func (g *gate) close(interrupt func()) {
	g.once.Do(func() {
		g.mu.Lock()
		close(g.closed)
		g.mu.Unlock()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for gone := 0; gone < cap(g.tokens); {
			select {
			case g.tokens <- struct{}{}:
				gone++
			case <-tick.C:
				g.mu.Lock()
				left := g.abandoned
				g.mu.Unlock()
				if left > 0 && gone+left == cap(g.tokens) {
					interrupt()
				}
			}
		}
		for _, c := range g.idle {
			c.free()
		}
		g.idle = nil
	})
}
