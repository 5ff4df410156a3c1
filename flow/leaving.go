package flow

import (
	"context"
	"sync"
)

// departure is what is known of a batch on its way from batch to the sink.
type departure struct {
	job      job
	outcomes []outcome
	variants int     // in which it has not left yet
	picks    []int   // all of them
	reserved []int64 // bytes, for each of them
}

// leaving are the batches between batch and the sink, in order.
type leaving struct {
	mu      sync.Mutex
	list    []*departure
	emptied chan struct{} // closed when the last one has left; nil: nobody waits for that
}

// wait returns once all batches have left, or the run has ended.
func (l *leaving) wait(ctx context.Context) {
	l.mu.Lock()
	if len(l.list) == 0 {
		l.mu.Unlock()
		return
	}
	emptied := make(chan struct{})
	l.emptied = emptied
	l.mu.Unlock()
	select {
	case <-emptied:
	case <-ctx.Done():
	}
}

func (l *leaving) push(d *departure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, d)
}

// departed notes that a variant of the oldest batch has left, and returns the batch if it
// was the last one.
func (l *leaving) departed() *departure {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 {
		return nil
	}
	d := l.list[0]
	if d.variants--; d.variants > 0 {
		return nil
	}
	l.list[0] = nil
	l.list = l.list[1:]
	if len(l.list) == 0 && l.emptied != nil {
		close(l.emptied)
		l.emptied = nil
	}
	return d
}

// find returns what is known of a batch.
func (l *leaving) find(epoch int, number int64) *departure {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.list {
		if d.job.epoch == epoch && d.job.number == number {
			return d
		}
	}
	return nil
}
