package stages

import "github.com/sluicedata/sluice/internal/errlist"

// Decode decodes image files (JPEG, PNG, WebP, BMP, GIF, PPM, TIFF) to uint8 RGB of
// height x width x 3, with their EXIF orientation applied. The RGB of a JPEG file is
// that of libjpeg-turbo with its defaults, and so of Pillow and OpenCV; docs/formats.md
// has the rules for every format.
//
// A JPEG file that is truncated or damaged after the beginning of its first scan is an
// error. With Truncated: fill it gives the picture that libjpeg-turbo makes of the bytes
// there are (Pillow's with LOAD_TRUNCATED_IMAGES), and runs count such files. What is
// missing is grey in a baseline file, and coarser in a progressive one. Damaged headers,
// other formats and unsupported codings stay errors. A complete progressive file that
// lacks scans always gives a picture, smoothed as libjpeg-turbo does, and is counted.
//
// Mode gray gives one channel, [h, w, 1] or [1, h, w]: Pillow's convert("L") of the RGB
// picture, round((19595 R + 38470 G + 7471 B) / 65536).
type Decode struct {
	Mode ColorMode `sluice:"mode" default:"rgb" doc:"rgb, or gray: one channel, as Pillow's convert(\"L\")"`

	Limit int64 `sluice:"max_pixels,positive" default:"268435456" doc:"refuse pictures of more pixels, by their header; one that needs more memory than the budget is decoded by itself"`

	Truncated Truncation `sluice:"truncated" default:"error" doc:"truncated or damaged JPEG files: an error, or filled in as libjpeg does, and counted"`
}

// ColorMode is the channels of pictures; "" is RGB.
type ColorMode string

// The modes.
const (
	RGB  ColorMode = "rgb"
	Gray ColorMode = "gray"
)

// Values lists the modes.
func (ColorMode) Values() []string { return []string{string(RGB), string(Gray)} }

// Truncation is what happens to a truncated or damaged JPEG file; "" is
// TruncatedError.
type Truncation string

// The truncations.
const (
	TruncatedError Truncation = "error" // the row fails
	TruncatedFill  Truncation = "fill"  // the picture that libjpeg makes of it
)

// Values lists the truncations.
func (Truncation) Values() []string { return []string{string(TruncatedError), string(TruncatedFill)} }

const defaultMaxPixels = 1 << 28

// Name is the stage's name in pipeline files.
func (Decode) Name() string { return "decode" }

// Version of the algorithm; the decoders have a revision of their own.
func (Decode) Version() int { return 1 }

// Check reports impossible options.
func (d Decode) Check() error {
	var err error
	if d.Limit < 0 {
		err = errorf("max_pixels", "%d is negative", d.Limit)
	}
	return errlist.Join(err, oneOf("truncated", d.Truncated), oneOf("mode", d.Mode))
}

// RepairsTruncated reports whether Truncated is fill.
func (d Decode) RepairsTruncated() bool { return d.Truncated == TruncatedFill }

// Gray reports whether Mode is gray.
func (d Decode) Gray() bool { return d.Mode == Gray }

// MaxPixels is Limit, or its default.
func (d Decode) MaxPixels() int64 {
	if d.Limit == 0 {
		return defaultMaxPixels
	}
	return d.Limit
}
