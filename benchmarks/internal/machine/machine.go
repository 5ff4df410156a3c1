// Package machine measures what a benchmark runs on, and what else runs there, and times what is done to files (Answer).
package machine

import (
	"bufio"
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// BusySeconds is the time that all processors together have worked since the
// machine started, NaN where the system isn't Linux.
func BusySeconds() float64 {
	data, err := os.ReadFile("/proc/stat")
	fields := strings.Fields(strings.SplitN(string(data), "\n", 2)[0])
	if err != nil || len(fields) < 9 {
		return math.NaN()
	}
	sum := 0.0
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return math.NaN()
		}
		if i != 3 && i != 4 {
			sum += ticks
		}
	}
	return sum / 100
}

// TreeSeconds is the processor time that a process and those that it started have
// used, NaN where the system isn't Linux.
func TreeSeconds(pid int) float64 {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	children, used := map[int][]int{}, map[int]float64{}
	for _, name := range names {
		data, _ := os.ReadFile(name) // it may have ended
		_, rest, ok := strings.Cut(string(data), ") ")
		fields := strings.Fields(rest) // from the third on: state, parent, ...
		if !ok || len(fields) < 15 {
			continue
		}
		var n [15]int
		for i := range n {
			n[i], _ = strconv.Atoi(fields[i])
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		children[n[1]] = append(children[n[1]], id)
		own, ok := clock(id)
		if !ok {
			own = float64(n[11]+n[12]) / 100 // user and system
		}
		used[id] = own + float64(n[13]+n[14])/100 // and those of ended children
	}
	if len(used) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for list := []int{pid}; len(list) > 0; list = list[1:] {
		sum += used[list[0]]
		list = append(list, children[list[0]]...)
	}
	return sum
}

// WaitForQuiet waits, for at most so long, until other programs use less than this
// share of a processor for a second. It returns what they used last.
func WaitForQuiet(ctx context.Context, most time.Duration, share float64) (others float64) {
	for begin := time.Now(); ; {
		before, from := BusySeconds(), time.Now()
		select {
		case <-ctx.Done():
			return others
		case <-time.After(time.Second):
		}
		others = (BusySeconds() - before) / time.Since(from).Seconds()
		if !(others > share) || time.Since(begin) > most { // NaN waits for nothing
			return others
		}
	}
}

// Processor is the processor's name, as far as the system tells.
func Processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
