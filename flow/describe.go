package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// String is the plan as people read it: its four steps, and what leaves.
func (p *Plan) String() string {
	o := p.Outline()
	var t planText
	t.line("plan", "%s", p.info.PlanHash)
	t.line("", "seed %d, %s of %s, on_error: %s", p.info.Seed, plural(int64(p.info.Epochs), "epoch"), plural(p.info.RowsPerEpoch, "draw"), p.settings.Failures.Policy)
	t.check(p, o)
	t.pushdown(p, o)
	t.step(3, "fuse", "stages in brackets cost one pass over the pixels together")
	t.fuse(p, o.Groups)
	t.schedule(p, &o.Schedule)
	t.records(p, o)
	for _, w := range p.warnings {
		t.line("warning", "%s", w)
	}
	return t.String()
}

// planText is lines with a label in the margin.
type planText struct{ strings.Builder }

const margin = 11

func (t *planText) line(label, format string, args ...any) {
	fmt.Fprintf(t, "%-*s %s\n", margin, label, fmt.Sprintf(format, args...))
}

func (t *planText) step(n int, name, about string) {
	t.WriteByte('\n')
	t.line(fmt.Sprint(n, " ", name), "%s", about)
}

// check is the first step: source and stages, and the type of what
// leaves them where it changes.
func (t *planText) check(p *Plan, o *Outline) {
	name, given := sourceOptions(p.source)
	index := p.Index()
	samples := plural(int64(index.Len()), "sample")
	if side := sources.SideOf(p.source); side != "" {
		samples += fmt.Sprintf(" on the %s side", side)
	}
	rows := []checked{{name: name, options: given, leaves: samples, size: bytesText(o.Schedule.EncodedBytes) + " a file"}}
	for i, e := range o.Stages {
		c := checked{number: fmt.Sprint(i + 1), name: e.Name, options: e.Options, leaves: e.Type}
		switch {
		case e.Type != "" && e.RowBytes > 0:
			c.size = bytesText(e.RowBytes) + " a row"
		case e.Type != "":
			c.size = "sizes vary"
		case e.Kind == "batcher":
			c.leaves = fmt.Sprintf("batches of %d", p.info.BatchSize)
			if o.Schedule.BatchBytes > 0 {
				c.size = bytesText(o.Schedule.BatchBytes) + " a batch"
			}
		}
		if e.Kind != "expander" {
			rows = append(rows, c)
			continue
		}
		scales := scaleRows(o.Leaves)
		c.leaves, c.size = scales[0].leaves, scales[0].size
		rows = append(append(rows, c), scales[1:]...)
	}
	t.step(1, "check", "what was declared, and what leaves each stage where that changes")
	widths := [3]int{}
	for _, c := range rows {
		widths[0] = max(widths[0], len(c.name))
		if len(c.options) <= mostOptions {
			widths[1] = max(widths[1], len(c.options))
		}
		widths[2] = max(widths[2], len(c.leaves))
	}
	for _, c := range rows {
		text := fmt.Sprintf("%-*s  %-*s", widths[0], c.name, widths[1], c.options)
		if len(c.options) > widths[1] && c.leaves != "" { // too long for its column
			t.line(right(c.number), "%s", text)
			text, c.number = strings.Repeat(" ", widths[0]+2+widths[1]), ""
		}
		if c.leaves != "" {
			text += fmt.Sprintf("  %-*s  %s", widths[2], c.leaves, c.size)
		}
		t.line(right(c.number), "%s", strings.TrimRight(text, " "))
	}
	if given := options.Line(p.objects); given != "" {
		t.line("", "objects: %s", given)
	}
	if index.Ignored() > 0 {
		t.line("", "%s ignored: not images by their names", plural(int64(index.Ignored()), "file"))
	}
}

// checked is a line of the first step.
type checked struct{ number, name, options, leaves, size string }

// mostOptions is how long options may be before what leaves goes to a line of
// its own.
const mostOptions = 44

func right(number string) string { return fmt.Sprintf("%*s", margin, number) }

// scaleRows tell the scales, of many the first ones.
func scaleRows(list []RecordOutline) (rows []checked) {
	for i, l := range list {
		if i == 6 && len(list) > 7 {
			return append(rows, checked{leaves: fmt.Sprintf("... (%d scales)", len(list))})
		}
		rows = append(rows, checked{leaves: "scale " + schema.FormatScale(l.Scale) + ": " + l.Type, size: bytesText(l.BatchBytes) + " a batch"})
	}
	return rows
}

// sourceOptions are those of the source, and of what is around it.
func sourceOptions(source sources.Source) (name, given string) {
	around := ""
	for {
		w, ok := source.(sources.Wrapper)
		if !ok {
			return source.Name(), strings.TrimPrefix(ownOptions(source)+around, "; ")
		}
		source, around = w.Unwrap(), "; "+w.Summary()+around
	}
}

