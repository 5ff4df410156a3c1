package jpeg

// A progressive file's seek points lie where the rows of MCUs begin, in each scan. A scan that refines
// goes by what those before it found in the same blocks, so all scans of a decoding
// begin at one row: the first that the region needs, if a decoding that met no error has seen where
// that begins in each of them.

// rowSeeker finds and uses a progressive file's seek points while it is decoded.
type rowSeeker struct {
	*SeekPoints     // nil: not used; else locked until done
	rows        int // of MCUs
	begin       int // the row at which scans begin
	reach       int // the last row whose begin all scans so far have told
	last        int // the last one of this scan
}

// scansKept is how many scans of a file have seek points; one with more has none. libjpeg writes 6
// in grey and 10 in color.
func (h *Header) scansKept() int {
	if h.n == 1 {
		return 8
	}
	return 14
}

// rowPoints is how many seek points a progressive file may have; 0 where they wouldn't help.
func (h *Header) rowPoints() int {
	rows := h.mcuRows()
	if rows < 4 {
		return 0
	}
	return rows * h.scansKept()
}

func (h *Header) mcuRows() int {
	_, maxV := h.MaxSampling()
	return ceilDiv(h.Height, 8*maxV)
}

// beginRows locks the decoder's seek points for a progressive file.
func (d *Decoder) beginRows() (s rowSeeker) {
	h, known := &d.image.Header, d.known
	if known == nil || !h.Progressive || d.lenient || d.allBlocks || len(d.file) > 1<<28 || h.SeekPointsBytes() == 0 || !known.mu.TryLock() {
		return s
	}
	known.belong(d.file, 0, h.rowPoints())
	s = rowSeeker{SeekPoints: known, rows: h.mcuRows()}
	s.begin, s.reach = known.ready, s.rows-1
	for i := range h.n {
		c := &d.comps[i]
		s.begin = min(s.begin, c.wanted.Min.Y/c.V)
	}
	return s
}

// done unlocks the seek points; without an error those found count from now on.
func (s *rowSeeker) done(sound bool) {
	if s.SeekPoints == nil {
		return
	}
	if sound {
		s.ready = max(s.ready, s.reach)
	}
	s.mu.Unlock()
	s.SeekPoints = nil
}

// skip tells that a scan isn't decoded, or has no seek points.
func (s *rowSeeker) skip() { s.reach = 0 }

// seek goes to where a scan begins, and returns the row's number. number counts scans from 0 on.
func (s *rowSeeker) seek(b *bits, p *scan, number int) (row int) {
	if s.last = s.begin; s.SeekPoints == nil {
		return 0
	}
	if number >= s.full/s.rows {
		s.skip()
		return 0
	}
	if end := (number + 1) * s.rows; end > len(s.list) {
		if cap(s.list) < s.full {
			s.list = append(make([]seekPoint, 0, s.full), s.list...)
		}
		s.list = s.list[:end]
	}
	if s.begin == 0 {
		return 0
	}
	point := &s.list[number*s.rows+s.begin]
	b.seek(point.bit)
	if p.kind == acFirst || p.kind == acRefine {
		p.eobRun = int(point.pred[0])
		return s.begin
	}
	for i := range p.n {
		p.comps[i].pred = int32(point.pred[i])
	}
	return s.begin
}

// found adds the seek point before a row of a scan.
func (s *rowSeeker) found(b *bits, p *scan, number, row int) {
	if s.SeekPoints == nil || number >= s.full/s.rows {
		return
	}
	bit, ok := b.offset()
	if !ok {
		s.skip()
		return
	}
	point := seekPoint{bit: bit}
	if p.kind == acFirst || p.kind == acRefine {
		point.pred[0] = int16(p.eobRun)
	} else {
		for i := range p.n {
			point.pred[i] = int16(p.comps[i].pred)
		}
	}
	s.list[number*s.rows+row] = point
	s.last = row
}

// end ends a scan.
func (s *rowSeeker) end() { s.reach = min(s.reach, s.last) }
