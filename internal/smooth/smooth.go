// Package smooth blurs and sharpens pictures in place: the same bytes on every machine.
package smooth

import (
	"math"
	"sync"

	"github.com/sluicedata/sluice/internal/detmath"
)

// Weights are scaled to a sum of 1 << weightBits; what lies between the two directions has
// betweenBits behind the point.
const (
	weightBits  = 15
	betweenBits = 7
)

// columns is how many values the loops do at a time: rows have room for a multiple of it.
const columns = 16

// Weights are those of a Gaussian kernel of size, which is odd, and standard deviation sigma
// > 0, in pixels: of its centre, and of the pixels at each distance on either side, as far as
// they are more than nothing. Their sum, all but the centre's twice, is 1 << 15.
func Weights(size int, sigma float64) []int16 {
	shares := make([]float64, size/2+1)
	sum := 0.0
	for i := range shares {
		x := float64(i) / sigma
		shares[i] = detmath.Exp(float64(-0.5 * float64(x*x)))
		sum += shares[i]
		if i > 0 {
			sum += shares[i]
		}
	}
	weights := make([]int16, 1, len(shares))
	centre, owed := 1<<weightBits, 0.0
	for _, s := range shares[1:] {
		exact := float64(s/sum*(1<<weightBits)) + owed
		w := math.Round(exact)
		if w == 0 {
			break
		}
		owed = exact - w // so that errors don't add up
		weights = append(weights, int16(w))
		centre -= 2 * int(w)
	}
	if len(weights) > 1 {
		weights[0] = int16(centre)
	}
	return weights
}

// Bytes is the memory that Blur takes.
func Bytes(weights []int16, width int) int64 {
	r := len(weights) - 1
	return 2*int64(2*r+1)*int64(rowLength(3*width)) + 2*int64(3*width+6*r+columns) + 5*int64(rowLength(3*width))
}

// rowLength is n, rounded up to whole columns.
func rowLength(n int) int { return (n + columns - 1) / columns * columns }

// scratch is the memory of a blur.
type scratch struct {
	wide   []int16   // a row, mirrored at its ends
	ring   []int16   // rows blurred along themselves
	rows   [][]int16 // of ring, by their number modulo the kernel's size
	inputs []*int16
	sums   []int32
	out    []uint8

	triples []uint16 // of Sharpen
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Blur blurs pixels of height x width x 3 with these weights in both directions. Outside, the
// picture is mirrored at its outermost pixels, again and again where it is small.
func Blur(pixels []uint8, height, width int, weights []int16) {
	blur(pixels, height, width, weights, useAssembly)
}

func blur(pixels []uint8, height, width int, weights []int16, assembly bool) {
	r, n := len(weights)-1, 3*width
	if r == 0 || n == 0 {
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.fit(n, r)
	next := 0 // the first row that isn't in the ring
	for y := range height {
		for ; next < height && next <= y+r; next++ {
			s.along(s.rows[next%len(s.rows)], pixels[next*n:(next+1)*n], width, weights, assembly)
		}
		s.inputs = append(s.inputs[:0], &s.rows[y%len(s.rows)][0])
		for d := 1; d <= r; d++ {
			a, b := mirrored(y-d, height), mirrored(y+d, height)
			s.inputs = append(s.inputs, &s.rows[a%len(s.rows)][0], &s.rows[b%len(s.rows)][0])
		}
		across(s.out, s.sums, s.inputs, weights, assembly)
		copy(pixels[y*n:(y+1)*n], s.out)
	}
}

// fit makes room for rows of n values and a kernel of radius r.
func (s *scratch) fit(n, r int) {
	length, size := rowLength(n), 2*r+1
	s.wide = sized(s.wide, length+6*r)
	s.ring = sized(s.ring, size*length)
	s.rows = s.rows[:0]
	for i := range size {
		s.rows = append(s.rows, s.ring[i*length:(i+1)*length])
	}
	s.sums, s.out = sized(s.sums, length), sized(s.out, length)
}

func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// along blurs a row along itself.
func (s *scratch) along(dst []int16, row []uint8, width int, weights []int16, assembly bool) {
	r := len(weights) - 1
	widen(s.wide[3*r:], row, assembly)
	for d := 1; d <= r; d++ {
		left, right := 3*mirrored(-d, width), 3*mirrored(width-1+d, width)
		for c := range 3 {
			s.wide[3*(r-d)+c] = int16(row[left+c])
			s.wide[3*(r+width-1+d)+c] = int16(row[right+c])
		}
	}
	s.inputs = append(s.inputs[:0], &s.wide[3*r])
	for d := 1; d <= r; d++ {
		s.inputs = append(s.inputs, &s.wide[3*(r-d)], &s.wide[3*(r+d)])
	}
	lengthwise(dst, s.sums, s.inputs, weights, assembly)
}

// mirrored is where the place i of a line of n lies, mirrored at its first and last.
func mirrored(i, n int) int {
	if n == 1 {
		return 0
	}
	period := 2 * (n - 1)
	i %= period
	if i < 0 {
		i += period
	}
	return min(i, period-i)
}
