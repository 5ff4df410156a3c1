// Package trainer is what learning needs and no framework provides: the contract
// of a trainer and of its models, their configuration, learning-rate schedules,
// class weights, metrics, and a file format for weights. It knows schema and
// nothing of the pipeline, so any program with batches can use it.
//
// A Trainer owns a model, its optimizer and the optimizer's state. It is called
// from one goroutine at a time. The same configuration, initial weights and
// batches give the same bytes of state, on any number of cores.
//
// The files, each of which refers only to those below it:
//
//	spec.go         Spec: a trainer as declared, before its data are known
//	positiveweights.go  what a class's presence weighs in tasks of several labels
//	batch.go        what a step reads from a batch: pixels, targets, masked rows
//	config.go       Config: everything that determines what a trainer does; the contract of a Model
//	trainer.go      the contract of a Trainer
//	checkpoint.go   a state in a file, with its version
//	safetensors.go  tensors in a file, with a checksum
//	adam.go         the optimizer
//	schedule.go     the learning rate by epoch
//	multimetrics.go  what was predicted in tasks of several labels
//	metrics.go      confusion, recalls, the groups of a long tail; what reports hold
//	ranking.go      average precision
//	binaryloss.go   binary cross-entropy
//	loss.go         weighted cross-entropy, balanced softmax; a batch's targets
//	initial.go      initial weights
//	state.go        states: copied, checked, reduced to weights
//	classes.go      classes of other data, matched by name
//	memory.go       the process's memory, for reports
//	problems.go     collecting mistakes
package trainer
