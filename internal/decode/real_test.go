package decode

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// dataDir holds real files that are shared between people, not in the repository.
const dataDir = "../../../shared/data"

var (
	dump = flag.String("dump", "", "directory into which TestDump writes every decoded file")
	from = flag.String("from", dataDir, "directory whose files TestDump decodes")
)

func readReal(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dataDir, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is absent: this test needs the shared data folder", filepath.Join(dataDir, name))
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustDecode(t *testing.T, data []byte) *schema.Picture {
	t.Helper()
	p, err := Decode(t.Context(), data, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDump writes the pictures for testdata/golden.py measure, which compares
// them with Pillow's and OpenCV's, and for testdata/formats.py:
//
//	go test ./internal/decode -run TestDump -dump DECODED
//	python internal/decode/testdata/golden.py measure ../shared/data DECODED
func TestDump(t *testing.T) {
	if *dump == "" {
		t.Skip("no -dump DIR given")
	}
	write := func(name string, data []byte) {
		out := filepath.Join(*dump, strings.ReplaceAll(name, "/", "__"))
		p, err := Decode(t.Context(), data, 0)
		if err != nil {
			err = os.WriteFile(out+".error", []byte(err.Error()), 0o644)
		} else {
			head := fmt.Appendf(nil, "P6 %d %d 255\n", p.Width, p.Height)
			err = os.WriteFile(out+".ppm", append(head, p.U8...), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(*from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(*from, path)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) != ".tar" {
			write(name, data)
			return nil
		}
		return eachMember(data, func(member string, content []byte) {
			out := filepath.Join(*dump, strings.ReplaceAll(name+"/"+member, "/", "__"))
			if err := os.WriteFile(out+".encoded", content, 0o644); err != nil {
				t.Fatal(err)
			}
			write(name+"/"+member, content)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// eachMember calls f for every tenth regular file of a tar.
func eachMember(archive []byte, f func(name string, content []byte)) error {
	r := tar.NewReader(bytes.NewReader(archive))
	for i := 0; ; i++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if i%10 != 0 || h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		f(h.Name, content)
	}
}
