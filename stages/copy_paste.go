package stages

import (
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/smooth"
	"github.com/sluicedata/sluice/schema"
)

// CopyPaste cuts objects out of another picture, a donor, along their polygons, and pastes them into
// each picture, where they lie in the donor (Ghiasi et al. 2021, Simple Copy-Paste). A donor has gone
// through the stages before, by draws of its own, and its objects are those that were left. Each is
// pasted with the probability ObjectP, or Number of them, chosen at random; crowds never are. What they
// cover of the picture's own objects is gone, as what a crop cuts off; a mask is pasted with them.
//
// With a Scale the donor is scaled by a factor, uniform on it, and lies anywhere, so that it is within the
// picture, or the picture within it: its width becomes floor(width * factor), and its left edge is
// the integer part of a number uniform between 0 and the difference of the widths; likewise its height
// and top edge. The draws are the factor, left, top. This is the paper's large scale jitter, but that
// small pictures lie anywhere; and it is merged with the warps before it.
//
// Donors are samples with objects that may be pasted, drawn as Rebalance draws, with exact quotas.
type CopyPaste struct {
	P       Probability `sluice:"p,positive" default:"1" doc:"share of the rows that get a donor"`
	ObjectP Probability `sluice:"object_p,positive" default:"0.5" doc:"probability with which each of the donor's objects is pasted"`
	Number  int         `sluice:"number,positive" doc:"paste so many of the donor's objects, chosen at random, or all where it has fewer; without object_p"`
	Below   int64       `sluice:"below,positive" doc:"paste only objects of classes that fewer pictures have"`
	Scale   Range       `sluice:"scale" default:"[1, 1]" doc:"range of the factor by which the donor is scaled and moved: [0.1, 2] is the paper's large scale jitter; [1, 1]: neither"`
	Sigma   float64     `sluice:"sigma,positive" doc:"standard deviation, in pixels, of the gaussian that blends the edges of what is pasted (default: they are sharp)"`
	Donors  Target      `sluice:"donors" default:"instance" doc:"proportions in which the classes of objects donate: what rebalance takes as its target"`
}

const (
	defaultObjectP = 0.5
	widestBlend    = 40
	farthestScale  = 16
)

var defaultPasteScale = Range{1, 1}

// CopyPasteParams are the objects of the donor that are pasted.
type CopyPasteParams struct {
	rand Rand // by which they are chosen
}

// Name is the stage's name in pipeline files.
func (CopyPaste) Name() string { return "copy_paste" }

// Version of the algorithm.
func (CopyPaste) Version() int { return 1 }

// Check reports impossible options.
func (c CopyPaste) Check() error {
	scales := c.scales()
	errs := []error{c.P.check("p"), c.ObjectP.check("object_p"), scales.check("scale")}
	if c.Number < 0 {
		errs = append(errs, errorf("number", "%d objects: give at least 1", c.Number))
	}
	if c.Number > 0 && c.ObjectP != 0 && c.ObjectP != defaultObjectP {
		errs = append(errs, errorf("number", "so many objects, or each with the probability object_p: leave one of them out"))
	}
	if c.Below < 0 {
		errs = append(errs, errorf("below", "%d pictures: give a number above 1", c.Below))
	}
	if c.Below == 1 {
		errs = append(errs, errorf("below", "no class has objects in fewer than 1 picture: give a number above 1"))
	}
	if !(scales[0] > 0 && scales[1] <= farthestScale) && scales.check("scale") == nil {
		errs = append(errs, errorf("scale", "[%g, %g]: give factors above 0, up to %d", scales[0], scales[1], farthestScale))
	}
	if !(c.Sigma >= 0 && c.Sigma <= widestBlend) {
		errs = append(errs, errorf("sigma", "%v pixels: give more than 0, up to %d, or leave it out for sharp edges", c.Sigma, widestBlend))
	}
	return errlist.Join(append(errs, checkDonors(c.Donors))...)
}

// PerRow is true: each row has a donor of its own.
func (CopyPaste) PerRow() bool { return true }

// DrawMix draws whether a row gets a donor, and the numbers by which Chooser chooses.
func (c CopyPaste) DrawMix(_, _ int, rand *Rand) Params {
	if c.P.skips(rand) {
		return nil
	}
	return &CopyPasteParams{*rand}
}

// DonorCount is one.
func (CopyPaste) DonorCount() int { return 1 }

// DonorOrder is that of Rebalance, of the samples with objects that may be pasted: of their classes,
// those that may be count.
func (c CopyPaste) DonorOrder(in Selection, index schema.Index, draws int64, key RandKey) (Order, error) {
	allowed, err := c.allowed(in, index)
	if err != nil {
		return nil, err
	}
	some := allowedObjects{index, allowed}
	var donors Selection
	for _, sample := range in {
		if len(some.ObjectLabels(sample)) > 0 {
			donors = append(donors, sample)
		}
	}
	if len(donors) == 0 {
		return nil, fmt.Errorf("no sample has an object: there is nothing to paste")
	}
	r := Rebalance{Target: donorTarget(c.Donors), Task: TaskNames{schema.ColumnBoxes}, Draws: draws}
	order, err := r.Sample(donors, some, key)
	if err != nil {
		return nil, fmt.Errorf("donors: %w", err)
	}
	return order, nil
}

