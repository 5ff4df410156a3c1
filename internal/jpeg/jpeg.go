// Package jpeg decodes and encodes JPEG files (ITU-T T.81), byte for byte as libjpeg-turbo
// does by default ("islow"). A Decoder decodes files to the planes of their components:
// baseline, extended sequential and progressive Huffman coding, 8 bits per sample, 1, 3 or
// 4 components of any sampling factors, interleaved or not, with restart intervals. An Encoder
// writes baseline files of RGB or grey pixels (encode.go; a picture passes through
// downsample.go, fdct.go and entropy.go).
//
// Upsampling and conversion of what was decoded to RGB are in internal/decode. In the order
// in which a file that is decoded passes through them:
//
//	header.go, marker.go      what the markers say; nothing is allocated for the picture yet
//	decoder.go                Decoder: from segment to segment
//	planes.go                 which blocks a region takes, and memory for them
//	scan.go                   a scan's header, and the MCUs of its data
//	seek.go                   where in the data decoding can begin, for the next time
//	bits.go, huffman.go       the bit reader and its tables
//	standard.go               tables of files that have none
//	block.go                  entropy-coded data -> coefficients of a block
//	progressive.go, bands.go  the same in progressive files, scan after scan
//	smooth.go                 coefficients that a progressive file lacks, estimated
//	idct.go, reduced.go       coefficients -> samples, 8x8 or fewer of a block
//	ycc.go                    the planes as a sampler takes them
//	lenient.go                what is made of damage, under Decoder.Fill
//	assembly*.go, *_amd64.s   inner loops with AVX2: the same bytes (docs/assembly.md)
//
// A Decoder decodes a region of the picture, at a scale. Blocks outside the region are
// skipped; with the seek points of an earlier decoding most of them are not even read.
//
// # Damaged files
//
// libjpeg repairs damaged files and warns. This package reports an error: data that
// ends early, a code that no table has, a run past the end of a block, a missing or wrong
// restart marker, scans that contradict each other, no end of image. Like other decoders
// it ignores bytes between segments, and between a scan's last block and the next
// marker. Huffman tables that a sequential file lacks are the standard's (standard.go).
// Where a progressive file lacks scans its blocks are smoothed (smooth.go); if the file is
// complete otherwise that is a warning, no error.
//
// With Decoder.Fill damage is repaired and counted: if the strict decoding fails, the same
// code decodes the file again, leniently. The planes are then byte for byte those of
// libjpeg-turbo 3 reading from memory or a file (djpeg, the TurboJPEG API, Pillow with
// LOAD_TRUNCATED_IMAGES; also OpenCV if an end-of-image marker is appended to a truncated
// file: without one OpenCV repeats rows or returns nothing). This covers files truncated
// anywhere after the first scan's header, and damage to the data of scans:
//
//   - Behind the end of the data, or a marker in it, zero bits follow to the end of the
//     MCU. Later MCUs up to the next restart marker are grey, or what earlier scans of a
//     progressive file made of them.
//   - Restart markers that are missing, wrong or too many are dealt with as
//     jpeg_resync_to_restart does.
//   - Fill bytes within a sequential file's data are skipped, but leave in an MCU what
//     libjpeg's fast code made of it when it took them for a marker.
//   - A code that no table has stands for 0; a coefficient past a block's end becomes its
//     last.
//
// Where libjpeg gives up (at segments between scans that make no sense, or markers that it
// doesn't know) the picture is what was decoded so far. Damage to the headers before the
// first scan's data is an error all the same, and so are codings that are not supported.
package jpeg

import "errors"

// The kinds of failure a caller may want to tell apart with errors.Is; any other
// error means a damaged file.
var (
	ErrUnsupported = errors.New("not supported")
	ErrTruncated   = errors.New("truncated")
)

// maxScans bounds the work that a small progressive file can ask for, together with its
// size (countScan). Encoders write about ten scans; libjpeg-turbo's own fuzzers stop at
// the same number.
const maxScans = 500
