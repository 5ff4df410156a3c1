package gorgoniatrainer

import (
	"fmt"
	"runtime"

	"github.com/sluicedata/sluice/trainer"
)

// check writes out the defaults, and reports all that is wrong at once.
func check(cfg trainer.Config) (trainer.Config, network, error) {
	if err := cfg.Check(); err != nil {
		return cfg, network{}, fmt.Errorf("gorgoniatrainer: %w", err)
	}
	model, ok := cfg.Model.(interface{ network() network })
	if !ok {
		return cfg, network{}, fmt.Errorf("gorgoniatrainer: model: %s is another trainer's (this one has recipe and small_cnn): make it by trainer.New", cfg.Model.Name())
	}
	cfg = cfg.WithDefaults()
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	return cfg, model.network(), nil
}
