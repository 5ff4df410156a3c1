package stages

// Batch groups the rows of Size consecutive positions into one Arrow record. Batches
// don't cross epochs: the last of an epoch is short, or with DropLast left out, as in
// torch's DataLoader. Size is per rank.
//
// Pictures of a batch are of one size, unless Sizes says what else: KeepSizes leaves each as it
// is; PadSizes puts each at the top left of a black canvas as high and wide as the batch's
// largest, with its own height and width in the column valid (masks get
// schema.MaskIgnore there). Either way the image column is a struct of height, width and pixels.
type Batch struct {
	Size     int   `sluice:"size,positive" doc:"rows in a batch, per rank"`
	Sizes    Sizes `sluice:"sizes,later" doc:"of pictures that vary: keep, as they are; pad, to the batch's largest, with a column valid (default: they must not vary)"`
	DropLast bool  `sluice:"drop_last" doc:"leave out the last batch of an epoch if it is short"`
}

// Sizes is what becomes of pictures that vary in size.
type Sizes string

// What becomes of them; "": they must not vary.
const (
	KeepSizes Sizes = "keep"
	PadSizes  Sizes = "pad"
)

// Values lists the ways.
func (Sizes) Values() []string { return []string{string(KeepSizes), string(PadSizes)} }

// Name is the stage's name in pipeline files.
func (Batch) Name() string { return "batch" }

// Version of the algorithm.
func (Batch) Version() int { return 1 }

// Check reports impossible options.
func (b Batch) Check() error {
	switch {
	case b.Size == 0:
		return errorf("size", "missing: give the number of rows in a batch, such as 32")
	case b.Size < 0 || b.Size > maxRows:
		return errorf("size", "%d rows: give 1 to %d", b.Size, maxRows)
	}
	if b.Sizes == "" {
		return nil
	}
	return oneOf("sizes", b.Sizes)
}

// VaryingSizes is Sizes.
func (b Batch) VaryingSizes() Sizes { return b.Sizes }

const maxRows = 1 << 24

// Rows is the number of rows in a batch, and whether a short one is left out.
func (b Batch) Rows() (size int, dropLast bool) { return b.Size, b.DropLast }
