// Package colour is the inner loops of stages that change colours, in assembly where the
// processor has AVX2. They take the first pixels of a row, as many as suit them, and say
// how many bytes that were; the rest, and all of them on another processor, is for
// the caller, whose own loops say what is computed. Pixels are R G B bytes.
package colour

// Hues are the hues of colours, 0..255, by the highest channel less the lowest (the span),
// how far the middle one is below the highest, as span*(span+1)/2 + below, and by the order
// of the channels: bits 0-2 are r < g, g < b, r < b.
type Hues struct {
	By [256 * 257 / 2][8]uint8
	_  [4]uint8 // read with the last ones
}
