package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/sluicedata/sluice/flow"
)

// progressLine shows a run's progress on one line of a terminal, rewritten in
// place and cut off at the terminal's edge. Where w is no terminal it is silent.
func progressLine(w io.Writer, what string) (update func(flow.Progress), done func()) {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return nil, func() {}
	}
	update = func(p flow.Progress) {
		share := 0.0
		if p.TotalRows > 0 {
			share = float64(p.Rows) / float64(p.TotalRows)
		}
		const width = 20
		bar := ""
		for i := range width {
			if float64(i) < share*width {
				bar += "█"
			} else {
				bar += "░"
			}
		}
		// 7l ... 7h: what is too long for the line doesn't go on in the next.
		eta := ""
		if p.ETA > 0 {
			eta = "  ETA " + p.ETA.Round(time.Second).String()
		}
		bad := ""
		if n := p.Failed + p.Refilled; n > 0 {
			bad = fmt.Sprintf("  %d failed", n)
		}
		fmt.Fprintf(f, "\r\x1b[K\x1b[?7l%s %s %d/%d%s  %.0f images/s%s  %s\x1b[?7h",
			what, bar, p.Rows, p.TotalRows, bad, p.ImagesPerSecond, eta, p.Bottleneck)
	}
	return update, func() { fmt.Fprint(f, "\r\x1b[K") }
}

func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
