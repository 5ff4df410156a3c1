// Package colour is the inner loops of stages that change colours, in assembly where the
// processor has AVX2. Each does all of what it is given, and says so; where it can't, it
// does nothing, and the caller's own loops do, which say what is computed. Pixels are
// R G B bytes.
package colour
