package sinks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
)

// VerifyReport is what Verify found.
type VerifyReport struct {
	Manifest *Manifest `json:"-"`
	Parts    int       `json:"parts"`
	Rows     int64     `json:"rows"`
	Bytes    int64     `json:"bytes"`
	Problems []Problem `json:"problems"` // in the order of the manifest
	Warnings []string  `json:"warnings"` // about a data set that is right nevertheless
}

// Problem is a file that differs from what the manifest says.
type Problem struct {
	Name string      `json:"name"` // relative to the directory, slash-separated
	Kind ProblemKind `json:"kind"`
	Text string      `json:"text"` // what was found, and what to do
}

// ProblemKind is what is wrong with a file, in a word.
type ProblemKind string

// The kinds of problems.
const (
	Missing       ProblemKind = "missing"
	Extra         ProblemKind = "extra" // an Arrow file that the manifest doesn't name
	WrongChecksum ProblemKind = "checksum"
	WrongRows     ProblemKind = "rows"     // the file is intact, the manifest's counts are wrong
	Unreadable    ProblemKind = "readable" // it cannot be read, though its checksum is right
	WrongPlan     ProblemKind = "plan"     // plan.json and the manifest are of different runs
)

const repair = "run the same materialize command again: it rewrites this part and keeps the others"

// Verify checks a materialized directory against its manifest: that every part
// is there, with the checksum, the rows and the rows per class that the
// manifest says, and no other. An error means that it could not check; whatever is
// wrong is in the report. progress is called with the number of parts checked so far,
// from several goroutines.
func Verify(ctx context.Context, dir string, progress ...func(done, parts int)) (VerifyReport, error) {
	return VerifyParts(ctx, arrowEncoding{}, dir, func(done, parts int) {
		for _, f := range progress {
			f(done, parts)
		}
	})
}

// VerifyParts is Verify of a directory of another format; progress may be nil.
func VerifyParts(ctx context.Context, e Encoding, dir string, progress func(done, parts int)) (VerifyReport, error) {
	m, err := readWhole(ctx, dir, e.Name())
	if err != nil {
		return VerifyReport{}, err
	}
	report := VerifyReport{Manifest: m, Parts: len(m.Parts), Rows: m.Rows, Problems: []Problem{}, Warnings: []string{}}
	add := func(name string, kind ProblemKind, format string, args ...any) {
		report.Problems = append(report.Problems, Problem{name, kind, fmt.Sprintf(format, args...)})
	}
	if text := checkPlan(ctx, dir, m); text != "" {
		add(planName, WrongPlan, "%s", text)
	}
	problems := make([]*Problem, len(m.Parts))
	var done atomic.Int64
	err = each(ctx, len(m.Parts), func(i int) {
		problems[i] = checkPart(ctx, e, dir, m, m.Parts[i])
		if n := int(done.Add(1)); progress != nil {
			progress(n, len(m.Parts))
		}
	})
	if err != nil {
		return VerifyReport{}, fmt.Errorf("sinks: verify: %w", err)
	}
	for i, p := range problems {
		report.Bytes += m.Parts[i].Bytes
		if p != nil {
			report.Problems = append(report.Problems, *p)
		}
	}
	problem, err := checkSummary(ctx, e, dir, &m.Layout)
	if err != nil {
		return VerifyReport{}, fmt.Errorf("sinks: verify: %w", err)
	}
	if problem != nil {
		report.Problems = append(report.Problems, *problem)
	}
	for _, text := range unlisted(m) {
		add(manifestName, WrongPlan, "%s", text)
	}
	if !sumsUp(m) {
		add(manifestName, WrongRows, "its totals are not the sums over its parts: run the same materialize command again")
	}
	if text := pending(dir); text != "" {
		report.Warnings = append(report.Warnings, text)
	}
	if text := outside(dir, m); text != "" {
		report.Warnings = append(report.Warnings, text)
	}
	extra, err := extraParts(ctx, e, dir, m)
	if err != nil {
		return VerifyReport{}, fmt.Errorf("sinks: verify: %w", err)
	}
	for _, name := range extra {
		add(name, Extra, "the manifest doesn't list it: remove it, or readers of the folder will read it, too")
	}
	return report, nil
}

