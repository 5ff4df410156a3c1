package trainer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkpointFile is one of smallAdam.
func checkpointFile(t testing.TB, metadata map[string]string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.safetensors")
	if err := SaveCheckpoint(path, smallState(3), metadata); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// smallState is what a trainer around smallAdam would have.
func smallState(steps int) []Tensor {
	adam := smallAdam(steps)
	return append(append([]Tensor{{EpochsName, []int{1}, []float32{float32(steps)}}}, adam.params...), adam.State()...)
}

// unsealed is a file as others write them, without a checksum.
func unsealed(header string, data []byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// oldCheckpoint is a file of version 1: no checksum, one count of steps.
func oldCheckpoint(step, square string) []byte {
	return unsealed(`{"__metadata__":{"epochs":"5"},"optimizer.exp_avg.w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`+
		`"optimizer.exp_avg_sq.w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"optimizer.step":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},`+
		`"w":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, []byte("\x00\x00\x80\x3f"+square+step+"\x00\x00\x80\x3f"))
}

func TestCheckpoint(t *testing.T) {
	want := map[string]string{"epochs": "3", "plan": "ü"}
	state, metadata, err := ReadCheckpoint(checkpointFile(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, metadata); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(sortedByName(smallState(3)), state); d != "" {
		t.Error(d)
	}
}

// TestCheckpointDamaged: no byte can be changed, and none can be missing.
func TestCheckpointDamaged(t *testing.T) {
	whole := checkpointFile(t, map[string]string{"epochs": "3"})
	for i := range whole {
		for _, change := range []byte{1, 0x20, 0x80} {
			data := bytes.Clone(whole)
			data[i] ^= change
			if _, _, err := ReadCheckpoint(data); err == nil {
				t.Errorf("byte %d (%q) changed by %#x is accepted", i, whole[i], change)
			}
		}
		if _, _, err := ReadCheckpoint(whole[:i]); err == nil {
			t.Errorf("the first %d bytes are accepted", i)
		}
	}
	size := int(binary.LittleEndian.Uint64(whole))
	header := string(whole[8 : 8+size])
	end := strings.Index(header, "},") + 2 // of the metadata
	for name, other := range map[string]string{
		"blank metadata":  "{" + header[end:],
		"blank values":    strings.NewReplacer(`"sluice.checkpoint":"2"`, `"sluice.checkpoint":" "`).Replace(header),
		"no checksum":     strings.Replace(header, `"sluice.sha256"`, `"sluice.sha255"`, 1),
		"no version":      strings.Replace(header, `"sluice.checkpoint"`, `"sluice.chexkpoint"`, 1),
		"a later version": strings.Replace(header, `"sluice.checkpoint":"2"`, `"sluice.checkpoint":"3"`, 1),
	} {
		if other == header {
			t.Fatalf("%s: nothing was changed in %s", name, header)
		}
		if _, _, err := ReadCheckpoint(unsealed(other, whole[8+size:])); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCheckpointOfVersion1 is read, and loads into a trainer of today.
func TestCheckpointOfVersion1(t *testing.T) {
	const five, one, nan = "\x00\x00\xa0\x40", "\x00\x00\x80\x3f", "\x00\x00\xc0\x7f"
	state, metadata, err := ReadCheckpoint(oldCheckpoint(five, one))
	if err != nil || metadata["epochs"] != "5" {
		t.Fatal(err, metadata)
	}
	w := Tensor{"w", []int{1}, []float32{9}}
	adam := NewAdam(Optimizer{}, []Tensor{w})
	if err := CopyState(append([]Tensor{w}, adam.State()...), state); err != nil || adam.step[0].Data[0] != 5 || w.Data[0] != 1 {
		t.Errorf("%v: %v steps, weight %v", err, adam.step[0].Data, w.Data)
	}
	for name, data := range map[string][]byte{"steps": oldCheckpoint(nan, one), "a square": oldCheckpoint(five, nan)} {
		if _, _, err := ReadCheckpoint(data); err == nil {
			t.Errorf("%s of NaN: accepted", name)
		}
	}
}

// TestLoadCheckpointRefuses: what isn't a checkpoint is an error that says so, at
// once and in little memory.
func TestLoadCheckpointRefuses(t *testing.T) {
	dir := t.TempDir()
	whole := checkpointFile(t, nil)
	huge := bytes.Clone(whole)
	binary.LittleEndian.PutUint64(huge, 1<<40)
	beyond := unsealed(`{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}`, nil)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":    {nil, "it has 0 bytes"},
		"text":     {[]byte("version: 1\nstages: []"), "its header is too large"},
		"huge":     {huge, "its header is too large (1099511627776 bytes"},
		"beyond":   {beyond, "its header promises 4398046511104 bytes of tensors, and there are 0"},
		"cut":      {whole[:len(whole)-1], "truncated or damaged"},
		"appended": {append(bytes.Clone(whole), 0), "truncated or damaged"},
		"long":     {unsealed(`{"`+strings.Repeat("x", 100_000)+`":{"dtype":3}}`, nil), "..."},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := LoadCheckpoint(path, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := LoadCheckpoint(dir, nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, _, err := LoadCheckpoint(filepath.Join(dir, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer sparse.Close()
	if _, err := sparse.Write(beyond); err != nil {
		t.Fatal(err)
	}
	if err := sparse.Truncate(int64(len(beyond)) + 4<<40); err != nil {
		t.Skipf("this file system has no sparse files of 4 TiB: %v", err)
	}
	if _, _, err := LoadCheckpoint(sparse.Name(), nil); err == nil || !strings.Contains(err.Error(), "are more than the state of this trainer can have") {
		t.Errorf("4 TiB: %v", err)
	}
}

// FuzzCheckpoint: whatever a file holds, it is read or refused; what is read is sound,
// and the same when it is written and read again.
func FuzzCheckpoint(f *testing.F) {
	f.Add(checkpointFile(f, map[string]string{"epochs": "3"}))
	f.Add(oldCheckpoint("\x00\x00\xa0\x40", "\x00\x00\x80\x3f"))
	f.Add(unsealed(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[0,4],"data_offsets":[8,8]}}`, make([]byte, 8)))
	f.Add(unsealed(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, make([]byte, 4)))
	f.Add(unsealed(`{"__metadata__":{"sluice.sha256":""},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, make([]byte, 4)))
	f.Add(unsealed(`{"a":{"dtype":"F32","shape":[9223372036854775808,0],"data_offsets":[0,0]}}`, nil))
	f.Add(unsealed(`{"a":null}`, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tensors, metadata, err := ReadSafetensors(data); err == nil {
			var b bytes.Buffer
			if err := WriteSafetensors(&b, tensors, metadata); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			again, md, err := ReadSafetensors(b.Bytes())
			if err != nil || difference(sortedByName(tensors), sortedByName(again)) != "" || !maps.Equal(metadata, md) {
				t.Fatalf("written and read again: %v, %v", err, difference(tensors, again))
			}
		}
		state, _, err := ReadCheckpoint(data)
		if err != nil {
			return
		}
		if err := CheckState(state); err != nil {
			t.Fatalf("accepted: %v", err)
		}
		mine := smallState(1)
		if CopyState(mine, state) == nil {
			if err := CheckState(mine); err != nil {
				t.Fatalf("loaded: %v", err)
			}
		}
	})
}

// difference names the first tensor with other bits; "" if there is none.
func difference(a, b []Tensor) string {
	if len(a) != len(b) {
		return "the number of tensors"
	}
	for i := range a {
		if a[i].Name != b[i].Name || !cmp.Equal(a[i].Shape, b[i].Shape) || !bytes.Equal(tensorView{a[i]}.Data(), tensorView{b[i]}.Data()) {
			return a[i].Name
		}
	}
	return ""
}
