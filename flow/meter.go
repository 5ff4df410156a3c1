package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// busy adds up time, from many goroutines.
type busy struct{ ns atomic.Int64 }

// add counts the time since begin and returns now.
func (b *busy) add(begin time.Time) time.Time {
	now := time.Now()
	b.ns.Add(int64(now.Sub(begin)))
	return now
}

func (b *busy) seconds() float64 { return time.Duration(b.ns.Load()).Seconds() }

// meter measures one operator. The time of each of its goroutines is busy,
// starved (waiting for input) or blocked (waiting to hand on); what is missing
// to the whole lies before its first and after its last element.
type meter struct {
	name                   string
	workers                int
	busy, starved, blocked busy
	items                  atomic.Int64 // rows or batches that it finished

	capacity         int // of the queue in front of it; 0: none
	queued, observed atomic.Int64
}

// queue notes how many elements wait in front of the operator.
func (m *meter) queue(waiting int) {
	m.queued.Add(int64(waiting))
	m.observed.Add(1)
}

func (m *meter) report(elapsed time.Duration) Operator {
	whole := max(elapsed.Seconds()*float64(m.workers), 1e-9)
	share := func(b *busy) float64 { return min(b.seconds()/whole, 1) }
	return Operator{
		Name: m.name, Workers: m.workers, Items: m.items.Load(),
		Busy: share(&m.busy), Starved: share(&m.starved), Blocked: share(&m.blocked),
		Queue:         float64(m.queued.Load()) / float64(max(m.observed.Load(), 1)),
		QueueCapacity: m.capacity,
	}
}

// bottleneck says what a run waits for: the operator that is busiest, or the
// memory budget. waited is the share of the time in which admission waited for
// bytes.
//
//	decode: 94 % busy on 2 workers; the sink waited 0 %
//	decode 60 %, transform 34 % busy on 2 workers; the sink waited 0 %
//	sink: 96 % busy; the workers 20 %
func bottleneck(operators []Operator, waited float64) string {
	worst, workers, sink := operators[0], operators[1], operators[len(operators)-1]
	for _, o := range operators {
		if o.Busy > worst.Busy {
			worst = o
		}
	}
	switch {
	case waited > 0.5 && sink.Busy < 0.5:
		return fmt.Sprintf("memory: the next row waited %.0f %% of the time for the byte budget; %s", 100*waited, worst.doing())
	case worst.Name == sink.Name:
		return fmt.Sprintf("%s; the workers %.0f %%", worst.doing(), 100*workers.Busy)
	}
	return fmt.Sprintf("%s; the sink waited %.0f %%", worst.doing(), 100*sink.Starved)
}

// doing says how busy an operator is, and with what: its only or by far largest
// part, or each that counts.
func (o Operator) doing() string {
	on := ""
	switch {
	case o.Workers > 1 && o.Name == "read":
		on = fmt.Sprintf(" on %d readers", o.Workers)
	case o.Workers > 1:
		on = fmt.Sprintf(" on %d workers", o.Workers)
	}
	name := o.Name
	var parts []string
	for _, part := range slices.Sorted(maps.Keys(o.Of)) {
		switch share := o.Of[part]; {
		case share > 0.85*o.Busy:
			name = part
		case share > 0.15*o.Busy:
			parts = append(parts, fmt.Sprintf("%s %.0f %%", part, 100*share))
		}
	}
	if len(parts) > 1 {
		return strings.Join(parts, ", ") + " busy" + on
	}
	return fmt.Sprintf("%s: %.0f %% busy%s", name, 100*o.Busy, on)
}