// ownOptions are a source's options, and those of the sources that it is made of.
func ownOptions(source sources.Source) string {
	list := []string{options.Line(source)}
	if whole, ok := source.(sources.Composite); ok {
		parts := whole.Parts()
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			of, given := sourceOptions(parts[name])
			list = append(list, fmt.Sprintf("%s: {%s: {%s}}", name, of, given))
		}
	}
	list = slices.DeleteFunc(list, func(text string) bool { return text == "" })
	return strings.Join(list, ", ")
}

// pushdown is the second step.
func (t *planText) pushdown(p *Plan, o *Outline) {
	t.step(2, "push down", "samplers act on the index, before any image is read")
	if len(o.PushedDown) == 0 {
		t.line("", "no sampler: each of %s once an epoch, in the source's order", plural(p.info.RowsPerEpoch, "sample"))
	}
	for _, s := range o.PushedDown {
		switch {
		case !s.Draws:
			t.line("", "%s: %d of %s stay", s.Name, s.Leaves, plural(s.Of, "sample"))
		case s.Distinct == 0:
			t.line("", "%s: %s an epoch from %s", s.Name, plural(s.Leaves, "draw"), plural(s.Of, "sample"))
		default:
			t.line("", "%s: %s an epoch from %s; the first epoch uses %d of them", s.Name, plural(s.Leaves, "draw"), plural(s.Of, "sample"), s.Distinct)
		}
	}
	if n := p.sampling.order.Len() - p.info.RowsPerEpoch; n > 0 {
		t.line("", "%s at an epoch's end fill no batch: drop_last leaves them out", plural(n, "draw"))
	}
	for i, task := range p.info.Tasks {
		drawn := p.info.Counts[i]
		if o.Drawn != nil {
			drawn = o.Drawn[i]
		}
		t.line("", "%s: %s", task.Name, describeCounts(task, p.info.Counts[i], drawn))
		if last := lastDraws(p, i); last != nil {
			t.line("", "  in the last epoch: %s", describeCounts(task, p.info.Counts[i], last))
		}
		t.weighted(o.Weighted[task.Name], p.info.Counts[i])
	}
	for i, count := range p.info.Multi {
		task := p.info.Targets.Multi[i]
		counts := append(slices.Clone(count.Classes), int64(len(p.Selection()))-count.Known)
		t.line("", "%s, any number of: %s", task.Name, describeCounts(task, counts, counts))
		t.several(task.Name, task.Classes, o.Several)
	}
	if spec := p.info.Targets; spec.Objects() {
		counts := make([]int64, len(spec.Classes)+1) // none is unknown
		for c, name := range spec.Classes {
			counts[c] = o.Objects[name]
		}
		t.line("", "objects: %s", describeCounts(schema.Task{Classes: spec.Classes}, counts, counts))
		t.several(schema.ColumnBoxes, spec.Classes, o.Several)
	}
}

// weighted tells how much each sample of a class counts; of many classes the commonest and
// the rarest.
func (t *planText) weighted(classes []ClassWeight, counts []int64) {
	classes = slices.Clone(classes)
	order := map[string]int64{}
	for c := range classes {
		order[classes[c].Class] = counts[c]
	}
	head, skip := "", 0
	if len(classes) > mostClasses {
		slices.SortStableFunc(classes, func(a, b ClassWeight) int { return int(order[b.Class] - order[a.Class]) })
		head, skip = fmt.Sprintf("%d classes: ", len(classes)), len(classes)-fewClasses
	}
	var list []string
	for i, c := range classes {
		switch at := i - fewClasses/2; {
		case skip > 0 && at == 0:
			list = append(list, "...")
		case skip > 0 && at > 0 && at < skip:
		default:
			list = append(list, fmt.Sprintf("%s %.3g x %.3g = %.3g (%.0f %%)", c.Class, c.Weight, c.Draws, c.Product, 100*c.Share))
		}
	}
	if len(list) > 0 {
		t.line("", "  weight x draws of each sample in an epoch, and the share of all weight: %s%s", head, strings.Join(list, ", "))
	}
}

// several tells how often the pictures of each class are drawn, where they have several.
func (t *planText) several(task string, classes []string, of map[string][]ClassDraws) {
	list := of[task]
	if list == nil {
		return
	}
	samples, drawn := make([]int64, len(list)+1), make([]int64, len(list)+1)
	for c := range list {
		samples[c], drawn[c] = list[c].Samples, list[c].Drawn
	}
	t.line("", "  pictures with them: %s", describeCounts(schema.Task{Classes: classes}, samples, drawn))
	ours, random := deviations(list)
	if max(ours.most, random.most) < 0.05 { // 0.0, all of them
		return
	}
	t.line("", "  off what their rarest classes ask for by %.1f draws (root mean square), at most %.1f (%s); if each picture's draws were rounded at random, as in detectron2: %.1f, %.1f (%s)",
		ours.mean, ours.most, ours.class, random.mean, random.most, random.class)
}

const (
	mostClasses = phrase.Most // of so many all are listed
	fewClasses  = 8           // are listed of more
)

