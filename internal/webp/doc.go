// Package webp decodes the pictures of WebP files: Parse and Decoder.
//
//	container.go     the RIFF container: stills and the first frame of animations; File, Decoder
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
//	vp8*_amd64.*     the inner loops of these in assembly, with the same bytes (docs/assembly.md)
//
// Lossless ones are VP8L (RFC 9649): ParseVP8L and VP8LDecoder. Their alpha is dropped.
//
//	vp8l.go           a parsed picture: VP8L
//	vp8ldecoder.go    VP8LDecoder: what comes before the pixels, and rows decoded and transformed some at a time
//	vp8lcodes.go      prefix codes and their tables
//	vp8lpixels.go     pixels of prefix codes, of a cache and of copies
//	vp8ltransform.go  the inverse transforms
//	vp8lbits.go       bits
package webp

import "errors"

// ErrTruncated is wrapped by the errors of a file that ends before its last pixel.
var ErrTruncated = errors.New("truncated")
