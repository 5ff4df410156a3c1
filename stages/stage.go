// Package stages declares what a pipeline can do to samples, pictures and
// batches. This file is the contract; every other file holds one stage: its
// options, its Check, its draw, its arithmetic.
//
// A stage is data: an option struct with no state, no worker, no clock and no
// generator of its own. What is random is drawn first, by Draw, as Params; what
// happens to pixels is a pure function of Params. Both executors, the params
// column and preview use the same Params, so how a stage is run (alone,
// fused with its neighbours) is never the stage's business.
//
// A stage is of exactly one kind, told by the interface it implements:
//
//	Decoder    encoded bytes -> picture
//	Warper     moves pixels: gives a 2-D transform, an output size, a filter
//	Pixelwise  one pixel in, one pixel out: conversions and colour
//	Mapper     picture in, picture out: what needs more than a pixel
//	Composite  several of these, which it draws: rand_augment
//	Sampler    acts on the index, before any image is read
//	Weigher    labels -> weight
//	Batcher    rows -> batches
//	Mixer      the rows of a batch, each with another
//	Composer   the rows of a batch, each of parts of several pictures
//	Expander   batch -> the variants in which it is delivered
//
// The option structs' exported fields carry tags: `sluice:"name"`, the option's
// name in pipeline files, which may add ",positive" (an explicit zero in a file
// is an error), ",later" (not in the plan hash while it is zero), ",symmetric" (a number d stands for the range [-d, d]) or ",path"
// (relative to the file); `doc:"..."`, its help; `default:"..."`, what the zero
// value stands for. Zero values are useful or rejected by Check.
package stages

import (
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
)

// Stage is a declared operation.
type Stage interface {
	// Name is the stage's name in pipeline files, in errors and in the
	// address of its random numbers.
	Name() string
	// Version is raised whenever the same options and draw give other bytes;
	// it is part of the plan hash.
	Version() int
	// Check reports all impossible options at once, joined; nil if there are none.
	Check() error
}

// The types of random numbers have names here, so that a stage can be written in
// another module.
type (
	// Rand is the random numbers of one draw of one stage: Float64() in [0, 1),
	// Uniform(low, high) in [low, high), IntN(n) in 0..n-1, Uint64().
	Rand = rng.Stream
	// RandKey is the address of a stage's random numbers.
	RandKey = rng.Key
)

// Row is all that a draw may depend on. It belongs to the engine: a stage must not
// keep it.
type Row struct {
	Key           string  // of the sample, for errors
	Height, Width int     // of the picture that enters the stage
	Labels        []int32 // per task; schema.Unknown where there is none
	Epoch         int
	Position      int64 // of the draw within its epoch
	Rand          *Rand // of this stage, epoch, position and attempt alone
	// Objects are those of the picture that enters an ObjectStage; nil for other stages.
	Objects []Object
	// Recycled is what the stage returned for an earlier row and is no longer needed, or
	// nil: memory for Recycle. No draw may depend on what is in it.
	Recycled Params
}

// Params is what a stage drew for one row: a value that marshals to a JSON object, for
// the params column. Nil means that the stage leaves this row alone; a stage that acts
// on every row and has nothing to draw returns Nothing.
//
// Params belong to their row from Draw until the row is finished, and may be used by
// several goroutines, one after the other. Then they may come back in Row.Recycled of
// a later draw of the same stage: Recycle writes into them, instead of allocating
// memory for every row.
type Params any

// Nothing is the Params of a stage that acts without drawing, such as resize.
// It marshals to {}, and the params column leaves such stages out.
type Nothing struct{}

// Recycle returns v as Params, a *T, in the memory of row.Recycled if that is a *T.
func Recycle[T any](row *Row, v T) *T {
	p, ok := row.Recycled.(*T)
	if !ok {
		p = new(T)
	}
	*p = v
	return p
}

// PictureStage is what Warper, Pixelwise, Mapper and Composite share.
type PictureStage interface {
	Stage
	// Draw takes its random numbers from row.Rand, always in the same order.
	// An error says what does not fit ("224x224 exceeds 200x180"); the engine adds
	// the stage and the key.
	Draw(row *Row) (Params, error)
	// Output is the static type of the stage's pictures, given that of its input;
	// an error says what the stage needs ("needs float32: add to_tensor
	// before it"). A height or width of 0 varies from row to row.
	Output(in schema.Tensor) (schema.Tensor, error)
}

