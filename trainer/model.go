package trainer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Model is a network and its options: a struct such as
// gorgoniatrainer.Recipe{PoolTo: 28}. The package that trains it exports it, and
// lists it in a catalogue; a package of another module does the same, and its
// models can do all that ours can.
//
// In trainer files, the model's options are the fields with a tag
// `sluice:"pool_to"`. A checkpoint holds the JSON of the struct, and training
// goes on only where that is the same: so every option that decides a weight is a
// member of it, with its default written out.
type Model interface {
	// Name is what trainer files, checkpoints and reports call it.
	Name() string
	// Check reports impossible options, each error behind the option's name, such
	// as "pool_to: ". Errors that are joined are reported one by one.
	Check() error
	// New makes a trainer of this model with its initial weights. The configuration
	// is one that Config.Check lets pass, and its Model is the receiver.
	New(Config) (Trainer, error)
}

// Entry is a model that trainer files may name. Packages of trainers export a
// Catalog of theirs; a command concatenates those that it offers.
type Entry struct {
	New func() Model // a pointer to the options with their defaults
	Doc string       // one line
}

// New checks a configuration, and makes the trainer of its model.
func New(c Config) (Trainer, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c.Model.New(c)
}

// modelJSON is the model's JSON object, with its name as the first member.
func modelJSON(m Model) ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	name, err := json.Marshal(m.Name())
	if err != nil {
		return nil, err
	}
	members, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(members, []byte("{"))
	if !ok {
		return nil, fmt.Errorf("trainer: the JSON of model %s is %.100s: want an object of its options", m.Name(), members)
	}
	if rest[0] != '}' {
		name = append(name, ',')
	}
	return append(append([]byte(`{"name":`), name...), rest...), nil
}
