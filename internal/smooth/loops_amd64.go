package smooth

import "golang.org/x/sys/cpu"

var useAssembly = cpu.X86.HasAVX2

// widenAVX2 is widen of n bytes, a multiple of 16.
//
//go:noescape
func widenAVX2(dst *int16, src *uint8, n int)

// lengthwiseAVX2 is lengthwise of n values, with so many weights behind the centre's.
//
//go:noescape
func lengthwiseAVX2(dst *int16, inputs **int16, weights *int16, pairs, n int)

// acrossAVX2 is across, likewise.
//
//go:noescape
func acrossAVX2(dst *uint8, inputs **int16, weights *int16, pairs, n int)

// sumTriplesAVX2 is sumTriples of n values, a multiple of 16.
//
//go:noescape
func sumTriplesAVX2(dst *uint16, row *uint8, n int)

// sharpenAVX2 is the loop in sharpen over n values, a multiple of 16.
//
//go:noescape
func sharpenAVX2(row *uint8, above, here, below *uint16, factor float32, n int)