// Decoder turns encoded bytes into a uint8 HWC RGB picture.
type Decoder interface {
	Stage
	// MaxPixels is the size, in pixels, beyond which a picture is refused from
	// its header alone.
	MaxPixels() int64
	// RepairsTruncated reports whether truncated or damaged JPEG files give pictures.
	RepairsTruncated() bool
	// Gray reports whether pictures become grey, with one channel.
	Gray() bool
}

// Warper moves pixels about: rotate, crop, flip, resize.
type Warper interface {
	PictureStage
	// Warp is the transform for a picture of height x width. Neighbouring warps
	// may be composed into one; the reference executor applies each by itself.
	Warp(params Params, height, width int) Transform
}

// Pixelwise changes each pixel by itself: to_tensor, normalize.
type Pixelwise interface {
	PictureStage
	// PixelFunc is what the stage does to each pixel of a row with these params.
	PixelFunc(params Params) PixelFunc
}

// PixelFunc is what a Pixelwise stage does to a pixel. Values of a uint8 picture are
// 0..255; the executor rounds half up and clamps where the output is uint8.
type PixelFunc struct {
	Map func(rgb [3]float32) [3]float32
	// Separate means that each channel of the output depends only on the same channel
	// of the input, so that an executor may tabulate Map.
	Separate bool
	// Row does the same as Map and rounding, in place, to pixels of a uint8 picture
	// that stays uint8, three values each; nil where nothing is faster than Map.
	Row func(rgb []uint8)
}

// Mapper makes a new picture, of the same size, from a whole picture: color_jitter,
// whose contrast needs the mean.
type Mapper interface {
	PictureStage
	// Map returns a new picture of the type that Output says. It doesn't change in, and
	// keeps no reference to it.
	Map(params Params, in *schema.Picture) *schema.Picture
}

// Editor is a Mapper that can work in place: no executor then needs a picture for what it
// makes.
type Editor interface {
	Mapper
	// Edit changes pic to what Map would make of it.
	Edit(params Params, pic *schema.Picture)
	// EditBytes is the memory that Edit takes for a picture of height x width, if it is
	// more than a few kilobytes.
	EditBytes(params Params, height, width int) int64
}

// PixelwiseMapper is a Mapper that is pixel-wise for some of its params.
type PixelwiseMapper interface {
	Mapper
	// MapPixels is what Map does to each pixel, if ok. An executor may use it in place
	// of Map, and merge it with its neighbours as those of a Pixelwise stage.
	MapPixels(params Params) (f PixelFunc, ok bool)
}

// Composite acts on a row as other stages do, one after the other: which, it draws.
// rand_augment.
type Composite interface {
	PictureStage
	// Steps are the stages that act, with their params. None of them is a Composite, or an
	// ObjectStage.
	Steps(params Params) []Step
}

// Step is a stage that acts as part of a Composite.
type Step struct {
	Stage  PictureStage // a Warper, Pixelwise or Mapper
	Params Params
}

// Order says which sample each draw of an epoch uses. Each draw is computed by itself;
// implementations are safe for concurrent use.
type Order interface {
	// Len is the number of draws per epoch.
	Len() int64
	// At is the sample, by its number in the index, that is drawn at a position
	// 0..Len()-1.
	At(epoch int, position int64) int
}

// Selection is an Order that is the same in every epoch: a list of samples.
type Selection []int

// Len is the number of samples selected.
func (s Selection) Len() int64 { return int64(len(s)) }

// At ignores the epoch.
func (s Selection) At(_ int, position int64) int { return s[position] }

// Sampler acts on the index: filter, take, shuffle, rebalance.
type Sampler interface {
	Stage
	// Sample returns the order that this stage makes of the selected samples. The plan
	// makes sure that no sampler follows one whose order differs from epoch to epoch,
	// so its input is always a Selection.
	Sample(in Selection, index schema.Index, key RandKey) (Order, error)
}

// Weigher gives each row a weight that depends on its labels: class_weights.
type Weigher interface {
	Stage
	// Weigh computes the weights from the labels of an index; the result maps a row's
	// labels (one per task) to a factor of its weight.
	Weigh(index schema.Index) (func(labels []int32) float32, error)
}

