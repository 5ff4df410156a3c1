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

// other draws a sample of the same class, but not the sample itself.
func (f *refills) other(sample int, rand *rng.Stream) (int, bool) {
	f.once.Do(func() {
		f.members = map[string][]int{}
		for _, s := range f.selection {
			c := f.class(s)
			f.members[c] = append(f.members[c], s)
		}
	})
	members := f.members[f.class(sample)]
	if len(members) < 2 {
		return 0, false
	}
	i := rand.IntN(len(members) - 1)
	if i >= slices.Index(members, sample) {
		i++
	}
	return members[i], true
}
