package picture

import (
	"context"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// reference is the reference executor: it applies stage after stage to whole pictures.
func (m *Maker) reference(ctx context.Context, d *Draw, source *schema.Picture, views *Views) (*schema.Picture, error) {
	pic := source
	for i := range d.ops {
		o := &d.ops[i]
		d.stage = d.program.Stages[o.stage].Name
		switch stage := o.as.(type) {
		case stages.Warper:
			var err error
			if pic, err = warp.ApplyUntil(ctx, pic, *o.transform); err != nil {
				return nil, err
			}
		case stages.Pixelwise:
			pic = applyPixelFunc(pic, *o.pixel, o.out)
		case stages.Mapper: // whatever MapPixels says
			pic = stage.Map(o.params, pic)
		}
		if views != nil && isRGB(pic.Tensor()) {
			views.Last = pic
		}
	}
	return pic, nil
}
