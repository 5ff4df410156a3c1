package inflate

import "math/bits"

// Tables are indexed by the next bits of the stream. A code that is longer than the index
// has its entries in a second table after the first, in which an entry links to it.
//
//	literals   bits 0-3 how many bits they take, 6-7 how many they are, 8-31 themselves
//	length,    bits 0-4 the bits that it takes with its extra ones, 8-11 without these,
//	distance   14-31 its least value
//	link       bits 4 and 5 set, 8-11 the bits of the second table's index, 14-31 where it begins
//	end        bits 5 and 14 set; 0-3 the bits that it takes
//	no code    bit 5 set, nothing else
//
// Shifts take the low 6 bits of an entry, or of what is above its low 8, as they are.
const (
	isLiteral = 3 << 6
	isOther   = 1 << 5
	isLink    = 1 << 4 // where isOther
	isEnd     = 1 << 14
	one       = 1 << 6 // literal
	value     = 14     // where it begins

	literalBits  = 11
	distanceBits = 9
	longest      = 15 // bits of a code
)

type tables struct {
	literals  [1<<literalBits + 1<<12]uint32
	single    [1 << literalBits]uint32 // the same, one literal at a time
	distances [1<<distanceBits + 1<<11]uint32
	lengths   [128]uint8 // of code lengths: bits 0-2 how many bits, 3-7 the symbol
	isFixed   bool       // it holds the fixed code
}

// literalSymbols and distanceSymbols are the entries of the symbols but for the bits
// of their codes.
var (
	literalSymbols  = newLiteralSymbols()
	distanceSymbols = newDistanceSymbols()
)

func newLiteralSymbols() (list [288]uint32) {
	for i := range 256 {
		list[i] = one | uint32(i)<<8
	}
	list[256] = isOther | isEnd
	least := uint32(3)
	for i := range uint32(29) {
		extra := uint32(0)
		if i >= 8 && i < 28 {
			extra = i/4 - 1
		}
		if i == 28 {
			least = 258
		}
		list[257+i] = least<<value | extra
		least += 1 << extra
	}
	list[286], list[287] = isOther, isOther
	return list
}

func newDistanceSymbols() (list [32]uint32) {
	least := uint32(1)
	for i := range uint32(30) {
		extra := uint32(0)
		if i >= 4 {
			extra = i/2 - 1
		}
		list[i] = least<<value | extra
		least += 1 << extra
	}
	list[30], list[31] = isOther, isOther
	return list
}

// fixed is the code of blocks without one of their own.
func (t *tables) fixed() {
	if t.isFixed {
		return
	}
	var lengths [288 + 32]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		case i < 288:
			lengths[i] = 8
		default:
			lengths[i] = 5
		}
	}
	t.build(lengths[:288], lengths[288:])
	t.isFixed = true
}

// build makes the tables of a block; false if the lengths are invalid.
func (t *tables) build(literals, distances []uint8) bool {
	t.isFixed = false
	if !fillTable(t.literals[:], literalBits, literals, literalSymbols[:]) ||
		!fillTable(t.distances[:], distanceBits, distances, distanceSymbols[:]) {
		return false
	}
	copy(t.single[:], t.literals[:])
	least := uint32(longest) // bits of a literal
	for _, n := range literals[:256] {
		if n > 0 {
			least = min(least, uint32(n))
		}
	}
	if 2*least > literalBits {
		return true
	}
	for i := range uint32(1 << literalBits) {
		e := t.single[i]
		taken := e & 15
		if e&isLiteral == 0 || taken+least > literalBits {
			continue
		}
		for n := uint32(2); n <= 3; n++ {
			next := t.single[i>>taken]
			if next&isLiteral == 0 || taken+next&15 > literalBits {
				break
			}
			taken += next & 15
			e = e&0xffffff00&^(0xff<<(8*n)) | next>>8&0xff<<(8*n) | n*one | taken
		}
		t.literals[i] = e
	}
	return true
}

// buildLengths makes the table of the code lengths' code.
func (t *tables) buildLengths(lengths *[19]uint8) bool {
	var symbols [19]uint32
	for i := range symbols {
		symbols[i] = uint32(i) << value
	}
	var table [128]uint32
	if !fillTable(table[:], 7, lengths[:], symbols[:]) {
		return false
	}
	for i, e := range table {
		if e&isOther != 0 { // of a code of one symbol, which zlib refuses here
			return false
		}
		t.lengths[i] = uint8(e>>value<<3 | e&7)
	}
	return true
}

// fillTable makes a table with an index of size bits, and the second tables after it. As in
// zlib a code must be complete, unless it has no symbol, or a single one of one bit.
func fillTable(table []uint32, size uint, lengths []uint8, symbols []uint32) bool {
	var counts [longest + 1]int
	for _, n := range lengths {
		counts[n]++
	}
	left := 1
	for n := 1; n <= longest; n++ {
		if left = left<<1 - counts[n]; left < 0 {
			return false
		}
	}
	used := len(lengths) - counts[0]
	table[0] = 0
	if left > 0 {
		if used > 1 || used == 1 && counts[1] == 0 {
			return false
		}
		table[0] = isOther
	}
	// The symbols in the order of their codes.
	var order [288]uint16
	var next [longest + 2]int
	for n := 1; n <= longest; n++ {
		next[n+1] = next[n] + counts[n]
	}
	for symbol, n := range lengths {
		if n > 0 {
			order[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	code, rest := uint32(0), order[:used]
	for n := uint(1); n <= size; n++ { // what shorter codes begin stands there for each further bit
		copy(table[1<<(n-1):1<<n], table[:1<<(n-1)])
		code <<= 1
		for _, symbol := range rest[:counts[n]] {
			table[reverse(code, n)] = entry(symbols[symbol], n)
			code++
		}
		rest = rest[counts[n]:]
	}
	most := uint(longest) // bits of a code that occurs
	for most > size && counts[most] == 0 {
		most--
	}
	end := uint32(1) << size // of the second tables
	for n := size + 1; n <= most; n++ {
		code <<= 1
		for _, symbol := range rest[:counts[n]] {
			reversed := reverse(code, n)
			code++
			link := &table[reversed&(1<<size-1)]
			if *link == 0 {
				more := uint32(most - size)
				*link = isOther | isLink | more<<8 | end<<value
				end += 1 << more
			}
			e := entry(symbols[symbol], n)
			for i := reversed >> size; i < 1<<(most-size); i += 1 << (n - size) {
				table[*link>>value+i] = e
			}
		}
		rest = rest[counts[n]:]
	}
	return true
}

// reverse is a code of n bits, of which the first comes lowest.
func reverse(code uint32, n uint) uint32 { return uint32(bits.Reverse16(uint16(code))) >> (16 - n) }

// entry is a symbol's entry with its code's bits.
func entry(symbol uint32, n uint) uint32 {
	if symbol&(isLiteral|isOther) != 0 {
		return symbol | uint32(n)
	}
	return symbol + uint32(n) | uint32(n)<<8 // its extra bits are there
}
