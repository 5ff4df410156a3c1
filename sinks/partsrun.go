package sinks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
)

// partsRun is one run of Parts, from Start to Close. It changes the directory in
// this order:
//
//	lock · write plan.json · remove unfinished and unverified files ·
//	for every part: write, sync, rename, sync the folder, append to the ledger ·
//	write the manifest · remove the ledger
//
// or, if intact parts have to be rewritten, in the order described at updatePrefix.
//
// After a crash between any two of these the next run can resume: only complete
// files get final names, and a file is trusted only if the ledger or a manifest
// has its checksum.
type partsRun struct {
	disk     *disk
	lock     *lock
	run      *schema.Run
	encoding Encoding
	layout   *Layout
	schemas  []*arrow.Schema // per variant
	shard    int
	shards   int

	rowBytes int64 // of a row on the disk, about; 0: free space isn't checked

	kept    []bool              // per part: nothing to do; set by begin
	records map[string]PartFile // of finished files, by name
	open    *openPart
	failed  error // of a Write: the run cannot succeed any more

	prints *fingerprints // of the source's samples; nil: it isn't known
	update bool          // rewrite parts whose samples have changed

	replan  bool // the directory has another plan, which this one replaces
	staging bool // new files are written beside those that they will replace; set by begin
}

// begin prepares a directory, new or from an earlier run.
func (r *partsRun) begin(ctx context.Context) (err error) {
	if err := r.checkOwner(ctx); err != nil {
		return err
	}
	if err := r.disk.mkdir("."); err != nil {
		return err
	}
	if r.lock, err = lockDirectory(r.disk.dir, r.shard, r.shards); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			r.lock.release()
		}
	}()
	if err := checkKinds(r.disk.dir); err != nil {
		return err
	}
	if err := r.recover(ctx); err != nil {
		return err
	}
	if err := r.claim(ctx); err != nil {
		return err
	}
	folders := slices.Compact(append([]string{"."}, r.folders()...))
	for _, folder := range folders {
		if err := r.disk.removeTemps(folder); err != nil {
			return err
		}
	}
	if err := truncateLedger(r.disk, ledgerName(r.shard, r.shards)); err != nil {
		return err
	}
	if err := r.keep(ctx); err != nil {
		return err
	}
	if err := checkSpace(r.disk.dir, r.layout, r.kept, r.rowBytes); err != nil {
		return err
	}
	if slices.Contains(r.kept, false) {
		for _, folder := range folders {
			if err := r.disk.mkdir(folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOwner refuses a directory that holds anything but this plan's files.
func (r *partsRun) checkOwner(ctx context.Context) error {
	dir := r.disk.dir
	plan := filepath.Join(dir, planName)
	r.replan = false
	there, err := readLayout(ctx, plan, r.layout.Format)
	if m, problem := decided(ctx, dir); problem != nil {
		return problem
	} else if m != nil && err == nil {
		there = &m.Layout // what plan.json will be
	}
	if err == nil {
		err = r.comparePlan(ctx, there)
		if err != nil && r.shards == 1 && unused(dir) {
			return r.takeOver()
		}
		return err
	}
	if errors.Is(err, syscall.ENOTDIR) {
		return err // which says what to do
	}
	if !errors.Is(err, fs.ErrNotExist) || isLink(plan) {
		return fmt.Errorf("%w: choose another directory", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("read", "", dir, err)
	}
	if slices.ContainsFunc(names, func(e fs.DirEntry) bool { return e.Name() == planName }) {
		return r.checkOwner(ctx) // another shard has just started
	}
	for _, e := range names {
		if !ours(e.Name()) {
			return fmt.Errorf("%s is not empty and holds no %s (there is %q): choose an empty or new directory", dir, planName, e.Name())
		}
	}
	return nil
}

// unused reports whether a directory holds a plan but no part: the run failed at its
// first rows, probably because of a mistake that is fixed by now.
func unused(dir string) bool {
	used := false
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !ours(e.Name()) && e.Name() != planName && !strings.HasPrefix(e.Name(), ledgerPrefix) {
			used = true
		}
		return err
	})
	return err == nil && !used
}

// takeOver removes an unused plan, once this run holds the lock.
func (r *partsRun) takeOver() error {
	if r.lock == nil {
		return nil
	}
	return errors.Join(r.disk.remove(ledgerName(0, 1)), r.disk.remove(planName))
}

// claim writes plan.json, unless the same one is there.
func (r *partsRun) claim(ctx context.Context) error {
	// Again, now under the lock: another run may have been first.
	if err := r.checkOwner(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(r.disk.path(planName)); err == nil {
		return r.checkOwner(ctx) // another shard may have written it since
	}
	if err := r.disk.writeTemp(planName, document(r.layout)); err != nil {
		return err
	}
	err := r.disk.publishNew(planName)
	if errors.Is(err, fs.ErrExist) {
		return r.checkOwner(ctx) // another shard was first
	}
	if err != nil {
		return errors.Join(err, r.disk.remove(r.disk.temp(planName)))
	}
	return r.disk.syncFolder(".")
}

// keep verifies what earlier runs finished, and removes those files of this shard that
// cannot be trusted. Intact ones that have to be rewritten stay until they are replaced.
func (r *partsRun) keep(ctx context.Context) error {
	r.records, r.kept = map[string]PartFile{}, make([]bool, r.layout.PartCount)
	if r.replan {
		r.prints.load(r.disk.path(stampsName(r.shard, r.shards)))
		return r.stage(ctx)
	}
	known, err := records(ctx, r.disk.dir, r.layout)
	if err != nil {
		return err
	}
	var mine []PartFile
	for part := range r.layout.PartCount {
		for _, name := range r.layout.files(part) {
			if r.mine(part) {
				mine = append(mine, known[name]...)
			}
		}
	}
	whole, err := verified(ctx, r.encoding, r.disk.dir, mine, final)
	if err != nil {
		return err
	}
	lists := map[int][]sourceLine{}
	for part := range r.kept {
		for v, name := range r.layout.files(part) {
			p, list, ok := withList(r.disk.dir, whole[name], final)
			if ok {
				r.records[name] = p
			}
			if v == 0 && p.Sources != nil {
				lists[part] = list
			}
		}
		r.kept[part] = r.finished(part) || !r.mine(part)
		if !r.kept[part] && r.layout.Version != LayoutVersion {
			return r.tooOld(part)
		}
	}
	stale, err := r.compareSource(ctx, lists)
	if err != nil {
		return err
	}
	replaces, err := r.discard(stale, whole)
	switch {
	case err != nil:
		return err
	case replaces:
		return r.stage(ctx)
	}
	return r.unstage()
}

// discard drops the parts that have to be rewritten, and removes their damaged files.
// replaces reports whether some are intact: these stay until they are replaced.
func (r *partsRun) discard(stale map[int]bool, whole map[string][]PartFile) (replaces bool, err error) {
	for part := range r.kept {
		if r.kept[part] = r.kept[part] && !stale[part]; r.kept[part] {
			continue
		}
		needed := true
		for _, name := range r.layout.files(part) {
			delete(r.records, name)
			if whole[name] != nil {
				continue
			}
			needed = false
			if err := r.disk.remove(name); err != nil {
				return false, err
			}
		}
		if replaces = replaces || needed; needed || !isThere(r.disk.path(r.layout.sourceListName(part))) {
			continue
		}
		if err := r.disk.remove(r.layout.sourceListName(part)); err != nil {
			return false, err
		}
	}
	return replaces, nil
}

// checkSpace refuses to write what the disk clearly cannot hold, if a row's size is known.
func checkSpace(dir string, l *Layout, kept []bool, rowBytes int64) error {
	free, ok := freeBytes(dir)
	if !ok || rowBytes == 0 {
		return nil
	}
	rows := int64(0)
	for part, kept := range kept {
		if !kept {
			_, first, n := l.span(part)
			size := int64(l.BatchSize)
			rows += min(n*size, l.RowsPerEpoch-first*size)
		}
	}
	need := float64(rows) * float64(rowBytes)
	if need <= 1.1*float64(free) { // rows may fail, and a file system may compress
		return nil
	}
	smaller := ""
	if l.Format == "arrow" {
		smaller = ", or compress (--codec zstd)"
	}
	return fmt.Errorf("%s: the missing parts will take about %s (%d rows of %s), and the disk has %s free: free some space there, choose another directory%s; --any-space starts anyway",
		dir, formatBytes(need), rows, formatBytes(float64(rowBytes)), formatBytes(float64(free)), smaller)
}

// formatBytes is a number of bytes as people read it.
func formatBytes(n float64) string {
	for _, unit := range []string{"bytes", "KiB", "MiB", "GiB", "TiB"} {
		if n < 1024 || unit == "TiB" {
			return fmt.Sprintf("%.4g %s", n, unit)
		}
		n /= 1024
	}
	return ""
}

// tooOld explains why a directory of an earlier layout isn't completed.
func (r *partsRun) tooOld(part int) error {
	names := slices.DeleteFunc(r.layout.files(part), func(name string) bool { _, ok := r.records[name]; return ok })
	return fmt.Errorf("%s has layout %d, of an earlier version of sluice, and %s is missing or damaged: this version writes layout %d and never mixes the two; remove the directory and run the same command again, or finish it with the version that began it",
		r.disk.dir, r.layout.Version, names[0], LayoutVersion)
}

// folders are those of all the run's files.
func (r *partsRun) folders() []string {
	if r.prints == nil {
		return r.layout.folders()
	}
	return append(r.layout.folders(), r.layout.sourcesFolder())
}

func (r *partsRun) mine(part int) bool { return part%r.shards == r.shard }

// finished reports whether a part has all its files.
func (r *partsRun) finished(part int) bool {
	for _, name := range r.layout.files(part) {
		if _, ok := r.records[name]; !ok {
			return false
		}
	}
	return true
}

// write takes one batch of any part.
func (r *partsRun) write(b *schema.Batch) error {
	l := r.layout
	if b.Epoch < 0 || b.Epoch >= l.Epochs || b.Number < 0 || b.Number >= l.BatchesPerEpoch || b.Variant < 0 || b.Variant >= len(l.Variants) {
		return fmt.Errorf("batch %d of epoch %d in variant %d: the run has %d epochs of %d batches in %d variants", b.Number, b.Epoch, b.Variant, l.Epochs, l.BatchesPerEpoch, len(l.Variants))
	}
	part := l.part(b.Epoch, b.Number)
	if r.kept[part] {
		return nil
	}
	if r.open != nil && r.open.number != part {
		if err := r.finish(); err != nil {
			return err
		}
	}
	if r.open == nil {
		if r.finished(part) {
			return fmt.Errorf("batch %d of epoch %d comes after its part was finished: batches must come in order", b.Number, b.Epoch)
		}
		if err := r.start(part); err != nil {
			return err
		}
	}
	o := r.open
	switch {
	case b.Number < o.last:
		return fmt.Errorf("batch %d of epoch %d comes after batch %d: batches must come in order", b.Number, b.Epoch, o.last)
	case b.Number > o.last:
		o.last = b.Number
		o.seen++
		if err := o.noteReads(b, r.prints); err != nil {
			return err
		}
	}
	return o.files[b.Variant].add(b, l.Tasks)
}

// start opens a part's files.
func (r *partsRun) start(part int) error {
	epoch, first, n := r.layout.span(part)
	r.open = &openPart{number: part, last: -1, reads: map[int]schema.Read{}}
	for v, name := range r.layout.files(part) {
		record := PartFile{Name: name, Epoch: epoch, FirstBatch: first, Batches: n, Classes: emptyLedger(r.layout)}
		p := &Part{Run: r.run, Variant: v, Schema: r.schemas[v], Number: part, Epoch: epoch, FirstBatch: first, Batches: n, disk: r.disk, record: record}
		if err := p.begin(r.encoding); err != nil {
			return err
		}
		r.open.files = append(r.open.files, p)
	}
	return nil
}

// finish gives the open part's files their final names.
func (r *partsRun) finish() error {
	o := r.open
	if _, first, n := r.layout.span(o.number); o.seen != n {
		return fmt.Errorf("part %d got %d of its %d batches (from number %d on): batches are missing", o.number, o.seen, n, first)
	}
	var done []PartFile
	for _, f := range o.files {
		if err := f.finish(); err != nil {
			return err
		}
		done = append(done, f.record)
	}
	var err error
	if done[0].Sources, err = o.writeSources(r.disk, r.layout, r.prints); err != nil {
		return err
	}
	folders := r.folders()
	for _, f := range o.files {
		made, err := f.publishMembers(r.staging)
		if err != nil {
			return err
		}
		folders = append(folders, made...)
	}
	for _, p := range done {
		if err := r.disk.rename(r.disk.temp(p.Name), r.place(p.Name)); err != nil {
			return err
		}
	}
	if o.sources != "" {
		if err := r.disk.rename(r.disk.temp(o.sources), r.place(o.sources)); err != nil {
			return err
		}
	}
	for _, folder := range folders {
		if err := r.disk.syncFolder(folder); err != nil {
			return err
		}
	}
	if err := appendLedger(r.disk, r.place(ledgerName(r.shard, r.shards)), done); err != nil {
		return err
	}
	for _, p := range done {
		r.records[p.Name] = p
	}
	r.open = nil
	return nil
}

// end completes the directory, or this shard.
func (r *partsRun) end() error {
	if r.open != nil {
		if err := r.finish(); err != nil {
			return err
		}
	}
	var mine, missing []string
	for part := range r.layout.PartCount {
		if !r.mine(part) {
			continue
		}
		if !r.finished(part) {
			missing = append(missing, r.layout.file(part, 0))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of %d parts got no batches, the first %s", len(missing), r.layout.PartCount, missing[0])
	}
	for v := range r.layout.Variants {
		for part := range r.layout.PartCount {
			if r.mine(part) {
				mine = append(mine, r.layout.file(part, v))
			}
		}
	}
	if r.shards > 1 {
		return r.endShard(mine)
	}
	if err := r.seal(mine); err != nil {
		return err
	}
	return r.disk.removeFiles(isLedger)
}

// seal writes the manifest of the whole directory. One without any rows would be taken
// for a data set.
func (r *partsRun) seal(names []string) error {
	m := r.manifest("", names)
	if r.layout.RowsPerEpoch > 0 && !slices.ContainsFunc(m.Parts, func(p PartFile) bool { return p.Rows > 0 }) {
		return fmt.Errorf("%s has no rows: every draw of its %d parts failed: fix the files, remove the directory and run again", r.disk.dir, r.layout.PartCount)
	}
	if r.staging && r.shards == 1 {
		return replaceParts(r.disk, m, manifestName)
	}
	if err := summarize(r.disk, r.layout); err != nil {
		return err
	}
	return r.disk.replace(manifestName, document(m))
}

func (r *partsRun) manifest(shard string, names []string) *Manifest {
	var parts []PartFile
	for _, name := range names {
		parts = append(parts, r.records[name])
	}
	return newManifest(r.layout, shard, parts)
}

// endShard writes the shard's manifest, and the whole directory's if this shard is the
// last. Two shards that end at the same time may both write it, with the same bytes.
func (r *partsRun) endShard(names []string) error {
	own := r.manifest(shardName(r.shard, r.shards), names)
	name := shardManifest(r.shard, r.shards)
	if r.staging {
		if err := replaceParts(r.disk, own, name); err != nil {
			return err
		}
	} else if err := r.disk.replace(name, document(own)); err != nil {
		return err
	}
	mine := ledgerName(r.shard, r.shards)
	if err := r.disk.removeFiles(func(name string) bool { return name == mine }); err != nil {
		return err
	}
	all := maps.Clone(r.records)
	for i := range r.shards {
		m, err := readManifest(context.Background(), r.disk.path(shardManifest(i, r.shards)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && slices.ContainsFunc(m.Parts, func(p PartFile) bool { return !fits(p, r.layout) }) {
			err = errors.New("damaged: a part in it isn't one of this plan")
		}
		if err != nil {
			return fmt.Errorf("the manifest of shard %d/%d: %w: remove it and run that shard again", i, r.shards, err)
		}
		for _, p := range m.Parts {
			info, err := os.Stat(r.disk.path(p.Name))
			if err != nil || info.Size() != p.Bytes {
				return fmt.Errorf("%s of shard %d/%d is missing or damaged: run that shard again", r.disk.path(p.Name), i, r.shards)
			}
			all[p.Name] = p
			if r.staging && r.prints.outdated(r.disk.dir, p) {
				return nil // until that shard has been updated, too
			}
		}
	}
	r.records = all
	var every []string
	for v := range r.layout.Variants {
		for part := range r.layout.PartCount {
			every = append(every, r.layout.file(part, v))
		}
	}
	for _, name := range every {
		if _, ok := all[name]; !ok {
			return fmt.Errorf("no shard's manifest has %s: remove the manifest-*.json in %s and run every shard again", name, r.disk.dir)
		}
	}
	if err := r.seal(every); err != nil {
		return err
	}
	whole := ledgerName(0, 1) // of an interrupted run without shards
	return r.disk.removeFiles(func(name string) bool { return name == whole })
}

// abandon removes what is unfinished.
func (r *partsRun) abandon() error {
	if r.open == nil {
		return nil
	}
	err := r.open.abandon()
	if r.open.sources != "" {
		err = errors.Join(err, r.disk.remove(r.disk.temp(r.open.sources)))
	}
	r.open = nil
	return err
}

// ours reports whether a file of this name may be in a directory before its plan
// is: a directory of nothing else counts as empty.
func ours(name string) bool {
	return strings.HasPrefix(name, tempPrefix) || name == lockName || strings.HasPrefix(name, lockName+"-")
}

// comparePlan refuses a directory with another plan, and says what differs.
func (r *partsRun) comparePlan(ctx context.Context, there *Layout) error {
	dir := r.disk.dir
	here := *r.layout
	here.Version = there.Version
	list := differences(there, &here)
	if len(list) == 0 && there.Version != LayoutVersion && r.shards == 1 && unused(dir) {
		return r.takeOver()
	}
	if len(list) == 0 {
		r.layout.Version = there.Version
		return nil
	}
	if !slices.ContainsFunc(list, func(c plandiff.Change) bool { return !isOfSource(c) }) && r.prints != nil {
		return r.otherSource(ctx, there)
	}
	return fmt.Errorf("%s holds another dataset; what differs, there -> here:\n  %s\nChoose another directory, or remove this one", dir, plandiff.Lines(plandiff.Texts(list)))
}

// isOfSource reports whether a difference of two plans follows from their sources: keys,
// sizes, labels and other columns, and so the number of rows and the classes.
func isOfSource(c plandiff.Change) bool {
	return slices.Contains([]string{"plan_hash", "source", "epoch_rows", "rows_per_epoch", "batches_per_epoch", "part_count", "classes"}, c.Of)
}
