package flow

import "sync"

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
	mu   sync.Mutex
	list []*departure
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
