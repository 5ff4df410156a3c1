package main

import (
	"fmt"
	"html"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
)

// titles say in words what is measured.
var titles = map[string]string{
	"recipe": "rotate, crop, flip, resize", "rrc": "RandomResizedCrop, flip", "center": "resize 256, centre crop",
	"decode":      "decoding alone, to RGB",
	"torchvision": "RandomResizedCrop, flip, TrivialAugmentWide, erasing 0.1, mixup 0.2 or cutmix 1",
	"timm":        "RandomResizedCrop, flip, rand-m9-mstd0.5-inc1, erasing 0.25 by noise",
	"simclr":      "RandomResizedCrop, flip, colour jitter, grey, blur",
	"photos":      "photos as they are", "large": "enlarged to 3000 and more",
}

// spread is the median, the least and the largest of some values; NaN of none.
func spread(values []float64) (median, least, most float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2, s[0], s[n-1]
}

// ratios are those of sluice's speed to a contestant's, by round, and of the
// contestant's processor time to sluice's.
func (g *group) ratios(c *contestant) (speed, cpu []float64) {
	for i := range c.speeds {
		speed = append(speed, g.list[0].speeds[i]/c.speeds[i])
		cpu = append(cpu, c.cpu[i]/g.list[0].cpu[i])
	}
	return speed, cpu
}

func ratioText(values []float64) string {
	m, a, z := spread(values)
	return fmt.Sprintf("%.2f (%.2f...%.2f)", m, a, z)
}

// table writes the results as Markdown.
func table(w io.Writer, groups []*group) {
	var others []float64
	versions := map[string]any{}
	missing := map[string]bool{}
	for _, g := range groups {
		others = append(others, g.others...)
		for _, c := range g.list {
			for name, v := range c.versions {
				if old := versions[name]; old != nil && old != v { // one peer's Python has another
					v = fmt.Sprintf("%v, %v", old, v)
					if strings.Contains(fmt.Sprint(old), fmt.Sprint(c.versions[name])) {
						v = old
					}
				}
				versions[name] = v
			}
		}
		for _, m := range g.missing {
			missing[m] = true
		}
	}
	median, _, most := spread(others)
	fmt.Fprintf(w, "<!-- written by go run ./benchmarks/loaders -->\n%s, %d processors, %s, %s; %d rounds. ",
		machine.Processor(), runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly), *rounds)
	if !math.IsNaN(median) {
		fmt.Fprintf(w, "Other programs used %.2f processors before a measurement (median; most %.2f). ", median, most)
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		texts = append(texts, fmt.Sprintf("%s %v", name, versions[name]))
	}
	fmt.Fprintf(w, "Versions: %s.\n", strings.Join(texts, ", "))
	for i, g := range groups {
		if i == 0 || g.size != groups[i-1].size || g.recipe != groups[i-1].recipe {
			fmt.Fprintf(w, "\n| %s; %s | workers | images/s | sluice / it | processor ms an image | it / sluice |\n|---|---|---|---|---|---|\n", titles[g.recipe], titles[g.size])
		}
		for _, c := range g.list {
			m, a, z := spread(c.speeds)
			speed, cpu := "", ""
			if c != g.list[0] {
				s, p := g.ratios(c)
				speed, cpu = ratioText(s), ratioText(p)
			}
			fmt.Fprintf(w, "| %s | %d | %.0f (%.0f...%.0f) | %s | %s | %s |\n", c.name, g.workers, m, a, z, speed, ratioText(c.cpu), cpu)
		}
	}
	tableOfLooks(w, groups)
	if len(missing) > 0 {
		fmt.Fprint(w, "\nNot measured:\n\n")
		for _, m := range slices.Sorted(maps.Keys(missing)) {
			fmt.Fprintf(w, "- %s\n", m)
		}
	}
}

