package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/stages"
)

// UnlikeImages lists how an evaluation's images differ from those of the training that it
// evaluates, so that a network sees what it hasn't learnt: size and type, values, decoding,
// the filter of a resize; and what an evaluation usually leaves out, random stages and
// drop_last. It is nil where there is nothing to say. Tasks and classes are the trainer's
// business.
func (p *Plan) UnlikeImages(training *Plan) (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	have, want := imageTypes(p), imageTypes(training)
	if i := slices.IndexFunc(have, func(t string) bool { return !slices.Contains(want, t) }); i >= 0 {
		say("images are %s, in training %s", have[i], strings.Join(want, ", "))
	}
	black, white := p.steps.levels()
	black2, white2 := training.steps.levels()
	if p.rows.pictures != nil && training.rows.pictures != nil && (apart(black, black2, black2, white2) || apart(white, white2, black2, white2)) {
		say("black and white leave as %.3g and %.3g, in training as %.3g and %.3g: use the same to_tensor and normalize", black, white, black2, white2)
	}
	list = append(list, decodesUnlike(p.steps.decoder(), training.steps.decoder())...)
	if have, want := p.steps.filters(), training.steps.filters(); len(want) > 0 {
		if i := slices.IndexFunc(have, func(f string) bool { return !slices.Contains(want, f) }); i >= 0 {
			say("pictures are resized by %s, in training by %s", have[i], strings.Join(want, ", "))
		}
	}
	var chance []string
	for i := range p.steps {
		s := &p.steps[i]
		if d, ok := s.stage.(stages.PictureStage); ok && random(s, d, len(p.info.Tasks)) {
			chance = append(chance, s.name)
		}
		if b, ok := s.stage.(stages.Batcher); ok {
			if _, dropLast := b.Rows(); dropLast && p.sampling.order.Len() > p.info.RowsPerEpoch {
				say("drop_last leaves %d samples out", p.sampling.order.Len()-p.info.RowsPerEpoch)
			}
		}
	}
	if len(chance) > 0 {
		say("%s: images change at random, and the figures with them: leave it out", strings.Join(chance, ", "))
	}
	return list
}

// imageTypes are those in which images leave.
func imageTypes(p *Plan) (list []string) {
	for _, v := range p.info.Variants {
		if t := imageType(p.info.Form, v.Tensor); !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	return list
}

// levels is what becomes of a black and of a white pixel, by the stages that do
// the same to every picture.
func (list steps) levels() (black, white [3]float32) {
	white = [3]float32{255, 255, 255}
	for i := range list {
		s := &list[i]
		stage, ok := s.stage.(stages.Pixelwise)
		if !ok || s.when != nil {
			continue
		}
		params, random := tried(s, stage, 0)
		if random || params == nil {
			continue
		}
		_ = guard(s.name, func() error {
			f := stage.PixelFunc(params)
			black, white = f.Map(black), f.Map(white)
			return nil
		})
	}
	return black, white
}

// apart reports whether levels differ by more than a hundredth of what lies between
// training's black and white: by more than rounded figures do.
func apart(here, there, black, white [3]float32) bool {
	for c := range here {
		d, span := here[c]-there[c], white[c]-black[c]
		if !(max(d, -d) <= max(span, -span)/100) {
			return true
		}
	}
	return false
}

// decodesUnlike compares what decoding makes of a sound file.
func decodesUnlike(here, training stages.Decoder) []string {
	if here == nil || training == nil || here.Gray() == training.Gray() {
		return nil
	}
	modes := map[bool]stages.ColorMode{false: stages.RGB, true: stages.Gray}
	return []string{fmt.Sprintf("decode: mode is %q, in training %q", modes[here.Gray()], modes[training.Gray()])}
}

// filters lists those of the stages that resize.
func (list steps) filters() (names []string) {
	for _, s := range list {
		if r, ok := s.stage.(stages.Resizer); ok && !slices.Contains(names, r.ResizeFilter()) {
			names = append(names, r.ResizeFilter())
		}
	}
	return names
}
