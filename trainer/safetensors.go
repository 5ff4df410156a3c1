package trainer

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/sluicedata/sluice/internal/atomicfile"
)

// checksumKey is the metadata key of a file's own SHA-256: of all its bytes, with
// zeros in place of the 64 digits. Files written by other programs have none.
const checksumKey = "sluice.sha256"

var noChecksum = strings.Repeat("0", 2*sha256.Size)

// WriteSafetensors writes tensors in the safetensors format, sorted by name, so
// equal tensors and metadata give equal bytes. Python reads it:
// safetensors.torch.load_file(path) is a state_dict. A checksum of the whole file
// is added to the metadata; ReadSafetensors verifies it.
func WriteSafetensors(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	views := make(map[string]tensorView, len(tensors))
	for _, t := range tensors {
		if _, twice := views[t.Name]; twice || t.Name == "__metadata__" {
			return fmt.Errorf("trainer: safetensors: tensor %q appears twice, or has a reserved name", t.Name)
		}
		if n, ok := elements(t.Shape); !ok || n != len(t.Data) {
			return fmt.Errorf("trainer: safetensors: tensor %q has shape %v and %d numbers", t.Name, t.Shape, len(t.Data))
		}
		views[t.Name] = tensorView{t}
	}
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[checksumKey] = noChecksum
	sum := sha256.New()
	err := safetensors.SerializeToWriter(views, metadata, sum)
	if err == nil {
		metadata[checksumKey] = hex.EncodeToString(sum.Sum(nil))
		err = safetensors.SerializeToWriter(views, metadata, w)
	}
	if err != nil {
		return fmt.Errorf("trainer: safetensors: %w", err)
	}
	return nil
}

// SaveSafetensors writes a file under a temporary name, syncs it and renames it
// into place: it is there whole or not at all.
func SaveSafetensors(path string, tensors []Tensor, metadata map[string]string) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return fmt.Errorf("trainer: %w", err)
	}
	defer f.Discard()
	b := bufio.NewWriterSize(f, 1<<20)
	if err := WriteSafetensors(b, tensors, metadata); err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("trainer: %s: %w", path, err)
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("trainer: %s: %w", path, err)
	}
	return nil
}

// LoadSafetensors reads a file of float32 tensors, in the order of their data.
func LoadSafetensors(path string) (tensors []Tensor, metadata map[string]string, err error) {
	return loadSafetensors(path, math.MaxInt64)
}

