package stages

import (
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Mosaic shows parts of four pictures of height x width around a random point (YOLOv4's, as ultralytics'
// Mosaic without a change of scale): left above it is the picture itself, whose bottom right corner
// lies in the point, beside and below are three donors, each with the corner that faces it. Objects,
// masks and keypoints are cut with the pixels. The point's x and y are floor(side * u), u
// uniform on Center: first x, then y.
//
// Donors are samples that are drawn as Rebalance draws, with exact quotas: so that pictures with
// rare classes may be shown more often.
type Mosaic struct {
	P      Probability `sluice:"p,positive" default:"1" doc:"share of the rows that become mosaics"`
	Center Range       `sluice:"center" default:"[0.3, 0.7]" doc:"range of the point where the four meet, in shares of the width and height"`
	Donors Target      `sluice:"donors" default:"instance" doc:"proportions in which classes donate: what rebalance takes as its target"`
	Task   string      `sluice:"task" default:"boxes" doc:"the task whose classes donors are drawn by; boxes: the rarest class of their objects"`
}

var defaultCenter = Range{0.3, 0.7}

// MosaicParams is the point where the pictures meet, in pixels.
type MosaicParams struct {
	Center [2]int `json:"center"` // x y
}

// Name is the stage's name in pipeline files.
func (Mosaic) Name() string { return "mosaic" }

// Version of the algorithm.
func (Mosaic) Version() int { return 1 }

// Check reports impossible options.
func (m Mosaic) Check() error {
	errs := []error{m.P.check("p"), m.Center.check("center")}
	if m.Center[0] < 0 || m.Center[1] > 1 {
		errs = append(errs, errorf("center", "[%g, %g] is not within 0 to 1, the whole side", m.Center[0], m.Center[1]))
	}
	return errlist.Join(append(errs, checkDonors(m.Donors))...)
}

// checkDonors reports an impossible target of donors.
func checkDonors(donors Target) error {
	if err := (Rebalance{Target: donorTarget(donors), Task: TaskNames{"task"}}).Check(); err != nil {
		return errlist.Within("donors", err)
	}
	return nil
}

// donorTarget has the default in place of "".
func donorTarget(donors Target) Target {
	if donors == "" {
		return Instance
	}
	return donors
}

// PerRow is true: each row has a point of its own.
func (Mosaic) PerRow() bool { return true }

// DrawMix draws the point.
func (m Mosaic) DrawMix(height, width int, rand *Rand) Params {
	if m.P.skips(rand) {
		return nil
	}
	if m.Center == (Range{}) {
		m.Center = defaultCenter
	}
	x := int(float64(width) * m.Center.draw(rand))
	return &MosaicParams{[2]int{x, int(float64(height) * m.Center.draw(rand))}}
}

// DonorCount is three.
func (Mosaic) DonorCount() int { return 3 }

// DonorOrder is that of Rebalance; of samples without objects or that task, each once in turn.
func (m Mosaic) DonorOrder(in Selection, index schema.Index, draws int64, key RandKey) (Order, error) {
	task := m.Task
	if task == "" {
		task = schema.ColumnBoxes
	}
	if _, known := schema.TaskNumber(index.Tasks(), task); !known && m.Task == "" && m.Donors == "" && !schema.TargetSpecOf(index).Objects() {
		order, err := Shuffle{}.Sample(in, index, key)
		if err != nil {
			return nil, err
		}
		return &rounds{order, draws}, nil
	}
	order, err := Rebalance{Target: donorTarget(m.Donors), Task: TaskNames{task}, Draws: draws}.Sample(in, index, key)
	if err != nil {
		return nil, fmt.Errorf("donors: %w", err)
	}
	return order, nil
}

// rounds goes through an order several times in each epoch.
type rounds struct {
	order Order
	draws int64
}

func (r *rounds) Len() int64 { return r.draws }

func (r *rounds) At(epoch int, position int64) int {
	n := r.order.Len()
	each := (r.draws + n - 1) / n
	return r.order.At(epoch*int(each)+int(position/n), position%n)
}

// Tiles are the four parts.
func (Mosaic) Tiles(params Params, height, width int) []Tile {
	x, y := params.(*MosaicParams).Center[0], params.(*MosaicParams).Center[1]
	return []Tile{
		{Part: image.Rect(0, 0, x, y), From: image.Pt(width-x, height-y)},
		{Part: image.Rect(x, 0, width, y), From: image.Pt(0, height-y)},
		{Part: image.Rect(0, y, x, height), From: image.Pt(width-x, 0)},
		{Part: image.Rect(x, y, width, height), From: image.Pt(0, 0)},
	}
}
