package smooth

import "unsafe"

// The inner loops. Each takes len(dst) values, a multiple of columns, from where the inputs
// point: the centre, then two at each distance. The assembly does the same.

// widen makes words of bytes.
func widen(dst []int16, src []uint8, assembly bool) {
	if n := len(src) &^ (columns - 1); assembly && n > 0 {
		widenAVX2(&dst[0], &src[0], n)
		dst, src = dst[n:], src[n:]
	}
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = int16(v)
	}
}

// lengthwise weighs bytes, and leaves betweenBits behind the point.
func lengthwise(dst []int16, sums []int32, inputs []*int16, weights []int16, assembly bool) {
	if assembly {
		lengthwiseAVX2(&dst[0], &inputs[0], &weights[0], len(weights)-1, len(dst))
		return
	}
	weigh(sums, inputs, weights)
	for i, v := range sums {
		dst[i] = int16((v + 1<<(weightBits-betweenBits-1)) >> (weightBits - betweenBits))
	}
}

// across weighs what lengthwise makes, and rounds to bytes.
func across(dst []uint8, sums []int32, inputs []*int16, weights []int16, assembly bool) {
	if assembly {
		acrossAVX2(&dst[0], &inputs[0], &weights[0], len(weights)-1, len(dst))
		return
	}
	weigh(sums, inputs, weights)
	for i, v := range sums {
		dst[i] = uint8((v + 1<<(weightBits+betweenBits-1)) >> (weightBits + betweenBits))
	}
}

func weigh(sums []int32, inputs []*int16, weights []int16) {
	w := int32(weights[0])
	for i, v := range unsafe.Slice(inputs[0], len(sums)) {
		sums[i] = w * int32(v)
	}
	for d, w := range weights[1:] {
		w := int32(w)
		a := unsafe.Slice(inputs[2*d+1], len(sums))
		b := unsafe.Slice(inputs[2*d+2], len(sums))
		for i := range sums {
			sums[i] += w * (int32(a[i]) + int32(b[i]))
		}
	}
}
