package stages

// Decode turns image files (JPEG, PNG, WebP, BMP, GIF's first frame, PPM) into
// uint8 RGB of height x width x 3. EXIF orientation is applied: sizes are what
// a person sees. The RGB of a JPEG is libjpeg-turbo's with its defaults, which
// Pillow and OpenCV give; internal/decode states the rules for every other
// format.
type Decode struct {
	Limit int64 `sluice:"max_pixels,positive" default:"268435456" doc:"refuse pictures of more pixels, from their header"`
}

const defaultMaxPixels = 1 << 28

// Name is the stage's name in pipeline files.
func (Decode) Name() string { return "decode" }

// Version of the algorithm; the decoders have a revision of their own.
func (Decode) Version() int { return 1 }

// Check reports impossible options.
func (d Decode) Check() error {
	if d.Limit < 0 {
		return errorf("max_pixels", "%d is negative", d.Limit)
	}
	return nil
}

// MaxPixels is the limit in force.
func (d Decode) MaxPixels() int64 {
	if d.Limit == 0 {
		return defaultMaxPixels
	}
	return d.Limit
}
