// Package pipefile reads and writes pipelines as YAML files.
//
//	# yaml-language-server: $schema=../docs/pipeline.schema.json
//	version: 1
//	seed: 42                              # 0 .. 2^64-1, default 0
//	epochs: 10                            # default 1
//	fuse: full                            # or exact
//	classes_from: train.yaml              # class numbers as in that file
//	objects: {min_visibility: 0.25}  # of a source with boxes
//	on_error: {policy: refill, max: 1%, quarantine: bad.jsonl}  # default: fail
//	source: {folder: {path: data/train}}  # relative to this file
//	split: {val: 0.1, use: train}
//	stages:
//	  - decode                            # or decode: or decode: {}
//	  - rotate: {degrees: 30, id: tilt}   # every stage may have an id, see flow.WithID
//	  - batch: {size: 32}
//	sink: {arrow: {codec: lz4}}           # what materialize writes; default: arrow
//
// Catalogs lists what a file may name: the reader, the JSON schema and the help
// are derived from the option structs' tags (internal/options), and Go users can
// add components of their own.
//
// Values are read by YAML 1.2's core schema: 1e-8 is a number, yes is text. A
// file is plain data: anchors, aliases, merge keys and tags are errors. All
// mistakes are reported at once, each with line and column.
package pipefile

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
)

// Version is the version of the file format.
const Version = 1

// Catalogs lists what a pipeline file and a trainer file may name.
type Catalogs struct {
	Stages  []stages.Entry
	Sources []sources.Entry
	Sinks   []sinks.Entry   // formats of data sets
	Models  []trainer.Entry // of trainer files
}

// File is what a pipeline file says.
type File struct {
	Pipeline *flow.Pipeline
	Sink     sinks.Format // the format that materialize writes; nil if the file doesn't say
}

// Load reads the pipeline of a file, changed by the edits. Relative paths in it are
// relative to its folder. Mistakes in the file are Errors; so is a sink, which a
// pipeline doesn't hold: see LoadFile.
func Load(path string, c Catalogs, edits ...Edit) (*flow.Pipeline, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, filepath.Dir(path), c, edits...)
}

// LoadFile is Load for everything in a file, its sink too.
func LoadFile(path string, c Catalogs, edits ...Edit) (*File, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return ParseFile(path, data, filepath.Dir(path), c, edits...)
}

// LoadStages is Load for the stages and settings alone, for flow's Pipeline.Applier: source, split,
// classes_from and sink may be missing, and aren't looked at. The pipeline has no source.
func LoadStages(path string, c Catalogs, edits ...Edit) (*flow.Pipeline, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return ParseStages(path, data, c, edits...)
}

func readFile(path string) ([]byte, error) {
	if options.IsURL(path) {
		return nil, fmt.Errorf("pipefile: cannot read the pipeline: %w", urlError(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("pipefile: cannot read the pipeline: %w", err)
	}
	return data, nil
}

func urlError(url string) error {
	return fmt.Errorf("%q is a URL: download it first, and give the path of the file", url)
}

// Parse reads a pipeline from memory. name stands for the file in errors;
// relative paths become relative to folder, "" leaves them alone. A sink in it is an
// error, as for Load: see ParseFile.
func Parse(name string, data []byte, folder string, c Catalogs, edits ...Edit) (*flow.Pipeline, error) {
	f, err := parseWith(&reader{sinkless: true}, name, data, folder, c, edits)
	if err != nil {
		return nil, err
	}
	return f.Pipeline, nil
}

// ParseStages is LoadStages for text in memory.
func ParseStages(name string, data []byte, c Catalogs, edits ...Edit) (*flow.Pipeline, error) {
	f, err := parseWith(&reader{sourceless: true}, name, data, "", c, edits)
	if err != nil {
		return nil, err
	}
	return f.Pipeline, nil
}

// ParseFile is Parse for everything in a file, its sink too.
func ParseFile(name string, data []byte, folder string, c Catalogs, edits ...Edit) (*File, error) {
	return parseWith(&reader{}, name, data, folder, c, edits)
}

// parseFrom is ParseFile for a file that users take their classes from.
func parseFrom(users []string, name string, data []byte, folder string, c Catalogs) (*File, error) {
	return parseWith(&reader{users: users}, name, data, folder, c, nil)
}

func parseWith(r *reader, name string, data []byte, folder string, c Catalogs, edits []Edit) (*File, error) {
	r.file, r.catalogs, r.folder, r.edges = name, c, folder, true
	f, err := r.read(data, edits)
	if err != nil {
		return nil, err
	}
	f.Pipeline.Explain = r.explain
	return f, nil
}

// parseLoosely is ParseFile without checking that the stages fit together.
func parseLoosely(name string, data []byte, folder string, c Catalogs) (*File, error) {
	r := &reader{mistakes: mistakes{file: name}, catalogs: c, folder: folder}
	return r.read(data, nil)
}

func (r *reader) read(data []byte, edits []Edit) (*File, error) {
	f := &File{Pipeline: &flow.Pipeline{}}
	if root := r.parseYAML(data); root != nil {
		r.edit(root, edits)
		r.top(root, f)
	}
	return f, r.err()
}

// reader turns the nodes of one file into a pipeline.
type reader struct {
	mistakes
	catalogs Catalogs
	folder   string
	edges    bool     // check the order of the stages, and the types between them
	sinkless bool     // refuse a sink: only the pipeline is asked for
	users    []string // the files that take their classes from this one

	sourceless bool // leave out all that is about the source, and the sink

	stagesAt []placed // of the pipeline

	listed map[string]bool // what an error has listed the names of: stage, source
}

// placed is a stage's place in the file, and those of its options.
type placed struct {
	place
	options given
}
