package picture

import (
	"sync"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/png"
	"github.com/sluicedata/sluice/schema"
)

// Passed are the targets of a file that no stage decodes, in the picture as it is shown: they
// are turned where they belong to the picture as stored, and the mask's file is another one
// where it has to be turned or its class numbers are others. turn is Draw.Turn. t isn't changed. A file whose header cannot be read, which nothing shows, keeps its
// targets.
func (m *Maker) Passed(t *schema.Targets, spec *schema.TargetSpec, file []byte) (out *schema.Targets, turn Turn, err error) {
	if t == nil {
		return nil, Clear, nil
	}
	h, err := decode.ReadHeader(file)
	if err != nil {
		return t, Clear, nil
	}
	d := &Draw{Source: [2]int{h.Height, h.Width}}
	g := &d.targets
	if err := g.begin(t, h.Orientation, h.Height, h.Width); err != nil {
		return nil, Clear, &Failure{TargetsStage, err}
	}
	if !g.turned && (t.Mask == nil || t.MaskMap == nil) {
		return t, d.Turn(), nil
	}
	out = d.SourceTargets()
	if g.turned && g.path.Mirrors() && spec.Mirrored != nil {
		for i := range out.Objects {
			o := &out.Objects[i]
			points := o.Keypoints
			o.Keypoints = make([]float32, len(points))
			for k := range len(points) / 3 {
				copy(o.Keypoints[3*spec.Mirrored[k]:][:3], points[3*k:])
			}
		}
	}
	mask, err := m.SourceMask(d, spec)
	if err == nil && mask != nil {
		e := passedMasks.Get().(*png.Encoder)
		defer passedMasks.Put(e)
		out.Mask, err = e.Encode(nil, mask.U8, mask.Height, mask.Width, 1)
	}
	if err != nil {
		return nil, Clear, &Failure{"mask", err}
	}
	return out, d.Turn(), nil
}

var passedMasks = sync.Pool{New: func() any { return &png.Encoder{} }}

// PassedBytes are those that Passed takes at most: of a mask the class numbers, turned, and
// as a file, once more while it is made.
func PassedBytes(t *schema.Targets, file []byte) int64 {
	if t == nil || t.Mask == nil || t.MaskMap == nil && t.Frame == schema.Displayed {
		return 0
	}
	h, err := decode.ReadHeader(file)
	if err != nil || t.MaskMap == nil && h.Orientation < 2 {
		return 0
	}
	return 4*int64(h.Height)*int64(h.Width) + 1<<16
}
