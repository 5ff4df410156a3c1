package learning

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/internal/outfile"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer"
)

// The files of a run. All are written under a temporary name and renamed into
// place, but for the log, to which lines are added.
const (
	checkpointFile = "checkpoint.safetensors" // weights and optimizer after the last finished epoch
	weightsFile    = "weights.safetensors"    // weights alone, named as in a PyTorch state_dict; written at the end
	logFile        = "log.jsonl"              // a line per step and per epoch
	reportFile     = "report.json"            // the Report; written at the end
)

var files = []string{checkpointFile, weightsFile, reportFile, logFile}

// Existing says what to do about an earlier run in the directory.
type Existing string

// What to do about it.
const (
	Refuse    Existing = ""          // fail, so that nothing is lost by mistake
	Resume    Existing = "resume"    // continue after its last finished epoch; if there is none, start
	Overwrite Existing = "overwrite" // start again
)

// directory is a run's own: it is locked while the run lasts.
type directory struct {
	path   string
	id     identity
	log    *log
	unlock func()
}

// openDirectory makes and locks the directory. To resume, it loads the checkpoint
// into the trainer; start is the number of epochs that are done.
func openDirectory(path string, existing Existing, id identity, t trainer.Trainer, epochs int) (d *directory, start int, warnings []string, err error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, 0, nil, fmt.Errorf("learning: cannot make the directory: %w", err)
	}
	unlock, err := sinks.Lock(path)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("learning: %w", err)
	}
	d = &directory{path: path, id: id, unlock: unlock}
	if start, warnings, err = d.begin(existing, t, epochs); err == nil {
		d.log, err = openLog(d.at(logFile), start)
	}
	if err != nil {
		unlock()
		return nil, 0, nil, err
	}
	return d, start, warnings, nil
}

func (d *directory) at(name string) string { return filepath.Join(d.path, name) }

// begin looks at what is there.
func (d *directory) begin(existing Existing, t trainer.Trainer, epochs int) (start int, warnings []string, err error) {
	if err := atomicfile.RemoveStale(d.path, files...); err != nil {
		return 0, nil, fmt.Errorf("learning: %w", err)
	}
	state, metadata, err := trainer.LoadCheckpoint(d.at(checkpointFile), t.State())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if existing == Resume {
			warnings = []string{fmt.Sprintf("%s holds no checkpoint to resume from: training starts with the first epoch", d.path)}
		}
		if existing == Overwrite {
			return 0, warnings, nil
		}
		return 0, warnings, d.onlyOurs()
	case existing == Overwrite:
		return 0, nil, nil
	case err != nil:
		return 0, nil, fmt.Errorf("learning: %w", err)
	case existing != Resume:
		return 0, nil, &RemedyError{ToResume, fmt.Errorf("learning: %s holds a training run of %s epochs: resume it, or choose another directory", d.path, metadata["epochs"])}
	}
	if err := d.checkFiles(); err != nil {
		return 0, nil, err
	}
	start, err = d.restore(t, state, metadata, epochs)
	return start, nil, err
}

// onlyOurs refuses a directory of something else.
func (d *directory) onlyOurs() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("learning: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, ".") || slices.Contains(files, name) || slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name))
		if !ours {
			return fmt.Errorf("learning: %s holds other files (%s): choose a new directory", d.path, name)
		}
	}
	return d.checkFiles()
}

// kinds tell a run's files from others of the same names, which stay.
var kinds = map[string]outfile.Kind{
	reportFile: {Name: "a training report", Most: 1 << 30, Is: func(data []byte) bool {
		var r struct {
			PlanHash string `json:"plan_hash"`
			Train    *struct{}
		}
		return json.Unmarshal(data, &r) == nil && r.PlanHash != "" && r.Train != nil
	}},
	logFile: {Name: "a training log", Is: func(data []byte) bool {
		var first struct{ Kind string }
		line, _, _ := bytes.Cut(data, []byte("\n"))
		return json.Unmarshal(line, &first) == nil && slices.Contains([]string{"step", "epoch"}, first.Kind)
	}},
	weightsFile: {Name: "a training run's weights", Is: func(data []byte) bool {
		return bytes.Contains(data[:min(len(data), 1<<20)], []byte(`"trainer_hash"`))
	}},
}

// checkFiles refuses to replace what another program has written.
func (d *directory) checkFiles() error {
	for _, name := range files {
		if kind, ok := kinds[name]; ok {
			if _, err := kind.At(d.at(name)); err != nil {
				return fmt.Errorf("learning: %w", err)
			}
		}
	}
	return nil
}

// restore loads a checkpoint, if it belongs to this training.
func (d *directory) restore(t trainer.Trainer, state []trainer.Tensor, metadata map[string]string, most int) (epochs int, err error) {
	if list := d.id.changes(metadata); len(list) > 0 {
		return 0, fmt.Errorf("learning: the checkpoint in %s is of another run; what differs, there -> here:\n  %s\nResume with the same pipeline and trainer, or choose another directory", d.path, strings.Join(list, "\n  "))
	}
	if epochs, err = strconv.Atoi(metadata["epochs"]); err != nil || epochs < 1 {
		return 0, fmt.Errorf("learning: the checkpoint in %s says %.20q epochs: it is damaged: start again in another directory", d.path, metadata["epochs"])
	}
	if i := slices.IndexFunc(state, func(t trainer.Tensor) bool { return t.Name == trainer.EpochsName }); i >= 0 && len(state[i].Data) == 1 && state[i].Data[0] != float32(epochs) {
		return 0, fmt.Errorf("learning: the checkpoint in %s says %d epochs, and its state %v: it is damaged: start again in another directory", d.path, epochs, state[i].Data[0])
	}
	if epochs > most {
		return 0, &RemedyError{MoreEpochs, fmt.Errorf("learning: the checkpoint in %s is of a run of %d epochs, more than the %d asked for: ask for more", d.path, epochs, most)}
	}
	return epochs, t.Load(state)
}

// save writes an epoch's record and then its checkpoint: so a checkpoint never has
// an epoch that the log doesn't have.
func (d *directory) save(t trainer.Trainer, record EpochRecord) error {
	d.log.write(record)
	if err := d.log.sync(); err != nil {
		return err
	}
	return trainer.SaveCheckpoint(d.at(checkpointFile), t.State(), d.id.metadata("epochs", strconv.Itoa(record.Epoch+1)))
}

// finish writes the weights, and the report with all epochs' records in it.
func (d *directory) finish(t trainer.Trainer, report *Report) (err error) {
	if err := trainer.SaveSafetensors(d.at(weightsFile), trainer.Weights(t.State()), d.id.metadata(weightsKey, weightsFormat)); err != nil {
		return err
	}
	report.Format = reportFormat
	if report.Train.History, err = d.log.epochs(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("learning: %w", err)
	}
	return atomicfile.Write(d.at(reportFile), append(b, '\n'))
}

func (d *directory) close() error {
	defer d.unlock()
	return d.log.close()
}
