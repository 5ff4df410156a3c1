package stages

import "github.com/sluicedata/sluice/internal/errlist"

// Decode turns image files (JPEG, PNG, WebP, BMP, GIF, PPM, TIFF) into
// uint8 RGB of height x width x 3. EXIF orientation is applied: sizes are what
// a person sees. The RGB of a JPEG is libjpeg-turbo's with its defaults, which
// Pillow and OpenCV give; internal/decode states the rules for every other
// format.
//
// A JPEG file that is damaged or cut short once its first scan has begun is an error,
// or with Truncated: fill a picture, which runs count: libjpeg-turbo's for the bytes
// there are, which Pillow gives with LOAD_TRUNCATED_IMAGES. What the data lacks is grey
// in a baseline file, and coarser in a progressive one. Damaged headers, other formats
// and codings that aren't supported stay errors. A whole progressive file that lacks
// scans gives a picture always, smoothed as libjpeg-turbo does, and is counted.
//
// Mode gray makes batches of one channel, [h, w, 1] or [1, h, w]: Pillow's convert("L") of
// the RGB picture, round((19595 R + 38470 G + 7471 B) / 65536).
type Decode struct {
	Mode ColorMode `sluice:"mode" default:"rgb" doc:"rgb, or gray: one channel, as Pillow's convert(\"L\")"`

	Limit int64 `sluice:"max_pixels,positive" default:"268435456" doc:"refuse pictures of more pixels, from their header; one that takes more memory than the budget is made alone"`

	Truncated Truncation `sluice:"truncated" default:"error" doc:"JPEG files that are cut short or damaged: an error, or filled as libjpeg does, and counted"`
}

// ColorMode is what pictures are made of; "" is RGB.
type ColorMode string

// The modes.
const (
	RGB  ColorMode = "rgb"
	Gray ColorMode = "gray"
)

// Values lists the modes.
func (ColorMode) Values() []string { return []string{string(RGB), string(Gray)} }

// Truncation is what becomes of a JPEG file that is cut short or damaged; "" is
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

// RepairsTruncated tells whether damaged files give pictures.
func (d Decode) RepairsTruncated() bool { return d.Truncated == TruncatedFill }

// Gray tells whether pictures have one channel.
func (d Decode) Gray() bool { return d.Mode == Gray }

// MaxPixels is the limit in force.
func (d Decode) MaxPixels() int64 {
	if d.Limit == 0 {
		return defaultMaxPixels
	}
	return d.Limit
}
