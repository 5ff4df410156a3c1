package parquetsource

import (
	"encoding/json"
	"fmt"

	"github.com/sluicedata/sluice/internal/parquet"
)

// keyShape is the key of the shape of pixels in a file's metadata: [height, width,
// channels], of uint8.
const keyShape = "sluice.shape"

// pixels looks whether the images are pixels of one shape, which are then read as PPM
// files.
func (f *file) pixels() error {
	text := f.Meta[keyShape]
	l := &f.Leaves[f.image.leaf]
	if text == "" || l.Type != parquet.FixedLenByteArray {
		return nil
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
