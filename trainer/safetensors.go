package trainer

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/nlpodyssey/safetensors"
)

// WriteSafetensors writes tensors in the safetensors format, sorted by name, so
// equal tensors and metadata give equal bytes. Python's safetensors and
// PyTorch read it: safetensors.torch.load_file(path) is a state_dict.
func WriteSafetensors(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	views := make(map[string]tensorView, len(tensors))
	for _, t := range tensors {
		if _, twice := views[t.Name]; twice || t.Name == "__metadata__" {
			return fmt.Errorf("trainer: safetensors: tensor %q is there twice, or is a reserved name", t.Name)
		}
		if n, ok := elements(t.Shape); !ok || n != len(t.Data) {
			return fmt.Errorf("trainer: safetensors: tensor %q has shape %v and %d numbers", t.Name, t.Shape, len(t.Data))
		}
		views[t.Name] = tensorView{t}
	}
	if err := safetensors.SerializeToWriter(views, metadata, w); err != nil {
		return fmt.Errorf("trainer: safetensors: %w", err)
	}
	return nil
}

// SaveSafetensors writes a file under a temporary name, syncs it and renames it
// into place: it is there whole or not at all.
func SaveSafetensors(path string, tensors []Tensor, metadata map[string]string) error {
	// Beside the file, for a rename needs one file system.
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("trainer: %w", err)
	}
	defer func() { _ = f.Cleanup() }() // does nothing after the rename
	b := bufio.NewWriterSize(f, 1<<20)
	if err := WriteSafetensors(b, tensors, metadata); err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("trainer: %s: %w", path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("trainer: %s: %w", path, err)
	}
	return nil
}

// LoadSafetensors reads a file of float32 tensors, in the order of their data.
func LoadSafetensors(path string) (tensors []Tensor, metadata map[string]string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("trainer: %w", err)
	}
	tensors, metadata, err = ReadSafetensors(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%w (%s)", err, path)
	}
	return tensors, metadata, nil
}

// ReadSafetensors reads what is in a file.
func ReadSafetensors(data []byte) (tensors []Tensor, metadata map[string]string, err error) {
	_, header, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, nil, fmt.Errorf("trainer: not a safetensors file: %w", err)
	}
	file, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, nil, fmt.Errorf("trainer: not a safetensors file: %w", err)
	}
	for _, t := range file.Tensors() {
		view := t.TensorView
		if view.DType() != safetensors.F32 {
			return nil, nil, fmt.Errorf("trainer: safetensors: tensor %q holds %s: only F32 is read; in PyTorch, save {k: v.float() for k, v in state_dict.items()}", t.Name, view.DType())
		}
		out := Tensor{Name: t.Name, Shape: make([]int, len(view.Shape())), Data: make([]float32, view.DataLen()/4)}
		for i, n := range view.Shape() {
			out.Shape[i] = int(n)
		}
		for i := range out.Data {
			out.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(view.Data()[4*i:]))
		}
		tensors = append(tensors, out)
	}
	return tensors, header.Metadata(), nil
}

// elements is the product of a shape; ok is false for a negative size.
func elements(shape []int) (n int, ok bool) {
	n = 1
	for _, size := range shape {
		if size < 0 {
			return 0, false
		}
		n *= size
	}
	return n, true
}

// tensorView shows a Tensor to the library, as bytes made when they are written.
type tensorView struct{ t Tensor }

func (v tensorView) DType() safetensors.DType { return safetensors.F32 }
func (v tensorView) DataLen() uint64          { return uint64(4 * len(v.t.Data)) }

func (v tensorView) Shape() []uint64 {
	out := make([]uint64, len(v.t.Shape))
	for i, n := range v.t.Shape {
		out[i] = uint64(n)
	}
	return out
}

func (v tensorView) Data() []byte {
	out := make([]byte, 0, v.DataLen())
	for _, x := range v.t.Data {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}
