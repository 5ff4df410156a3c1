package preview

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
)

// drawing is the plan's operators from top to bottom, as preview's page draws
// them. All lengths are in the units of the SVG's viewBox.
type drawing struct {
	Height int
	Boxes  []drawnBox
	Arrows []drawnArrow
}

// Width of the drawing.
func (drawing) Width() int { return drawingWidth }

// drawnBox is an operator. One with Parts holds the stages that it merges.
type drawnBox struct {
	Class       string // index, pixels, batch: what it works on
	Y, H        int
	Title, Note string
	Parts       []drawnPart
}

// The lengths of a box that its template needs.
func (b drawnBox) Inner() int       { return drawingWidth - 1 }
func (b drawnBox) InnerHeight() int { return b.H - 1 }
func (b drawnBox) KindHeight() int  { return b.H - 12 }
func (b drawnBox) Right() int       { return drawingWidth - 12 }

type drawnPart struct {
	Y         int // from the box's top
	Name, Opt string
	Tip       string // the whole text where Opt was cut
}

// drawnArrow leads from one operator to the next, with what flows there.
type drawnArrow struct {
	Y, H  int
	Lines []drawnLine
}

// Tip is the arrow's end.
func (a drawnArrow) Tip() int { return a.H - 2 }

type drawnLine struct {
	Y          int
	Type, Size string
}

const (
	drawingWidth = 480
	lineHeight   = 18
	headHeight   = 30
	mostLetters  = 60 // of options, at this width
	mostScales   = 5
)

// drawPlan lays the plan out.
func drawPlan(p *flow.Plan) *drawing {
	o := p.Outline()
	d := &drawing{}
	d.box("index", "source", fmt.Sprintf("%d samples, not read yet", p.Index().Len()), nil)
	for _, s := range o.PushedDown {
		d.arrow(line("sample numbers and labels", ""))
		note := fmt.Sprintf("%d of %d samples stay", s.Leaves, s.Of)
		if s.Draws {
			note = fmt.Sprintf("%d draws an epoch from %d samples", s.Leaves, s.Of)
		}
		d.box("index", s.Name, note, optionsOf(o, s.Name))
	}
	for _, e := range o.Stages {
		if e.Kind == "weigher" {
			d.arrow(line("draws: sample numbers and labels", ""))
			d.box("index", e.Name, "labels give each row's weight", optionsOf(o, e.Name))
		}
	}
	d.arrow(line("the drawn files", sized(o.Schedule.EncodedBytes, "a file")))
	d.pixels(p, o)
	d.box("batch", batcherOf(o), fmt.Sprintf("%d rows, in the order of their positions", p.Info().BatchSize), nil)
	if i := slices.IndexFunc(o.Stages, func(e flow.StageOutline) bool { return e.Kind == "expander" }); i >= 0 {
		base := rowType(o)
		d.arrow(line(fmt.Sprintf("%d × %s", p.Info().BatchSize, base), sized(o.Schedule.BatchBytes, "a batch")))
		d.box("batch", o.Stages[i].Name, "each scale computed from the batch", optionsOf(o, o.Stages[i].Name))
	}
	var lines []drawnLine
	for i, l := range o.Leaves {
		if i == mostScales && len(o.Leaves) > mostScales+1 {
			lines = append(lines, line(fmt.Sprintf("... %d scales", len(o.Leaves)), ""))
			break
		}
		text := l.Type
		if p.Info().Form == schema.FormTensor {
			text = fmt.Sprintf("%d × %s", p.Info().BatchSize, l.Type)
		}
		if p.Info().Scales {
			text = "scale " + schema.FormatScale(l.Scale) + ": " + text
		}
		lines = append(lines, line(text, sized(l.BatchBytes, "a batch")))
	}
	d.arrow(lines...)
	d.box("batch", "sink", fmt.Sprintf("%d records an epoch", o.RecordsPerEpoch), nil)
	return d
}

