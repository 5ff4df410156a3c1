package gorgoniatrainer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/trainer"
)

// TestModelJSON: by these bytes a checkpoint of earlier releases is known.
func TestModelJSON(t *testing.T) {
	for want, model := range map[string]trainer.Model{
		`{"name":"recipe","pool_to":56}`:   Recipe{},
		`{"name":"recipe","pool_to":28}`:   &Recipe{PoolTo: 28},
		`{"name":"small_cnn","pool_to":0}`: SmallCNN{},
	} {
		have, err := json.Marshal(trainer.Config{Model: model})
		if err != nil || !strings.HasPrefix(string(have), `{"model":`+want+`,"tasks":null,"optimizer":{"lr":0,`) {
			t.Errorf("%s, %v, want the model %s", have, err, want)
		}
	}
	if err := (Recipe{PoolTo: -1}).Check(); err == nil || err.Error() != "pool_to: -1 is negative" {
		t.Errorf("a pool of -1: %v", err)
	}
	for _, e := range Catalog {
		if m := e.New(); m.Check() != nil {
			t.Errorf("%s as the catalogue makes it: %v", m.Name(), m.Check())
		}
	}
}

// foreign is a model of another trainer.
type foreign struct{}

func (foreign) Name() string                                { return "foreign" }
func (foreign) Check() error                                { return nil }
func (foreign) New(trainer.Config) (trainer.Trainer, error) { return nil, nil }

func TestForeignModel(t *testing.T) {
	cfg := testConfig("recipe", 4)
	cfg.Model = foreign{}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "foreign is another trainer's") {
		t.Errorf("a model of another trainer: %v", err)
	}
}
