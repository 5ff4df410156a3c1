package warp

import "slices"

// tables are the kernels that a worker's last pictures were resized with: those of small pictures and
// of data sets of one size come again and again, and making one takes longer than using it.
type tables struct {
	small [8]table // of at most keptTable bytes, for pictures of several sizes in turn
	large [3]table // as many as a run has at a time: one across, two down
	clock int64
}

// keptTable is the bytes of a small table: one for 256 pixels of an enlarged picture fits. All of a
// worker take at most eight times as many.
const keptTable = 16 << 10

// table is a kernel, in memory of its own.
type table struct {
	kernel
	key   tableKey
	used  int64 // by the clock
	first int   // of planes: the sample that the kernel counts from
	last  int   // what it reads ends before that one, counted from first

	places, values []int32
	pairs          []int32
}

// tableKey is all that a table depends on.
type tableKey struct {
	axis          axis
	filter        Filter
	n             int
	after, before line
	of            tableOf
	from          int // of pixels: what they are counted from
}

// tableOf is what a table is for.
type tableOf uint8

const (
	ofRows   tableOf = iota + 1 // as axis.kernel makes it
	ofPixels                    // starts and ends are bytes of RGB
	ofPlanes                    // weights have planeBits, and starts count from the first sample that is read
)

// table finds a kernel, or makes it. Of a run, the last three stay as they are.
func (m *scratch) table(key tableKey) *table {
	ts := &m.tables
	ts.clock++
	list := ts.small[:]
	if key.bytes() > keptTable {
		list = ts.large[:]
	}
	oldest := &list[0]
	for i := range list {
		t := &list[i]
		if t.key == key {
			t.used = ts.clock
			return t
		}
		if t.used < oldest.used {
			oldest = t
		}
	}
	oldest.key, oldest.used = tableKey{}, ts.clock
	oldest.make(key, m)
	oldest.key = key
	return oldest
}

// bytes is the most that a table takes.
func (key *tableKey) bytes() int {
	most := int(float64(2*key.filter.support())*max(key.axis.scale, 1)) + 4
	return 4 * key.n * (2 + 2*most)
}

func (t *table) make(key tableKey, m *scratch) {
	t.kernel = key.axis.kernel(key.filter, key.n, key.after, key.before, &t.places, &t.values, &m.reals)
	t.first, t.last = 0, 0
	switch key.of {
	case ofPlanes:
		t.narrow()
		t.first, t.last = t.fromFirst()
		t.last -= t.first
		t.pack(&t.pairs, 1, 1, halves)
	case ofPixels:
		for i := range t.starts {
			t.starts[i] = 3 * (t.starts[i] - int32(key.from))
			t.ends[i] = 3 * (t.ends[i] - int32(key.from))
		}
		t.pack(&t.pairs, 3, 2, splitHalves)
	default:
		t.pack(&t.pairs, 1, 2, splitHalves)
	}
}

// pack makes packed of all weights, where taps lie step columns apart: as many pairs for each output
// pixel, of size words.
func (k *kernel) pack(buf *[]int32, step, size int, halves func(dst, weights []int32)) {
	most := int32(0)
	for i, start := range k.starts {
		if start < 0 || start >= k.ends[i] {
			panic("warp: a kernel without taps, or with some before its first")
		}
		most = max(most, k.ends[i]-start)
	}
	if !withAssembly || k.wide {
		k.packed, k.packing = nil, 0
		return
	}
	k.packing = (int(most)/step + 1) / 2 * size
	k.packed = sized(buf, len(k.starts)*k.packing)
	for i := range k.starts {
		halves(k.packed[i*k.packing:][:k.packing], k.weights[i*k.most:][:k.usual])
	}
}

// within checks that no tap lies behind the n columns that there are.
func (k *kernel) within(n int) {
	if int(slices.Max(k.ends)) > n {
		panic("warp: a tap outside its row")
	}
}

// halves is pairs of weights in the halves of words.
func halves(dst, weights []int32) {
	for i := range dst {
		dst[i] = weights[2*i]&0xffff | weights[2*i+1]<<16
	}
}

// splitHalves is halves of two parts of each weight: its 15 lower bits, and the others.
func splitHalves(dst, weights []int32) {
	const low = 1<<15 - 1
	for i := 0; i+2 <= len(dst); i += 2 {
		a, b := weights[i], weights[i+1]
		dst[i], dst[i+1] = a&low|b&low<<16, a>>15&0xffff|b>>15<<16
	}
}