// Batcher groups the rows of consecutive positions into batches: batch.
type Batcher interface {
	Stage
	// Rows is the number of rows in a batch. The last one of an epoch is short, or
	// with dropLast left out.
	Rows() (size int, dropLast bool)
}

// VaryingBatcher is a Batcher that may take pictures of different sizes.
type VaryingBatcher interface {
	Batcher
	VaryingSizes() Sizes
}

// MixStage is what Mixer and Composer share.
type MixStage interface {
	Stage
	// PerRow reports whether each row has a draw of its own; else those of a batch share one.
	PerRow() bool
	// DrawMix draws how pictures of a size are mixed; nil leaves them alone.
	DrawMix(height, width int, rand *Rand) Params
}

// Mixer mixes the rows of a batch, each with another of them, its partner: mixup, cutmix. The
// engine chooses the partners: each row is the partner of one, none of its own, and each other
// row is as likely. A row that a Mixer has mixed is left alone by those after it.
type Mixer interface {
	MixStage
	// Mix changes own, a row of a batch, and not its partner, which is of the same type. In a grey batch
	// both have one channel.
	Mix(params Params, own, partner *schema.Picture)
	// Share is how much of a mixed picture is its own, from 0 to 1: the share of its classes.
	Share(params Params) float64
}

// DonorMixer is a Mixer whose partners aren't rows of the batch but samples that are drawn for
// them, donors: cmo. They go through the stages before it by draws of their own.
type DonorMixer interface {
	Mixer
	// Donors returns the order by which the row of each draw gets its donor, of the samples
	// that filter and take leave. It has as many draws an epoch as the pipeline has.
	Donors(in Selection, index schema.Index, draws int64, key RandKey) (Order, error)
}

// Composer makes each row's picture of itself and of donors, with their objects and masks. It is a
// Tiler or a Paster. Donors are as those of a DonorMixer.
type Composer interface {
	MixStage
	// DonorCount is how many donors a row needs.
	DonorCount() int
	// DonorOrder is the order in which they are drawn, those of a row one after the other; draws is
	// their number in an epoch.
	DonorOrder(in Selection, index schema.Index, draws int64, key RandKey) (Order, error)
}

// Tiler is a Composer whose pictures are rectangles of others: mosaic.
type Tiler interface {
	Composer
	// Tiles are the parts: first the picture's own, then its donors'.
	Tiles(params Params, height, width int) []Tile
}

// Paster is a Composer with one donor, whose objects it pastes into the picture, where they lie in
// the donor: copy_paste.
type Paster interface {
	Composer
	// Chooser prepares for the samples that filter and take leave. The result lists which of the
	// objects of a donor are pasted, in ascending order.
	Chooser(in Selection, index schema.Index) (func(params Params, objects []Object) []int, error)
	// Blend is the weights of a symmetric kernel that blends edges in both directions: that of the
	// pixel itself, and of those at each distance. Their sum, all but the first twice, is 1 << 15.
	// Nil: edges are sharp.
	Blend() []int16
	// DonorStage is what donors go through in addition, behind the last stage that may move pixels:
	// a Warper that keeps the size. Nil: nothing.
	DonorStage() PictureStage
}

// Tile is a part of a picture, and the pixel of another one of the same size that its top left
// pixel shows; the others show what is beside it.
type Tile struct {
	Part image.Rectangle
	From image.Point
}

// LabelMixer is a Mixer whose labels are mixed in other shares than the pictures: remix.
type LabelMixer interface {
	Mixer
	// LabelShares prepares for the labels of an index. The result is the share of a row's own
	// class in a task, given its class, its partner's, and the share of its picture.
	LabelShares(index schema.Index) func(task int, own, partner int32, share float64) float64
}

// Expander turns a batch into the variants in which it is delivered, each a record
// of its own shape: multiscale.
type Expander interface {
	Stage
	// Variants are all the shapes in which batches of the given type can be delivered.
	Variants(in schema.Tensor) ([]schema.Variant, error)
	// Pick lists the variants of one batch, by number, in the order of delivery.
	Pick(epoch int, batch int64, rand *Rand) []int
	// Apply fills dst, one row of the variant, from src, the same row of the batch.
	Apply(variant int, dst, src *schema.Picture)
}

