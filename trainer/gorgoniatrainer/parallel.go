package gorgoniatrainer

import (
	"sync"
	"sync/atomic"
)

// team runs jobs on a number of goroutines. Which worker gets which job is
// arbitrary, so a job writes only to memory of its own; sums over jobs are made
// afterwards, in the jobs' order. So no byte depends on the number of workers.
type team struct{ workers int }

// run calls do(worker, job) for the jobs 0..n-1, worker being below
// t.workers, and returns when all are done.
func (t team) run(n int, do func(worker, job int)) {
	workers := min(t.workers, n)
	if workers <= 1 {
		for job := range n {
			do(0, job)
		}
		return
	}
	var next atomic.Int64
	work := func(worker int) {
		for {
			job := int(next.Add(1)) - 1
			if job >= n {
				return
			}
			do(worker, job)
		}
	}
	var wait sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		wait.Go(func() { work(worker) })
	}
	work(0)
	wait.Wait()
}

// slab is memory that grows to the largest request and is then reused. The graphs
// of all shapes share it, since only one of them runs at a time.
type slab[T any] struct{ data []T }

// take gives n elements, with whatever they held before.
func (s *slab[T]) take(n int) []T {
	if cap(s.data) < n {
		s.data = make([]T, n)
	}
	return s.data[:n]
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }
