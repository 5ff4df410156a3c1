package inflate

// adlerSums are the sums that the assembly makes, in lanes.
type adlerSums struct {
	bytes, before [4]uint64
	weighted      [8]uint32
}

var adlerWeights = func() (w [32]int8) {
	for i := range w {
		w[i] = int8(32 - i)
	}
	return w
}()

//go:noescape
func adlerAVX2(data *byte, n int, weights *[32]int8, sums *adlerSums)

// addFast adds the first bytes of at most adlerMost, as many as it takes at once, without the modulus.
func (s *adler) addFast(part []byte) (done int) {
	n := len(part) &^ 31
	if !useAssembly || n == 0 {
		return 0
	}
	var sums adlerSums
	adlerAVX2(&part[0], n, &adlerWeights, &sums)
	var bytes, before uint64
	for i := range sums.bytes {
		bytes, before = bytes+sums.bytes[i], before+sums.before[i]
	}
	s.b += uint32(n)*s.a + 32*uint32(before)
	for _, w := range sums.weighted {
		s.b += w
	}
	s.a += uint32(bytes)
	return n
}
