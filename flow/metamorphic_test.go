package flow_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	gsflow "github.com/reugn/go-streams/flow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

var (
	caseSeed  = flag.Uint64("seed", 0, "replay the metamorphic case of this seed")
	caseCount = flag.Int("cases", 0, "number of metamorphic cases (default 200; fewer with -short or -race)")
)

// However a pipeline is run, its rows are those of the simplest run: one worker,
// one reader, from beginning to end. Random pipelines (trial_test.go) are run in
// random ways; a failure prints its seed.
func TestMetamorphic(t *testing.T) {
	defer goleak.VerifyNone(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	count, first := *caseCount, uint64(time.Now().UnixNano())
	if count == 0 {
		count = 200
		if testing.Short() || flow.RaceEnabled {
			count = 30
		}
	}
	if *caseSeed != 0 {
		count, first = 1, *caseSeed
	}
	used := map[string]int{}
	for i := range uint64(count) {
		metamorphic(t, first+i, *caseSeed != 0 || i%64 == 5, used)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d cases from seed %d: %v", count, first, used)
}

// metamorphic is one case: a pipeline, run in some ways.
func metamorphic(t *testing.T, seed uint64, kills bool, used map[string]int) {
	r := rand.New(rand.NewPCG(seed, 1))
	c := newTrial(t, seed)
	whole := c.unbroken(t)
	if c.quiet {
		whole.quarantine = ""
	}
	if t.Failed() {
		return
	}
	used["cases that "+whole.kind()]++
	for _, s := range c.pipe.Stages {
		if name := s.Name(); name == "mosaic" || name == "copy_paste" {
			used["cases with "+name]++
		}
	}
	ways := map[string]way{"run": runWay, "loop": loopWay, "stream": streamWay, "declared": declaredWay}
	if whole.failure == "" {
		for name, w := range map[string]way{"ranks": ranksWay, "parts": partsWay, "interrupted": interruptedWay, "interrupted again": interruptedWay, "chosen": chosenWay} {
			ways[name] = w
		}
	}
	names := sorted(ways)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:3]
	if kills && whole.failure == "" {
		ways["killed"] = killedWay
		names = append(names, "killed")
	}
	for _, name := range names {
		if err := ways[name](t, c, whole, r); err != nil || t.Failed() {
			t.Errorf("case %d, %s: %v\nreplay: go test ./flow -run 'TestMetamorphic$' -seed %d\n%s", seed, name, err, seed, c)
			return
		}
		used[name]++
	}
}

// way runs a trial in some other way than unbroken and says what differs.
type way func(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error

// outcome is what a trial gives: its records with rows in their order, what the
// run says of itself, its quarantine file.
type outcome struct {
	records    []record
	report     *flow.Report
	quarantine string
	failure    string
	batches    int64 // per epoch
}

func (o *outcome) kind() string {
	switch {
	case o.failure != "":
		return "fail"
	case o.report.Failed > 0:
		return "skip"
	case o.report.Refilled > 0:
		return "refill"
	}
	return "succeed"
}

// unbroken is the simplest run. Nothing in it may panic: that would be the same,
// however it is run.
func (c *trial) unbroken(t *testing.T) *outcome {
	t.Helper()
	defer func(quiet bool) { c.quiet = quiet }(c.quiet)
	c.quiet = false
	runtime.GOMAXPROCS(2)
	defer func(slow time.Duration) { c.source.slow = slow }(c.source.slow)
	c.source.slow = 0
	out, err := c.deliver(t, &collector{}, flow.Workers(1), flow.Readers(1), flow.Queue(1), flow.Budget(1<<30))
	if err != nil {
		out.failure = failure(err)
	}
	if text := out.failure + out.quarantine; strings.Contains(text, "panic") {
		t.Errorf("case %d: %s\n%s", c.seed, text, c)
	}
	return out
}

// failure is an error's text, without the stack of a panic.
func failure(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\ngoroutine ")
	return text
}

// deliver runs the trial into a collector, with a quarantine file where there can be one.
func (c *trial) deliver(t *testing.T, s *collector, opts ...flow.Option) (*outcome, error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	file, quarantined := c.quarantine(t)
	plan, err := c.pipe.Plan(t.Context(), append(opts, flow.Allocator(mem), quarantined)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, c)
	}
	defer plan.Close()
	report, err := plan.Deliver(t.Context(), s)
	lines, _ := os.ReadFile(file)
	return &outcome{records: s.records, report: report, quarantine: string(lines), batches: plan.Info().BatchesPerEpoch}, err
}

// quarantine is the option of a file of this run, where rows may fail.
func (c *trial) quarantine(t *testing.T) (file string, opt flow.Option) {
	f := c.pipe.Settings.Failures
	if f.Policy != flow.Fail && !c.quiet {
		f.Quarantine = filepath.Join(t.TempDir(), "bad.jsonl")
	}
	return f.Quarantine, flow.OnError(f)
}

// collector is a sink that notes its records, and may be slow, or end the run.
type collector struct {
	sink
	records []record
	slow    bool
	writes  int
	last    int   // the write that fails; 0: none
	err     error // with which it does
	cancel  func()
}

func (s *collector) Write(_ context.Context, b *schema.Batch) error {
	if s.slow {
		pause(300 * time.Microsecond)
	}
	if s.writes++; s.last > 0 && s.writes >= s.last {
		if s.cancel == nil {
			return s.err
		}
		s.cancel() // and takes this one
	}
	s.records = append(s.records, recorded(b)...)
	return nil
}

// pause lets others go first now and then, or sleeps.
func pause(most time.Duration) {
	switch rand.IntN(16) {
	case 0:
		time.Sleep(time.Duration(rand.Int64N(int64(most)))) // in truth a millisecond or so
	case 1, 2, 3, 4:
		runtime.Gosched()
	}
}

// recorded is a batch as a record, none without rows.
func recorded(b *schema.Batch) []record {
	if b.Rows() == 0 {
		return nil
	}
	return []record{{at: fmt.Sprintf("%d/%d/%d", b.Epoch, b.Number, b.Variant), bytes: digest(b)}}
}

// digest is the hash of all that a batch's columns hold, and of its schema.
func digest(b *schema.Batch) [32]byte {
	h := sha256.New()
	fmt.Fprintln(h, b.Record.Schema(), b.Form, b.Tensor, b.Rows())
	le := binary.LittleEndian
	var buf []byte
	for _, column := range []any{b.Weights(), b.Positions(), b.SourceIndexes()} {
		buf, _ = binary.Append(buf, le, column) // fixed-size values always encode
	}
	for task := range b.Tasks() {
		buf, _ = binary.Append(buf, le, b.Labels(task))
	}
	for i := range b.Rows() {
		objects, err := b.Objects(i)
		buf = fmt.Appendln(buf, b.Epoch, b.Key(i), b.Params(i), objects, err)
		if b.Form == schema.FormEncoded {
			buf = append(buf, b.Encoded(i)...)
			continue
		}
		p := b.Picture(i)
		buf = append(fmt.Appendln(buf, p.Height, p.Width, p.Layout), p.U8...)
		buf, _ = binary.Append(buf, le, p.F32)
	}
	h.Write(buf)
	return [32]byte(h.Sum(nil))
}

// schedule is a random way of doing the same.
func schedule(r *rand.Rand) []flow.Option {
	runtime.GOMAXPROCS(1 + r.IntN(4))
	opts := []flow.Option{flow.Workers(1 + r.IntN(16)), flow.Readers(1 + r.IntN(9)), flow.Queue(1 + r.IntN(5))}
	if r.IntN(4) > 0 {
		opts = append(opts, flow.Budget(1<<r.IntN(26)))
	}
	return opts
}

// same compares a run of everything: a failed one ends with the same error, after
// some of the records.
func (o *outcome) same(list []record, err error) error {
	want := o.records
	switch {
	case o.failure == "" && err != nil:
		return fmt.Errorf("it fails: %w", err)
	case o.failure != "" && (err == nil || failure(err) != o.failure):
		return fmt.Errorf("it ends with %w, want %s", err, o.failure)
	case o.failure != "":
		want = want[:min(len(list), len(want))]
		if len(list) > len(o.records) { // the unbroken run lost more to its end
			list = list[:len(want)]
		}
	}
	return sameRecords(list, want)
}

func sameRecords(have, want []record) error {
	for i := range min(len(have), len(want)) {
		if have[i].at != want[i].at || have[i].bytes != want[i].bytes {
			return fmt.Errorf("record %d is %s %x, want %s %x", i, have[i].at, have[i].bytes[:4], want[i].at, want[i].bytes[:4])
		}
	}
	if len(have) != len(want) {
		return fmt.Errorf("%d records, want %d", len(have), len(want))
	}
	return nil
}

// covers compares records that came in any order, some of them more than once,
// with the wanted ones.
func covers(have, want []record) error {
	digests, seen := map[string][32]byte{}, map[string]bool{}
	for _, r := range want {
		digests[r.at] = r.bytes
	}
	for _, r := range have {
		if d, ok := digests[r.at]; !ok || d != r.bytes {
			return fmt.Errorf("record %s is %x, want %x", r.at, r.bytes[:4], d[:4])
		}
		seen[r.at] = true
	}
	if len(seen) != len(digests) {
		return fmt.Errorf("%d different records, want %d", len(seen), len(digests))
	}
	return nil
}

// sameAccount compares what the run says of itself.
func (o *outcome) sameAccount(have *outcome) error {
	a, b := have.report, o.report
	if a.Rows != b.Rows || a.Drawn != b.Drawn || a.Failed != b.Failed || a.Refilled != b.Refilled || a.Batches != b.Batches || a.Empty != b.Empty {
		return fmt.Errorf("the report is %+v, want %+v", a, b)
	}
	if !reflect.DeepEqual(a.Ledger, b.Ledger) || !reflect.DeepEqual(a.State, b.State) {
		return fmt.Errorf("ledger %v, state %+v, want %v, %+v", a.Ledger, a.State, b.Ledger, b.State)
	}
	return o.sameQuarantine(have.quarantine)
}

func (o *outcome) sameQuarantine(have string) error {
	if have != o.quarantine {
		return fmt.Errorf("quarantine:\n%swant\n%s", have, o.quarantine)
	}
	return nil
}

func runWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	have, err := c.deliver(t, &collector{slow: r.IntN(2) == 0}, schedule(r)...)
	if err := whole.same(have.records, err); err != nil {
		return err
	}
	if whole.failure != "" {
		return whole.sameQuarantine(have.quarantine)
	}
	return whole.sameAccount(have)
}

