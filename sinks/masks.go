package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sluicedata/sluice/schema"
)

// Masks writes pictures as files, and beside each its mask of class numbers:
//
//	images/1.jpg
//	masks/1.png       one channel of 8 bits, a class number each; 255: unknown
//	classes.json      names of the numbers, where they are known
//
// A mask that no stage decoded keeps its file, byte for byte, unless it was turned or its
// numbers became others; a sample without one has none.
//
// Beside them are the plan, the manifest and the parts, as COCO has them.
type Masks struct {
	Pictures
	Parts

	form  schema.Form // of the run
	names *rowNames
}

var (
	_ Skipper        = (*Masks)(nil)
	_ ReadTracker    = (*Masks)(nil)
	_ SourceVerifier = (*Masks)(nil)
	_ Updater        = (*Masks)(nil)
	_ Lister         = (*Masks)(nil)
	_ summarizer     = (*Masks)(nil)
	_ Warner         = (*Masks)(nil)
)

const (
	masksFolder = "masks"
	classesName = "classes.json"
)

// Name is masks.
func (*Masks) Name() string { return "masks" }

// Check reports every impossible option at once.
func (m *Masks) Check() error { return m.check() }

// Open locks the directory and verifies what is in it.
func (m *Masks) Open(ctx context.Context, run *schema.Run) error {
	err := m.Check()
	if err == nil {
		err = holdsPictures(run)
	}
	if err == nil && !run.Targets.HasMask() {
		err = errors.New("the samples have no masks: use a source that has them, or choose the format " + fitting(run.Targets))
	}
	if err != nil {
		return fmt.Errorf("sinks: masks: %w", err)
	}
	m.form, m.names = run.Form, pictureNames(run)
	return m.Start(ctx, run, m, m.parts(run))
}

// Warnings are about targets that aren't written.
func (*Masks) Warnings(run *schema.Run) []string {
	if !run.Targets.Objects() || !run.Targets.HasMask() { // Open says so
		return nil
	}
	return []string{"masks: the samples have boxes, which this format doesn't write: choose arrow, coco or yolo to keep them"}
}

// Ext is .jsonl.
func (*Masks) Ext() string { return ".jsonl" }

// Options are those that decide the bytes.
func (m *Masks) Options() any { return m.images().recorded(m.form) }

// Recognizes a directory whose plan.json is of this format.
func (*Masks) Recognizes(path string) bool { return RecognizesParts(path, "masks") }

// Verify is VerifyParts.
func (m *Masks) Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error) {
	return VerifyParts(ctx, m, dir, tell)
}

// Begin starts a part's list.
func (m *Masks) Begin(p *Part) (Encoder, error) {
	return newPictureWriter(p, &m.Pictures, m.names, false, func(l *labelled) error {
		data, ext, err := maskFile(l.batch, l.row)
		if data != nil && err == nil {
			l.add(masksFolder+"/"+l.name+"."+ext, data)
		}
		return err
	})
}

// Members reads a part's list.
func (*Masks) Members(file string) ([]Member, error) { return pictureMembers(file) }

// Count reads the labels of a part's list.
func (*Masks) Count(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	return countPictures(ctx, file, l, add)
}

// writesTargets is about masks.
func (*Masks) writesTargets() (objects, crowds, masks bool) { return false, false, true }

// summaryName is classes.json, where the names of the numbers are known.
func (*Masks) summaryName(l *Layout) string {
	if l.Targets == nil || len(l.Targets.MaskClasses) == 0 {
		return ""
	}
	return classesName
}

// summarize writes the names of the numbers.
func (*Masks) summarize(w io.Writer, l *Layout, _ []string) error {
	_, err := fmt.Fprintf(w, "%s\n", marshal(l.Targets.MaskClasses))
	return err
}