// describeCounts lists the classes with their samples, and their draws in the
// first epoch where these differ; of many classes the commonest and the rarest.
func describeCounts(task schema.Task, counts, drawn []int64) string {
	order := make([]int, 0, len(counts))
	for c, n := range counts {
		if c < len(task.Classes) || n > 0 {
			order = append(order, c)
		}
	}
	head := ""
	if len(order) > mostClasses {
		slices.SortStableFunc(order, func(a, b int) int { return int(counts[b] - counts[a]) })
		head = fmt.Sprintf("%d classes: ", len(task.Classes))
	}
	var list []string
	for i, c := range order {
		if len(order) > mostClasses && i >= fewClasses/2 && i < len(order)-fewClasses/2 {
			if i == fewClasses/2 {
				list = append(list, "...")
			}
			continue
		}
		name := "(unknown)"
		if c < len(task.Classes) {
			name = task.Classes[c]
		}
		text := fmt.Sprintf("%s %d", name, counts[c])
		if !slices.Equal(counts, drawn) {
			text += fmt.Sprintf("→%d", drawn[c])
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		return "there are no classes"
	}
	return head + strings.Join(list, ", ")
}

// fuse is the third step of Plan.String.
func (t *planText) fuse(p *Plan, list []Group) {
	switch {
	case p.rows.pictures == nil:
		t.line("", "nothing: files leave as they are")
		return
	case p.settings.Exec == Reference:
		t.line("", "nothing: the reference executor runs stage after stage on whole pictures")
	case len(list) == 0 && len(p.rows.pictures.Stages) > 0:
		t.line("", "%s: what is merged depends on the pictures", p.settings.Fuse)
	default:
		t.line("", "%s: decode, then %s over each picture", p.settings.Fuse, plural(int64(len(list)), "pass"))
	}
	for _, g := range list {
		t.line("", "[%s]", strings.Join(g.Stages, " + "))
		if g.Apart != "" {
			t.line("", "  apart: %s", g.Apart)
		}
		for _, text := range append([]string{g.Method}, g.Notes...) {
			t.line("", "  %s", text)
		}
	}
	if p.scaling != nil {
		t.line("", "%s: apart: each scale is computed from the finished batch", p.scaling.name)
	}
}

// schedule is the fourth step.
func (t *planText) schedule(p *Plan, s *Schedule) {
	t.step(4, "schedule", "how much at a time; none of it changes a byte")
	rank := ""
	if s.World > 1 {
		rank = fmt.Sprintf("; rank %d of %d: every %dth batch", s.Rank, s.World, s.World)
	}
	scales := "scales"
	if p.scaling != nil {
		scales = p.scaling.name
	}
	width := max(len("transform"), len(scales))
	operator := func(name, format string, args ...any) {
		t.line("", "%-*s  %s", width, name, fmt.Sprintf(format, args...))
	}
	operator("read", "%s, up to %s ahead", plural(int64(s.Readers), "reader"), plural(int64(s.FilesAhead), "file"))
	operator("transform", "%s, as far as %s go", plural(int64(s.Workers), "worker"), bytesText(s.BudgetBytes))
	operator("batch", "up to %d under way, in the order of positions%s", s.Batches, rank)
	if p.scaling != nil {
		operator(scales, "each batch in %d of %s", p.scaling.perBatch(), plural(int64(len(p.info.Variants)), "scale"))
	}
	operator("deliver", "one record after the other")
	batch := "batches as large as their pictures"
	if s.BatchBytes > 0 {
		batch = plural(int64(s.Batches), "batch") + " of " + bytesText(s.BatchBytes)
		if s.DonorBytes > 0 {
			batch += " with " + bytesText(s.DonorBytes) + " of donors"
		}
		if s.ScalesBytes > 0 {
			batch += " with " + bytesText(s.ScalesBytes) + " of scales"
		}
	}
	t.line("", "in flight: %s, %s ahead: about %s, and the pictures being made; budget %s",
		batch, plural(int64(s.FilesAhead), "file"), bytesText(s.InFlightBytes), bytesText(s.BudgetBytes))
}

// records tells what reaches the sink.
func (t *planText) records(p *Plan, o *Outline) {
	each := ""
	if p.scaling != nil {
		each = fmt.Sprintf(": %s, each in %d of %s", plural(p.info.BatchesPerEpoch, "batch"), p.scaling.perBatch(), plural(int64(len(p.info.Variants)), "scale"))
	}
	size := ""
	if o.ImageBytes > 0 {
		size = fmt.Sprintf("; %s of images in %s", bytesText(o.ImageBytes), plural(int64(p.info.Epochs), "epoch"))
	}
	t.WriteByte('\n')
	t.line("delivers", "%s an epoch%s%s", plural(o.RecordsPerEpoch, "record"), each, size)
	image := o.Leaves[0].Type
	if len(o.Leaves) > 1 {
		image = "a shape per scale"
	}
	t.line("", "up to %s each: %s", plural(int64(p.info.BatchSize), "row"), strings.Replace(strings.Join(p.Columns(), ", "), schema.ColumnImage, fmt.Sprintf("%s (%s)", schema.ColumnImage, image), 1))
}
