package preview

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image"
	"image/png"
	"strings"

	"github.com/disintegration/imaging"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// content is what the template shows.
type content struct {
	Name, PlanHash, Plan string
	Seed                 uint64
	Warnings             []string
	Unmixed              string // the stages that mix the pictures which are shown before that; "": none
	Drawing              *drawing
	Histograms           []histogram
	Groups               []*group
	Targets              bool // are drawn over the pictures, which are larger then
}

// group is the draws of one class.
type group struct {
	Task, Class string // empty in a pipeline without labels
	Samples     int64
	Draws       []draw
	positions   []int64
}

type draw struct {
	Key      string
	Position int64
	Before   thumbnail
	After    thumbnail
	Objects  string // how many there are, before and after; "": there are no targets
	Params   []param
	Event    string // what on_error or truncated: fill did; "": nothing

	failure          *flow.RowError // nil: there is a picture
	refilled, filled bool           // by another sample; a damaged file's
}

// Failed says that there is no picture.
func (d draw) Failed() bool { return d.failure != nil }

type param struct{ Stage, Value string }

type thumbnail struct {
	URI           template.URL
	Width, Height int // of the picture itself
	Overlay       *overlay
}

// newDraw makes a draw, and shows it, or how it failed. An error is of one that ends
// a run.
func newDraw(ctx context.Context, plan *flow.Plan, position int64) (draw, error) {
	drawn := plan.Index().Key(plan.Drawn(0, position))
	row, err := plan.Row(ctx, 0, position)
	if err != nil {
		failure := new(flow.RowError)
		if !errors.As(err, &failure) || !leftOut(plan, failure) {
			return draw{}, err
		}
		return draw{Key: drawn, Position: position, Event: "left out: " + err.Error(), failure: failure}, nil
	}
	d := draw{Key: row.Meta.Key, Position: row.Meta.Position, refilled: row.Attempt > 0, filled: row.Repairs > 0}
	switch {
	case d.refilled:
		d.Event = fmt.Sprintf("in place of %s, which failed", drawn)
	case d.filled:
		d.Event = "the file is damaged or incomplete: what is missing is filled"
	}
	if err := d.show(plan.Info().Targets, row); err != nil {
		return d, err
	}
	for _, drawn := range row.Drawn {
		text, err := readable(drawn.Params)
		if err != nil {
			return d, err
		}
		if drawn.Strength != 1 {
			text = strings.TrimSuffix(fmt.Sprintf("strength %.3g: %s", drawn.Strength, text), ": ")
		}
		if text != "" {
			d.Params = append(d.Params, param{drawn.Stage, text})
		}
	}
	for _, stage := range row.Left {
		d.Params = append(d.Params, param{stage, "not for this row"})
	}
	return d, nil
}

// show makes the two pictures of a draw, with their targets.
func (d *draw) show(spec *schema.TargetSpec, row *flow.Row) (err error) {
	side := plainSide
	if spec.Objects() || spec.HasMask() {
		side = targetSide
	}
	if d.Before, err = newThumbnail(row.Source, side); err != nil {
		return err
	}
	if d.After, err = newThumbnail(row.Display, side); err != nil {
		return err
	}
	if d.Before.Overlay, err = newOverlay(spec, row.SourceTargets, row.SourceMask, row.Source.Height, row.Source.Width); err != nil {
		return err
	}
	if d.After.Overlay, err = newOverlay(spec, row.Meta.Targets, row.Mask, row.Display.Height, row.Display.Width); err != nil {
		return err
	}
	if spec.Objects() {
		d.Objects = fmt.Sprintf("%d → %d objects", len(d.Before.Overlay.Objects), len(d.After.Overlay.Objects))
	}
	return nil
}

// leftOut says that on_error lets a run go on without a row: its picture is broken or
// was missing. Others end it.
func leftOut(plan *flow.Plan, failure *flow.RowError) bool {
	return plan.Settings().Failures.Policy != flow.Fail && (failure.Stage != "source" || errors.Is(failure, sources.ErrMissing))
}

// readable writes drawn parameters for people: as they write themselves, or
// "x 12, y 7", numbers to four digits; of stages within a stage "rotate degrees 30, then flip".
func readable(params any) (string, error) {
	switch p := params.(type) {
	case fmt.Stringer:
		return p.String(), nil
	case *stages.Acting:
		var list []string
		for _, s := range p.Stages {
			text, err := readable(s.Params)
			if err != nil {
				return "", err
			}
			list = append(list, strings.TrimSuffix(s.Stage+" "+text, " "))
		}
		return strings.Join(list, ", then "), nil
	}
	b, err := json.Marshal(params)
	if err != nil {
		return "", err
	}
	var list []string
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := dec.Token()
		if err != nil {
			return strings.Join(list, ", "), nil // the end
		}
		switch v := token.(type) {
		case string:
			list = append(list, v)
		case float64:
			list[len(list)-1] += fmt.Sprintf(" %.4g", v)
		case bool:
			list[len(list)-1] += fmt.Sprint(" ", v)
		}
	}
}

// newThumbnail shrinks a uint8 HWC picture to at most so many pixels a side.
func newThumbnail(p *schema.Picture, side int) (thumbnail, error) {
	img := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(img.Pix[4*i:], p.U8[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, imaging.Fit(img, side, side, imaging.Linear)); err != nil {
		return thumbnail{}, err
	}
	uri := "data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes())
	return thumbnail{URI: template.URL(uri), Width: p.Width, Height: p.Height}, nil
}
