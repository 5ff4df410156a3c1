// Package webp decodes the pictures of WebP files.
//
// Lossy ones are key frames of VP8 (RFC 6386), vp8*.go and yuv*.go: ParseVP8 and VP8Decoder. The
// bytes are those of libwebp: its arithmetic of 16 bits, its "fancy" chroma upsampling, and its
// conversion to RGB.
//
//	vp8.go           a parsed frame: VP8
//	vp8decoder.go    VP8Decoder: rows of macroblocks decoded, filtered, handed on
//	vp8header.go     what the first partition begins with: segments, filter, quantizers, probabilities
//	vp8modes.go      how each macroblock of a row is predicted
//	vp8tokens.go     the coefficients of a macroblock
//	vp8rebuild.go    a macroblock: prediction and residue
//	vp8predict.go    the predictions
//	vp8transform.go  the inverse transforms
//	vp8filter.go     the loop filters
//	vp8bool.go       the arithmetic decoder
//	vp8tables.go     the RFC's tables
//	yuv.go           planes to RGB
package webp

import "errors"

// ErrTruncated is wrapped by the errors of a file that ends before its last pixel.
var ErrTruncated = errors.New("truncated")
