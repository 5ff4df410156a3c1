package flow

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/schema"
)

// outcome is what became of one draw.
type outcome struct {
	planned   []int32        // labels of the sample that the plan gave it
	given     int            // that sample's number in the index; -1: not of the index
	labels    []int32        // of the sample that it left with
	sample    int            // that sample's number in the index; -1: not of the index
	lost      bool           // it left no row
	filled    string         // key of that sample, where its file is damaged and was filled; else ""
	fates     []picture.Fate // of the objects that it left with, and lost
	weight    float32        // with which it left
	strengths []float64      // of the stages that have conditions or one, 0 where one left the row alone
	turn      picture.Turn   // of its targets, with the file
	untold    string         // key of that sample, where their size doesn't tell; else ""
	failures  []*RowError
	print     fingerprint.Print // of that sample, where the sink tracks reads
	held      int64             // bytes charged until the batch is finished

	first, fresh bool // the ledger has found that its sample left for the first time in the run, in the span of epochs
}

// reads lists the samples that draws read.
func reads(draws []outcome) (list []schema.Read) {
	for i := range draws {
		d := &draws[i]
		for _, f := range d.failures {
			if f.read.Sample >= 0 {
				list = append(list, f.read)
			}
		}
		if !d.lost && d.sample >= 0 {
			list = append(list, schema.Read{Sample: d.sample, Print: d.print})
		}
	}
	return list
}

// readDonors lists the samples of donors; those that failed are among their rows' failures.
func readDonors(donated []outcome) (list []schema.Read) {
	for i := range donated {
		if d := &donated[i]; !d.lost && d.sample >= 0 {
			list = append(list, schema.Read{Sample: d.sample, Print: d.print})
		}
	}
	return list
}

// accounts are those of a run's failed draws, in the order of positions: so what they
// write, and where they end the run, depends on the data alone.
type accounts struct {
	policy     Policy
	max        Limit
	limit      func(came int64) (draws int64, of string) // that may fail, and what max is a share of
	came       int64                                     // draws
	failed     int64                                     // draws, with those before a resume
	failing    failing
	quarantine *quarantine // nil: none
}

// accountsOfDraws are those of a run of the plan's draws, whose number is known. has tells
// which batches the run won't make.
func accountsOfDraws(p *Plan, has func(epoch int, batch int64) bool) (*accounts, error) {
	f := p.settings.Failures
	limit := f.Max.of(p.deal.mostDraws())
	a := &accounts{policy: f.Policy, max: f.Max}
	if s := p.settings.Resume; s != nil {
		a.failed = s.Failed + s.Refilled
	}
	a.limit = func(int64) (int64, string) { return limit, "" }
	if p.settings.Epochs == Endless {
		a.limit = func(came int64) (int64, string) {
			return f.Max.of(max(came, p.deal.inEpoch(0)*p.deal.size)), "the draws so far"
		}
	}
	name := f.Quarantine
	if p.deal.world > 1 {
		name = numbered(name, p.settings.Rank, p.settings.World)
	}
	var err error
	a.quarantine, err = openQuarantine(name, func(epoch int, position int64) bool {
		number := position / int64(p.info.BatchSize)
		return p.deal.makes(epoch, number) && !has(epoch, number)
	})
	if q := a.quarantine; q != nil {
		a.failed = max(a.failed, q.kept)
	}
	return a, err
}

// accountsOfSamples are those of samples from another source, without a known end: a share is one
// of what came so far. They are no draws of the plan, and have a file of their own.
func accountsOfSamples(p *Plan) (*accounts, error) {
	f := p.settings.Failures
	a := &accounts{policy: f.Policy, max: f.Max}
	a.limit = func(came int64) (int64, string) { return f.Max.of(came), "the samples given so far" }
	var err error
	a.quarantine, err = openQuarantine(suffixed(f.Quarantine, "-given"), func(int, int64) bool { return false })
	return a, err
}

// numbered is the name of one of several processes' files: bad-0-of-4.jsonl.
func numbered(name string, i, n int) string {
	return suffixed(name, "-"+strconv.Itoa(i)+"-of-"+strconv.Itoa(n))
}

func suffixed(name, suffix string) string {
	if name == "" {
		return ""
	}
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + suffix + ext
}

// note takes a batch's draws; its error ends the run.
func (a *accounts) note(draws []outcome) error {
	var lines []QuarantineLine
	a.came += int64(len(draws))
	for i := range draws {
		d := &draws[i]
		if len(d.failures) == 0 {
			continue
		}
		if a.policy == Fail {
			return d.failures[0]
		}
		a.failed++
		for _, cause := range d.failures {
			a.failing.add(cause)
			lines = append(lines, lineOf(cause))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if err := a.quarantine.append(lines); err != nil {
		return err
	}
	if limit, of := a.limit(a.came); a.failed > limit {
		return &TooManyFailures{Failed: a.failed, Limit: limit, Max: a.max, Last: slices.Clone(a.failing.last), times: a.failing.timesOf(a.failing.last), of: of}
	}
	return nil
}

// failing counts failures by sample, and keeps the first of a few samples and the newest of a few.
type failing struct {
	times       map[string]int64 // by key; of those that came when it was full nothing is counted
	first, last []*RowError      // of different samples; last has the newest last
}

// mostFailing bounds the memory of failing, for samples of another source may have no end.
const mostFailing = 1 << 16

func (t *failing) add(e *RowError) {
	if t.times == nil {
		t.times = map[string]int64{}
	}
	n, known := t.times[e.Key]
	if known || len(t.times) < mostFailing {
		t.times[e.Key] = n + 1
	}
	if !known && len(t.first) < firstFailures {
		t.first = append(t.first, e)
	}
	t.last = append(slices.DeleteFunc(t.last, func(old *RowError) bool { return old.Key == e.Key }), e)
	if len(t.last) > lastFailures {
		t.last = slices.Delete(t.last, 0, 1)
	}
}

// timesOf is how often the samples of some failures failed, 0 where that isn't counted.
func (t *failing) timesOf(list []*RowError) []int64 {
	times := make([]int64, len(list))
	for i, e := range list {
		times[i] = t.times[e.Key]
	}
	return times
}

// report is what a report has of it.
func (t *failing) report() (first []FailedSample, samples int) {
	for _, e := range t.first {
		line := lineOf(e)
		first = append(first, FailedSample{Key: line.Key, Stage: line.Stage, Cause: line.Cause, Times: t.times[e.Key]})
	}
	return first, len(t.times)
}

// close ends the quarantine file.
func (a *accounts) close() error {
	if a == nil {
		return nil
	}
	return a.quarantine.close()
}
