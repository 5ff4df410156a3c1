package sinks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/schema"
)

// The samples that a part was made of are listed beside it, in a file that xxhsum can
// check: for each sample, in the order of keys,
//
//	99aa06d3014798d86001c324468d497f  cat/1.jpg
//
// its XXH3-128 (schema.SamplePrint, which xxhsum can't compute, where samples have targets),
// or as many dashes if its file was missing. A key with a backslash or
// a line break is escaped as by sha256sum. The part's line in the ledger and the
// manifest has this file's checksum, so it is as well protected as the part.

// SourceList describes the file that lists the samples a part was made of.
type SourceList struct {
	Name    string `json:"name"` // relative to the directory, slash-separated
	Samples int64  `json:"samples"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

const sourcesFolder = "sources"

// sourcesFolder is where the lists are. Folders of images have none beside those of classes.
func (l *Layout) sourcesFolder() string {
	if l.Members {
		return "."
	}
	return sourcesFolder
}

// sourceListName is the name of a part's list.
func (l *Layout) sourceListName(part int) string {
	name := l.file(part, 0)
	name = name[strings.LastIndexByte(name, '/')+1:]
	return join(l.sourcesFolder(), strings.TrimSuffix(name, l.ext())+".xxh128")
}

// sourceLine is a line of that file.
type sourceLine struct {
	key     string
	print   fingerprint.Print
	missing bool
}

func (u sourceLine) same(o schema.Read) bool {
	return u.missing == o.Missing && (u.missing || u.print == o.Print)
}

var (
	dashes   = strings.Repeat("-", 32)
	escape   = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "\\r")
	unescape = strings.NewReplacer("\\\\", "\\", "\\n", "\n", "\\r", "\r")
)

func sourceList(list []sourceLine) []byte {
	slices.SortFunc(list, func(a, b sourceLine) int { return strings.Compare(a.key, b.key) })
	var out bytes.Buffer
	for _, u := range list {
		print, key := u.print.String(), escape.Replace(u.key)
		if u.missing {
			print = dashes
		}
		if key != u.key {
			out.WriteByte('\\')
		}
		fmt.Fprintf(&out, "%s  %s\n", print, key)
	}
	return out.Bytes()
}

func parseSourceList(data []byte) (list []sourceLine, err error) {
	for line := range strings.Lines(string(data)) {
		line, escaped := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\\")
		print, key, ok := strings.Cut(line, "  ")
		u := sourceLine{key: key, missing: print == dashes}
		if escaped {
			u.key = unescape.Replace(key)
		}
		if ok && !u.missing {
			u.print, err = fingerprint.Parse(print)
		}
		if !ok || err != nil || u.key == "" || len(list) > 0 && list[len(list)-1].key >= u.key {
			return nil, fmt.Errorf("line %d is not a fingerprint and a key, in the order of keys", len(list)+1)
		}
		list = append(list, u)
	}
	return list, nil
}

// naming is final or staged: the name under which a file is looked for.
type naming func(name string) string

func final(name string) string { return name }

// withList picks, among the records of one file, one whose list of samples exists, too.
func withList(dir string, candidates []PartFile, named naming) (p PartFile, list []sourceLine, ok bool) {
	for _, p := range slices.Backward(candidates) {
		if p.Sources == nil {
			return p, nil, true
		}
		if list, problem := readSourceList(dir, p.Sources, named); problem == nil {
			return p, list, true
		}
	}
	return PartFile{}, nil, false
}

// readSourceList reads a part's list and checks it against the part's line.
func readSourceList(dir string, f *SourceList, named naming) (list []sourceLine, problem *Problem) {
	data, err := readSmall(filepath.Join(dir, filepath.FromSlash(named(f.Name))))
	sum := sha256.Sum256(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Problem{f.Name, Missing, "it is missing: " + repair}
	case err != nil:
		return nil, &Problem{f.Name, Unreadable, fmt.Sprintf("%v: %s", err, repair)}
	case int64(len(data)) != f.Bytes || hex.EncodeToString(sum[:]) != f.SHA256:
		return nil, &Problem{f.Name, WrongChecksum, fmt.Sprintf("its %d bytes are not those that the manifest lists (SHA-256 %s instead of %s): %s", len(data), hex.EncodeToString(sum[:]), shorten(f.SHA256), repair)}
	}
	if list, err = parseSourceList(data); err != nil || int64(len(list)) != f.Samples {
		return nil, &Problem{f.Name, Unreadable, fmt.Sprintf("it lists %d samples, and the manifest says %d: %v", len(list), f.Samples, err)}
	}
	return list, nil
}

// fingerprints are what a run knows about its samples' bytes.
type fingerprints struct {
	samples schema.Samples
	prints  []fingerprint.Print
	known   []bool
}

// newFingerprints is nil if the run's source isn't known.
func newFingerprints(samples schema.Samples) *fingerprints {
	if samples == nil {
		return nil
	}
	n := samples.Index().Len()
	return &fingerprints{samples: samples, prints: make([]fingerprint.Print, n), known: make([]bool, n)}
}

// note records what was read. Two readings of a sample must be the same.
func (m *fingerprints) note(r schema.Read) error {
	if r.Sample < 0 || r.Sample >= len(m.known) || r.Missing {
		return nil
	}
	if m.known[r.Sample] && m.prints[r.Sample] != r.Print {
		return fmt.Errorf("sample %q has changed since this directory was begun: its bytes differ from those read before; once nothing writes to the source any more, run the same command again with --update", m.samples.Index().Key(r.Sample))
	}
	m.known[r.Sample], m.prints[r.Sample] = true, r.Print
	return nil
}

// current is a sample as it is now. It is read only if its fingerprint isn't known.
func (m *fingerprints) current(ctx context.Context, sample int, buf []byte) (schema.Read, []byte, error) {
	r := schema.Read{Sample: sample, Missing: m.samples.Index().Size(sample) < 0}
	switch {
	case r.Missing:
		return r, buf, nil
	case m.known[sample]:
		r.Print = m.prints[sample]
		return r, buf, nil
	}
	buf, err := m.samples.Read(ctx, sample, buf)
	if err != nil {
		return r, buf, err
	}
	var t schema.Targets
	index := m.samples.Index()
	if of, ok := m.samples.(targeter); ok && schema.TargetSpecOf(index).HasMask() {
		if err := of.Targets(ctx, sample, &t); err != nil && !errors.Is(err, schema.ErrTargets) {
			return r, buf, err
		}
	}
	r.Print = schema.SamplePrint(index, sample, fingerprint.Of(buf), t.Mask)
	return r, buf, nil
}

// targeter is what reads the masks of samples.
type targeter interface {
	Targets(ctx context.Context, sample int, t *schema.Targets) error
}

// Stamps say when a sample's file was last written, as the source listed it when
// the sample was read. Like the locks they belong to this machine, and so are in no
// manifest; without them every sample is read and compared.
const stampsPrefix = lockName + "-stamps"

func stampsName(shard, shards int) string {
	if shards > 1 {
		return stampsPrefix + "-" + shardName(shard, shards) + ".jsonl"
	}
	return stampsPrefix + ".jsonl"
}

// stamp is that of a sample as it was listed, with the digest of its targets; "" if it has none.
func (m *fingerprints) stamp(sample int) string {
	s, ok := m.samples.(interface{ Stamp(int) string })
	if !ok {
		return ""
	}
	stamp, x := s.Stamp(sample), m.samples.Index()
	if stamp != "" && schema.TargetSpecOf(x) != nil {
		stamp += fmt.Sprintf(" %x", schema.TargetDigestOf(x, sample))
	}
	return stamp
}

// load takes the fingerprints that an earlier run saved of samples with the same stamp.
func (m *fingerprints) load(path string) {
	data, err := readSmall(path)
	if err != nil {
		return
	}
	index := m.samples.Index()
	for line := range bytes.Lines(data) {
		var entry [3]string // key, stamp, print
		if json.Unmarshal(line, &entry) != nil {
			continue
		}
		sample, ok := index.Find(entry[0])
		print, err := fingerprint.Parse(entry[2])
		if ok && err == nil && entry[1] != "" && m.stamp(sample) == entry[1] {
			m.known[sample], m.prints[sample] = true, print
		}
	}
}

// save writes the file that load reads. It only makes the next run faster, so its failure
// is no error.
func (m *fingerprints) save(d *disk, name string) {
	if data := m.stampLines(); len(data) > 0 {
		_ = d.replace(name, data)
	}
}

// stampLines are the lines that load reads.
func (m *fingerprints) stampLines() []byte {
	var out []byte
	index := m.samples.Index()
	for sample := range index.Len() {
		if stamp := m.stamp(sample); m.known[sample] && stamp != "" {
			out = append(append(out, marshal([3]string{index.Key(sample), stamp, m.prints[sample].String()})...), '\n')
		}
	}
	return out
}

// SourceChanged is the error of a run into a directory with parts made of samples that
// have changed since.
type SourceChanged struct {
	Dir     string
	Samples []string // keys
	Parts   []string // made of them
	Of      int      // parts in total
}

func (e *SourceChanged) Error() string {
	return fmt.Sprintf("%s was made of other data: %s changed since: %s; used by %d of its %d parts, the first %s. Restore the old samples, or add --update, which makes exactly these parts again",
		e.Dir, have(len(e.Samples), "sample"), some(e.Samples), len(e.Parts), e.Of, e.Parts[0])
}

func have(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " has"
	}
	return fmt.Sprintf("%d %ss have", n, noun)
}

// some quotes the first of a list.
func some(names []string) string {
	const most = 10
	var quoted []string
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", shorten(name)))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

// differing finds the samples in lists that have other bytes now, by key, and the lists
// that contain them. Each sample is read at most once.
func (m *fingerprints) differing(ctx context.Context, lists map[int][]sourceLine) (keys []string, stale map[int]bool, err error) {
	index := m.samples.Index()
	var wanted []int
	seen := map[int]bool{}
	for _, list := range lists {
		for _, u := range list {
			if sample, ok := index.Find(u.key); ok && !seen[sample] {
				seen[sample] = true
				wanted = append(wanted, sample)
			}
		}
	}
	slices.Sort(wanted)
	now := make([]schema.Read, len(wanted))
	errs := make([]error, len(wanted))
	var buffers sync.Pool
	err = each(ctx, len(wanted), func(i int) {
		buf, _ := buffers.Get().(*[]byte)
		if buf == nil {
			buf = new([]byte)
		}
		now[i], *buf, errs[i] = m.current(ctx, wanted[i], *buf)
		buffers.Put(buf)
	})
	if err != nil {
		return nil, nil, err
	}
	for i, e := range errs {
		if e != nil {
			return nil, nil, fmt.Errorf("comparing sample %q with what was made of it: %w", index.Key(wanted[i]), e)
		}
		if !now[i].Missing {
			m.known[wanted[i]], m.prints[wanted[i]] = true, now[i].Print
		}
	}
	changed := map[string]bool{}
	stale = map[int]bool{}
	for part, list := range lists {
		for _, u := range list {
			sample, ok := index.Find(u.key)
			if ok {
				at, _ := slices.BinarySearch(wanted, sample)
				ok = u.same(now[at])
			}
			if !ok {
				changed[u.key], stale[part] = true, true
			}
		}
	}
	for key := range changed {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, stale, nil
}

// outdated reports whether another shard's part was made of a sample that, as this run
// knows, has other bytes now.
func (m *fingerprints) outdated(dir string, p PartFile) bool {
	if m == nil || p.Sources == nil {
		return false
	}
	list, problem := readSourceList(dir, p.Sources, final)
	return problem == nil && slices.ContainsFunc(list, func(u sourceLine) bool {
		sample, ok := m.samples.Index().Find(u.key)
		return ok && !u.missing && m.known[sample] && m.prints[sample] != u.print
	})
}

// compareSource compares the source with what the kept parts were made of, and returns
// the parts that have to be rewritten.
func (r *partsRun) compareSource(ctx context.Context, lists map[int][]sourceLine) (stale map[int]bool, err error) {
	if r.prints == nil {
		return nil, nil
	}
	r.prints.load(r.disk.path(stampsName(r.shard, r.shards)))
	keys, stale, err := r.prints.differing(ctx, lists)
	if err != nil || len(keys) == 0 || r.update {
		return stale, err
	}
	changed := &SourceChanged{Dir: r.disk.dir, Samples: keys, Of: r.layout.PartCount}
	for part := range r.layout.PartCount {
		if stale[part] {
			changed.Parts = append(changed.Parts, r.layout.file(part, 0))
		}
	}
	return nil, changed
}

// noteReads records the samples that a batch was made of.
func (p *openPart) noteReads(b *schema.Batch, prints *fingerprints) error {
	if prints == nil {
		return nil
	}
	if b.Reads == nil && b.Rows() > 0 {
		p.untracked = true // it isn't of the run's source
	}
	for _, read := range b.Reads {
		if read.Sample < 0 || read.Sample >= len(prints.known) {
			return fmt.Errorf("batch %d of epoch %d was made of sample %d, and the source has %d", b.Number, b.Epoch, read.Sample, len(prints.known))
		}
		if err := prints.note(read); err != nil {
			return err
		}
		p.reads[read.Sample] = read
	}
	return nil
}

// writeSources writes the part's list under its temporary name; nil if its samples
// aren't known.
func (p *openPart) writeSources(d *disk, l *Layout, prints *fingerprints) (*SourceList, error) {
	if prints == nil || p.untracked {
		return nil, nil
	}
	var list []sourceLine
	for sample, read := range p.reads {
		list = append(list, sourceLine{prints.samples.Index().Key(sample), read.Print, read.Missing})
	}
	data := sourceList(list)
	sum := sha256.Sum256(data)
	f := &SourceList{Name: l.sourceListName(p.number), Samples: int64(len(list)), Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
	p.sources = f.Name
	return f, d.writeTemp(f.Name, data)
}

// SourceReport is what VerifySource found.
type SourceReport struct {
	Samples  int       `json:"samples"`  // compared
	Missing  int       `json:"missing"`  // not in the source, or with a missing file
	Parts    int       `json:"parts"`    // made of samples that are missing or differ now
	Of       int       `json:"of"`       // parts with a list of samples
	Problems []Problem `json:"problems"` // one for each such sample, and each list that cannot be used
}

// Advice says what to do about samples that are missing or differ; "" if there are none.
func (r *SourceReport) Advice() string {
	switch {
	case r.Parts == 0:
		return ""
	case 2*r.Missing >= r.Samples:
		return fmt.Sprintf("%d of the %d samples that it was made of are not in this source: is this the right pipeline file?", r.Missing, r.Samples)
	case r.Missing > 0:
		return fmt.Sprintf("parts made of them: %d of %d: restore the missing samples, or materialize into another directory", r.Parts, r.Of)
	}
	return fmt.Sprintf("parts made of them: %d of %d: materialize again with --update, which rewrites them", r.Parts, r.Of)
}

// OtherSource is the kind of the problems that name a sample's key.
const OtherSource ProblemKind = "source"

// VerifySource reads every sample that a materialized directory was made of, and
// compares its bytes with the recorded fingerprint. Problems name samples by their
// keys. An error means that it could not compare.
func VerifySource(ctx context.Context, dir string, samples schema.Samples) (SourceReport, error) {
	m, err := readWhole(ctx, dir, "")
	if err != nil {
		return SourceReport{}, err
	}
	report := SourceReport{Problems: []Problem{}}
	lists, files := map[int][]sourceLine{}, 0
	all := map[string]bool{}
	for i, p := range m.Parts {
		if p.Sources == nil || !fits(p, &m.Layout) {
			continue
		}
		files++
		list, problem := readSourceList(dir, p.Sources, final)
		if problem != nil {
			report.Problems = append(report.Problems, *problem)
			continue
		}
		lists[i] = list
		for _, u := range list {
			all[u.key] = true
		}
	}
	if files == 0 {
		return report, fmt.Errorf("sinks: verify: %s doesn't say what it was made of: it was made by an earlier version of sluice, or of samples without a source; materialize it again", dir)
	}
	report.Samples, report.Of = len(all), files
	there := newFingerprints(samples)
	keys, stale, err := there.differing(ctx, lists)
	if err != nil {
		return report, fmt.Errorf("sinks: verify: %w", err)
	}
	report.Parts = len(stale)
	for _, key := range keys {
		what := "its bytes have changed since the directory was made"
		if spec := schema.TargetSpecOf(samples.Index()); spec.Objects() || spec.HasMask() {
			what = "its bytes, its mask or its annotations have changed since the directory was made"
		}
		sample, ok := samples.Index().Find(key)
		switch {
		case !ok:
			what = "the source has no such sample"
			report.Missing++
		case samples.Index().Size(sample) < 0:
			what = "its file is missing"
			report.Missing++
		}
		report.Problems = append(report.Problems, Problem{key, OtherSource, what})
	}
	return report, nil
}
