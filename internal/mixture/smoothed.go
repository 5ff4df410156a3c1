package mixture

// Shares are numbers from 0 to One of the pixels of a rectangle.
type Shares struct {
	Top, Left, Height, Width int
	values                   []uint16
}

// Row is those of a row y, from Top on.
func (s *Shares) Row(y int) []uint16 {
	return s.values[(y-s.Top)*s.Width : (y-s.Top+1)*s.Width]
}

// Smoothed is a set of pixels of a picture of height x width, blurred: the share of the set around each pixel,
// by weights in both directions, of the pixel itself and of those at each distance, whose sum (all but the
// first twice) is One. Outside of the picture its outermost pixels are repeated. each calls set for the pixels
// of the set, x to before end of a row y, some perhaps several times. It is exact, and rounded half up at the
// end. Beyond the rectangle all shares are 0.
func Smoothed(height, width int, weights []int16, each func(set func(y, x, end int))) *Shares {
	in := make([]bool, height*width)
	top, bottom, left, right := height, -1, width, -1
	each(func(y, x, end int) {
		for i := x; i < end; i++ {
			in[y*width+i] = true
		}
		top, bottom, left, right = min(top, y), max(bottom, y), min(left, x), max(right, end-1)
	})
	reach := len(weights) - 1
	s := &Shares{Top: max(top-reach, 0), Left: max(left-reach, 0)}
	s.Height, s.Width = max(min(bottom+reach+1, height)-s.Top, 0), max(min(right+reach+1, width)-s.Left, 0)
	if s.Height == 0 || s.Width == 0 {
		return &Shares{}
	}
	s.values = make([]uint16, s.Height*s.Width)
	along := make([]uint32, (bottom-top+1)*s.Width) // rows of the set, blurred along themselves
	for y := top; y <= bottom; y++ {
		row := in[y*width : (y+1)*width]
		for i := range s.Width {
			x := s.Left + i
			sum := weighed(weights[0], row[x])
			for d, w := range weights[1:] {
				sum += weighed(w, row[max(x-d-1, 0)]) + weighed(w, row[min(x+d+1, width-1)])
			}
			along[(y-top)*s.Width+i] = sum
		}
	}
	at := func(y, i int) uint32 {
		if y = min(max(y, 0), height-1); y < top || y > bottom {
			return 0
		}
		return along[(y-top)*s.Width+i]
	}
	for y := range s.Height {
		for i := range s.Width {
			sum := uint32(weights[0]) * at(s.Top+y, i)
			for d, w := range weights[1:] {
				sum += uint32(w) * (at(s.Top+y-d-1, i) + at(s.Top+y+d+1, i))
			}
			s.values[y*s.Width+i] = uint16((sum + One/2) / One)
		}
	}
	return s
}

func weighed(weight int16, in bool) uint32 {
	if in {
		return uint32(weight)
	}
	return 0
}
