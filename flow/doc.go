// Package flow is the engine: it turns a declared Pipeline into a Plan and runs
// the plan as a go-streams graph that delivers Arrow record batches, in order,
// to a sink. This page and the files in its order explain it.
//
// # Declaration, plan, run
//
// A Pipeline is data. Pipeline.Plan opens its source, reports every mistake at once,
// moves the samplers before the decoder (a draw is a sample's number, computed,
// so no image is read that isn't drawn), decides what is merged, and hashes all
// that the bytes depend on. A Plan never changes. Plan.Deliver runs it:
//
//	       jobs       rows, read and drawn      batches being filled       batches        records
//	feed ───────▶ read ─────────────────▶ transform ──────────────▶ batch ───────▶ scales ───────▶ deliver ─▶ Sink
//	           a pool of readers,      a pool of workers,        waits for the   each in its    Write, Close
//	           a bounded number        admitted in order         oldest          scales
//	           of files ahead          by one byte budget
//
// What a plan decides, what a row goes through and what a run does are three places, and
// calls go in one direction: a run reads the plan, and has rows made; a row (row.go,
// attempts.go, and flow/internal/picture for its pixels) knows neither batches, nor the
// budget (flow/internal/memory), nor sinks. The files, each of which uses only those below
// it (go test ./internal/layout):
//
//	materialize.go  a run into a data set, as a function that a cluster calls
//	batches.go      Batches: a run as an iterator
//	stream.go       Plan.Start: the operators in a go-streams program of one's own
//	repeats.go      Repeater: samples of a stream, those of rare classes more than once
//	run.go          Pipeline.Run, Plan.Deliver: the graph wired, run, reported
//	deliver.go      operator 5: hands batches to the sink, closes it
//	scales.go       operator 4: the variants in which a batch leaves
//	batch.go        operator 3: waits for the oldest batch, accounts for its rows
//	transform.go    operator 2: admits rows, begins batches, makes pictures in a pool
//	read.go         operator 1: reads files in a pool, draws their stages
//	feed.go         the source: the plan's batches by number, without what the sink has
//	graph.go        elements between operators, ours and others: handed on, waited for, dropped
//	filling.go      a batch being filled, and a row's ticket to its place in it
//	running.go      run: what the operators share; how it begins, fails and ends
//	ports.go        what every operator has: where elements come in, and where they go out
//	stats.go        the figures of a run, and the Report
//	meter.go        what each operator does with its time; the bottleneck in words
//	foresee.go      Foresee: what each class will get
//	lateledger.go   the same behind fewer batches, for a sink whose reader takes them later
//	ledger.go       what each class got, in all and by epochs
//	leaving.go      batches on their way to the sink
//	accounts.go     failed draws: fail, skip, refill; the limit
//	quarantine.go   the file that lists them
//
//	apply.go        Plan.Row, Plan.Apply: one draw, one image, outside of any run
//	unlike.go       how evaluation images differ from training images
//	describe.go     Plan.String: the plan as people read it
//	outline.go      Plan.Outline: the same as figures
//	classdraws.go   how often classes are drawn that samples have several of
//	planner.go      Pipeline.Plan: opens, checks, resolves; nothing else writes to a Plan
//	warn.go         what is legal, and probably not meant
//	canonical.go    the canonical form and its hash: what the bytes depend on
//	resume.go       whether a run may resume from a state
//	measure.go      the data's own mean and deviation, where a stage asks for them
//	sampling.go     samplers, moved before the decoder: which sample each draw uses
//	planning.go     planner: a plan being made
//	plan.go         Plan: a value, and what it tells
//	applier.go      Applier: single images, without a run or a source
//	mixing.go       the rows of a batch mixed with each other
//	pasting.go      objects of one picture pasted into another
//	composing.go    a row made of parts of several pictures
//	scaling.go      the scales that a batch gets
//	attempts.go     a draw with all its attempts
//	row.go          one row: which sample it is, its file, its picture
//	refills.go      other samples of a class, for those that fail
//	deal.go         which batches a run makes: all, or every R-th of a rank
//	sample.go       Sample: a row of another source
//	steps.go        the stages in their places; what makes a list of them legal
//	conditions.go   on which rows a stage acts, and how strongly
//	report.go       Report, Progress: what a run tells
//	state.go        State: where a run resumes
//	pipeline.go     Pipeline: the declaration
//	objects.go      Objects: which boxes, polygons and keypoints stay
//	settings.go     Settings and the options that set them
//	errors.go       the errors of plans, rows and runs
//	onerror.go      Failures: what to do about rows that cannot be made
//	text.go         counts and bytes in words
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
// # Cancelling and failure
//
// go-streams knows neither contexts nor errors. The run object does: the first
// failure (or the caller's context) cancels its context with a cause. From then
// on each operator keeps draining its input, releases what it drains, and
// closes its output, so that every goroutine ends and nothing blocks; deliver
// passes the cause to the sink's Close, and Run returns it. A panic in a stage, a
// sampler's order, a sink or a callback becomes such a failure too. A row that
// cannot be made ends the run, or is skipped or refilled (Failures); accounts of it
// are kept in the order of positions, so they too depend on the data alone.
//
// # Same bytes
//
// What a row holds is a function of (data, plan, epoch, position): every random
// number is addressed by (seed, stage, epoch, position, attempt), never drawn
// from a shared generator. Workers, queues and budget decide when a row is made,
// never what is in it; read, transform and batch keep the order of positions. So a
// State is a place, an epoch and a batch, and going on there replays nothing.
package flow
