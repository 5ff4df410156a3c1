package inflate

// codedAVX2 is coded, from r's position to one before what it leaves to that: the end of the
// block, what isn't in the code, a match that begins before first, and the last bytes of the
// data, of which there have to be ahead.
//
//go:noescape
func codedAVX2(r *Reader, limit, first int, patterns *repeats)

// ahead is how many bytes of data there have to be: refilled twice.
const ahead = 16

// repeats is, of matches that repeat the last 1 to 15 bytes, by how many these are: the place
// of each of 16 bytes (VPSHUFB), and how many of the 16 are whole repetitions.
type repeats struct {
	places [16][16]uint8
	whole  [16]uint8
}

var patterns = func() (p repeats) {
	for distance := 1; distance < 16; distance++ {
		p.whole[distance] = uint8(16 - 16%distance)
		for i := range 16 {
			p.places[distance][i] = uint8(i % distance)
		}
	}
	return p
}()

func (r *Reader) codedFast(limit, first int) {
	if useAssembly && r.pos+ahead <= len(r.in) && limit+slack <= len(r.out) {
		codedAVX2(r, limit, first, &patterns)
	}
}