func checkPlan(ctx context.Context, dir string, m *Manifest) string {
	plan, err := readLayout(ctx, filepath.Join(dir, planName), m.Format)
	if err != nil {
		return fmt.Sprintf("cannot be read (%v): without it the directory cannot be completed or repaired", err)
	}
	if list := differences(plan, &m.Layout); len(list) > 0 {
		return fmt.Sprintf("it differs from %s, plan -> manifest: %s", manifestName, strings.Join(plandiff.Texts(list), "; "))
	}
	return ""
}

// unlisted reports files of its plan that a manifest doesn't list.
func unlisted(m *Manifest) (list []string) {
	if m.Shard != "" {
		list = append(list, fmt.Sprintf("it is the manifest of shard %s, not of the whole data set", shorten(m.Shard)))
	}
	named := map[string]bool{}
	for _, p := range m.Parts {
		named[p.Name] = true
	}
	missing, first := 0, ""
	for v := range m.Variants {
		for part := range m.PartCount {
			if name := m.file(part, v); !named[name] {
				if missing++; missing == 1 {
					first = name
				}
			}
		}
	}
	if missing > 0 {
		list = append(list, fmt.Sprintf("it lacks %d of the %d parts of its plan, the first %s: run the same materialize command again", missing, m.PartCount*len(m.Variants), first))
	}
	return list
}

func sumsUp(m *Manifest) bool {
	for _, p := range m.Parts {
		if !fits(p, &m.Layout) {
			return false
		}
	}
	again := newManifest(&m.Layout, "", m.Parts)
	return again.Rows == m.Rows && reflect.DeepEqual(again.Classes, m.Classes)
}

// checkPart finds the first problem of a part's file.
func checkPart(ctx context.Context, e Encoding, dir string, m *Manifest, p PartFile) *Problem {
	if !fits(p, &m.Layout) {
		return &Problem{p.Name, WrongPlan, "the manifest's line doesn't fit its plan"}
	}
	file := filepath.Join(dir, filepath.FromSlash(p.Name))
	if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Size() != p.Bytes {
		return &Problem{p.Name, WrongChecksum, fmt.Sprintf("it has %d bytes instead of %d: %s", info.Size(), p.Bytes, repair)}
	}
	sum, size, err := checksum(ctx, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Problem{p.Name, Missing, "it is missing: " + repair}
	case err != nil:
		return &Problem{p.Name, Unreadable, fmt.Sprintf("%v: %s", err, repair)}
	case size != p.Bytes:
		return &Problem{p.Name, WrongChecksum, fmt.Sprintf("it has %d bytes instead of %d: %s", size, p.Bytes, repair)}
	case sum != p.SHA256:
		return &Problem{p.Name, WrongChecksum, fmt.Sprintf("its SHA-256 is %s instead of %s: %s", sum, p.SHA256, repair)}
	}
	rows, classes := int64(0), emptyLedger(&m.Layout)
	err = e.Count(ctx, file, &m.Layout, func(n int64, labels [][]int32) error {
		rows += n
		return countLabels(labels, m.Tasks, classes)
	})
	switch {
	case err != nil:
		return &Problem{p.Name, Unreadable, err.Error()}
	case rows != p.Rows:
		return &Problem{p.Name, WrongRows, fmt.Sprintf("it holds %d rows, and the manifest says %d", rows, p.Rows)}
	case !reflect.DeepEqual(classes, p.Classes):
		return &Problem{p.Name, WrongRows, fmt.Sprintf("its rows per class are %s, and the manifest says %s", marshal(classes), marshal(p.Classes))}
	}
	if p.Sources != nil {
		if _, problem := readSourceList(dir, p.Sources, final); problem != nil {
			return problem
		}
	}
	return checkMembers(ctx, e, dir, p, final)
}

// outside warns of files that are symlinks to other places.
func outside(dir string, m *Manifest) string {
	base, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	leaves := func(name string) bool {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if !isLink(path) {
			return false
		}
		to, err := filepath.EvalSymlinks(path)
		if err != nil {
			return false // a problem of its own
		}
		rel, err := filepath.Rel(base, to)
		return err != nil || !filepath.IsLocal(rel)
	}
	names := append([]string{planName, manifestName}, m.folders()...)
	for _, p := range m.Parts {
		if fits(p, &m.Layout) {
			names = append(names, p.Name)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "." || !leaves(name) })
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%d of its files and folders are symlinks to places outside it, the first %s: a copy of the directory may lack them", len(names), names[0])
}

