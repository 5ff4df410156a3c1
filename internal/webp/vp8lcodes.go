package webp

import (
	"errors"
	"fmt"
	"math/bits"
	"unsafe"
)

// A group has five prefix codes: for green, lengths of copies and colours of the cache; for the
// other channels; for distances.
const (
	greenCode = iota
	redCode
	blueCode
	alphaCode
	distanceCode
	codesOfGroup
)

const (
	literals    = 256
	lengthCodes = 24
	// cached is the symbol of the cache's first colour.
	cached        = literals + lengthCodes
	distanceCodes = 40
	maxCacheBits  = 11
	maxAlphabet   = cached + 1<<maxCacheBits
)

func alphabet(code int, cacheBits uint) int {
	switch {
	case code == distanceCode:
		return distanceCodes
	case code != greenCode:
		return literals
	case cacheBits > 0:
		return cached + 1<<cacheBits
	}
	return cached
}

const (
	rootBits  = 8  // that a table's first lookup takes at most
	maxLength = 15 // of a code word
	// groupEntries is more than the tables of a group ever have: 630 for each code of 256 words, 410
	// for distances, 2704 for green with the largest cache.
	groupEntries = 3*630 + 410 + 2704
)

// maxEntries is how many entries of tables are kept for a file of that many bytes and pixels. Encoders make far
// fewer; a file with more has its tables built again whenever they are needed.
func maxEntries(bytes, pixels int) int {
	return groupEntries + min(1<<rootBits*2*bytes, max(1<<16, min(pixels/4, 1<<17))+bytes/2)
}

// maxRebuilt is how many words and entries building tables again may take for a picture of that many pixels: about as
// long as decoding them, and some tenths of a second.
func maxRebuilt(pixels int) int { return 1<<25 + pixels }

// A code has a table of 2^rootBits entries, (value << 8 | bits), which the next bits find. Where a word is longer
// that is (second | distance << 8 | bits), the bits of all of these words at most: the word's entry has
// the distance from the first one and the following bits.
const second = 1 << 31

// group is the codes of some tiles of the picture.
type group struct {
	tables [codesOfGroup]uint32 // the first entry of each
	// literal is alpha, red and blue where their codes have one symbol each, so that they take no bits;
	// with green, where its code has one, too; else alpha, if its code has one.
	literal  uint32
	trivial  bool // literal has alpha, red and blue
	constant bool // literal is a whole pixel: there is nothing else, and no tables
	opaque   bool // literal has alpha
	kept     uint32
	from     int64 // where its codes are in the data, in bits
}

// leastGroup is how many bits a group takes at least.
const leastGroup = 4 * codesOfGroup

const groupBytes = int64(unsafe.Sizeof(group{}))

func (r *bitReader) position() int64 { return 8*int64(r.at) - int64(r.count) }

func (r *bitReader) seek(bit int64) {
	r.at, r.bits, r.count = int(bit/8), 0, 0
	r.fill()
	r.next(uint(bit % 8))
}

// codeReader reads prefix codes, and keeps their tables.
type codeReader struct {
	tables []uint32
	most   int // entries that tables may have
	// generation counts how often the tables were dropped because there were too many.
	generation uint32
	// rebuilt counts the words and entries of tables that were built again.
	rebuilt int
	// singles are the tables of codes of one symbol, by that: their first entry and 1, or 0.
	singles    [maxAlphabet]uint32
	lengths    [maxAlphabet]uint8
	sorted     [maxAlphabet]uint16
	counts     [maxLength + 1]uint16
	lengthCode [1 << 7]uint32
}

func (c *codeReader) reset(most int) {
	c.most, c.generation, c.rebuilt = most, 1, 0
	c.drop()
}

// drop drops all tables.
func (c *codeReader) drop() {
	c.tables = c.tables[:0]
	clear(c.singles[:])
}

var errCode = errors.New("damaged file: a prefix code that is incomplete or has too many words")

