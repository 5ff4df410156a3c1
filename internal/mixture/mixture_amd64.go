package mixture

import "golang.org/x/sys/cpu"

var useAssembly = cpu.X86.HasAVX2

// floatsFast is the loop in Floats over the first values, whose number it returns.
func floatsFast(own, partner []float32, share, rest float32) (n int) {
	if n = len(partner) &^ 7; !useAssembly || n == 0 {
		return 0
	}
	floatsAVX2(&own[:n][0], &partner[:n][0], share, rest, n)
	return n
}

// bytesFast is the loop in Bytes, likewise. A weight of One is none of 16 bits.
func bytesFast(own, partner []uint8, share int) (n int) {
	if n = len(partner) &^ 15; !useAssembly || n == 0 || share <= 0 || share >= One {
		return 0
	}
	bytesAVX2(&own[:n][0], &partner[:n][0], uint32(share)|uint32(One-share)<<16, n)
	return n
}

// floatsAVX2 is the loop in Floats over n values, a multiple of 8.
//
//go:noescape
func floatsAVX2(own, partner *float32, share, rest float32, n int)

// bytesAVX2 is the loop in Bytes over n values, a multiple of 16. weights has both, that of own in the
// low half.
//
//go:noescape
func bytesAVX2(own, partner *uint8, weights uint32, n int)
