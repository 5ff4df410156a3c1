package pipefile_test

import (
	"errors"
	"fmt"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer/softmax"
)

var catalogs = pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: sinks.Catalog}

func ExampleParse() {
	pipe, err := pipefile.Parse("pipeline.yaml", []byte(`
version: 1
seed: 42
source: {folder: {path: data/train}}
stages:
  - decode
  - resize: {size: 256}
  - center_crop: {size: 224}
  - batch: {size: 32}
`), "/home/me", catalogs)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pipe.Source.(sources.Folder).Path, pipe.Settings.Seed)
	for _, stage := range pipe.Stages {
		fmt.Println(stage.Name())
	}
	// Output:
	// /home/me/data/train 42
	// decode
	// resize
	// center_crop
	// batch
}

// All mistakes of a file are reported at once, each with its place.
func ExampleErrors() {
	_, err := pipefile.Parse("pipeline.yaml", []byte(`version: 1
source: {folder: {path: data}}
stages:
  - decode
  - rotate: {degrees: wide}
  - crop: {size: 0.5, ofset: 0}
`), "", catalogs)
	var mistakes pipefile.Errors
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			fmt.Println(m.Line, m.Column, m.Msg)
		}
	}
	// Output:
	// 5 23 rotate: degrees: want a number or a range [min, max], have the text "wide"
	// 6 23 crop: unknown option "ofset": did you mean "offset"? (options: size, height, width, offset, p)
}

// Edits change a file as flags of the command line do.
func ExampleParseEdit() {
	edit, err := pipefile.ParseEdit("--set", "stages.rotate.degrees=[-5, 5]")
	if err != nil {
		fmt.Println(err)
		return
	}
	pipe, err := pipefile.Parse("pipeline.yaml", []byte(`
version: 1
source: {folder: {path: data}}
stages: [decode, rotate: {degrees: 30}, resize: {size: 8}, center_crop: {size: 8}, batch: {size: 4}]
`), "", catalogs, edit)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pipe.Stages[1].(stages.Rotate).Degrees)
	// Output: [-5 5]
}

// ParseFile also gives what the file says of a data set's format.
func ExampleParseFile() {
	file, err := pipefile.ParseFile("pipeline.yaml", []byte(`
version: 1
source: {folder: {path: data}}
stages: [decode, resize: {height: 8, width: 8}, batch: {size: 4}]
sink: {arrow: {codec: lz4}}
`), "", catalogs)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Sink.Name(), file.Sink.(*sinks.ArrowParts).Codec)
	// Output: arrow lz4
}

func ExampleFormat() {
	pipe := flow.New(sources.Folder{Path: "data/train"},
		stages.Rebalance{Target: stages.SquareRoot},
		stages.Decode{},
		stages.Rotate{Degrees: stages.Range{-30, 30}},
		stages.Resize{Height: 224, Width: 224},
		stages.Batch{Size: 32},
	)
	pipe.Settings.Seed = 42
	text, err := pipefile.Format(pipe, catalogs)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// version: 1
	// seed: 42
	// source: {folder: {path: data/train}}
	// stages:
	//   - rebalance: {target: square_root}
	//   - decode: {}
	//   - rotate: {degrees: [-30, 30]}
	//   - resize: {height: 224, width: 224}
	//   - batch: {size: 32}
}

func ExampleHelpOn() {
	text, err := pipefile.HelpOn("arrow", catalogs)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	// Output:
	// arrow, as a source: Arrow files: what sluice materialize wrote, as encoded images or pixels, or files of others
	//     path           text                                        a directory that sluice materialize wrote, an .arrow file (or .arrows, .ipc, .feather), or a folder of such files
	//     scale          number                                      which scale of a directory with several
	//     epoch          whole number                                which epoch of a directory with several, from 0
	//     image          text                                        the column of the images (default image)
	//     tasks          list of texts                               the tasks, or in files that sluice did not write the label columns (default: those that sluice wrote)
	//     weight_column  text                                        the column of each sample's weight, a number of at least 0 (default: weight, in files that sluice wrote)
	//     classes        list of (text | whole number) | text | map  fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these
	//     meta           list of (text | whole number | map)         columns to be delivered unchanged, as meta.<name>: a list of names, or of {name: text | int | float} (default: those that sluice wrote)
	//
	// arrow, as a sink: Arrow IPC files with a manifest; resumes after a crash
	//     codec        none | lz4 | zstd  compression of the buffers; none can be mapped into memory (default none)
	//     part_rows    whole number       rows of a file, rounded down to whole batches, at least one (default 4096)
	//     class_names  true | false       also the names of classes, class.<task>, with a dictionary, for DuckDB, Polars and pandas (default false)
}

// A trainer file is sized by the data of a run.
func ExampleParseTrain() {
	with := pipefile.Catalogs{Models: softmax.Catalog}
	file, err := pipefile.ParseTrain("trainer.yaml", []byte(`
model: softmax
tasks: {animal: {class_weights: inverse}}
optimizer: {adam: {lr: 0.01}}
epochs: 20
eval: {use: val, without: [rebalance]}
`), "", with)
	if err != nil {
		fmt.Println(err)
		return
	}
	config, err := file.Config(&schema.Run{
		Tasks:  []schema.Task{{Name: "animal", Classes: []string{"cat", "dog"}}},
		Counts: [][]int64{{30, 10, 0}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Epochs, "epochs of", config.Model.Name(), "for", config.Tasks[0].Task)
	for _, edit := range file.Eval.Edits() { // what the evaluation's pipeline says in place of the training's
		fmt.Println(edit.Flag)
	}

	_, err = pipefile.ParseTrain("trainer.yaml", []byte("model: softmx\nepochs: 0\n"), "", with)
	fmt.Println(err)
	// Output:
	// 20 epochs of softmax for animal
	// eval: without: rebalance
	// eval: use: val
	// trainer.yaml:1:8: unknown model "softmx": did you mean "softmax"? (models: softmax)
	// trainer.yaml:2:9: epochs is 0: give a number above 0
}