// lengthOrder is in which order the lengths of the code of lengths are stored.
var lengthOrder = [19]uint8{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// readGroup reads a group's codes. Where there is no room for their tables, or no use, it only
// checks them.
func (c *codeReader) readGroup(r *bitReader, g *group, cacheBits uint, build bool) error {
	if g != nil {
		*g = group{from: r.position()}
	}
	build = build && len(c.tables)+groupEntries <= c.most
	var single [codesOfGroup]int // the symbol of a code that has no other; else -1
	for i := range codesOfGroup {
		n := alphabet(i, cacheBits)
		if err := c.readLengths(r, n); err != nil {
			return err
		}
		longest, err := c.sort(n)
		if err != nil {
			return err
		}
		single[i] = -1
		if longest == 0 {
			single[i] = int(c.sorted[0])
		} else if build {
			g.tables[i] = c.build(longest)
		}
	}
	if g == nil {
		return nil
	}
	g.set(&single)
	if g.constant || !build {
		return nil
	}
	for i, symbol := range single {
		unused := g.trivial && redCode <= i && i <= alphaCode
		if symbol >= 0 && !unused {
			g.tables[i] = c.single(symbol)
		}
	}
	g.kept = c.generation
	return nil
}

// set finds the literal of codes of which some have a single symbol, or -1.
func (g *group) set(single *[codesOfGroup]int) {
	green, red, blue, alpha := single[greenCode], single[redCode], single[blueCode], single[alphaCode]
	g.opaque = alpha >= 0
	g.trivial = red >= 0 && blue >= 0 && g.opaque
	g.constant = g.trivial && green >= 0 && green < literals
	if g.opaque {
		g.literal = uint32(alpha) << 24
	}
	if g.trivial {
		g.literal |= uint32(red)<<16 | uint32(blue)
	}
	if g.constant {
		g.literal |= uint32(green) << 8
	}
}

// rebuild makes the tables of a group that has none any more.
func (c *codeReader) rebuild(r *bitReader, g *group, cacheBits uint) error {
	if len(c.tables)+groupEntries > c.most {
		c.drop()
		c.generation++
	}
	here, before := *r, len(c.tables)
	r.seek(g.from)
	err := c.readGroup(r, g, cacheBits, true)
	*r = here
	c.rebuilt += len(c.tables) - before
	for i := range codesOfGroup {
		c.rebuilt += alphabet(i, cacheBits)
	}
	return err
}

// single is the table of a code of one symbol, which all of them share.
func (c *codeReader) single(symbol int) (at uint32) {
	if c.singles[symbol] == 0 {
		first := len(c.tables)
		c.grow(1 << rootBits)
		for i := range c.tables[first:] {
			c.tables[first+i] = uint32(symbol) << 8
		}
		c.singles[symbol] = uint32(first) + 1
	}
	return c.singles[symbol] - 1
}

// readLengths reads the lengths of a code's n words.
func (c *codeReader) readLengths(r *bitReader, n int) error {
	lengths := c.lengths[:max(n, literals)]
	clear(lengths)
	r.fill()
	if r.next(1) != 0 { // one or two symbols
		two, wide := r.next(1), r.next(1)
		lengths[r.next(1+7*uint(wide))] = 1
		if two != 0 {
			lengths[r.next(8)] = 1
		}
		return nil
	}
	var ofLengths [19]uint8
	count := int(r.next(4)) + 4
	if count > len(lengthOrder) {
		return fmt.Errorf("damaged file: a code of %d lengths", count)
	}
	for _, symbol := range lengthOrder[:count] {
		ofLengths[symbol] = uint8(r.read(3))
	}
	copy(c.lengths[:], ofLengths[:])
	longest, err := c.sort(len(ofLengths))
	if err != nil {
		return err
	}
	table := c.lengthCode[:1<<longest]
	c.fillRoot(table, longest)
	clear(c.lengths[:len(ofLengths)])
	most := n
	if r.flag() {
		if most = 2 + int(r.read(2+2*uint(r.read(3)))); most > n {
			return fmt.Errorf("damaged file: %d lengths of a code of %d words", most, n)
		}
	}
	return readRepeated(r, lengths[:n], most, table)
}

// readRepeated reads at most that many lengths and repetitions.
func readRepeated(r *bitReader, lengths []uint8, most int, table []uint32) error {
	last := uint8(8)
	for i := 0; i < len(lengths) && most > 0; most-- {
		r.fill()
		e := table[int(r.bits)&(len(table)-1)]
		r.next(uint(e & 0xff))
		length := uint8(e >> 8)
		if length < 16 {
			lengths[i] = length
			i++
			if length != 0 {
				last = length
			}
			continue
		}
		repeated, times := uint8(0), 0
		switch length {
		case 16:
			repeated, times = last, 3+int(r.next(2))
		case 17:
			times = 3 + int(r.next(3))
		default:
			times = 11 + int(r.next(7))
		}
		if i+times > len(lengths) {
			return errors.New("damaged file: the lengths of a code's words go beyond its end")
		}
		if repeated != 0 {
			for j := range times {
				lengths[i+j] = repeated
			}
		}
		i += times
	}
	return nil
}

// sort lists the symbols of the code of n lengths by length, and returns the longest: 0 where there
// is one symbol only. It refuses codes that aren't complete.
func (c *codeReader) sort(n int) (longest uint, err error) {
	c.counts = [maxLength + 1]uint16{}
	for _, length := range c.lengths[:n] {
		c.counts[length&maxLength]++
	}
	var at [maxLength + 2]uint16
	open := 1
	for length := 1; length <= maxLength; length++ {
		count := int(c.counts[length])
		open = 2*open - count
		if open < 0 {
			return 0, errCode
		}
		at[length+1] = at[length] + uint16(count)
		if count > 0 {
			longest = uint(length)
		}
	}
	total := at[maxLength+1]
	if total == 0 || open > 0 && total > 1 {
		return 0, errCode
	}
	for symbol, length := range c.lengths[:n] {
		if length != 0 {
			c.sorted[at[length&maxLength]] = uint16(symbol)
			at[length&maxLength]++
		}
	}
	if total == 1 {
		return 0, nil
	}
	return longest, nil
}

// build makes the table of the sorted code, which has several symbols.
func (c *codeReader) build(longest uint) (at uint32) {
	root, first := min(longest, rootBits), len(c.tables)
	c.grow(1 << rootBits)
	symbols, word := c.fillRoot(c.tables[first:], root)
	for size := 1 << root; size < 1<<rootBits; size *= 2 {
		copy(c.tables[first+size:], c.tables[first:first+size])
	}
	if longest > root {
		c.fillBehind(first, symbols, word)
	}
	return uint32(first)
}

// growing is how many entries there are at once, those that grow copies included, where most is the limit.
func growing(most int) int { return most + most/2 }

// grow adds entries.
func (c *codeReader) grow(n int) {
	if need := len(c.tables) + n; need > cap(c.tables) {
		size := max(2*cap(c.tables), groupEntries)
		if size > c.most/2 {
			size = c.most
		}
		bigger := make([]uint32, len(c.tables), max(need, size))
		copy(bigger, c.tables)
		c.tables = bigger
	}
	c.tables = c.tables[:len(c.tables)+n]
}

// fillRoot fills a table with the words of up to root bits. It returns how many there are, and the
// next word, its first bit lowest.
func (c *codeReader) fillRoot(table []uint32, root uint) (symbols int, word uint32) {
	if root == 0 {
		table[0] = uint32(c.sorted[0]) << 8
		return 1, 0
	}
	for length := uint(1); length <= root; length++ {
		size := 1 << length
		copy(table[size/2:size], table) // what is there already, whatever the next bit
		for range c.counts[length] {
			table[word] = uint32(c.sorted[symbols])<<8 | uint32(length)
			symbols++
			word = nextWord(word, length)
		}
	}
	return symbols, word
}

// nextWord is the word behind another one of that length.
func nextWord(word uint32, length uint) uint32 {
	free := ^word & (1<<length - 1)
	if free == 0 {
		return 0
	}
	top := uint32(1) << (bits.Len32(free) - 1)
	return word&(top-1) | top
}

// fillBehind adds the tables of words that are longer than the root.
func (c *codeReader) fillBehind(at, symbols int, word uint32) {
	const mask = 1<<rootBits - 1
	var left [maxLength + 1]int
	for length := rootBits + 1; length <= maxLength; length++ {
		left[length] = int(c.counts[length])
	}
	first, size, start := uint32(mask+1), 0, 0
	for length := uint(rootBits + 1); length <= maxLength; length++ {
		for ; left[length] > 0; left[length]-- {
			if word&mask != first {
				first, start = word&mask, len(c.tables)
				behind := secondBits(&left, length)
				size = 1 << behind
				c.grow(size)
				c.tables[at+int(first)] = second | uint32(start-at)<<8 | uint32(rootBits+behind)
			}
			e := uint32(c.sorted[symbols])<<8 | uint32(length-rootBits)
			symbols++
			for i := int(word >> rootBits); i < size; i += 1 << (length - rootBits) {
				c.tables[start+i] = e
			}
			word = nextWord(word, length)
		}
	}
}

// secondBits is how many bits the table of the words needs that begin like the next one, of that length.
func secondBits(left *[maxLength + 1]int, length uint) uint {
	open := 1 << (length - rootBits)
	for ; length < maxLength; length++ {
		if open -= left[length]; open <= 0 {
			break
		}
		open *= 2
	}
	return length - rootBits
}
