package gorgoniatrainer_test

import (
	"fmt"
	"log"

	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/gorgoniatrainer"
)

// The weights have the names and shapes of a PyTorch module's state_dict.
func Example() {
	t, err := trainer.New(trainer.Config{
		Model: gorgoniatrainer.Recipe{PoolTo: 28},
		Tasks: []trainer.TaskConfig{{Task: "shape", Classes: []string{"circle", "square", "star"}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range trainer.Weights(t.State()) {
		fmt.Println(w.Name, w.Shape)
	}
	if err := t.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// conv.weight [64 3 3 3]
	// conv.bias [64]
	// head_shape.weight [3 50176]
	// head_shape.bias [3]
}

// A command offers the models of the catalogues that it concatenates.
func Example_catalog() {
	for _, entry := range gorgoniatrainer.Catalog {
		fmt.Printf("%s: %s\n", entry.New().Name(), entry.Doc)
	}
	// Output:
	// recipe: a convolution of 64 channels, pooled, and a linear head per task: for photos of 112x112 and more
	// small_cnn: two convolutions, each pooled, and a linear head per task: for small images
}
