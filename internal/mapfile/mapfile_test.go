package mapfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestMapped(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(f.Bytes(), want) || f.Info().Size() != int64(len(want)) {
		t.Error("the mapped bytes differ from those written")
	}
	if runtime.GOOS == "linux" { // elsewhere the kind of fault differs
		if err := os.Truncate(name, 0); err != nil {
			t.Fatal(err)
		}
		var sum byte
		if err := Guard(func() { sum = f.Bytes()[len(want)-1] }); !errors.Is(err, ErrFault) {
			t.Errorf("reading a truncated file: %v (%d), want ErrFault", err, sum)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestGuardPassesOtherPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a panic that is no fault was swallowed")
		}
	}()
	_ = Guard(func() { panic("other") })
}

func TestNothingToMap(t *testing.T) {
	name := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Bytes()) != 0 || f.Close() != nil {
		t.Error("an empty file isn't empty")
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder was mapped")
	}
}
