package gorgoniatrainer

import (
	"fmt"
	"runtime"

	"github.com/sluicedata/sluice/trainer"
)

// check fills in defaults and reports all that is wrong at once.
func check(cfg trainer.Config) (trainer.Config, error) {
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("gorgoniatrainer: %w", err)
	}
	if _, ok := networks[cfg.Model.Name]; !ok {
		return cfg, fmt.Errorf("gorgoniatrainer: model: %s is another trainer's (this one has recipe, small_cnn)", cfg.Model.Name)
	}
	cfg = cfg.WithDefaults()
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	return cfg, nil
}
