package stages

// Batch groups the rows of Size consecutive positions into one Arrow record. Batches
// don't cross epochs: the last of an epoch is short, or with DropLast left out, as in
// torch's DataLoader. Size is per rank.
type Batch struct {
	Size     int  `sluice:"size,positive" doc:"rows in a batch, per rank"`
	DropLast bool `sluice:"drop_last" doc:"leave out the last batch of an epoch if it is short"`
}

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
	return nil
}

const maxRows = 1 << 24

// Rows is the number of rows in a batch, and whether a short one is left out.
func (b Batch) Rows() (size int, dropLast bool) { return b.Size, b.DropLast }
