package sinks

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
)

// OnStep calls f before every change to the directory. An error of it fails the
// change; a panic ends the run there, as kill -9 would: see Die.
func (p *Parts) OnStep(f func(step, name string) error) { p.step = f }

// OnStep is that of Parts.
func (a *ArrowParts) OnStep(f func(step, name string) error) { a.parts.OnStep(f) }

// Die lets go of what the system takes from a killed process, and no more.
func (p *Parts) Die() {
	r := p.run
	if r == nil {
		return
	}
	if r.lock != nil {
		r.lock.release()
	}
	if r.open != nil {
		for _, f := range r.open.files {
			if f.file != nil {
				f.file.Close()
			}
		}
	}
}

// Die is that of Parts.
func (a *ArrowParts) Die() { a.parts.Die() }

// ReadPartsWith is ReadParts with an allocator.
func ReadPartsWith(path string, mem memory.Allocator, f func(*schema.Batch) error) error {
	return readParts(context.Background(), path, mem, f)
}

// NewLayout is the layout of a run.
func NewLayout(run *schema.Run, codec Codec, partRows int) (*Layout, error) {
	return newLayout(run, arrowEncoding{codec: codec.name()}, partRows)
}

// Span, PartOf and FileOf are the layout's sums.
func (l *Layout) Span(part int) (epoch int, first, n int64) { return l.span(part) }
func (l *Layout) PartOf(epoch int, batch int64) int         { return l.part(epoch, batch) }
func (l *Layout) FileOf(part, variant int) string           { return l.file(part, variant) }

// ReadLayout reads a plan.json.
func ReadLayout(ctx context.Context, path string) (*Layout, error) {
	return readLayout(ctx, path, "arrow")
}

// What names files.
var (
	LegalName    = legalName
	ClassFolders = classFolders
	TarName      = tarName
	FileExt      = fileExt
	MembersOf    = membersOf
)
