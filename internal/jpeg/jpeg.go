// Package jpeg decodes JPEG files (ITU-T T.81) to the planes of their components,
// byte for byte as libjpeg-turbo's default "islow" decoder does: baseline, extended
// sequential and progressive Huffman coding, 8 bits per sample, 1, 3 or 4 components
// of any sampling factors, interleaved or not, with restart intervals.
//
// Upsampling and colour conversion are the caller's (internal/decode). The parts
// stand apart, so that one can be replaced or left out for a part of the picture:
//
//	header.go, marker.go     what the markers say; no allocation in proportion to the picture
//	huffman.go, bits.go      tables and bits
//	standard.go              tables of files that have none
//	scan.go, progressive.go  entropy-coded data -> dequantized coefficients of a block
//	idct.go, reduced.go      coefficients -> samples, 8x8 or fewer of a block
//	image.go                 planes, and the walk over the file that ties all together
//	seek.go                  where decoding can begin, for the next time
//	assembly*.go, *_amd64.s  the inner loops with AVX2: the same bytes
//	fill.go, careful.go      the same again for damaged files, slowly
//	smooth.go                blocks of progressive files that lack scans
//
// A Decoder takes a part of the picture, and a scale; blocks outside of the part
// are passed over, and with SeekPoints of an earlier decoding they are not even read.
//
// libjpeg repairs damaged files and warns; this package reports an error: data that
// ends early, a code that no table has, a run past the end of a block, a restart
// marker that isn't where it must be, scans that don't fit together, no end of image.
// Bytes between segments, or between a scan's last block and the next marker, are
// passed over, as everybody does. Huffman tables that a sequential file lacks are the
// standard's (standard.go). Progressive blocks are smoothed as far as scans are missing
// (smooth.go); a whole file that lacks some has a warning, and is no error.
//
// With Decoder.Fill it repairs, too, and counts: the planes are byte for byte those of
// libjpeg-turbo 3 reading from memory or a file (djpeg, the TurboJPEG API; Pillow
// with LOAD_TRUNCATED_IMAGES, and OpenCV where an end of image is put behind the cut;
// of the bare bytes OpenCV repeats rows or gives nothing). So it is for files cut
// anywhere once the first scan has begun, and for damage to the data of scans:
//
//   - Behind the end, or behind a marker within the data, follow zero bits to the end of
//     the MCU. Later MCUs are grey, or in a progressive file what earlier scans made of
//     them, up to the next restart marker.
//   - Restart markers that are missing, wrong or too many are dealt with as
//     jpeg_resync_to_restart does.
//   - Fill bytes within a sequential file's data are passed over, but leave in an MCU what
//     libjpeg's fast code made of it when it took them for a marker.
//   - A code that no table has is 0; coefficients past a block's end are its last.
//
// Where libjpeg gives up, the file ends for us and there is a picture all the same: in
// segments between scans that make no sense, and markers that it doesn't know. Damage
// to the headers up to the first scan's stays an error, as what isn't supported does.
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
