// Package flow is the engine: it turns a declared Pipeline into a Plan and runs
// the plan as a go-streams graph that delivers Arrow record batches, in order,
// to a sink. Read the files in this order:
//
//	pipeline.go   the declaration: New, Settings and the options that set them
//	plan.go       Plan: open the source, check everything, resolve, hash
//	check.go      what makes a list of stages a legal pipeline; all errors at once
//	order.go      samplers, moved before the decoder: which sample each draw uses
//	canonical.go  the canonical form and its hash: what the bytes depend on
//	describe.go   Plan.String: the plan as people read it
//	run.go        Run: wire the graph, run it, report
//	feed.go       operator 1: the numbers of the batches to make
//	rows.go       operator 2: an ordered, bounded pool that makes their rows
//	row.go        one row: which sample it is, and its file
//	reference.go  its picture: decode, stage after stage, plain loops
//	variants.go   operator 3: the scales in which a batch leaves
//	deliver.go    operator 4: hands batches to the sink, closes it
//	batches.go    Batches: the same run as an iterator
//	stats.go      progress, rate, bottleneck; the Report
//	materialize.go  a run into part files, as a function that a cluster calls
//
// # Who closes, who releases
//
// Every operator is a streams.Flow: its upstream closes its In once, it closes
// its own Out once its input is drained. An element is owned by whoever took it
// out of a channel: operators hand batches on or release them. The sink's Write
// borrows a batch; deliver releases it afterwards. The body of a loop over
// Batches borrows it likewise.
//
// # Cancel and failure
//
// go-streams knows neither contexts nor errors. The run object does: the first
// failure (or the caller's context) cancels its context with a cause. From then
// on each operator keeps draining its input, releases what it drains, and
// closes its output, so that every goroutine ends and nothing blocks; deliver
// passes the cause to the sink's Close, and Run returns it. A panic in a stage
// becomes such a failure too.
//
// # Same bytes
//
// What a row holds is a function of (data, plan, epoch, position): every random
// number is addressed by (seed, stage, epoch, position), never drawn from a
// shared generator. Workers and queues decide when a row is made, never what is
// in it; the pool's bounded queue of pending batches restores the order.
package flow
