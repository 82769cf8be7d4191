package pool

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRunsEveryTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 7} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			p := New(threads)
			defer p.Close()
			require.Equal(t, threads, p.Threads())
			p.Begin()
			defer p.End()
			for _, tasks := range []int{0, 1, 2, 3, 50, 1000} {
				for range 50 {
					counts := make([]atomic.Int32, tasks)
					p.Run(tasks, nil, false, func(task, worker int) {
						counts[task].Add(1)
						if worker < 0 || worker >= threads {
							panic("worker out of range")
						}
					})
					for i := range counts {
						require.EqualValues(t, 1, counts[i].Load(), "task %d of %d", i, tasks)
					}
				}
			}
		})
	}
}

// TestPhasesFollow shows that each phase sees all that the one before wrote, through sleep and wake.
func TestPhasesFollow(t *testing.T) {
	p := New(4)
	defer p.Close()
	values := make([]int, 64)
	for phase := range 400 {
		p.Run(len(values), nil, false, func(task, _ int) {
			if values[task] != phase {
				panic("stale value")
			}
			values[task]++
		})
		if phase%100 == 50 {
			time.Sleep(2 * time.Millisecond) // workers fall asleep
		}
		if phase%3 == 0 { // a phase on the caller alone
			p.Run(1, nil, true, func(_, worker int) {
				if worker != 0 {
					panic("not alone")
				}
			})
		}
	}
	for _, v := range values {
		require.Equal(t, 400, v)
	}
}

func TestBounds(t *testing.T) {
	p := New(2)
	defer p.Close()
	var ran atomic.Int32
	p.Run(10, []int32{0, 1, 10}, false, func(int, int) { ran.Add(1) })
	require.EqualValues(t, 10, ran.Load())
}

// TestStealing shows that a worker held up in one task does not hold up the tasks behind it.
func TestStealing(t *testing.T) {
	p := New(2)
	defer p.Close()
	var others atomic.Int32
	p.Run(20, nil, false, func(task, _ int) {
		if task == 0 { // waits until all others are done
			for others.Load() < 19 {
				runtime.Gosched()
			}
		}
		others.Add(1)
	})
	require.EqualValues(t, 20, others.Load())
}

func TestCloseTwice(t *testing.T) {
	before := runtime.NumGoroutine()
	p := New(5)
	p.Run(100, nil, false, func(int, int) {})
	p.Close()
	p.Close()
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}
