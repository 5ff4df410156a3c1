package blob

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestFiles: a file that stays open and one that is opened for each read are alike.
func TestFiles(t *testing.T) {
	ctx := context.Background()
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, few := range []bool{true, false} {
		before := kept.Load()
		if !few {
			kept.Add(1 << 20)
		}
		o, err := Files{}.Open(ctx, name)
		if !few {
			kept.Add(-1 << 20)
		}
		if err != nil {
			t.Fatal(err)
		}
		if (o.(*file).file != nil) != few {
			t.Errorf("few %v: it is open: %v", few, o.(*file).file != nil)
		}
		p := make([]byte, 4)
		if err := o.ReadRange(ctx, p, 3); err != nil || !bytes.Equal(p, []byte("3456")) {
			t.Errorf("few %v: %q, %v", few, p, err)
		}
		if err := o.ReadRange(ctx, p, 8); err == nil {
			t.Errorf("few %v: read beyond the end", few)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := o.ReadRange(ended, p, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("few %v: cancelled: %v", few, err)
		}
		if err := os.WriteFile(name, []byte("0123456789ab"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := o.ReadRange(ctx, p, 0); !errors.Is(err, ErrChanged) {
			t.Errorf("few %v: changed: %v", few, err)
		}
		if err := o.Close(); err != nil || kept.Load() != before {
			t.Errorf("few %v: %v, %d kept, want %d", few, err, kept.Load(), before)
		}
		if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (Files{}).Open(ctx, filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := (Files{}).Open(ctx, t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
}
