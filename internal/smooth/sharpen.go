package smooth

// Sharpen blends each pixel of height x width x 3, but those at the edges, with the mean of
// itself, five times, and its eight neighbours, rounded: mean + factor (pixel - mean), in
// float32, cut off and clamped. The factor is at most 1 << 20. Pictures with a side below 3
// stay as they are.
func Sharpen(pixels []uint8, height, width int, factor float32) {
	sharpen(pixels, height, width, factor, useAssembly)
}

// SharpenBytes is the memory that Sharpen takes.
func SharpenBytes(width int) int64 { return 3 * 2 * 3 * int64(width) }

// sharpen works in place: the sums of three neighbours along a row are made before the row
// changes.
func sharpen(pixels []uint8, height, width int, factor float32, assembly bool) {
	if height < 3 || width < 3 {
		return
	}
	var apart [512]float32 // what is added to the mean, by how far a pixel is from it
	for i := range apart {
		apart[i] = float32(factor * float32(i-255))
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	n, inner := 3*width, 3*width-6
	s.triples = sized(s.triples, 3*inner)
	above, here, below := s.triples[:inner], s.triples[inner:2*inner], s.triples[2*inner:]
	row := func(y int) []uint8 { return pixels[y*n : (y+1)*n : (y+1)*n] }
	sumTriples(above, row(0), assembly)
	sumTriples(here, row(1), assembly)
	for y := 1; y < height-1; y++ {
		sumTriples(below, row(y+1), assembly)
		middle := row(y)[3 : n-3]
		done := 0
		if done = inner &^ (columns - 1); assembly && done > 0 {
			sharpenAVX2(&middle[0], &above[0], &here[0], &below[0], factor, done)
		} else {
			done = 0
		}
		for i := done; i < inner; i++ {
			v := int(middle[i])
			mean := thirteenth(int(above[i]) + int(here[i]) + int(below[i]) + 4*v)
			out := int32(float32(mean) + apart[(v-mean+255)&511])
			middle[i] = uint8(min(max(out, 0), 255))
		}
		above, here, below = here, below, above
	}
}

// sumTriples sums each value of a row, but the ends, and its neighbours in the same channel.
func sumTriples(dst []uint16, row []uint8, assembly bool) {
	done := len(dst) &^ (columns - 1)
	if assembly && done > 0 {
		sumTriplesAVX2(&dst[0], &row[0], done)
	} else {
		done = 0
	}
	for i := done; i < len(dst); i++ {
		dst[i] = uint16(row[i]) + uint16(row[i+3]) + uint16(row[i+6])
	}
}

// thirteenth is a thirteenth of a sum, rounded: nothing lies halfway.
func thirteenth(sum int) int { return (2*sum + 13) / 26 }
