package schema

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// TestPyarrow has another implementation read every form and every type of column,
// as a file and as a stream.
func TestPyarrow(t *testing.T) {
	python := os.Getenv("SLUICE_PYTHON")
	if python == "" {
		t.Skip("set SLUICE_PYTHON to a Python with pyarrow and numpy")
	}
	type entry struct {
		Name   string `json:"name"`
		Form   Form   `json:"form"`
		DType  DType  `json:"dtype"`
		Layout Layout `json:"layout"`
		Shape  []int  `json:"shape"`
	}
	var cases []entry
	dir := t.TempDir()
	for name, run := range forms {
		batch := newBatch(t, run, nil, 11)
		tensor := run.Variants[0].Tensor
		cases = append(cases, entry{name, run.Form, tensor.DType, tensor.Layout, tensor.Shape()})
		writeBoth(t, filepath.Join(dir, name), batch)
	}
	writeBoth(t, filepath.Join(dir, "columns"), columnBatch(t, columnRun(), nil, 8, 3))
	list, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cases.json"), list)
	out, err := exec.Command(python, "testdata/pyarrow_check.py", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// writeBoth writes a batch as a file and as a stream.
func writeBoth(t *testing.T, path string, batch *Batch) {
	t.Helper()
	var file fileBuffer
	w, err := ipc.NewFileWriter(&file, ipc.WithSchema(batch.Record.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(batch.Record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path+".arrow", file.Bytes())
	writeFile(t, path+".arrows", writeStream(t, batch.Record))
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
