package trainer

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func tensors() []Tensor {
	return []Tensor{
		{"heads.größe <&>.bias", []int{2}, []float32{float32(math.NaN()), float32(math.Inf(-1))}},
		{"conv.weight", []int{2, 3}, []float32{0.5, 1.5, 2.5, 3.5, 4.5, 5.5}},
		{"scalar", []int{}, []float32{7}},
		{"empty", []int{0, 4}, []float32{}},
	}
}

var metadata = map[string]string{"plan": "ü", "b": "2 <&>"}

func sortedByName(l []Tensor) []Tensor {
	slices.SortFunc(l, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	return l
}

func TestSafetensors(t *testing.T) {
	var first, second bytes.Buffer
	if err := WriteSafetensors(&first, tensors(), metadata); err != nil {
		t.Fatal(err)
	}
	reversed := tensors()
	slices.Reverse(reversed)
	if err := WriteSafetensors(&second, reversed, metadata); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the order of the tensors changes the file")
	}
	have, md, err := ReadSafetensors(first.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sortedByName(tensors()), have, cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(metadata, md); d != "" {
		t.Error(d)
	}
}

func TestSafetensorsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "weights.safetensors")
	for range 2 { // the second time over the first
		if err := SaveSafetensors(path, tensors(), nil); err != nil {
			t.Fatal(err)
		}
	}
	bad := append(tensors(), tensors()[0])
	if err := SaveSafetensors(path, bad, nil); err == nil {
		t.Error("a tensor twice was written")
	}
	if have, _, err := LoadSafetensors(path); err != nil || len(have) != 4 {
		t.Errorf("after a failure the file before it is gone: %v, %v", have, err)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 1 {
		t.Errorf("left over: %v", files)
	}
	if _, _, err := LoadSafetensors(filepath.Join(dir, "no")); err == nil {
		t.Error("no error without a file")
	}
}

func TestSafetensorsRefuses(t *testing.T) {
	file := func(header, data string) []byte {
		return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
	}
	for want, data := range map[string][]byte{
		"header too small":                       {1, 2, 3},
		"invalid header":                         file(`{"a"`, ""),
		"incomplete":                             file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, "1234"),
		`tensor "a" holds F16: only F32 is read`: file(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, "1234"),
		"offsets":                                file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, "12345678"),
		"too large":                              append(bytes.Repeat([]byte{0xFF}, 8), "{}"...),
	} {
		if _, _, err := ReadSafetensors(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	for _, l := range [][]Tensor{
		{{"a", []int{2}, []float32{1}}}, {{"a", []int{-1}, nil}}, {{"__metadata__", []int{0}, nil}},
	} {
		if err := WriteSafetensors(&bytes.Buffer{}, l, nil); err == nil {
			t.Errorf("%v was written", l)
		}
	}
}

// TestPython has the format's own implementation read a file, and write one.
func TestPython(t *testing.T) {
	python := os.Getenv("SLUICE_PYTHON")
	if python == "" {
		t.Skip("set SLUICE_PYTHON to a Python with safetensors and numpy")
	}
	if err := exec.Command(python, "-c", "import safetensors, numpy").Run(); err != nil {
		t.Skipf("%s has no safetensors or no numpy", python)
	}
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours.safetensors"), filepath.Join(dir, "theirs.safetensors")
	if err := SaveSafetensors(ours, tensors(), metadata); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, "testdata/check_safetensors.py", ours, theirs).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	have, md, err := LoadSafetensors(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sortedByName(tensors()), sortedByName(have), cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(metadata, md); d != "" {
		t.Error(d)
	}
}
