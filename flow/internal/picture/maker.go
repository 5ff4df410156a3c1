package picture

import (
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// Maker is the memory in which pictures are made, one after the other: it belongs to one
// goroutine and one Program.
type Maker struct {
	Clock *Clock // nil: time isn't measured

	fuser  warp.Fuser
	planes planar.YCC            // of the file at hand
	tables map[uint64]warp.Pixel // of functions that don't depend on the draw, by their stages
	u8     [3][256]uint8         // of those that do
	f32    [3][256]float32
	part   []uint8 // of a PNG file
	ring   [][2]float64

	mask    []uint8 // of the sample at hand
	row     []uint8
	nearest nearest
}

// keptPart is how much memory of a part is kept for the next.
const keptPart = 32 << 20

// Clock adds up what makers do with their time.
type Clock struct{ Decode, Transform atomic.Int64 } // nanoseconds

// Views are the pictures of a draw that people look at. Making them costs whole
// pictures: runs go without.
type Views struct {
	Source *schema.Picture // as decoded
	Last   *schema.Picture // the last one in RGB bytes
}
