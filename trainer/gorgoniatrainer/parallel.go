package gorgoniatrainer

import (
	"sync"
	"sync/atomic"
)

// team runs tasks on a number of goroutines. Which worker gets which task is
// left to chance, so a task writes only what is its own; sums over tasks are
// made afterwards, in the tasks' order. That keeps every byte independent of
// the number of workers.
type team struct{ workers int }

// run calls do(worker, task) for the tasks 0..n-1, worker being below
// t.workers, and returns when all are done.
func (t team) run(n int, do func(worker, task int)) {
	workers := min(t.workers, n)
	if workers <= 1 {
		for task := range n {
			do(0, task)
		}
		return
	}
	var next atomic.Int64
	work := func(worker int) {
		for {
			task := int(next.Add(1)) - 1
			if task >= n {
				return
			}
			do(worker, task)
		}
	}
	var wait sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		wait.Go(func() { work(worker) })
	}
	work(0)
	wait.Wait()
}

// slab is memory that grows to the largest request and is then reused: graphs
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
