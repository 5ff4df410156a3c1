package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// table prints the runs, a row each; then PyTorch's times over sluice's, where the
// number of threads is the same.
func table(w io.Writer, list []contestant) {
	head(w, "wall seconds per step", "112 x 112", "224 x 224", "336 x 336", "peak MiB", "waited for data", "used by others")
	for _, c := range list {
		waited := "-"
		if c.runs[0].waited >= 0 {
			waited = c.spread("%.1f %%", func(f figures) float64 { return 100 * f.waited / (f.waited + f.training) })
		}
		row(w, c, append(c.bySide("%.3f", wall), c.spread("%.0f", func(f figures) float64 { return f.peakBytes / (1 << 20) }),
			waited, c.spread("%.2f", func(f figures) float64 { return f.others })))
	}
	fmt.Fprintln(w)
	head(w, "processor seconds per step", "112 x 112", "224 x 224", "336 x 336")
	for _, c := range list {
		if !math.IsNaN(c.runs[0].cpu[0]) {
			row(w, c, c.bySide("%.3f", cpu))
		}
	}
	for _, of := range []struct {
		name  string
		times func(figures) [3]float64
	}{{"wall", wall}, {"processor", cpu}} {
		fmt.Fprintln(w)
		head(w, of.name+" time of PyTorch, memory kept, / that of", "112 x 112", "224 x 224", "336 x 336", "all three")
		for _, c := range list {
			at := slices.IndexFunc(list, func(p contestant) bool { return p.name == peerName && p.threads == c.threads })
			if c.name == peerName || at < 0 || math.IsNaN(of.times(c.runs[0])[0]) {
				continue
			}
			var ratios [4][]float64
			for round, f := range c.runs {
				mine, theirs := of.times(f), of.times(list[at].runs[round])
				for i := range sides {
					ratios[i] = append(ratios[i], theirs[i]/mine[i])
				}
				ratios[3] = append(ratios[3], (theirs[0]+theirs[1]+theirs[2])/(mine[0]+mine[1]+mine[2]))
			}
			var cells []string
			for _, r := range ratios {
				cells = append(cells, spread("%.2f", r))
			}
			row(w, c, cells)
		}
	}
}

func wall(f figures) [3]float64 { return f.seconds }
func cpu(f figures) [3]float64  { return f.cpu }

func head(w io.Writer, cells ...string) {
	fmt.Fprintf(w, "| %s | threads | %s |\n|---|---|%s\n", cells[0], strings.Join(cells[1:], " | "), strings.Repeat("---|", len(cells)-1))
}

func row(w io.Writer, c contestant, cells []string) {
	fmt.Fprintf(w, "| %s | %d | %s |\n", c.name, c.threads, strings.Join(cells, " | "))
}

func (c *contestant) bySide(format string, of func(figures) [3]float64) (cells []string) {
	for i := range sides {
		cells = append(cells, c.spread(format, func(f figures) float64 { return of(f)[i] }))
	}
	return cells
}

func (c *contestant) spread(format string, of func(figures) float64) string {
	var values []float64
	for _, f := range c.runs {
		values = append(values, of(f))
	}
	return spread(format, values)
}

// spread is the median, with the least and the largest value behind it.
func spread(format string, values []float64) string {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if math.IsNaN(s[0]) {
		return "-"
	}
	median := (s[(n-1)/2] + s[n/2]) / 2
	return fmt.Sprintf(format+" ("+format+"..."+format+")", median, s[0], s[n-1])
}
