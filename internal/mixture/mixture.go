// Package mixture mixes the values of two pictures.
package mixture

// Floats makes each of own share*own + rest*partner, rounded after each operation.
func Floats(own, partner []float32, share, rest float32) {
	own = own[:len(partner)]
	n := floatsFast(own, partner, share, rest)
	for i, v := range partner[n:] {
		own[n+i] = float32(v*rest) + float32(own[n+i]*share)
	}
}

// One is the share of a whole.
const One = 1 << 15

// Bytes makes each of own (share*own + (One-share)*partner) / One, rounded half up. share is from 0
// to One.
func Bytes(own, partner []uint8, share int) {
	own = own[:len(partner)]
	n := bytesFast(own, partner, share)
	a, b := uint32(share), uint32(One-share)
	for i, v := range partner[n:] {
		own[n+i] = uint8((uint32(own[n+i])*a + uint32(v)*b + One/2) / One)
	}
}
