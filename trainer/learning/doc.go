// Package learning is a training run as a Go program calls it: a pipeline, a
// trainer and held-out data in, and out come weights, a checkpoint after every
// epoch from which a killed run goes on, a log and a report. It is what the
// command `sluice train` does; the command reads flags and files, and prints.
//
//	report, err := learning.Training{
//		Pipeline:    pipe,
//		Trainer:     trainer.Spec{Model: gorgoniatrainer.SmallCNN{}},
//		Evaluations: []learning.Evaluation{{Name: "val", Pipeline: heldOut}},
//		Dir:         "run",
//		Existing:    learning.Resume,
//	}.Run(ctx, flow.Epochs(20))
//
// A program that wants less takes sinks.Trainer, the sink that trains, or loops
// over flow's batches and calls trainer.Trainer itself.
//
// The files, each of which calls those below it only:
//
//	training.go    Training and Run: what happens, in its order
//	loop.go        what happens after each step and each epoch
//	remarks.go     what is possible and probably not meant
//	evaluation.go  held-out data: its plan, its classes, its metrics
//	directory.go   what a run leaves on the disk, and how it is found again
//	identity.go    by what a checkpoint knows its run
//	log.go         log.jsonl
//	report.go      the figures
//	setup.go       declarations that don't go together
package learning