// The rest are capabilities: what a stage may implement in addition to its kind. The
// engine asks for these interfaces and knows no stage by name, so stages of other
// modules can do the same, as values or as pointers.

// Balancer is a Sampler that changes the proportions in which classes are drawn:
// rebalance. With on_error: refill, the substitute for a row that fails has the same
// classes in the balanced tasks.
type Balancer interface {
	Sampler
	// BalancedTasks are the names of the tasks; none stands for the only one.
	BalancedTasks() []string
}

// Divider is a Balancer that tells among which groups it divides the draws, where these
// are not the classes of its tasks: rebalance of objects or of several labels.
type Divider interface {
	Balancer
	// Divide groups the samples that reach the stage.
	Divide(in Selection, index schema.Index) (*Groups, error)
}

// EpochPlanner is a stage that may depend on the number of epochs of a run: rebalance with a
// schedule. Where it does, the number is part of the plan hash.
type EpochPlanner interface {
	Stage
	// NeedsEpochs reports whether it does.
	NeedsEpochs() bool
	// WithEpochs is the stage in a run of so many epochs.
	WithEpochs(epochs int) Stage
}

// Groups are samples that are drawn alike.
type Groups struct {
	Of    func(sample int) int // the group of a sample that reaches the stage
	Count int
	// Draws is how often each sample of a group is drawn in an epoch, on average.
	Draws func(epoch int) []float64
}

// TaskWeigher is a Weigher by the classes of one task: class_weights. Two of them
// for the same task are a mistake.
type TaskWeigher interface {
	Weigher
	// WeightedTask is the task's name; "" stands for the only one.
	WeightedTask() string
}

// StatsConsumer is a stage whose options may ask for the mean and standard deviation
// of the data set: normalize.
type StatsConsumer interface {
	Stage
	// NeedsStats reports whether they do.
	NeedsStats() bool
	// WithStats is the stage with these figures in its options, per channel and of
	// values in 0..1. NeedsStats is then false.
	WithStats(mean, std [3]float64) Stage
}

// Resizer is a Warper that changes the resolution: resize, random_resized_crop.
type Resizer interface {
	Warper
	// ResizeFilter names the filter: "bilinear", "bilinear without antialiasing". A plan
	// warns of an evaluation whose filters are not the training's.
	ResizeFilter() string
}

// Object is what a stage is told of an object of the picture that enters it. Coordinates are
// continuous: the origin is the top left corner of the top left pixel.
type Object struct {
	Box   [4]float64 // x1 y1 x2 y2 of what is visible
	Label int32
	Crowd bool
	Area  float64 // of the visible part, in pixels
}

// ObjectStage is a PictureStage whose draw depends on the objects in the picture, or that
// drops some of them: random_iou_crop, sanitize_boxes. Row.Objects are those that are
// visible at all and that no stage before it has dropped.
type ObjectStage interface {
	PictureStage
	// KeepObject reports whether an object of the picture that entered the stage stays, given
	// what was drawn.
	KeepObject(params Params, o *Object) bool
}

// Relabeler is a PictureStage after which a row may be of another class: flip.
type Relabeler interface {
	PictureStage
	// NeedsTasks reports whether its options name classes.
	NeedsTasks() bool
	// ForTasks is the stage for the tasks of the data; every name that they don't have is in
	// the error.
	ForTasks(tasks []schema.Task) (Stage, error)
	// Relabel is the class of a row in one of the tasks, after what was drawn, where it has
	// changed. labels are those with which the row enters the stage.
	Relabel(params Params, labels []int32) (task int, label int32, changed bool)
}

// Warner is a stage that warns of what is legal but probably not intended.
type Warner interface {
	Stage
	// Warn returns warnings about the samples that reach the stage, a sentence each.
	Warn(in Selection, index schema.Index) []string
}

// Shrinker is a warp that knows how small it makes pictures.
type Shrinker interface {
	Warper
	// Smallest is the height and width that no picture exceeds which it scales down most.
	Smallest() (height, width int)
}

// Windower is a warp that takes a window of a picture, and fails where that is larger.
type Windower interface {
	Warper
	// Window is its height and width in pixels; 0 where it is a share of the picture.
	Window() (height, width int)
}

// errorf prefixes an option error with its option's name.
func errorf(option, format string, args ...any) error {
	return fmt.Errorf("%s: %s", option, fmt.Sprintf(format, args...))
}
