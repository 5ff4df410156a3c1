package flow

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// mostRefills is the number of other samples that are tried for a draw.
const mostRefills = 16

// refillRevision is that of how they are chosen.
const refillRevision = 1

// refills finds substitutes for samples that fail: others of their class, which
// is their label in the tasks that are balanced, or in all tasks; others of their group,
// where the balancing stage has groups of its own.
type refills struct {
	key       rng.Key
	index     schema.Index
	tasks     []int
	selection []int
	groups    func() *stages.Groups // nil, or its result is: classes

	once    sync.Once
	members map[string][]int // samples of the selection, by class; made when first needed
}

func (f *refills) class(sample int) string {
	var b []byte
	if f.groups != nil {
		if g := f.groups(); g != nil {
			return string(binary.LittleEndian.AppendUint64(b, uint64(g.Of(sample))))
		}
	}
	for _, t := range f.tasks {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.index.Label(t, sample)))
	}
	return string(b)
}

// other draws a sample of the same class for an attempt, 1 and up: neither the sample itself nor
// one that was drawn for an attempt before it. rand has the random numbers of each attempt. So a
// draw fails only if each of the class's samples does, or mostRefills of them.
func (f *refills) other(sample, attempt int, rand func(attempt int) *rng.Stream) (int, bool) {
	f.once.Do(func() {
		f.members = map[string][]int{}
		for _, s := range f.selection {
			c := f.class(s)
			f.members[c] = append(f.members[c], s)
		}
	})
	members := f.members[f.class(sample)]
	if attempt >= len(members) {
		return 0, false
	}
	tried := append(make([]int, 0, mostRefills), slices.Index(members, sample)) // in rising order
	for k := 1; ; k++ {
		i, at := rand(k).IntN(len(members)-len(tried)), 0
		for ; at < len(tried) && tried[at] <= i; at++ {
			i++
		}
		if k == attempt {
			return members[i], true
		}
		tried = slices.Insert(tried, at, i)
	}
}