// declaredWay declares the same by pointers, or in a file.
func declaredWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	other := *c
	other.pipe = &flow.Pipeline{Source: c.pipe.Source, Settings: c.pipe.Settings}
	if text, err := yaml(c.pipe); err == nil && r.IntN(2) == 0 {
		parsed, err := pipefile.Parse("x.yaml", text, "", pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog})
		if err != nil {
			return err
		}
		other.pipe.Stages = parsed.Stages
	} else {
		for _, s := range c.pipe.Stages {
			id, identified := s.(interface {
				ID() string
				Unwrap() stages.Stage
			})
			if identified {
				s = id.Unwrap()
			}
			pointer := reflect.New(reflect.TypeOf(s))
			pointer.Elem().Set(reflect.ValueOf(s))
			s = pointer.Interface().(stages.Stage)
			if identified {
				s = flow.WithID(id.ID(), s)
			}
			other.pipe.Stages = append(other.pipe.Stages, s)
		}
	}
	return runWay(t, &other, whole, r)
}

func loopWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	var list []record
	var failure error
	var kept []*schema.Batch
	keep := r.IntN(4)
	for b, err := range c.pipe.Batches(t.Context(), append(schedule(r), flow.Allocator(mem))...) {
		if failure = err; err != nil {
			break
		}
		list = append(list, recorded(b)...)
		if keep > 0 { // gathers, and looks at the batch again later
			b.Retain()
			kept = append(kept, b)
		}
		if len(kept) > keep {
			if d := digest(kept[0]); !slices.ContainsFunc(list, func(r record) bool { return r.bytes == d }) {
				return errors.New("a retained batch has changed")
			}
			kept[0].Release()
			kept = kept[1:]
		}
	}
	for _, b := range kept {
		b.Release()
	}
	return whole.same(list, failure)
}

func streamWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	plan, err := c.pipe.Plan(t.Context(), append(schedule(r), flow.Allocator(mem))...)
	if err != nil {
		return err
	}
	defer plan.Close()
	s, err := plan.Start(t.Context())
	if err != nil {
		return err
	}
	var list []record
	s.Source().
		Via(gsflow.NewMap(func(b *schema.Batch) *schema.Batch { pause(200 * time.Microsecond); return b }, 1)).
		To(newForeignSink(func(b *schema.Batch) { list = append(list, recorded(b)...) }))
	report, err := s.Wait()
	if err := whole.same(list, err); err != nil || whole.failure != "" {
		return err
	}
	if a, b := report, whole.report; a.Rows != b.Rows || a.Failed != b.Failed || a.Batches != b.Batches || !sameState(a.State, b.State) {
		return fmt.Errorf("the report is %+v, want %+v", a, b)
	}
	return nil
}

// chooser is a collector that takes some variants only.
type chooser struct {
	collector
	wants []bool
}

func (s *chooser) Wants(variant int) bool { return s.wants[variant%len(s.wants)] }

// chosenWay delivers to a sink that takes some variants, perhaps none.
func chosenWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	s := &chooser{wants: []bool{r.IntN(2) == 0, r.IntN(3) == 0, r.IntN(2) == 0}}
	want := slices.DeleteFunc(slices.Clone(whole.records), func(r record) bool { return c.scaled && !s.Wants(placeOf(r).variant) })
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	if _, err := c.pipe.Run(t.Context(), s, append(schedule(r), flow.Allocator(mem))...); err != nil {
		return err
	}
	return sameRecords(s.records, want)
}

