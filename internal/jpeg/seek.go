package jpeg

import (
	"hash/maphash"
	"image"
	"math"
	"sync"
)

// noMCU is a number that no MCU has.
const noMCU = math.MaxInt

// SeekPoints are places in a file's entropy-coded data at which decoding can begin, about
// every 128 pixels along each row of MCUs: what restart markers would give. Decoding
// finds them on its way, so that the next decoding of the same file goes straight to its
// region. Sequential files of one scan without restart markers have them, and, at the first MCU
// of each row of each scan, progressive ones (rows.go). Those found
// before an error are dropped, so a result never depends on which are known.
//
// The zero value has none. Decoders of several goroutines may share one value: one of
// them uses it at a time, the others do without.
type SeekPoints struct {
	mu    sync.Mutex
	seed  maphash.Seed
	sum   uint64      // hash of the file that they belong to
	every int         // MCUs from one to the next
	list  []seekPoint // those known: row after row, without gaps
	full  int         // how many the file has; of a progressive one, how many are kept at most
	ready int         // progressive: row of MCUs up to which all scans have theirs
}

// seekPoint is the decoder's state before an MCU.
type seekPoint struct {
	bit  uint32   // offset of the next bit in the scan's data
	pred [3]int16 // DC predictors
}

// SeekPointsBytes is the memory that a file's seek points take, once all are known; 0 where
// they can't be used, or the picture is so small that they wouldn't help.
func (h *Header) SeekPointsBytes() int64 {
	maxH, maxV := h.MaxSampling()
	if h.n == 1 {
		maxH, maxV = 1, 1 // an MCU is a block
	}
	columns, rows := ceilDiv(h.Width, 8*maxH), ceilDiv(h.Height, 8*maxV)
	switch {
	case h.RestartInterval > 0 || h.n > 3:
		return 0
	case h.Progressive:
		return 12 * int64(h.rowPoints())
	case rows < 8:
		return 0
	}
	return 12 * int64(rows) * int64(ceilDiv(columns, h.seekPointEvery()))
}

// seekPointEvery is how many MCUs lie from one seek point to the next.
func (h *Header) seekPointEvery() int {
	if h.n == 1 {
		return 16
	}
	maxH, _ := h.MaxSampling()
	return max(16/maxH, 1)
}

// seeker finds and uses a file's seek points while a scan is decoded.
type seeker struct {
	*SeekPoints        // nil: not used; else locked until done
	columns, inRow int // MCUs and seek points in a row of MCUs
	next           int // MCU of the next seek point to be found
}

// seeker locks the decoder's seek points for a scan.
func (d *Decoder) seeker(p *scan, columns, rows int) (s seeker) {
	h, known := &d.image.Header, d.known
	if known == nil || p.kind != sequential || p.n != h.n || p.n > 3 || h.RestartInterval > 0 ||
		d.lenient || len(d.file) > 1<<28 || !known.mu.TryLock() {
		return s
	}
	every := h.seekPointEvery()
	s = seeker{SeekPoints: known, columns: columns, inRow: ceilDiv(columns, every)}
	known.belong(d.file, every, s.inRow*rows)
	s.next = s.mcu(len(known.list))
	return s
}

// belong forgets all if they are of another file.
func (s *SeekPoints) belong(file []byte, every, full int) {
	if s.full == 0 {
		s.seed = maphash.MakeSeed()
	}
	if sum := maphash.Bytes(s.seed, file); sum != s.sum || full != s.full || every != s.every {
		s.sum, s.every, s.full, s.list, s.ready = sum, every, full, s.list[:0], 0
	}
}

func (s *seeker) known() int {
	if s.SeekPoints == nil {
		return 0
	}
	return len(s.list)
}

// done unlocks the seek points. After an error those found since are dropped: before is
// how many there were.
func (s *seeker) done(before int, err error) {
	if s.SeekPoints != nil {
		if err != nil {
			s.list = s.list[:before]
		}
		s.mu.Unlock()
	}
}

// mcu is the number of the MCU behind the k-th seek point; noMCU if there is no such point.
func (s *seeker) mcu(k int) int {
	if k >= s.full {
		return noMCU
	}
	return k/s.inRow*s.columns + k%s.inRow*s.every
}

// found adds the seek point before MCU at, if that is the next to be found.
func (s *seeker) found(b *bits, p *scan, at int) {
	if s.SeekPoints == nil || at != s.next {
		return
	}
	bit, ok := b.offset()
	if !ok {
		s.next = noMCU
		return
	}
	pt := seekPoint{bit: bit}
	for i := range p.n {
		pt.pred[i] = int16(p.comps[i].pred)
	}
	if cap(s.list) < s.full {
		s.list = append(make([]seekPoint, 0, s.full), s.list...)
	}
	s.list = append(s.list, pt)
	s.next = s.mcu(len(s.list))
}

// ahead is how many MCUs from at on can be decoded before a seek point is to be found.
func (s *seeker) ahead(at int) int {
	if s.SeekPoints == nil {
		return noMCU
	}
	return s.next - at
}

// seek goes to the last known seek point up to the wanted MCU, if that is ahead of MCU
// at, and returns the number of the MCU that comes next.
func (s *seeker) seek(b *bits, p *scan, at, wanted int) int {
	if s.SeekPoints == nil || len(s.list) == 0 {
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

// offset is the next bit's in the data; false if the data has ended.
func (b *bits) offset() (bit uint32, ok bool) {
	pos := b.consumed()
	if unused := (b.n - b.pad) % 8; unused > 0 {
		return uint32(b.before(pos))<<3 + 8 - uint32(unused), !b.overrun()
	}
	return uint32(pos) << 3, !b.overrun()
}

// seek goes to a bit of the data.
func (b *bits) seek(bit uint32) {
	b.jump(int(bit >> 3))
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