// extraParts finds part files, and lists of samples, that the manifest doesn't list.
func extraParts(ctx context.Context, e Encoding, dir string, m *Manifest) ([]string, error) {
	known := map[string]bool{planName: true}
	folders := map[string]bool{".": true} // with what lies in them
	keepFolder := func(name string) {
		for ; !folders[name]; name = path.Dir(name) {
			folders[name] = true
		}
	}
	for _, folder := range m.folders() {
		keepFolder(folder)
		if s, ok := e.(summarizer); ok {
			known[join(folder, s.summaryName(&m.Layout))] = true
		}
	}
	for _, p := range m.Parts {
		known[p.Name] = true
		list, _ := membersOf(e, filepath.Join(dir, filepath.FromSlash(p.Name))) // a problem of its own
		for _, f := range list {
			name := join(path.Dir(p.Name), f.Name)
			known[name] = true
			keepFolder(path.Dir(name))
		}
		if p.Sources != nil {
			known[p.Sources.Name] = true
		}
	}
	var extra []string
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if e.IsDir() && m.Members && !folders[name] && !strings.HasPrefix(e.Name(), ".") && isEmpty(file) {
			extra = append(extra, name)
		}
		if !e.IsDir() && (m.Members && !isManifest(name) || path.Ext(name) == m.ext() || path.Ext(name) == ".xxh128") && !strings.HasPrefix(e.Name(), ".") && !known[name] {
			extra = append(extra, name)
		}
		return nil
	})
	return extra, err
}

// isEmpty reports whether a folder has nothing in it: readers of folders take it for a class.
func isEmpty(folder string) bool {
	entries, err := os.ReadDir(folder)
	return err == nil && len(entries) == 0
}

// verified are the records, by name, whose file is there with the recorded checksum, and
// the files that it lists.
func verified(ctx context.Context, e Encoding, dir string, parts []PartFile, named naming) (map[string][]PartFile, error) {
	ok := make([]bool, len(parts))
	err := each(ctx, len(parts), func(i int) {
		sum, size, err := checksum(ctx, filepath.Join(dir, filepath.FromSlash(named(parts[i].Name))))
		ok[i] = err == nil && size == parts[i].Bytes && sum == parts[i].SHA256 && checkMembers(ctx, e, dir, parts[i], named) == nil
	})
	if err != nil {
		return nil, err
	}
	out := map[string][]PartFile{}
	for i, p := range parts {
		if ok[i] {
			out[p.Name] = append(out[p.Name], p)
		}
	}
	return out, nil
}

// checksum is the SHA-256 and the size of a file.
func checksum(ctx context.Context, file string) (sum string, size int64, err error) {
	f, _, err := openRegular(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.CopyBuffer(h, readerFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return f.Read(b)
	}), make([]byte, 1<<20))
	return hex.EncodeToString(h.Sum(nil)), size, err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// each calls f for 0..n-1 on all processors, until the context ends.
func each(ctx context.Context, n int, f func(i int)) error {
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wait.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// labelsOf are a batch's labels, [task][row].
func labelsOf(b *schema.Batch) [][]int32 {
	list := make([][]int32, b.Tasks())
	for t := range list {
		list[t] = b.Labels(t)
	}
	return list
}

// countLabels adds rows' labels, [task][row], to counts per class.
func countLabels(labels [][]int32, tasks []schema.Task, ledger map[string][]int64) error {
	if len(labels) != len(tasks) {
		return fmt.Errorf("a batch with %d label columns in a run of %d tasks", len(labels), len(tasks))
	}
	for t, task := range tasks {
		counts := ledger[task.Name]
		for _, label := range labels[t] {
			if label == schema.Unknown {
				label = int32(len(counts) - 1)
			}
			if label < 0 || int(label) >= len(counts) {
				return fmt.Errorf("label %d of task %s, which has %d classes", label, task.Name, len(task.Classes))
			}
			counts[label]++
		}
	}
	return nil
}
