package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sluicedata/sluice/flow"
)

// progressLine shows a run's progress on one line of a terminal, rewritten in
// place. Where w is no terminal it is silent.
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
		const width = 24
		bar := ""
		for i := range width {
			if float64(i) < share*width {
				bar += "█"
			} else {
				bar += "░"
			}
		}
		fmt.Fprintf(f, "\r%s %s %d/%d  %.0f images/s  ETA %s  %s\x1b[K",
			what, bar, p.Rows, p.TotalRows, p.ImagesPerSecond, p.ETA.Round(time.Second), p.Bottleneck)
	}
	return update, func() { fmt.Fprint(f, "\r\x1b[K") }
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