// pixels is what happens to each picture: one box for decode and the first
// group that is done in one pass, another for each further pass.
func (d *drawing) pixels(p *flow.Plan, o *flow.Outline) {
	var decode, rest []drawnPart
	edges := map[string]flow.StageOutline{}
	last := flow.StageOutline{} // whose type is that of the pictures
	for _, e := range o.Stages {
		edges[e.Name] = e
		switch e.Kind {
		case "decoder":
			decode = append(decode, part(e))
		case "warp", "pixelwise", "map":
			rest = append(rest, part(e))
		}
	}
	if decode == nil {
		return
	}
	if len(o.Groups) == 0 { // the reference executor, or nothing but decode
		note := "each picture"
		if len(rest) > 0 {
			note = "stage after stage, each over the whole picture"
		}
		d.box("pixels", "decode", note, slices.Concat(decode, rest))
	}
	for i, g := range o.Groups {
		title, note, parts := "one pass", "over each picture", []drawnPart(nil)
		if i == 0 {
			title, parts = "decode + one pass", slices.Clone(decode)
		} else {
			d.arrow(line("pictures: "+last.Type, sized(last.RowBytes, "a row")), line("apart: "+g.Apart, ""))
		}
		for _, name := range g.Stages {
			parts = append(parts, part(edges[name]))
		}
		for _, name := range g.Stages {
			if e := edges[name]; e.Type != "" {
				last = e
			}
		}
		if last.Type == "" {
			last.Type = "uint8[h,w,3]"
		}
		d.box("pixels", title, note, parts)
	}
	d.arrow(line(rowType(o), sized(rowBytes(o), "a row")))
}

// rowType is the last type of a picture; what has none stays encoded.
func rowType(o *flow.Outline) string {
	text := "encoded files"
	for _, e := range o.Stages {
		if e.Type != "" {
			text = e.Type
		}
	}
	return text
}

func rowBytes(o *flow.Outline) (n int64) {
	for _, e := range o.Stages {
		if e.Type != "" {
			n = e.RowBytes
		}
	}
	return n
}

func batcherOf(o *flow.Outline) string {
	for _, e := range o.Stages {
		if e.Kind == "batcher" {
			return e.Name
		}
	}
	return "batch"
}

// optionsOf is the second line of a stage's own box.
func optionsOf(o *flow.Outline, name string) []drawnPart {
	for _, e := range o.Stages {
		if e.Name == name && e.Options != "" {
			p := part(e)
			p.Name = ""
			return []drawnPart{p}
		}
	}
	return nil
}

// part is a stage within a box; long options are cut, and whole in its tooltip.
func part(e flow.StageOutline) drawnPart {
	p := drawnPart{Name: e.Name, Opt: e.Options}
	if most := mostLetters - utf8.RuneCountInString(e.Name); utf8.RuneCountInString(e.Options) > most {
		p.Opt, p.Tip = string([]rune(e.Options)[:max(most-1, 8)])+"…", e.Name+": "+e.Options
	}
	return p
}

func line(text, size string) drawnLine { return drawnLine{Type: text, Size: size} }

func sized(n int64, of string) string {
	if n == 0 {
		return ""
	}
	return sizeText(n) + " " + of
}

func sizeText(n int64) string {
	unit, v := "B", float64(n)
	for _, next := range []string{"KiB", "MiB", "GiB"} {
		if v < 1024 {
			break
		}
		unit, v = next, v/1024
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + unit
}

func (d *drawing) box(class, title, note string, parts []drawnPart) {
	b := drawnBox{Class: class, Y: d.Height, H: headHeight, Title: title, Note: note}
	if len(parts) > 0 {
		for i := range parts {
			parts[i].Y = headHeight + i*lineHeight
		}
		b.Parts, b.H = parts, headHeight+len(parts)*lineHeight+6
	}
	d.Boxes = append(d.Boxes, b)
	d.Height += b.H
}

func (d *drawing) arrow(lines ...drawnLine) {
	a := drawnArrow{Y: d.Height, H: len(lines)*lineHeight + 14}
	for i := range lines {
		lines[i].Y = 20 + i*lineHeight
	}
	a.Lines = lines
	d.Arrows = append(d.Arrows, a)
	d.Height += a.H
}
