package trainer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A checkpoint is a safetensors file of a State, with a version in its metadata:
//
//	1  none written: one count of steps for all weights, no checksum
//	2  steps per weight, a checksum over the whole
const (
	versionKey        = "sluice.checkpoint"
	checkpointVersion = "2"
)

// SaveCheckpoint writes a state and metadata. The file is replaced as a whole, or
// not at all.
func SaveCheckpoint(path string, state []Tensor, metadata map[string]string) error {
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[versionKey] = checkpointVersion
	return SaveSafetensors(path, state, metadata)
}

// LoadCheckpoint reads a state for a trainer whose own state is like. A file that
// is damaged, holds values that no training produces, or is far larger than like
// is an error. Checkpoints of earlier versions are read.
func LoadCheckpoint(path string, like []Tensor) (state []Tensor, metadata map[string]string, err error) {
	const small = 1 << 30 // room for another model's state: whoever compares the tensors says so
	most := int64(small)
	for _, t := range like {
		most += 8 * int64(len(t.Data))
	}
	data, err := readSafetensors(path, most)
	if err == nil {
		state, metadata, err = ReadCheckpoint(data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("trainer: the checkpoint cannot be read: %w (%s)", bare(err), path)
	}
	return state, metadata, nil
}

// ReadCheckpoint reads the contents of a checkpoint file.
func ReadCheckpoint(data []byte) (state []Tensor, metadata map[string]string, err error) {
	state, metadata, sealed, err := parseSafetensors(data)
	if err != nil {
		return nil, nil, err
	}
	version, ok := metadata[versionKey]
	delete(metadata, versionKey)
	ofEach := func(t Tensor) bool { return strings.HasPrefix(t.Name, stepPrefix) }
	switch {
	case !ok && (sealed || slices.ContainsFunc(state, ofEach)):
		return nil, nil, errors.New("trainer: damaged: its version is missing")
	case ok && version != checkpointVersion:
		return nil, nil, fmt.Errorf("trainer: version %.20q: this sluice reads versions up to %s", version, checkpointVersion)
	case ok && !sealed:
		return nil, nil, errors.New("trainer: damaged: its checksum is missing")
	}
	return state, metadata, CheckState(state)
}
