package png

// toRGB converts a row as stored, of 16 bits its high bytes, to R G B bytes; out has the row's width.
func (f *File) toRGB(out, row []byte) {
	width := len(out) / 3
	switch {
	case f.Colour == RGB:
		copy(out, row)
	case f.Colour == Palette && f.Depth == 8:
		for x, index := range row[:width] {
			c := &f.palette[index]
			o := out[3*x : 3*x+3 : 3*x+3]
			o[0], o[1], o[2] = c[0], c[1], c[2]
		}
	case f.Colour == Palette:
		for x := range width {
			c := &f.palette[f.sample(row, x)]
			o := out[3*x : 3*x+3 : 3*x+3]
			o[0], o[1], o[2] = c[0], c[1], c[2]
		}
	case f.Depth < 8: // grey
		stretch := uint8(255 / (1<<f.Depth - 1))
		for x := range width {
			v := f.sample(row, x) * stretch
			o := out[3*x : 3*x+3 : 3*x+3]
			o[0], o[1], o[2] = v, v, v
		}
	default:
		pick(out, row, f.Colour.channels(), f.Colour != RGBA)
	}
}

// sample is the sample at x of a row with less than 8 bits each.
func (f *File) sample(row []byte, x int) uint8 {
	at := x * f.Depth
	return row[at>>3] >> (8 - f.Depth - at&7) & (1<<f.Depth - 1)
}

// pick copies the channels of pixels of that many bytes, or the first one thrice.
func pick(out, row []byte, pixel int, grey bool) {
	green, blue := 1, 2
	if grey {
		green, blue = 0, 0
	}
	for x := range len(out) / 3 {
		p := row[x*pixel : x*pixel+pixel : x*pixel+pixel]
		o := out[3*x : 3*x+3 : 3*x+3]
		o[0], o[1], o[2] = p[0], p[green], p[blue]
	}
}
