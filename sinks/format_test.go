package sinks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// keys is a format as another module would write it: one file, a line for each row.
type keys struct {
	End string `sluice:"end" default:"lf" doc:"what ends a line"`

	dir string
	out *os.File
}

func (*keys) Name() string { return "keys" }
func (k *keys) Check() error {
	if k.End != "" && k.End != "lf" {
		return fmt.Errorf("end: %q: want lf", k.End)
	}
	return nil
}

func (k *keys) Into(to sinks.Destination) error {
	switch {
	case to.Dir == "":
		return errors.New("keys: no directory")
	case to.Shard != 0 || to.Shards < 0 || to.Shards > 1:
		return errors.New("keys: it cannot be made in shards")
	case to.Update:
		return errors.New("keys: it cannot be updated")
	}
	k.dir = to.Dir
	return nil
}

func (k *keys) Open(context.Context, *schema.Run) (err error) {
	k.out, err = os.CreateTemp(k.dir, "unfinished-*")
	return err
}

func (k *keys) Write(ctx context.Context, b *schema.Batch) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for row := range b.Rows() {
		line, err := json.Marshal(b.Key(row))
		if err != nil {
			return err
		}
		if _, err := k.out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func (k *keys) Close(cause error) error {
	err := errors.Join(k.out.Sync(), k.out.Close())
	if cause != nil || err != nil {
		return errors.Join(err, os.Remove(k.out.Name()))
	}
	return os.Rename(k.out.Name(), filepath.Join(k.dir, "keys.jsonl"))
}

func (*keys) Recognizes(path string) bool {
	_, err := os.Stat(filepath.Join(path, "keys.jsonl"))
	return err == nil
}

func TestFormats(t *testing.T) {
	for _, e := range append(sinks.Catalog, sinks.Entry{New: func() sinks.Format { return &keys{} }, Doc: "keys"}) {
		if e.Doc == "" {
			t.Errorf("%s has no doc", e.New().Name())
		}
		if slices.Contains([]string{"webdataset", "folder", "parquet", "coco", "yolo", "masks"}, e.New().Name()) {
			continue // they don't hold every run: their own tests say which
		}
		t.Run(e.New().Name(), func(t *testing.T) { sinktest.Format(t, e.New) })
	}
}

// A directory is of the format that recognizes it, whatever the order of the catalogue.
func TestRecognize(t *testing.T) {
	catalog := slices.Concat(sinks.Catalog, []sinks.Entry{{New: func() sinks.Format { return &keys{} }}})
	ours, theirs := t.TempDir(), t.TempDir()
	for dir, f := range map[string]sinks.Format{ours: &sinks.ArrowParts{}, theirs: &keys{}} {
		if err := f.Into(sinks.Destination{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		deliver(t, sinktest.Runs()["uint8"], f)
		have := sinks.Recognize(catalog, dir)
		if have == nil || have.Name() != f.Name() {
			t.Errorf("%s: %v", f.Name(), have)
		}
	}
	if have := sinks.Recognize(catalog, t.TempDir()); have != nil {
		t.Errorf("an empty directory is %s", have.Name())
	}
	// Another format's plan.json isn't Arrow's, and Arrow writes nothing there.
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "plan.json"), `{"version": 1, "format": "keys"}`)
	if (&sinks.ArrowParts{}).Recognizes(foreign) {
		t.Error("a plan.json of another format is recognized")
	}
	wantError(t, arrowParts(foreign).Open(t.Context(), sinktest.Runs()["uint8"]), `is of the format "keys", not arrow: choose another directory`)
}
