package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// String is the plan as people read it: the samples, the stages with the type
// at each edge, how they run, what leaves.
func (p *Plan) String() string {
	var b strings.Builder
	index := p.Index()
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("plan", "%s", p.PlanHash)
	side := ""
	if p.side() != "" {
		side = fmt.Sprintf(" on the %s side of the split", p.side())
	}
	line("source", "%s%s, %s passed over", plural(int64(index.Len()), "sample"), side, plural(int64(index.PassedOver), "file"))
	for t, task := range p.Tasks {
		line("", "task %s: %s", task.Name, describeCounts(task, p.Counts[t], p.DrawnCounts(t)))
	}
	line("draws", "%d of %d samples per epoch, %s, seed %d", p.RowsPerEpoch, len(p.selection), plural(int64(p.Epochs), "epoch"), p.Seed)
	b.WriteString("\n1 check: every stage, its kind, what leaves it and the bytes of a row\n")
	var pushed []string
	for i, s := range p.steps {
		edge, cost := "", ""
		switch s.stage.(type) {
		case stages.Sampler:
			pushed = append(pushed, s.name)
		case stages.Decoder, stages.Drawer:
			edge, cost = s.out.String(), rowBytes(s.out)
		case stages.Batcher:
			edge = plural(p.BatchesPerEpoch, "batch")
		case stages.Grouper:
			edge = plural(int64(len(p.Variants)), "scale")
		}
		fmt.Fprintf(&b, "%3d  %-20s %-8s %-20s %10s  %s\n", i+1, s.name, kindOf(s.stage), edge, cost, optionLine(s.stage))
	}
	b.WriteString("\n2 push down: ")
	if len(pushed) > 0 {
		fmt.Fprintf(&b, "%s on the index, before any image is read\n", strings.Join(pushed, ", "))
	} else {
		b.WriteString("no sampler: every sample once, in the source's order\n")
	}
	b.WriteString("3 fuse: " + p.describeFuse())
	fmt.Fprintf(&b, "4 schedule: %s, %d batches in flight\n\n", plural(int64(p.Settings.Workers), "worker"), p.Settings.Queue)
	in := ""
	if len(p.Variants) > 1 {
		in = fmt.Sprintf(", each in %d of %d scales", p.picked(), len(p.Variants))
	}
	line("delivers", "%s of up to %d rows an epoch%s%s", plural(p.BatchesPerEpoch, "batch"), p.BatchSize, in, p.totalBytes())
	for v := range p.Variants {
		line("", "%s", p.imageType(v))
	}
	for _, w := range p.Warnings {
		line("warning", "%s", w)
	}
	return b.String()
}

// picked is the number of variants in which a batch leaves.
func (p *Plan) picked() int {
	if p.grouper == nil {
		return 1
	}
	return len(p.grouper.stage.(stages.Grouper).Pick(0, 0, p.grouper.key.Stream(0, 0, 0)))
}

// totalBytes is the size of all the images of the run, on average where not
// every batch leaves in every variant.
func (p *Plan) totalBytes() string {
	if p.Form != schema.FormTensor {
		return ""
	}
	sum := int64(0)
	for _, v := range p.Variants {
		sum += int64(v.Tensor.Elements() * v.Tensor.DType.Bytes())
	}
	sum = sum * int64(p.picked()) / int64(len(p.Variants))
	return fmt.Sprintf(", %s of images in %s", bytesText(sum*p.RowsPerEpoch*int64(p.Epochs)), plural(int64(p.Epochs), "epoch"))
}

// rowBytes is the size of a row whose shape is fixed.
func rowBytes(t schema.Tensor) string {
	if !t.Fixed() {
		return ""
	}
	return bytesText(int64(t.Elements() * t.DType.Bytes()))
}

// imageType is the image column of a variant.
func (p *Plan) imageType(variant int) string {
	switch p.Form {
	case schema.FormEncoded:
		return "encoded files"
	case schema.FormVarying:
		return "pictures of varying size"
	}
	t := p.Variants[variant].Tensor
	text := fmt.Sprintf("%s, %s a batch", t, bytesText(int64(p.BatchSize*t.Elements()*t.DType.Bytes())))
	if p.Scales {
		text = "scale " + schema.FormatScale(p.Variants[variant].Scale) + ", " + text
	}
	return text
}

// describeCounts lists the classes with their samples, and their draws in an
// epoch where these differ.
func describeCounts(task schema.Task, counts, drawn []int64) string {
	var list []string
	for c, n := range counts {
		name := "unknown"
		if c < len(task.Classes) {
			name = task.Classes[c]
		} else if n == 0 {
			continue
		}
		if len(list) == 12 {
			return strings.Join(list, ", ") + fmt.Sprintf(", ... (%d classes)", len(task.Classes))
		}
		text := fmt.Sprintf("%s %d", name, n)
		if !slices.Equal(counts, drawn) {
			text += fmt.Sprintf("→%d", drawn[c])
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func kindOf(s stages.Stage) string {
	switch s.(type) {
	case stages.Sampler:
		return "sampler"
	case stages.Labeler:
		return "labeler"
	case stages.Decoder:
		return "decoder"
	case stages.Warper:
		return "warp"
	case stages.Pointer:
		return "point"
	case stages.Mapper:
		return "map"
	case stages.Batcher:
		return "batcher"
	case stages.Grouper:
		return "grouper"
	}
	return "?"
}

// optionLine is a stage's options that are set, in the form of pipeline files.
func optionLine(s stages.Stage) string {
	var list []string
	for _, f := range options.Fields(s) {
		text, err := f.JSON()
		if err != nil {
			return err.Error()
		}
		switch string(text) {
		case "0", `""`, "false", "[0,0]", "[0,0,0]", "[]", "{}", "null": // not set
		default:
			list = append(list, f.Name+": "+strings.ReplaceAll(strings.Trim(string(text), `"`), ",", ", "))
		}
	}
	return strings.Join(list, ", ")
}

func plural(n int64, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "tch"), strings.HasSuffix(noun, "ss"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
