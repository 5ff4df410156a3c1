// Package colour is the inner loops of stages that change colours, in assembly where the
// processor has AVX2. They take the first pixels of a row, as many as suit them, and say
// how many bytes that were; the rest, and all of them on another processor, is for
// the caller, whose own loops say what is computed. Pixels are R G B bytes.
package colour
