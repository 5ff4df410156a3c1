// Package flow is the engine: it turns a declared Pipeline into a Plan and runs
// the plan as a go-streams graph that delivers Arrow record batches, in order,
// to a sink. This page and the files in this order explain it.
//
// # Plan, check, fuse, run
//
// A Pipeline is data. Plan opens its source, reports every mistake at once,
// moves the samplers before the decoder (a draw is a sample's number, computed,
// so no image is read that isn't drawn), decides what is merged, and hashes all
// that the bytes depend on. A Plan may be run many times; a run is this graph:
//
//	feed ──jobs──▶ rows ──batches──▶ variants ──records──▶ deliver ──▶ Sink
//	               │ dispatch ▶ readers ▶ admit ▶ workers ▶ emit
//	               └ all of it bounded by one byte budget
//
//	pipeline.go   the declaration: New, Settings and the options that set them
//	plan.go       Plan: open the source, check everything, resolve, hash
//	check.go      what makes a list of stages a legal pipeline; all errors at once
//	order.go      samplers, moved before the decoder: which sample each draw uses
//	measure.go    the data's own mean and deviation, where a stage asks for them
//	canonical.go  the canonical form and its hash: what the bytes depend on
//	outline.go    Plan.Outline: the plan's four steps as figures
//	describe.go   Plan.String: the same as people read it
//	unlike.go     in what an evaluation's images are unlike its training's
//
//	run.go        Run: wire the graph, run it, report
//	ranks.go      the batches that a run makes: all, or every R-th of a rank
//	feed.go       operator 1: their numbers, without those that the sink has
//	rows.go       operator 2: ordered, bounded pools that read files and make rows
//	budget.go     the bytes in flight: who is let through, and when
//	charges.go    how many bytes a row and a batch take
//	pool.go       Arrow's memory: charged to the budget, and used again
//	row.go        one row: which sample it is, its file, its place in the batch
//	refill.go     a draw with all its attempts
//	reference.go  a row's picture: decode, stage after stage, plain loops
//	file.go       the part of a JPEG file that a draw takes, decoded alone
//	seekpoints.go where decoding can begin in files that were read before
//	fused.go      the same draws, sampled in as few passes as fuse allows
//	fuse.go       those passes in words: what is merged, what isn't and why
//	variants.go   operator 3: the scales in which a batch leaves
//	deliver.go    operator 4: hands batches to the sink, closes it
//
//	failures.go   rows that cannot be made: fail, skip, refill; the limit
//	quarantine.go the file that lists them
//	state.go      where a run goes on, and whether it may
//	meter.go      what each operator does with its time; the bottleneck in words
//	ledger.go     what each class got; batches on their way to the sink
//	stats.go      progress and the Report
//
//	batches.go    Batches: a run as an iterator
//	stream.go     Stream: a run in a go-streams program of one's own
//	materialize.go  a run into part files, as a function that a cluster calls
//
// # Who closes, who releases
//
// Every operator is a streams.Flow: its upstream closes its In once, it closes
// its own Out once its input is drained. An element is owned by whoever took it
// out of a channel: operators hand batches on or release them. The sink's Write
// borrows a batch; deliver releases it afterwards. The body of a loop over
// Batches borrows it likewise. What is to be kept is retained, and counts in the
// budget until its last Release.
//
// # Cancel and failure
//
// go-streams knows neither contexts nor errors. The run object does: the first
// failure (or the caller's context) cancels its context with a cause. From then
// on each operator keeps draining its input, releases what it drains, and
// closes its output, so that every goroutine ends and nothing blocks; deliver
// passes the cause to the sink's Close, and Run returns it. A panic in a stage, a
// sampler's order, a sink or a callback becomes such a failure too. A row that cannot be made ends the run, or is
// skipped or refilled (Failures); accounts of it are kept in the order of
// positions, so they too depend on the data alone.
//
// # Same bytes
//
// What a row holds is a function of (data, plan, epoch, position): every random
// number is addressed by (seed, stage, epoch, position, attempt), never drawn
// from a shared generator. Workers, queues and budget decide when a row is made,
// never what is in it; the pool's bounded queue of pending batches restores the
// order. So a State is a place, an epoch and a batch, and going on there replays
// nothing.
package flow
