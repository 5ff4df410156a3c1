package warp

// planesAVX2 is n >= 8 pixels as lines have them, a plane for each channel, from left to
// right or mirrored.
//
//go:noescape
func planesAVX2(red, green, blue *float32, rgb *uint8, lines *[3]line255, places *[3][32]uint8, n, mirrored int)

// mirrorAVX2 is mirror of n >= 8 pixels.
//
//go:noescape
func mirrorAVX2(dst, rgb *uint8, places *[3][16]uint8, n int)

// eight is how many pixels the assembly takes at once, in 24 bytes, which it loads as the
// first 16 and the last 16 of them.
const eight = 8

// planePlaces is, ahead and mirrored, by channel, the byte of each value (VPSHUFB): of its
// load, whose order is that of the pixels.
var planePlaces = func() (places [2][3][32]uint8) {
	for c := range 3 {
		for i := range places[0][c] {
			places[0][c][i], places[1][c][i] = 0x80, 0x80
		}
		for k := range 4 {
			first, last := uint8(3*k+c), uint8(3*(k+4)+c-8) // of pixel k in the first load, of k+4 in the last
			places[0][c][4*k], places[0][c][16+4*k] = first, last
			places[1][c][4*(3-k)], places[1][c][16+4*(3-k)] = last, first
		}
	}
	return places
}()

// mirrorPlaces is the bytes of the last load and of the first that are the first 16
// mirrored, and those of the first that are the last 16, but for one byte.
var mirrorPlaces = func() (places [3][16]uint8) {
	for i := range 16 {
		places[0][i], places[1][i], places[2][i] = 0x80, 0x80, 0x80
	}
	for i := range 24 {
		from := uint8(3*(7-i/3) + i%3)
		switch {
		case i < 16 && from >= 8:
			places[0][i] = from - 8
		case i < 16:
			places[1][i] = from
		}
		if i >= 9 {
			places[2][i-8] = from
		}
	}
	return places
}()

// The functions below check the lengths that the assembly relies on.

func (p *planes) valuesFast(rgb []uint8, mirrored bool) bool {
	n := len(rgb) / 3
	if !useAssembly || !haveFMA || n < eight || p.lines == nil {
		return false
	}
	places, back := &planePlaces[0], 0
	if mirrored {
		places, back = &planePlaces[1], 1
	}
	r, g, b := p.row[0][:n], p.row[1][:n], p.row[2][:n]
	planesAVX2(&r[0], &g[0], &b[0], &rgb[0], p.lines, places, n, back)
	return true
}

func mirror(dst, rgb []uint8) {
	n := len(rgb) / 3
	if !useAssembly || n < eight {
		mirrorGo(dst, rgb)
		return
	}
	dst = dst[:3*n]
	mirrorAVX2(&dst[0], &rgb[0], &mirrorPlaces, n)
}