func loadSafetensors(path string, most int64) (tensors []Tensor, metadata map[string]string, err error) {
	data, err := readSafetensors(path, most)
	if err == nil {
		tensors, metadata, err = ReadSafetensors(data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("trainer: %w (%s)", bare(err), path)
	}
	return tensors, metadata, nil
}

// readSafetensors reads a file whose size is what its header says, so it never
// takes more memory than the file is large.
func readSafetensors(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > most:
		return nil, fmt.Errorf("%d bytes are more than the state of this trainer can have (%d): it is of another model, or no checkpoint", info.Size(), most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	begin := make([]byte, 8, 1<<10)
	if n, err := io.ReadFull(f, begin); err != nil {
		return nil, fmt.Errorf("not a safetensors file: it has %d bytes: %w", n, err)
	}
	header, err := headerSize(begin, info.Size())
	if err != nil {
		return nil, err
	}
	begin = append(begin, make([]byte, header)...)
	if _, err := io.ReadFull(f, begin[8:]); err != nil {
		return nil, err
	}
	var m safetensors.Metadata
	if err := m.UnmarshalJSON(begin[8:]); err != nil {
		return nil, fmt.Errorf("not a safetensors file: %s", shortened(err))
	}
	end := uint64(0)
	for _, t := range m.Tensors() {
		end = max(end, t.DataOffsets[1])
	}
	if have := uint64(info.Size()) - uint64(len(begin)); end != have {
		return nil, fmt.Errorf("truncated or damaged: its header promises %d bytes of tensors, and there are %d", end, have)
	}
	data := slices.Grow(begin, int(end))[:uint64(len(begin))+end]
	if _, err := io.ReadFull(f, data[len(begin):]); err != nil {
		return nil, fmt.Errorf("truncated: %w", err)
	}
	return data, nil
}

// mostHeader is far more than any network's names and shapes take.
const mostHeader = 16 << 20

// headerSize reads a file's first eight bytes.
func headerSize(begin []byte, size int64) (int, error) {
	n := binary.LittleEndian.Uint64(begin)
	if n > mostHeader {
		return 0, fmt.Errorf("not a safetensors file: its header is too large (%d bytes, at most %d)", n, mostHeader)
	}
	if int64(n)+8 > size {
		return 0, fmt.Errorf("not a safetensors file, or truncated: invalid header length (%d bytes of %d)", n, size)
	}
	return int(n), nil
}

// ReadSafetensors reads the contents of a file, and verifies its checksum if it has
// one. The tensors don't share data's memory.
func ReadSafetensors(data []byte) (tensors []Tensor, metadata map[string]string, err error) {
	tensors, metadata, _, err = parseSafetensors(data)
	return tensors, metadata, err
}

// parseSafetensors also reports whether there was a checksum.
func parseSafetensors(data []byte) (tensors []Tensor, metadata map[string]string, sealed bool, err error) {
	if len(data) < 8 {
		return nil, nil, false, fmt.Errorf("trainer: not a safetensors file: header too small")
	}
	header, err := headerSize(data, int64(len(data)))
	if err != nil {
		return nil, nil, false, fmt.Errorf("trainer: %w", err)
	}
	_, parsed, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, nil, false, fmt.Errorf("trainer: not a safetensors file: %s", shortened(err))
	}
	metadata = maps.Clone(parsed.Metadata())
	want, sealed := metadata[checksumKey]
	if sealed {
		if checksum(data, 8+header, want) != want {
			return nil, nil, false, errors.New("trainer: safetensors: damaged: its checksum is not that of its bytes")
		}
		delete(metadata, checksumKey)
	}
	infos := parsed.Tensors()
	for name, t := range infos {
		if t.DType != safetensors.F32 {
			return nil, nil, false, fmt.Errorf("trainer: safetensors: tensor %.80q holds %s: only F32 is read; in PyTorch, save {k: v.float() for k, v in state_dict.items()}", name, t.DType)
		}
		out := Tensor{Name: name, Shape: make([]int, len(t.Shape))}
		for i, n := range t.Shape {
			if n > math.MaxInt32 {
				return nil, nil, false, fmt.Errorf("trainer: safetensors: tensor %.80q has a side of %d", name, n)
			}
			out.Shape[i] = int(n)
		}
		raw := data[8+header:][t.DataOffsets[0]:t.DataOffsets[1]]
		out.Data = make([]float32, len(raw)/4)
		for i := range out.Data {
			out.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		tensors = append(tensors, out)
	}
	slices.SortFunc(tensors, func(a, b Tensor) int {
		x, y := infos[a.Name].DataOffsets, infos[b.Name].DataOffsets
		return cmp.Or(slices.Compare(x[:], y[:]), cmp.Compare(a.Name, b.Name))
	})
	return tensors, metadata, sealed, nil
}

// checksum computes that of a file whose header, which ends at end, holds the given
// digits.
func checksum(data []byte, end int, digits string) string {
	sum := sha256.New()
	before, after, _ := bytes.Cut(data[:end], []byte(digits))
	for _, part := range [][]byte{before, []byte(noChecksum), after, data[end:]} {
		sum.Write(part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// shortened is the text of a library's error, which may quote a whole file.
func shortened(err error) string {
	const most = 200
	if text := err.Error(); len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return err.Error()
}

// bare removes the package's name from an error.
func bare(err error) error {
	if text, ok := strings.CutPrefix(err.Error(), "trainer: "); ok {
		return errors.New(text)
	}
	return err
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

// tensorView presents a Tensor to the library; its bytes are made when it is written.
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
