package learning

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// identity is everything that determines the weights, as a checkpoint's metadata
// hold it: the plan, and the trainer as sized for the plan's data.
type identity map[string]string

func newIdentity(run *schema.Run, cfg trainer.Config) (identity, error) {
	cfg = cfg.WithDefaults()
	cfg.Workers = 0
	b, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("learning: model %s: %w", cfg.Model.Name(), err)
	}
	sum := sha256.Sum256(b)
	return identity{
		"plan_hash": run.PlanHash, "pipeline": run.Pipeline,
		"trainer_hash": hex.EncodeToString(sum[:]), "trainer": string(b),
	}, nil
}

// metadata is the identity with one more entry.
func (id identity) metadata(key, value string) map[string]string {
	out := maps.Clone(id)
	out[key] = value
	return out
}

// changes lists how a checkpoint's metadata differ: classes first, then the
// settings and stages that changed; the hashes only where nothing else tells.
func (id identity) changes(there map[string]string) []string {
	list := classChanges(there["trainer"], id["trainer"])
	var hashes []string
	for _, key := range slices.Sorted(maps.Keys(id)) {
		before, after := []byte(there[key]), []byte(id[key])
		switch {
		case there[key] == id[key]:
		case strings.HasSuffix(key, "_hash"):
			hashes = append(hashes, plandiff.Texts(plandiff.Values(key, there[key], id[key]))...)
		case !json.Valid(before):
			list = append(list, fmt.Sprintf("%s: it cannot be read there", key))
		case key == "pipeline":
			list = append(list, plandiff.Texts(plandiff.Plans(before, after))...)
		default:
			list = append(list, plandiff.Texts(plandiff.JSON(key, before, after))...)
		}
	}
	if len(list) == 0 {
		return hashes
	}
	return list
}

// classChanges compares the classes of two trainers' configurations.
func classChanges(there, here string) []string {
	tasks := func(text string) (list []schema.Task) {
		var cfg struct {
			Tasks []trainer.TaskConfig `json:"tasks"`
		}
		if json.Unmarshal([]byte(text), &cfg) != nil {
			return nil // the caller reports that it differs
		}
		for _, t := range cfg.Tasks {
			list = append(list, schema.Task{Name: t.Task, Classes: t.Classes})
		}
		return list
	}
	return schema.ClassChanges(tasks(there), tasks(here))
}