// ranksWay runs several ranks at the same time, from the start or from anywhere:
// together they make everything that follows.
func ranksWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	world := 1 + r.IntN(4)
	last := []flow.LastRound{flow.DropRound, flow.PadRound}[r.IntN(2)]
	if int64(world) > whole.batches {
		last = flow.PadRound
	}
	var start flow.State
	if r.IntN(2) == 0 {
		start = flow.State{Epoch: r.IntN(c.pipe.Settings.Epochs), Batch: r.Int64N(whole.batches)}
	}
	lists, errs := make([][]record, world), make(chan error, world)
	for rank := range world {
		opts := append(schedule(r), flow.Rank(rank, world), flow.WithLastRound(last), flow.Resume(start))
		go func() {
			s := &collector{}
			report, err := c.pipe.Run(t.Context(), s, opts...)
			if errors.As(err, new(*flow.NothingDelivered)) && report.Rows == 0 {
				err = nil // all of this rank's few draws fail, and not the others'
			}
			lists[rank] = s.records
			errs <- err
		}()
	}
	var failed error
	for range world {
		failed = errors.Join(failed, <-errs)
	}
	if failed != nil {
		return failed
	}
	first := func(epoch int) int64 { // batch, of which the epoch's rounds begin
		if epoch == start.Epoch {
			return start.Batch
		}
		return 0
	}
	var made, padded []record
	for rank, list := range lists {
		for _, r := range list {
			p := placeOf(r)
			if (p.number-first(p.epoch))%int64(world) != int64(rank) {
				return fmt.Errorf("rank %d of %d made %s, from %d/%d", rank, world, r.at, start.Epoch, start.Batch)
			}
			if p.number < whole.batches {
				made = append(made, r)
			} else {
				padded = append(padded, record{at: fmt.Sprintf("%d/%d/%d", p.epoch, p.number%whole.batches, p.variant), bytes: r.bytes})
			}
		}
	}
	for _, r := range padded {
		if !slices.ContainsFunc(whole.records, func(w record) bool { return w.at == r.at && w.bytes == r.bytes }) {
			return fmt.Errorf("what pads for %s is another record", r.at)
		}
	}
	return covers(made, slices.DeleteFunc(slices.Clone(whole.records), func(r record) bool {
		p := placeOf(r)
		rest := (whole.batches - first(p.epoch)) % int64(world)
		return before(r, start) || last == flow.DropRound && p.number >= whole.batches-rest
	}))
}

type place struct {
	epoch   int
	number  int64
	variant int
}

func placeOf(r record) (p place) {
	fmt.Sscanf(r.at, "%d/%d/%d", &p.epoch, &p.number, &p.variant)
	return p
}

// partsWay materializes in shards, broken off now and then.
func partsWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	dir := filepath.Join(t.TempDir(), "parts")
	file, quarantined := c.quarantine(t)
	shards, rows := 1+r.IntN(3), 1+r.IntN(12)
	for shard := range shards {
		for attempt := 0; ; attempt++ {
			ctx, cancel := context.WithCancel(t.Context())
			if attempt < 3 && r.IntN(2) == 0 {
				time.AfterFunc(time.Duration(r.IntN(20000))*time.Microsecond, cancel)
			}
			_, err := flow.MaterializeShard(ctx, flow.Shard{
				Pipeline: c.pipe, Format: &sinks.ArrowParts{PartRows: rows}, To: sinks.Destination{Dir: dir, Shard: shard, Shards: shards},
				Options: append(schedule(r), quarantined),
			})
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				return err
			}
		}
	}
	if shards == 1 {
		lines, _ := os.ReadFile(file)
		if err := whole.sameQuarantine(string(lines)); err != nil {
			return err
		}
	}
	return c.sameParts(dir, whole)
}

