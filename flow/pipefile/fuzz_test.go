package pipefile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// FuzzParse: whatever the file holds, Parse gives a pipeline or Errors whose
// places are in the file; a pipeline can be written, and reads back equal.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePipeline("f", data, "", fakes, false)
		if err != nil {
			var list Errors
			if !errors.As(err, &list) || len(list) == 0 {
				t.Fatalf("have %v, want Errors", err)
			}
			for _, e := range list {
				if e.Msg == "" || e.Line < 1 || e.Column < 1 || e.Line > bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+2 {
					t.Errorf("%+v is nowhere in\n%q", e, data)
				}
				if !utf8.ValidString(e.Msg) {
					t.Errorf("the message is not text: %q", e.Msg)
				}
			}
			return
		}
		if bytes.Contains(data, []byte("id")) && !idsAreReadable() {
			t.Skip("flow.WithID's type has no methods ID and Unwrap yet")
		}
		text, err := Format(p, fakes)
		if err != nil {
			t.Fatalf("%v\nfrom %q", err, data)
		}
		back, err := parsePipeline("g", text, "", fakes, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(p, back); err != nil {
			t.Error(err)
		}
	})
}
