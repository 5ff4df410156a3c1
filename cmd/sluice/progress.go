package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/sluicedata/sluice/flow"
)

// progressLog is how often a run says how far it is where nobody watches.
const progressLog = time.Minute

// progressLine shows how far a run is: on a terminal on one line, rewritten in place and
// truncated at the terminal's edge; elsewhere, in a job's log, by a line a minute, the
// first after a minute, and one at the end of what took so long.
type progressLine struct {
	out      io.Writer
	what     string
	unit     string // of what is counted
	terminal bool
	now      func() time.Time

	mu    sync.Mutex // a run that is left behind may still tell
	last  flow.Progress
	began time.Time
	said  time.Time // when the log's last line was written
	rows  int64     // at that time
	phase string    // at that time
	ended bool
}

func newProgressLine(w io.Writer, what string) *progressLine {
	f, ok := w.(*os.File)
	l := &progressLine{out: w, what: what, unit: "images", terminal: ok && isTerminal(f), now: time.Now}
	l.began = l.now()
	l.said = l.began
	return l
}

// update is told how far the run is, often.
func (l *progressLine) update(p flow.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.last = p
	if l.terminal {
		// 7l ... 7h: what is too long for the line doesn't go on in the next.
		fmt.Fprintf(l.out, "\r\x1b[K\x1b[?7l%s %s\x1b[?7h", l.what, bar(p, l.unit))
		return
	}
	if p.Phase != l.phase {
		l.phase, l.rows = p.Phase, 0
	}
	if now := l.now(); now.Sub(l.said) >= progressLog {
		l.log(now)
	}
}

// log writes a line; its rate is that since the line before.
func (l *progressLine) log(now time.Time) {
	p := l.last
	rate := float64(p.Rows-l.rows) / max(min(now.Sub(l.said), p.Elapsed).Seconds(), 1e-9)
	l.said, l.rows = now, p.Rows
	doing := l.what
	if p.Phase != "" {
		doing += ": " + p.Phase
	}
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if p.TotalRows > 0 {
		add("%d of %d %s (%.0f %%)", p.Rows, p.TotalRows, l.unit, 100*float64(p.Rows)/float64(p.TotalRows))
	} else if p.Rows > 0 {
		add("%d %s", p.Rows, l.unit)
	}
	add("%s so far", now.Sub(l.began).Round(time.Second))
	if p.Rows > 0 {
		add("%s %s/s", rounded(rate), l.unit)
	}
	if p.ETA > 0 {
		add("ETA %s", p.ETA.Round(time.Second))
	}
	if n := p.Failed + p.Refilled; n > 0 {
		add("%d failed", n)
	}
	if p.Bottleneck != "" {
		add("%s", p.Bottleneck)
	}
	fmt.Fprintf(l.out, "%s: %s\n", doing, strings.Join(parts, ", "))
}

// bar is the line of a terminal.
func bar(p flow.Progress, unit string) string {
	if p.Phase != "" && p.TotalRows == 0 {
		return fmt.Sprintf("%s  %s", p.Phase, p.Elapsed.Round(time.Second))
	}
	share := 0.0
	if p.TotalRows > 0 {
		share = float64(p.Rows) / float64(p.TotalRows)
	}
	const width = 20
	var b strings.Builder
	if p.Phase != "" {
		b.WriteString(p.Phase + " ")
	}
	for i := range width {
		if float64(i) < share*width {
			b.WriteString("█")
		} else {
			b.WriteString("░")
		}
	}
	fmt.Fprintf(&b, " %d/%d", p.Rows, p.TotalRows)
	if n := p.Failed + p.Refilled; n > 0 {
		fmt.Fprintf(&b, "  %d failed", n)
	}
	fmt.Fprintf(&b, "  %.0f %s/s", p.ImagesPerSecond, unit)
	if p.ETA > 0 {
		fmt.Fprintf(&b, "  ETA %s", p.ETA.Round(time.Second))
	}
	return b.String() + "  " + p.Bottleneck
}

// count is told that n of total are done.
func (l *progressLine) count(n, total int) {
	elapsed := l.now().Sub(l.began)
	p := flow.Progress{Rows: int64(n), TotalRows: int64(total), Elapsed: elapsed, ImagesPerSecond: float64(n) / max(elapsed.Seconds(), 1e-9)}
	if n > 0 {
		p.ETA = time.Duration(float64(elapsed) * float64(total-n) / float64(n))
	}
	l.update(p)
}

// during says what is happening, where nothing is counted, until the function that it returns
// is called.
func (l *progressLine) during(phase string) (stop func()) {
	begun, ended := time.Now(), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				l.update(flow.Progress{Phase: phase, Elapsed: time.Since(begun)})
			}
		}
	})
	return func() {
		close(ended)
		wait.Wait()
	}
}

// clear makes place for a message; the line comes back with the next update.
func (l *progressLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal && !l.ended {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

// done ends the line; what has been logged gets its last line.
func (l *progressLine) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	if l.terminal {
		fmt.Fprint(l.out, "\r\x1b[K")
		return
	}
	if now := l.now(); now.Sub(l.began) >= progressLog && l.last.Elapsed > 0 {
		l.log(now)
	}
}

func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// rounded is a rate: whole numbers from ten on.
func rounded(rate float64) string {
	if rate < 10 {
		return fmt.Sprintf("%.2g", rate)
	}
	return fmt.Sprintf("%.0f", rate)
}
