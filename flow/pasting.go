package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/mixture"
	"github.com/sluicedata/sluice/internal/polygon"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// newComposer is a Composer for the samples that are drawn from.
func newComposer(stage stages.Composer, r *rows, selection stages.Selection) (composer, error) {
	switch stage := stage.(type) {
	case stages.Tiler:
		return (&tiling{stage, r.spec, r.rules, r.keepEmpty}).compose, nil
	case stages.Paster:
		choose, err := stage.Chooser(selection, r.index)
		if err == nil && stage.DonorCount() != 1 {
			err = fmt.Errorf("its DonorCount is %d: a Paster has one donor", stage.DonorCount())
		}
		return (&pasting{r.rules, choose, stage.Blend()}).compose, err
	}
	return nil, fmt.Errorf("%T is neither a Tiler nor a Paster: see package stages", stage)
}

// pasting is a Paster in its place.
type pasting struct {
	rules  *picture.Rules
	choose func(params stages.Params, objects []stages.Object) []int
	blend  []int16
}

// compose pastes objects of a donor into a picture, and returns the text that says which.
func (c *pasting) compose(params stages.Params, own made, donors []made) (text string, err error) {
	donor := donors[0]
	pasted, err := c.chosen(params, donor.meta.Targets)
	if err != nil {
		return "", err
	}
	ids := make([]string, len(pasted))
	for i, o := range pasted {
		ids[i] = fmt.Sprint(o.ID)
	}
	text = `"pasted":[` + strings.Join(ids, ",") + "]"
	if len(pasted) == 0 {
		return text, nil
	}
	height, width := own.picture.Height, own.picture.Width
	var cover polygon.Shape
	for i := range pasted {
		cover = append(cover, picture.ShapeOf(&pasted[i])...)
	}
	objects, later := c.rules.Covered(own.meta.Targets, *own.fates, cover, height, width)
	fates := picture.Then(*own.fates, later)
	for _, o := range pasted {
		fates = append(fates, picture.Fate{Label: o.Label, Pasted: true})
	}
	own.meta.Targets = &schema.Targets{Height: height, Width: width, Frame: schema.Displayed, Objects: append(objects, pasted...)}
	*own.fates = fates
	pastePixels(own.picture, donor.picture, cover, c.blend)
	if own.mask != nil {
		cover.Fill(height, width, func(y, x, end int) { copy(own.mask[y*width+x:y*width+end], donor.mask[y*width+x:]) })
	}
	return text, nil
}

// chosen are the objects of a donor that are pasted.
func (c *pasting) chosen(params stages.Params, t *schema.Targets) (list []schema.Object, err error) {
	if t == nil {
		return nil, nil
	}
	objects := make([]stages.Object, len(t.Objects))
	for i, o := range t.Objects {
		objects[i] = stages.Object{Label: o.Label, Crowd: o.Crowd, Area: float64(o.Area)}
		for k, v := range o.Box {
			objects[i].Box[k] = float64(v)
		}
	}
	last := -1
	for _, i := range c.choose(params, objects) {
		if i <= last || i >= len(objects) {
			return nil, fmt.Errorf("its Chooser gave %d after %d, of %d objects: they are to be listed in ascending order", i, last, len(objects))
		}
		last = i
		list = append(list, t.Objects[i])
	}
	return list, nil
}

// pastePixels copies the pixels of a donor whose centres are in a shape. Those beside an edge are blended,
// where there are weights: the share of the donor is that of the shape's pixels around.
func pastePixels(own, donor *schema.Picture, cover polygon.Shape, blend []int16) {
	height, width := own.Height, own.Width
	if blend == nil {
		cover.Fill(height, width, func(y, x, end int) {
			eachRun(own, y, x, end, func(from, to int) {
				if own.U8 != nil {
					copy(own.U8[from:to], donor.U8[from:to])
				} else {
					copy(own.F32[from:to], donor.F32[from:to])
				}
			})
		})
		return
	}
	shares := mixture.Smoothed(height, width, blend, func(set func(y, x, end int)) { cover.Fill(height, width, set) })
	for y := shares.Top; y < shares.Top+shares.Height; y++ {
		row := shares.Row(y)
		for i, share := range row {
			if share == 0 {
				continue
			}
			x := shares.Left + i
			eachRun(own, y, x, x+1, func(from, to int) {
				if own.U8 != nil {
					mixture.Bytes(own.U8[from:to], donor.U8[from:to], mixture.One-int(share))
				} else {
					s := float32(share) / mixture.One
					mixture.Floats(own.F32[from:to], donor.F32[from:to], 1-s, s)
				}
			})
		}
	}
}

// eachRun calls do for the values of pixels of a row: once, or for each plane.
func eachRun(p *schema.Picture, y, x, end int, do func(from, to int)) {
	planes, each := 1, max(len(p.U8), len(p.F32))/(p.Height*p.Width)
	if p.Layout == schema.CHW {
		planes, each = each, 1
	}
	for plane := range planes {
		line := (plane*p.Height + y) * p.Width
		do((line+x)*each, (line+end)*each)
	}
}

// behindMovers is a plan's stages with one more, of donors alone, behind the last that may move pixels.
func behindMovers(list steps, program *picture.Program, more picture.Stage) *picture.Program {
	out := *program
	at, n := 0, 0
	for _, s := range list {
		if !s.isPicture() {
			continue
		}
		n++
		switch s.stage.(type) {
		case stages.Warper, stages.Composite:
			at = n
		}
	}
	out.Stages = slices.Insert(slices.Clone(program.Stages), at, more)
	return &out
}
