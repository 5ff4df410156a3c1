package sources

import (
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Frame says which picture annotations were made on, where an image file says that it is to
// be turned (EXIF).
type Frame string

// The frames. Where none is given, the sizes in the annotations decide: stored where only
// the picture as it is stored has that size, else displayed.
const (
	FrameStored    Frame = "stored"    // as it is in the file
	FrameDisplayed Frame = "displayed" // turned, as viewers show it
)

// Values lists the frames.
func (Frame) Values() []string { return []string{string(FrameStored), string(FrameDisplayed)} }

func (f Frame) check() error {
	if f != "" && !slices.Contains(f.Values(), string(f)) {
		return errorf("annotations: %q is neither stored nor displayed", f)
	}
	return nil
}

// of is the schema's.
func (f Frame) of() schema.Frame {
	switch f {
	case FrameStored:
		return schema.Stored
	case FrameDisplayed:
		return schema.Displayed
	}
	return schema.BySize
}

// Convention says what the coordinates of a keypoint are.
type Convention string

// The conventions.
const (
	Continuous Convention = "continuous" // as those of boxes: the first pixel's middle is 0.5, 0.5
	PixelIndex Convention = "index"      // numbers of pixels: the first pixel's middle is 0, 0
)

// Values lists the conventions.
func (Convention) Values() []string { return []string{string(Continuous), string(PixelIndex)} }

// Keypoints is how keypoints are read. In pipeline files: {convention: index}.
type Keypoints struct {
	Convention Convention `sluice:"convention" default:"continuous" doc:"what the coordinates of keypoints are: continuous, as those of boxes, or index, numbers of pixels, to which 0.5 is added"`
}

// SetOption reads the form of files.
func (k *Keypoints) SetOption(v any) error {
	given, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want a map such as {convention: index}, have %s", options.Have(v))
	}
	for name, value := range given {
		if err := options.Set(k, name, value); err != nil {
			return err
		}
	}
	return nil
}

// OptionSchema describes the file form.
func (Keypoints) OptionSchema() map[string]any {
	properties := map[string]any{}
	for _, f := range options.Fields(Keypoints{}) {
		properties[f.Name] = f.Schema()
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

// MarshalJSON writes what SetOption reads; null where nothing is given.
func (k Keypoints) MarshalJSON() ([]byte, error) {
	if k == (Keypoints{}) {
		return []byte("null"), nil
	}
	return options.Canonical(k)
}

func (k Keypoints) check() error {
	if k.Convention != "" && !slices.Contains(k.Convention.Values(), string(k.Convention)) {
		return errorf("keypoints: convention: %q is neither continuous nor index", k.Convention)
	}
	return nil
}

// move is what is added to coordinates.
func (k Keypoints) move() float32 {
	if k.Convention == PixelIndex {
		return 0.5
	}
	return 0
}
