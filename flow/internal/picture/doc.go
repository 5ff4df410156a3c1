// Package picture takes one picture through a plan's picture stages. It knows stages,
// files and pixels, and nothing of plans, rows, batches, budgets or sinks.
//
//	Program ──Prepare──▶ Draw ──Make──▶ a picture
//	 (stages)   header,    (params,      in its place
//	            draws      transforms,
//	                       bytes)
//
// A picture is drawn once: Prepare reads its file's header, draws every stage, and says
// what that comes to: which pixels of the file are needed and how many bytes making the
// picture takes. A Draw can then go to another goroutine, where Make decodes and samples.
// Draws are used again, one picture after the other; planes, tables and canvases belong
// to the Maker, which stays with its goroutine.
//
// The files, each of which uses those below it only:
//
//	explain.go    what is merged, in words
//	make.go       Maker.Make: a prepared Draw becomes a picture
//	reference.go  stage after stage, in plain loops: what the other executor is tested against
//	fused.go      groups of stages in as few passes as fuse allows
//	pixels.go     functions of a pixel: tables, rows, plain loops
//	passed.go     targets of files that no stage decodes
//	shown.go      targets before every stage, for people to look at
//	mask.go       Maker.Mask: class numbers, decoded and sampled
//	objects.go    Draw.Targets: what becomes of a picture's objects
//	maker.go      Maker: the memory in which pictures are made
//	nearest.go    the nearest pixel of a mask, for each pixel or by rows
//	prepare.go    Draw.Prepare: header, draws, groups, bytes
//	cost.go       the bytes that making a picture takes
//	file.go       the part of a JPEG file that a draw takes
//	canvas.go     pictures between passes, used again; copies
//	group.go      operations that run together
//	draw.go       Draw: what each stage drew
//	covered.go    objects of finished pictures, where others are pasted over them
//	moved.go      objects of finished pictures, where parts of these are put together
//	targets.go    boxes, polygons and keypoints on their way through the transforms
//	program.go    Program: the stages as a plan has them
//	seekpoints.go where decoding can begin in files that were read before
package picture