// allowed are the classes whose objects may be pasted, of those that samples have; nil: all.
func (c CopyPaste) allowed(in Selection, index schema.Index) ([]bool, error) {
	spec := schema.TargetSpecOf(index)
	if !spec.Objects() {
		return nil, fmt.Errorf("the samples have no objects: there is nothing to paste")
	}
	if spec.CrowdsAlone {
		return nil, fmt.Errorf("all objects are crowds (COCO's iscrowd, VOC's difficult), which are never pasted: there is nothing to paste")
	}
	if c.Below == 0 {
		return nil, nil
	}
	having := make([]int64, len(spec.Classes))
	boxes := schema.SeveralOf(index)[0]
	for _, sample := range in {
		boxes.Each(sample, func(class int32) { having[class]++ })
	}
	allowed, fewest := make([]bool, len(having)), int64(math.MaxInt64)
	for class, n := range having {
		if allowed[class] = n > 0 && n < c.Below; n > 0 {
			fewest = min(fewest, n)
		}
	}
	if !slices.Contains(allowed, true) && fewest < math.MaxInt64 {
		return nil, errorf("below", "no class has objects in fewer than %d pictures: the rarest is in %d", c.Below, fewest)
	}
	return allowed, nil
}

// allowedObjects is an index in whose samples there are no objects of other classes.
type allowedObjects struct {
	schema.Index
	classes []bool // nil: all
}

func (x allowedObjects) TargetSpec() *schema.TargetSpec { return schema.TargetSpecOf(x.Index) }

func (x allowedObjects) TargetDigest(sample int) [16]byte {
	return schema.TargetDigestOf(x.Index, sample)
}

func (x allowedObjects) ObjectLabels(sample int) []int32 {
	list := schema.ObjectLabelsOf(x.Index, sample)
	if x.classes == nil {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(class int32) bool { return !x.classes[class] })
}

// Chooser is the choice among a donor's objects.
func (c CopyPaste) Chooser(in Selection, index schema.Index) (func(params Params, objects []Object) []int, error) {
	allowed, err := c.allowed(in, index)
	return func(params Params, objects []Object) (chosen []int) {
		rand := params.(*CopyPasteParams).rand // a copy
		for i, o := range objects {
			if !o.Crowd && (allowed == nil || allowed[o.Label]) {
				chosen = append(chosen, i)
			}
		}
		if c.Number > 0 {
			for i := range min(c.Number, len(chosen)) {
				j := i + rand.IntN(len(chosen)-i)
				chosen[i], chosen[j] = chosen[j], chosen[i]
			}
			chosen = chosen[:min(c.Number, len(chosen))]
			slices.Sort(chosen)
			return chosen
		}
		p := c.ObjectP
		if p == 0 {
			p = defaultObjectP
		}
		return slices.DeleteFunc(chosen, func(int) bool { return p.skips(&rand) })
	}, err
}

// Blend is the gaussian of the edges: its weights, of the pixel itself and of those at each distance;
// nil: edges are sharp. The kernel reaches three standard deviations.
func (c CopyPaste) Blend() []int16 {
	if c.Sigma == 0 {
		return nil
	}
	if weights := smooth.Weights(2*int(math.Ceil(3*c.Sigma))+1, c.Sigma); len(weights) > 1 {
		return weights
	}
	return nil // it is all in the pixel itself
}

// DonorStage scales and moves donors; nil: there is no scale.
func (c CopyPaste) DonorStage() PictureStage {
	if c.scales() == defaultPasteScale {
		return nil
	}
	return pasteScale{c.scales()}
}

// Warn warns of objects that are boxes alone.
func (CopyPaste) Warn(_ Selection, index schema.Index) []string {
	if spec := schema.TargetSpecOf(index); spec.Objects() && !spec.Polygons {
		return []string{"the objects have no polygons: their boxes are pasted, with the background in them"}
	}
	return nil
}

func (c CopyPaste) scales() Range {
	if c.Scale == (Range{}) {
		return defaultPasteScale
	}
	return c.Scale
}

// pasteScale is what a donor goes through in addition: it keeps the picture's size.
type pasteScale struct{ factors Range }

// PasteScaleParams is the size of the scaled donor, and where its top left corner lies.
type PasteScaleParams struct {
	Height int `json:"height"`
	Width  int `json:"width"`
	Top    int `json:"top"`
	Left   int `json:"left"`
}

func (pasteScale) Name() string { return "copy_paste" }
func (pasteScale) Version() int { return 1 }
func (pasteScale) Check() error { return nil }

func (pasteScale) Output(in schema.Tensor) (schema.Tensor, error) { return in, CheckWarpable(in) }

func (s pasteScale) Draw(row *Row) (Params, error) {
	factor := s.factors.draw(row.Rand)
	p := PasteScaleParams{Height: scaled(row.Height, factor), Width: scaled(row.Width, factor)}
	p.Left = int(float64(row.Width-p.Width) * row.Rand.Float64()) // towards 0
	p.Top = int(float64(row.Height-p.Height) * row.Rand.Float64())
	return Recycle(row, p), nil
}

// Warp scales the part that the picture shows. Beside a smaller picture its edge is repeated, so that
// what is blended with it is no border.
func (pasteScale) Warp(params Params, height, width int) Transform {
	p := params.(*PasteScaleParams)
	t := ResizeTransform(height, width, p.Height, p.Width, Bilinear, true)
	t.Matrix = Translation(float64(-p.Left), float64(-p.Top)).Then(t.Matrix)
	t.Height, t.Width = height, width
	if p.Height < height || p.Width < width {
		t.Inset = image.Rect(p.Left, p.Top, p.Left+p.Width, p.Top+p.Height).Intersect(image.Rect(0, 0, width, height))
	}
	return t
}
