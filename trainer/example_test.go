package trainer_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/softmax"
)

// A trainer is declared before its data are known; the run of a plan, or of a
// materialized data set, sizes its heads and their class weights.
func ExampleSpec_Config() {
	run := &schema.Run{
		Tasks:  []schema.Task{{Name: "shape", Classes: []string{"circle", "star"}}, {Name: "color", Classes: []string{"blue", "red"}}},
		Counts: [][]int64{{60, 20, 0}, {40, 40, 0}}, // the last of each: without a label
	}
	spec := trainer.Spec{
		Model: softmax.Model{},
		Tasks: map[string]trainer.TaskSpec{"shape": {ClassWeights: trainer.WeightSpec{Rule: "inverse"}}},
	}
	cfg, err := spec.Config(run)
	if err != nil {
		log.Fatal(err)
	}
	for _, task := range cfg.Tasks {
		fmt.Printf("%s: %v, weights %.2f, loss %s\n", task.Task, task.Classes, task.ClassWeights, task.Loss)
	}
	// Output:
	// shape: [circle star], weights [0.67 2.00], loss cross_entropy
}

// All mistakes are reported at once, each behind its place in a trainer file.
func ExampleConfig_Check() {
	cfg := trainer.Config{
		Model:     softmax.Model{},
		Tasks:     []trainer.TaskConfig{{Task: "shape", Classes: []string{"circle", "star"}, ClassWeights: []float64{1, 2, 3}}},
		Optimizer: trainer.Optimizer{LearningRate: -1},
	}
	fmt.Println(cfg.Check())
	// Output:
	// tasks.shape.class_weights: 3 weights for 2 classes: circle, star
	// optimizer.adam.lr: -1 is not above 0
}

func ExampleSchedule_LearningRate() {
	s := trainer.Schedule{StepSize: 10, Gamma: 0.1}
	for _, epochs := range []int{0, 9, 10, 25} {
		fmt.Printf("after %2d epochs: %.5f\n", epochs, s.LearningRate(0.001, epochs))
	}
	// Output:
	// after  0 epochs: 0.00100
	// after  9 epochs: 0.00100
	// after 10 epochs: 0.00010
	// after 25 epochs: 0.00001
}

// The loss of two rows of three classes, with the gradient of the logits. The
// second row has no label, and no part in it.
func ExampleSoftmaxLoss() {
	logits := []float32{2, 0, 0, 5, 5, 5}
	target := trainer.Target{Labels: []int32{0, schema.Unknown}, Weights: []float32{1, 0}, Sum: 1}
	gradient := make([]float32, len(logits))
	loss := trainer.SoftmaxLoss(logits, target, nil, 1, gradient)
	fmt.Printf("%.3f %.3f\n", loss, gradient)
	// Output:
	// 0.240 [-0.213 0.107 0.107 0.000 0.000 0.000]
}

// Adam changes the weights in place.
func ExampleAdam() {
	weights := []trainer.Tensor{{Name: "w", Shape: []int{2}, Data: []float32{1, 1}}}
	adam := trainer.NewAdam(trainer.Optimizer{}, weights)
	for range 3 {
		adam.Step(0.1, [][]float32{{0.5, -2}}, 1)
	}
	fmt.Printf("%.2f\n", weights[0].Data)
	for _, t := range adam.State() {
		fmt.Println(t.Name, t.Shape)
	}
	// Output:
	// [0.70 1.30]
	// optimizer.exp_avg.w [2]
	// optimizer.exp_avg_sq.w [2]
	// optimizer.step.w [1]
}

// Recall by class, and over the rarest third, tells what accuracy hides.
func ExampleConfusion() {
	c := trainer.NewConfusion(schema.Task{Name: "shape", Classes: []string{"circle", "square", "star"}})
	logits := []float32{
		3, 0, 0, // circle
		2, 1, 0, // circle
		0, 3, 0, // square
		2, 0, 1, // a star, taken for a circle
	}
	if err := c.Add(logits, []int32{0, 0, 1, 2}, nil); err != nil {
		log.Fatal(err)
	}
	m := c.Metrics([]int64{900, 90, 9})
	fmt.Printf("accuracy %.2f, balanced %.2f, rarest third %.2f\n", m.Accuracy, m.BalancedAccuracy, m.Rarest)
	// Output:
	// accuracy 0.75, balanced 0.67, rarest third 0.00
}

// Held-out data may have its classes in another order, and fewer of them.
func ExampleMatchClasses() {
	training := schema.Task{Name: "shape", Classes: []string{"circle", "square", "star"}}
	numbers, err := trainer.MatchClasses(training, schema.Task{Name: "shape", Classes: []string{"star", "circle"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(trainer.Translate([]int32{0, 1, schema.Unknown}, numbers))
	// Output:
	// [2 0 -1]
}

// safetensors.torch.load_file reads such a file.
func ExampleWriteSafetensors() {
	var file bytes.Buffer
	tensors := []trainer.Tensor{{Name: "head.weight", Shape: []int{1, 2}, Data: []float32{0.5, -0.5}}}
	if err := trainer.WriteSafetensors(&file, tensors, map[string]string{"epochs": "3"}); err != nil {
		log.Fatal(err)
	}
	back, metadata, err := trainer.ReadSafetensors(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(back, metadata["epochs"])
	// Output:
	// [{head.weight [1 2] [0.5 -0.5]}] 3
}
