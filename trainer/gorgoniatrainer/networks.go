package gorgoniatrainer

import (
	"encoding/json"
	"fmt"

	"github.com/sluicedata/sluice/trainer"
)

// Catalog lists the models, in the order in which help shows them.
var Catalog = []trainer.Entry{
	{New: func() trainer.Model { return &Recipe{PoolTo: recipePool} }, Doc: "a convolution of 64 channels, pooled, and a linear head per task: for photos of 112x112 and more"},
	{New: func() trainer.Model { return &SmallCNN{} }, Doc: "two convolutions, each pooled, and a linear head per task: for small images"},
}

// Recipe is Conv2d(3, 64, 3, padding=1), ReLU, MaxPool2d(2),
// AdaptiveAvgPool2d(PoolTo), flattened in C, H, W order, and one Linear per task.
type Recipe struct {
	PoolTo int `json:"pool_to" sluice:"pool_to,positive" default:"56" doc:"side of the adaptive average pool before the heads"`
}

// recipePool is what the recipe's max-pool makes of 112x112: there the average
// pool does nothing.
const recipePool = 56

// SmallCNN is Conv2d(3, 16) and Conv2d(16, 32), each 3x3 with padding 1, ReLU and
// MaxPool2d(2), AdaptiveAvgPool2d(4), and one Linear per task.
type SmallCNN struct{}

// Name implements trainer.Model.
func (Recipe) Name() string { return "recipe" }

// Name implements trainer.Model.
func (SmallCNN) Name() string { return "small_cnn" }

// Check implements trainer.Model.
func (m Recipe) Check() error {
	if m.PoolTo < 0 {
		return fmt.Errorf("pool_to: %d is negative", m.PoolTo)
	}
	return nil
}

// Check implements trainer.Model: there are no options.
func (SmallCNN) Check() error { return nil }

// New implements trainer.Model.
func (Recipe) New(c trainer.Config) (trainer.Trainer, error) { return New(c) }

// New implements trainer.Model.
func (SmallCNN) New(c trainer.Config) (trainer.Trainer, error) { return New(c) }

// MarshalJSON writes the default out.
func (m Recipe) MarshalJSON() ([]byte, error) {
	type plain Recipe
	return json.Marshal(plain{m.network().poolTo})
}

// MarshalJSON writes what checkpoints have always had of this model.
func (SmallCNN) MarshalJSON() ([]byte, error) { return []byte(`{"pool_to":0}`), nil }

func (m Recipe) network() network {
	if m.PoolTo == 0 {
		m.PoolTo = recipePool
	}
	return network{[]int{64}, m.PoolTo}
}

func (SmallCNN) network() network { return network{[]int{16, 32}, 4} }