// sameParts compares a materialized directory.
func (c *trial) sameParts(dir string, whole *outcome) error {
	var list []record
	err := sinks.ReadParts(dir, func(b *schema.Batch) error {
		if b.Rows() > 0 {
			b.Number = b.Positions()[0] / int64(c.batch)
		}
		list = append(list, recorded(b)...)
		return nil
	})
	if err != nil {
		return err
	}
	if len(list) != len(whole.records) {
		return fmt.Errorf("%d records, want %d", len(list), len(whole.records))
	}
	return covers(list, whole.records)
}

var errPlug = errors.New("somebody pulled the plug")

// interruptedWay breaks off after some batches, in several ways, and goes on.
func interruptedWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	file, quarantined := c.quarantine(t)
	var list []record
	var state *flow.State
	counted := true // every break left its counters
	for attempt := 0; ; attempt++ {
		opts := append(schedule(r), quarantined)
		if state != nil {
			opts = append(opts, flow.Resume(*state))
		}
		last := 0
		if attempt < 6 {
			last = 1 + r.IntN(len(whole.records)+2)
		}
		var have []record
		var next flow.State
		var err error
		if how := r.IntN(3); how == 0 && last > 0 {
			have, next, err = c.leave(t, last, opts)
			counted = false
		} else {
			ctx, cancel := context.WithCancel(t.Context())
			s := &collector{last: last, err: errPlug}
			if how == 1 {
				s.cancel = cancel
			}
			var report *flow.Report
			report, err = c.pipe.Run(ctx, s, opts...)
			cancel()
			if report != nil {
				have, next = s.records, report.State
			}
		}
		if err != nil && !errors.Is(err, errPlug) && !errors.Is(err, context.Canceled) {
			return err
		}
		for len(have) > 0 && !before(have[len(have)-1], next) { // a batch of which not every scale came
			have = have[:len(have)-1]
		}
		list, state = append(list, have...), &next
		if state.Epoch == c.pipe.Settings.Epochs {
			break
		}
	}
	if err := sameRecords(list, whole.records); err != nil {
		return err
	}
	if want := whole.report.State; counted && !sameState(*state, want) {
		return fmt.Errorf("state %+v, want %+v", *state, want)
	}
	lines, _ := os.ReadFile(file)
	return whole.sameQuarantine(string(lines))
}

// leave breaks off a loop after some records.
func (c *trial) leave(t *testing.T, records int, opts []flow.Option) (list []record, next flow.State, err error) {
	plan, err := c.pipe.Plan(t.Context(), opts...)
	if err != nil {
		return nil, next, err
	}
	defer plan.Close()
	next = flow.State{}
	if s := plan.Settings().Resume; s != nil {
		next = *s
	}
	complete := true
	for b, err := range plan.Batches(t.Context()) {
		if err != nil {
			return nil, next, err
		}
		list = append(list, recorded(b)...)
		if c.variants(plan, b) {
			next = plan.StateAfter(b)
		}
		if len(list) == records {
			complete = false
			break
		}
	}
	if complete {
		next = flow.State{PlanHash: plan.Info().PlanHash, Pipeline: plan.Canonical(), Epoch: plan.Info().Epochs}
	}
	return list, next, nil
}

// variants reports whether a record is the last of its batch.
func (c *trial) variants(plan *flow.Plan, b *schema.Batch) bool {
	return !c.each || b.Variant == len(plan.Info().Variants)-1
}

// before reports whether a record lies before a state.
func before(r record, s flow.State) bool {
	p := placeOf(r)
	return p.epoch < s.Epoch || p.epoch == s.Epoch && p.number < s.Batch
}

func sorted[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// String is the pipeline as a file, and what no file holds.
func (c *trial) String() string {
	var b strings.Builder
	s := c.pipe.Settings
	fmt.Fprintf(&b, "exec %q, params %v, epochs %d, on_error %+v, %d samples: %s\n", s.Exec, s.Params, s.Epochs, s.Failures, len(c.source.files), strings.Join(c.source.index.Keys, " "))
	text, err := yaml(c.pipe)
	if err != nil {
		text = []byte(names(c.pipe.Stages))
	}
	b.Write(text)
	return b.String()
}
