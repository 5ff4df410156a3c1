package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of a directory beside its parts.
const (
	planName     = "plan.json"
	manifestName = "manifest.json"
)

// PartFile describes one file of a part. It is a line of the manifest, and of the
// ledger until the run ends.
type PartFile struct {
	Name       string `json:"name"` // relative to the directory, slash-separated
	Rows       int64  `json:"rows"`
	Bytes      int64  `json:"bytes"`
	SHA256     string `json:"sha256"` // of the file, as sha256sum prints it
	Epoch      int    `json:"epoch"`
	FirstBatch int64  `json:"first_batch"` // within the epoch
	Batches    int64  `json:"batches"`     // that the part covers; a variant that isn't picked for all of them holds fewer
	// Classes counts rows per task and class, in the order of the task's classes; the
	// last number is that of rows with unknown label.
	Classes map[string][]int64 `json:"classes"`
	// Targets counts objects and pixels of masks; nil where the format writes neither, or its
	// parts are read back.
	Targets *TargetCounts `json:"targets,omitempty"`
	// Sources lists the samples that the part was made of; only in the line of its first
	// variant.
	Sources *SourceList `json:"sources,omitempty"`
}

// Manifest lists the contents of a materialized directory: manifest.json, or the
// manifest-i-of-n.json of one shard. Rows and Classes count the rows of all
// files: with several scales a draw counts once in each.
type Manifest struct {
	Layout
	Shard   string             `json:"shard,omitempty"` // 0-of-4
	Rows    int64              `json:"rows"`
	Classes map[string][]int64 `json:"classes"`
	Parts   []PartFile         `json:"parts"` // in order, variant by variant
}

// ReadManifest reads the manifest of a finished directory. Its layout is checked; its
// parts are not: see Verify.
func ReadManifest(dir string) (*Manifest, error) {
	return readWhole(context.Background(), dir, "")
}

// readWhole is ReadManifest of a format, "" for any.
func readWhole(ctx context.Context, dir, format string) (*Manifest, error) {
	m, err := readManifestOf(ctx, filepath.Join(dir, manifestName), format)
	if errors.Is(err, fs.ErrNotExist) && !isLink(filepath.Join(dir, manifestName)) {
		err = unfinished(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("sinks: %w", err)
	}
	return m, nil
}

// unfinished explains why a directory has no manifest.
func unfinished(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return explain("read", "", dir, err)
	}
	if what := pending(dir); what == brokenOff {
		return fmt.Errorf("%s holds no %s: %s", dir, manifestName, what)
	}
	if isThere(filepath.Join(dir, planName)) {
		return fmt.Errorf("%s holds no %s: it isn't finished; run the same materialize command again (every shard of it)", dir, manifestName)
	}
	return fmt.Errorf("%s holds no %s: it isn't a materialized dataset", dir, manifestName)
}

func readManifest(ctx context.Context, path string) (*Manifest, error) {
	return readManifestOf(ctx, path, "")
}

func readManifestOf(ctx context.Context, path, format string) (*Manifest, error) {
	m := &Manifest{}
	parts, err := readDocument(ctx, path, m)
	if err != nil {
		return nil, err
	}
	m.Parts = parts
	if err := m.checkRead(path, format); err != nil {
		return nil, err
	}
	return m, nil
}

// readDocument reads what document writes, from a file that need not be trusted: v
// without its parts, and the parts one by one.
func readDocument(ctx context.Context, path string, v any) (parts []PartFile, err error) {
	file, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := readerFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return file.Read(b)
	})
	if size > largestManifest {
		return nil, fmt.Errorf("%s: damaged: it has %d bytes, more than sluice ever writes (%d)", path, size, largestManifest)
	}
	fields, parts, err := splitDocument(json.NewDecoder(in))
	if err == nil {
		err = json.Unmarshal(marshal(fields), v)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: damaged: %w", path, err)
	}
	return parts, nil
}