// tableOfLooks is what the contestants' images are like.
func tableOfLooks(w io.Writer, groups []*group) {
	fmt.Fprint(w, "\nWhat they made, in normalized values: a step is the mean difference of neighbours in a row.\n\n| recipe | | a batch | mean | deviation | step |\n|---|---|---|---|---|---|\n")
	for _, g := range groups {
		for _, c := range g.list {
			if l := c.looks; l.Shape != "" {
				fmt.Fprintf(w, "| %s; %s | %s | %s | %.3f | %.3f | %.4f |\n", g.recipe, g.size, c.name, l.Shape, l.Mean, l.Deviation, l.Step)
			}
		}
	}
}

// Sizes of the plot, in pixels.
const (
	panelWidth, labelWidth, barHeight, gap = 460, 116, 9, 6
	titleHeight, margin                    = 34, 14
)

// plot draws a panel for each recipe and size: bars of images per second, dark for
// sluice, lighter for fewer workers, with a line from the least to the most.
func plot(w io.Writer, groups []*group) {
	type panel struct {
		title  string
		groups []*group
		rows   []string
	}
	var panels []*panel
	for _, g := range groups {
		title := titles[g.recipe] + "; " + titles[g.size]
		if len(panels) == 0 || panels[len(panels)-1].title != title {
			panels = append(panels, &panel{title: title})
		}
		p := panels[len(panels)-1]
		p.groups = append(p.groups, g)
		for _, c := range g.list {
			if !slices.Contains(p.rows, c.name) {
				p.rows = append(p.rows, c.name)
			}
		}
	}
	var body strings.Builder
	y, height, width := margin, 0, margin
	for i, p := range panels { // two columns
		x := margin + i%2*(panelWidth+margin)
		row := len(p.groups)*barHeight + gap
		top := 0.0
		for _, g := range p.groups {
			for _, c := range g.list {
				top = max(top, slices.Max(c.speeds))
			}
		}
		fmt.Fprintf(&body, `<text x="%d" y="%d" class="title">%s</text>`+"\n", x, y+16, html.EscapeString(p.title))
		scale := float64(panelWidth-labelWidth-64) / top
		for k, name := range p.rows {
			at := y + titleHeight + k*row
			fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", x+labelWidth-6, at+len(p.groups)*barHeight/2+4, name)
			for j, g := range p.groups {
				n := slices.IndexFunc(g.list, func(c *contestant) bool { return c.name == name })
				if n < 0 {
					continue
				}
				m, a, z := spread(g.list[n].speeds)
				color := []string{"#9db4c8", "#5f809f"}[min(j, 1)]
				if strings.HasPrefix(name, "sluice") {
					color = []string{"#e6a15c", "#c96a12"}[min(j, 1)]
				}
				left, middle := float64(x+labelWidth), float64(at+j*barHeight)+barHeight/2.0
				fmt.Fprintf(&body, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"><title>%s, %d workers: %.0f (%.0f...%.0f) images/s</title></rect>`+"\n",
					left, at+j*barHeight, m*scale, barHeight-1, color, name, g.workers, m, a, z)
				fmt.Fprintf(&body, `<path d="M%.1f %.1fH%.1f" stroke="#222"/><text x="%.1f" y="%.1f" class="value">%.0f</text>`+"\n",
					left+a*scale, middle-0.5, left+z*scale, left+max(m, z)*scale+4, middle+3, m)
			}
		}
		bottom := y + titleHeight + len(p.rows)*row + margin
		height, width = max(height, bottom), max(width, x+panelWidth)
		if i%2 == 1 {
			y = height
		}
	}
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">
<style>.title{font-weight:bold;font-size:13px}.value{font-size:9px;fill:#444}</style>
<rect width="100%%" height="100%%" fill="#fff"/>
%s<text x="%d" y="%d" class="value">images per second, median; the line from the least to the most of %d rounds; %s</text>
</svg>
`, width+margin, height+24, width+margin, height+24, body.String(), margin, height+14, *rounds, "above: fewer workers, below: more")
}
