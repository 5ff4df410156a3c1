package jpeg

import (
	"hash/maphash"
	"image"
	"sync"
)

// Points are places in a file's entropy-coded data at which decoding can begin, about
// every 128 pixels along each row of MCUs: what restart markers would give. Decoding
// finds them on its way, so that the next one of the same file goes straight to its
// region. They hold for sequential files of one scan without restart markers, and only
// as far as a decoding came without an error: so it makes no difference to a result
// whether they are known.
//
// The zero value knows none. Decoders of several goroutines may be given the same;
// one of them uses it at a time, the others do without.
type Points struct {
	mu    sync.Mutex
	seed  maphash.Seed
	sum   uint64  // of the file they are of
	every int     // MCUs
	list  []point // row after row, without gaps
	full  int     // how many the file has
}

// point is a place: where the next bit is, and the DC predictors.
type point struct {
	bit  uint32 // of the scan's data
	pred [3]int16
}

// PointsBytes is the memory that the points of a file take, once all are known; 0 where
// they can't be used, or the picture is so small that they wouldn't help.
func (h *Header) PointsBytes() int64 {
	maxH, maxV := h.MaxSampling()
	columns, rows := ceilDiv(h.Width, 8*maxH), ceilDiv(h.Height, 8*maxV)
	if h.Progressive || h.RestartInterval > 0 || h.n > 3 || rows < 8 {
		return 0
	}
	return 12 * int64(rows) * int64(ceilDiv(columns, pointEvery(maxH)))
}

func pointEvery(maxH int) int { return max(16/maxH, 1) }

// seeker uses a file's points while a scan is decoded.
type seeker struct {
	*Points        // nil: there are none
	columns, inRow int
	next           int // the number of the next point to find
}

// seeker begins with a scan, and holds its points until done.
func (d *Decoder) seeker(p *scanParams, columns, rows int) (s seeker) {
	h, known := &d.image.Header, d.known
	if known == nil || p.kind != sequential || p.n != h.n || p.n > 3 || h.RestartInterval > 0 ||
		len(d.file) > 1<<28 || !known.mu.TryLock() {
		return s
	}
	if known.full == 0 {
		known.seed = maphash.MakeSeed()
	}
	maxH, _ := h.MaxSampling()
	every := pointEvery(maxH)
	s = seeker{Points: known, columns: columns, inRow: ceilDiv(columns, every)}
	if sum := maphash.Bytes(known.seed, d.file); sum != known.sum || s.inRow*rows != known.full || every != known.every {
		known.sum, known.every, known.full, known.list = sum, every, s.inRow*rows, known.list[:0]
	}
	s.next = s.mcu(len(known.list))
	return s
}

func (s *seeker) known() int {
	if s.Points == nil {
		return 0
	}
	return len(s.list)
}

// done lets others have the points; those found on the way to an error are forgotten.
func (s *seeker) done(before int, err error) {
	if s.Points != nil {
		if err != nil {
			s.list = s.list[:before]
		}
		s.mu.Unlock()
	}
}

// mcu is the number of a point's MCU; one that no scan has, where the point isn't.
func (s *seeker) mcu(point int) int {
	if point >= s.full {
		return 1 << 62
	}
	return point/s.inRow*s.columns + point%s.inRow*s.every
}

// found adds the point before an MCU, if it is the next one.
func (s *seeker) found(b *bits, p *scanParams, at int) {
	if s.Points == nil || at != s.next {
		return
	}
	bit, ok := b.place()
	if !ok {
		s.next = 1 << 62
		return
	}
	pt := point{bit: bit}
	for i := range p.n {
		pt.pred[i] = int16(p.comps[i].pred)
	}
	if cap(s.list) < s.full {
		s.list = append(make([]point, 0, s.full), s.list...)
	}
	s.list = append(s.list, pt)
	s.next = s.mcu(len(s.list))
}

// seek goes to the last known point up to the wanted MCU, if that is ahead of MCU at,
// and gives the MCU it stands before.
func (s *seeker) seek(b *bits, p *scanParams, at, wanted int) int {
	if s.Points == nil || len(s.list) == 0 {
		return at
	}
	k := min(wanted/s.columns*s.inRow+wanted%s.columns/s.every, len(s.list)-1)
	to := s.mcu(k)
	if to <= at {
		return at
	}
	b.seek(s.list[k].bit)
	for i := range p.n {
		p.comps[i].pred = int32(s.list[k].pred[i])
	}
	return to
}

// place is where the next bit is; not known behind the end of the data.
func (b *bits) place() (bit uint32, ok bool) {
	pos, n := b.pos, b.n
	for ; n >= 8; n -= 8 {
		pos = b.before(pos)
	}
	if n > 0 {
		pos = b.before(pos)
		return uint32(pos)<<3 + 8 - uint32(n), b.pad == 0
	}
	return uint32(pos) << 3, b.pad == 0
}

// before is where the byte begins that ends at pos.
func (b *bits) before(pos int) int {
	if pos >= 2 && b.data[pos-1] == 0 && b.data[pos-2] == 0xff {
		return pos - 2
	}
	return max(pos-1, 0)
}

// seek goes to a place.
func (b *bits) seek(bit uint32) {
	*b = bits{data: b.data, pos: int(bit >> 3)}
	if bit &= 7; bit > 0 {
		b.fill()
		b.acc <<= bit
		b.n -= uint(bit)
	}
}

// isIn is image.Point.In for the numbers of an MCU.
func isIn(mx, my int, r *image.Rectangle) bool {
	return r.Min.X <= mx && mx < r.Max.X && r.Min.Y <= my && my < r.Max.Y
}
