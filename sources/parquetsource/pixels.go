package parquetsource

import (
	"encoding/json"
	"fmt"

	"github.com/sluicedata/sluice/internal/parquet"
)

// The keys of what a file's metadata say of pixels: their shape, [height, width, channels],
// and the type of their values.
const (
	keyShape = "sluice.shape"
	keyType  = "sluice.dtype"
)

// MayBeUniform is true: pixels have one shape.
func (Parquet) MayBeUniform() bool { return true }

// PictureSize is that of pixels, if all files have it.
func (d *dataset) PictureSize() (height, width int, ok bool) {
	for i, header := range d.headers {
		var kind, h, w int
		if _, err := fmt.Sscanf(header, "P%d %d %d", &kind, &w, &h); err != nil || i > 0 && (h != height || w != width) {
			return 0, 0, false
		}
		height, width = h, w
	}
	return height, width, height > 0
}

// pixels looks whether the images are pixels of one shape, which are then read as PPM
// files.
func (f *file) pixels() error {
	text, l := f.Meta[keyShape], &f.Leaves[f.image.leaf]
	if text == "" || l.Type != parquet.FixedLenByteArray {
		return nil
	}
	if t := f.Meta[keyType]; t != "" && t != "uint8" {
		return fmt.Errorf("the column %q holds pixels as %.20s, of which no image can be made again: write it without to_tensor", l.Name(), t)
	}
	var shape []int64
	if err := json.Unmarshal([]byte(text), &shape); err != nil || len(shape) != 3 || shape[0] < 1 || shape[1] < 1 || shape[2] != 1 && shape[2] != 3 ||
		shape[0] > 1<<31 || shape[1] > 1<<31 || shape[0]*shape[1] != int64(l.Length)/shape[2] || int64(l.Length)%shape[2] != 0 {
		return fmt.Errorf("its metadata %q is %.100q, and the column %q holds %d bytes in each row: want [height, width, 1 or 3] of as many bytes", keyShape, text, l.Name(), l.Length)
	}
	format := "P6"
	if shape[2] == 1 {
		format = "P5"
	}
	f.header = fmt.Sprintf("%s %d %d 255\n", format, shape[1], shape[0])
	return nil
}
