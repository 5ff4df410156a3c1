package sinks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of a directory beside its parts.
const (
	planName     = "plan.json"
	manifestName = "manifest.json"
)

// Part is one file: a line of the manifest, and of the ledger while the run
// goes on.
type Part struct {
	Name       string `json:"name"` // relative to the directory, slash-separated
	Rows       int64  `json:"rows"`
	Bytes      int64  `json:"bytes"`
	SHA256     string `json:"sha256"` // of the file, as sha256sum prints it
	Epoch      int    `json:"epoch"`
	FirstBatch int64  `json:"first_batch"` // within the epoch
	Batches    int64  `json:"batches"`     // covered by the part; a variant that isn't picked for each holds fewer
	// Classes is the class ledger: per task the rows of each class, in the order
	// of the task's classes; the last counts the rows of unknown label.
	Classes map[string][]int64 `json:"classes"`
}

// Manifest is the contents of a materialized directory: manifest.json, or the
// manifest-i-of-n.json of one shard. Rows and Classes count the rows of all
// files: with several scales a draw counts once in each.
type Manifest struct {
	Layout
	Shard   string             `json:"shard,omitempty"` // 0-of-4
	Rows    int64              `json:"rows"`
	Classes map[string][]int64 `json:"classes"`
	Parts   []Part             `json:"parts"` // variant by variant, in order
}

// ReadManifest reads the manifest of a finished directory.
func ReadManifest(dir string) (*Manifest, error) {
	m, err := readManifest(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		err = unfinished(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("sinks: %w", err)
	}
	return m, nil
}

// unfinished says what a directory without a manifest is.
func unfinished(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return explain("read", "", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, planName)); err == nil {
		return fmt.Errorf("%s holds no %s: it isn't finished; run the same materialize command again (every shard of it)", dir, manifestName)
	}
	return fmt.Errorf("%s holds no %s: it isn't a materialized dataset", dir, manifestName)
}

func readManifest(path string) (*Manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := checkVersion(m.Version); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// newManifest sums up parts.
func newManifest(l *Layout, shard string, parts []Part) *Manifest {
	m := &Manifest{Layout: *l, Shard: shard, Parts: append([]Part{}, parts...), Classes: emptyLedger(l)}
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

// document writes a Layout or Manifest with one line per field, and one per
// part: readable, greppable, and small with thousands of classes.
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

// marshal is json.Marshal without HTML's escapes, of what always marshals.
func marshal(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

func unmarshal(data []byte, v any) { decode(json.NewDecoder(bytes.NewReader(data)), v) }

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