func splitDocument(d *json.Decoder) (fields map[string]json.RawMessage, parts []PartFile, err error) {
	if err := expect(d, json.Delim('{')); err != nil {
		return nil, nil, err
	}
	fields = map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		name := strings.ToLower(key.(string)) // encoding/json ignores case
		if _, twice := fields[name]; twice {
			return nil, nil, fmt.Errorf("%q is there twice", shorten(name))
		}
		var value json.RawMessage
		if name == "parts" {
			parts, err = readList(d)
		} else {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, nil, err
		}
		fields[name] = value
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return nil, nil, err
	}
	var syntax *json.SyntaxError
	switch _, err := d.Token(); {
	case err == nil || errors.As(err, &syntax):
		return nil, nil, errors.New("something follows its end")
	case !errors.Is(err, io.EOF): // of reading
		return nil, nil, err
	}
	delete(fields, "parts")
	return fields, parts, nil
}

// readList reads the parts one by one.
func readList(d *json.Decoder) (parts []PartFile, err error) {
	if err := expect(d, json.Delim('[')); err != nil {
		return nil, fmt.Errorf("parts: %w", err)
	}
	named := map[string]bool{}
	for d.More() {
		if len(parts) == mostFiles {
			return nil, fmt.Errorf("it has more than %d parts", mostFiles)
		}
		var p PartFile
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("part %d: %w", len(parts), err)
		}
		if named[p.Name] {
			return nil, fmt.Errorf("it names %s twice", shorten(p.Name))
		}
		named[p.Name] = true
		parts = append(parts, p)
	}
	return parts, expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err == io.EOF { //nolint:errorlint // as it is
		return io.ErrUnexpectedEOF
	}
	if err == nil && t != want {
		err = fmt.Errorf("%v where %v should be", t, want)
	}
	return err
}

// newManifest adds up parts.
func newManifest(l *Layout, shard string, parts []PartFile) *Manifest {
	m := &Manifest{Layout: *l, Shard: shard, Parts: append([]PartFile{}, parts...), Classes: emptyLedger(l)}
	for _, p := range parts {
		m.Rows += p.Rows
		for task, counts := range p.Classes {
			for class, n := range counts {
				m.Classes[task][class] += n
			}
		}
	}
	return m
}

func emptyLedger(l *Layout) map[string][]int64 {
	ledger := map[string][]int64{}
	for _, t := range l.Tasks {
		ledger[t.Name] = make([]int64, len(t.Classes)+1)
	}
	return ledger
}

// shardName is the 0-of-4 of file names; "" for the whole.
func shardName(shard, shards int) string {
	if shards <= 1 {
		return ""
	}
	return fmt.Sprintf("%d-of-%d", shard, shards)
}

func shardManifest(shard, shards int) string {
	return fmt.Sprintf("manifest-%s.json", shardName(shard, shards))
}

// document formats a Layout or Manifest with one line per field and one per part:
// readable, greppable, and small with thousands of classes.
func document(v any) []byte {
	d := json.NewDecoder(bytes.NewReader(marshal(v)))
	out := bytes.NewBufferString("{")
	token(d)
	for n := 0; d.More(); n++ {
		if n > 0 {
			out.WriteByte(',')
		}
		key := token(d)
		fmt.Fprintf(out, "\n  %q: ", key)
		if key != "parts" {
			var value json.RawMessage
			decode(d, &value)
			out.Write(value)
			continue
		}
		var list []json.RawMessage
		decode(d, &list)
		out.WriteByte('[')
		for i, part := range list {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString("\n    ")
			out.Write(part)
		}
		out.WriteString("\n  ]")
	}
	out.WriteString("\n}\n")
	return out.Bytes()
}

// marshal is json.Marshal without HTML escapes, for values that always marshal.
func marshal(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

func decode(d *json.Decoder, v any) {
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		panic(err) // it was marshalled just before
	}
}

func token(d *json.Decoder) json.Token {
	t, err := d.Token()
	if err != nil {
		panic(err)
	}
	return t
}
