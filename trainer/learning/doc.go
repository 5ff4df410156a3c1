// Package learning is a training run that a Go program calls: from a pipeline, a
// trainer and held-out data it makes weights, a checkpoint after every epoch from
// which a killed run resumes, a log and a report. `sluice train` is this package
// behind flags and files.
//
//	report, err := learning.Training{
//		Pipeline:    pipe,
//		Trainer:     trainer.Spec{Model: gorgoniatrainer.SmallCNN{}},
//		Evaluations: []learning.Evaluation{{Name: "val", Pipeline: heldOut}},
//		Dir:         "run",
//		Existing:    learning.Resume,
//	}.Run(ctx, flow.Epochs(20))
//
// A program that needs less uses sinks.Trainer, the sink that trains, or loops over
// flow's batches and calls a trainer.Trainer itself.
//
// The files, each of which refers only to those below it:
//
//	training.go    Training and Run: what happens, in its order
//	loop.go        what happens after each step and each epoch
//	remarks.go     warnings of what is possible and probably not intended
//	evaluation.go  held-out data: its plan, its classes, its metrics
//	directory.go   what a run leaves on disk, and how it resumes from that
//	identity.go    how a checkpoint recognizes its run
//	log.go         log.jsonl
//	report.go      the figures
//	setup.go       declarations that don't fit each other
package learning
