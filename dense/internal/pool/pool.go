// Package pool runs the phases of a training step on a fixed set of threads.
//
// A phase is a number of independent tasks. Each worker has a range of them that is its own in every phase of that shape,
// so that the data a task touches tends to stay in that core's caches; a worker that has done its range takes tasks from
// the ends of the others' ranges, so that a core which is busy elsewhere does less of the work.
//
//	worker 0  [0 1 2 3 ▸ 4 5 6]      own tasks from the front …
//	worker 1  [7 8 9 ▸ 10 11 ◂ 12]   … others' from the back
//
// Which worker runs a task must not matter to the result: tasks write to separate places and sum in an order of their own.
//
// Workers spin between phases for a fraction of a millisecond, then sleep. While a phase runs, every worker is locked to
// its thread, on which subnormal numbers count as zero (as in TensorFlow).
package pool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cambium-go/cambium/dense/internal/kernel"
)

// MaxTasks is the largest number of tasks in a phase.
const MaxTasks = 1<<16 - 1

// Pool is a fixed set of workers, of which the goroutine that calls Run is the first. One goroutine at a time may use it.
type Pool struct {
	task    func(task, worker int) // of the running phase
	phase   uint32
	pending atomic.Int64 // tasks of the phase that are not done yet
	done    func() bool  // whether there are none
	ranges  []span
	closed  atomic.Bool
	workers sync.WaitGroup
	state   uint32 // floating-point state to restore after a session
}

// span is a worker's tasks that nobody has taken: phase<<32 | first<<16 | end.
type span struct {
	_      [64]byte
	word   atomic.Uint64
	asleep atomic.Bool
	wake   chan struct{}
	_      [40]byte
}

// New returns a pool of the given number of threads (0: GOMAXPROCS) and starts all but the first.
func New(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{ranges: make([]span, threads)}
	p.ranges[0].wake = make(chan struct{}, 1)
	p.done = func() bool { return p.pending.Load() == 0 }
	for i := 1; i < threads; i++ {
		p.ranges[i].wake = make(chan struct{}, 1)
		p.workers.Add(1)
		go p.work(i)
	}
	return p
}

// Threads returns the number of workers, the caller of Run included.
func (p *Pool) Threads() int { return len(p.ranges) }

// Awake reports whether no worker sleeps.
func (p *Pool) Awake() bool {
	for i := 1; i < len(p.ranges); i++ {
		if p.ranges[i].asleep.Load() {
			return false
		}
	}
	return true
}

// Close stops the workers and waits for them. The pool must be idle.
func (p *Pool) Close() {
	if p.closed.Swap(true) {
		return
	}
	for i := 1; i < len(p.ranges); i++ {
		p.rouse(i)
	}
	p.workers.Wait()
}

// Begin prepares the calling goroutine for a series of Runs; End must follow on the same goroutine.
func (p *Pool) Begin() {
	runtime.LockOSThread()
	p.state = kernel.FlushDenormals()
}

// End undoes Begin.
func (p *Pool) End() {
	kernel.Restore(p.state)
	runtime.UnlockOSThread()
}

// Run calls task(0, w) … task(tasks-1, w), w being the worker that runs it, and returns when all have returned.
// bounds, [threads+1], says which tasks are whose at first; nil divides them evenly. With alone the caller does everything:
// cheaper for little work.
func (p *Pool) Run(tasks int, bounds []int32, alone bool, task func(task, worker int)) {
	threads := len(p.ranges)
	if alone || tasks <= 1 || threads == 1 {
		for i := range tasks {
			task(i, 0)
		}
		return
	}
	p.task = task
	p.pending.Store(int64(tasks))
	p.phase++
	for w := threads - 1; w >= 0; w-- {
		first, end := w*tasks/threads, (w+1)*tasks/threads
		if bounds != nil {
			first, end = int(bounds[w]), int(bounds[w+1])
		}
		p.ranges[w].word.Store(uint64(p.phase)<<32 | uint64(first)<<16 | uint64(end))
		if w > 0 && p.ranges[w].asleep.Load() {
			p.rouse(w)
		}
	}
	p.drain(0)
	p.ranges[0].wait(p.done)
}

// rouse wakes worker w if it sleeps or is about to.
func (p *Pool) rouse(w int) {
	select {
	case p.ranges[w].wake <- struct{}{}:
	default:
	}
}

// drain runs tasks, its own first, until none is left to take.
func (p *Pool) drain(w int) {
	done := 0
	for {
		t, ok := p.ranges[w].takeFirst()
		for i := 1; !ok && i < len(p.ranges); i++ {
			t, ok = p.ranges[(w+i)%len(p.ranges)].takeLast()
		}
		if !ok {
			break
		}
		p.task(t, w) // a taken task keeps its phase open, so p.task is that phase's
		done++
	}
	if done > 0 && p.pending.Add(int64(-done)) == 0 && p.ranges[0].asleep.Load() {
		p.rouse(0)
	}
}

func (s *span) takeFirst() (int, bool) {
	for {
		v := s.word.Load()
		first, end := v>>16&0xffff, v&0xffff
		if first >= end {
			return 0, false
		}
		if s.word.CompareAndSwap(v, v+1<<16) {
			return int(first), true
		}
	}
}

func (s *span) takeLast() (int, bool) {
	for {
		v := s.word.Load()
		first, end := v>>16&0xffff, v&0xffff
		if first >= end {
			return 0, false
		}
		if s.word.CompareAndSwap(v, v-1) {
			return int(end - 1), true
		}
	}
}

func (s *span) empty() bool {
	v := s.word.Load()
	return v>>16&0xffff >= v&0xffff
}

// patience is how long a worker spins before it sleeps. Waiting longer than this means that a core is busy with something
// else: the one that waits gives up its own core, so that the system can move the one that it waits for there.
const patience = 20 * time.Microsecond

func (p *Pool) work(w int) {
	defer p.workers.Done()
	runtime.LockOSThread()
	kernel.FlushDenormals() // the thread ends with its goroutine
	own := &p.ranges[w]
	ready := func() bool { return !own.empty() || p.closed.Load() }
	for {
		own.wait(ready)
		if p.closed.Load() {
			return
		}
		p.drain(w)
	}
}

// wait returns once ready does: it spins for a while, then sleeps until rouse.
func (s *span) wait(ready func() bool) {
	var since time.Time
	for spins := 0; !ready(); spins++ {
		kernel.Pause()
		if spins%128 != 127 {
			continue
		}
		if since.IsZero() {
			since = time.Now()
		} else if time.Since(since) > patience {
			s.asleep.Store(true)
			if !ready() {
				<-s.wake
			}
			s.asleep.Store(false)
			since = time.Time{}
		}
	}
}
