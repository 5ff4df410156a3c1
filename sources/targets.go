package sources

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/schema"
)

// sampleTargets are the targets of a source's samples.
type sampleTargets struct {
	spec    *schema.TargetSpec
	objects [][]schema.Object // per sample; nil: none
	masks   *maskFiles        // nil: none
	frame   schema.Frame      // of both
}

func newSampleTargets() *sampleTargets { return &sampleTargets{spec: &schema.TargetSpec{}} }

// setFrame takes the frame of objects, or of masks.
func (t *sampleTargets) setFrame(f Frame) error {
	if f == "" {
		return nil
	}
	if t.frame != schema.BySize && t.frame != f.of() {
		return errorf("masks: annotations: is %s, and that of objects another: both belong to one picture", f)
	}
	t.frame = f.of()
	return nil
}

// maskFiles are the masks of a source's samples.
type maskFiles struct {
	numbers *[256]uint8
	name    func(sample int) string     // of its mask, for messages and digests
	sizes   []int64                     // missing where there is none
	times   func(sample int) blob.Times // of its file; nil: it is in the image's
	read    func(ctx context.Context, sample int, size int64) ([]byte, error)
}

// setTargets makes t the targets of the dataset's samples; nil is none.
func (d *opened) setTargets(t *sampleTargets) {
	if t == nil {
		return
	}
	d.targets = t
	switch x := d.index.(type) {
	case *schema.Table:
		x.Targets = t.table(x)
	case *indexfile.File:
		d.index = &knownTargets{x, t.table(x)}
	}
}

// knownTargets is an index that was kept, with targets.
type knownTargets struct {
	*indexfile.File
	targets *schema.TargetTable
}

// TargetSpec is that of the samples.
func (x *knownTargets) TargetSpec() *schema.TargetSpec { return x.targets.Spec }

// ObjectLabels are none: an index with objects isn't kept.
func (x *knownTargets) ObjectLabels(int) []int32 { return nil }

// TargetDigest is the digest of a sample's mask.
func (x *knownTargets) TargetDigest(sample int) [16]byte { return x.targets.Digests[sample] }

// table is what the index knows of the targets.
func (t *sampleTargets) table(x schema.Index) *schema.TargetTable {
	out := &schema.TargetTable{Spec: t.spec, Digests: make([][16]byte, x.Len())}
	if t.objects != nil {
		out.First = append(make([]int64, 0, x.Len()+1), 0)
		crowds := 0
		for _, list := range t.objects {
			for i := range list {
				out.Labels = append(out.Labels, list[i].Label)
				if list[i].Crowd {
					crowds++
				}
			}
			out.First = append(out.First, int64(len(out.Labels)))
		}
		t.spec.CrowdsAlone = crowds > 0 && crowds == len(out.Labels)
	}
	var buf []byte
	for sample := range out.Digests {
		buf = t.appendDigest(buf[:0], sample)
		out.Digests[sample] = fingerprint.Of(buf)
	}
	return out
}

// appendDigest appends all that a sample's targets are.
func (t *sampleTargets) appendDigest(buf []byte, sample int) []byte {
	le := binary.LittleEndian
	if t.frame != schema.BySize {
		buf = append(buf, 'f', byte(t.frame))
	}
	if t.objects != nil {
		list := t.objects[sample]
		buf = le.AppendUint64(append(buf, 'o'), uint64(len(list)))
		for i := range list {
			o := &list[i]
			for _, v := range o.Box {
				buf = le.AppendUint32(buf, math.Float32bits(v))
			}
			buf = le.AppendUint64(le.AppendUint32(buf, uint32(o.Label)), uint64(o.ID))
			buf = le.AppendUint32(buf, math.Float32bits(o.Area))
			if o.Crowd {
				buf = append(buf, 1)
			}
			buf = appendFloats(append(buf, 0), o.Keypoints)
			for _, part := range o.Polygon {
				buf = appendFloats(append(buf, 'p'), part)
			}
		}
	}
	if m := t.masks; m != nil {
		name := m.name(sample)
		buf = le.AppendUint64(append(buf, 'm'), uint64(len(name)))
		buf = le.AppendUint64(append(buf, name...), uint64(m.sizes[sample]))
		if m.numbers != nil {
			buf = append(buf, m.numbers[:]...)
		}
	}
	return buf
}

// appendFloats appends a list and its length.
func appendFloats(buf []byte, list []float32) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(list)))
	for _, v := range list {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
	}
	return buf
}

// Targets are those that were listed, and the bytes of the mask.
func (d *opened) Targets(ctx context.Context, sample int, t *schema.Targets) error {
	if d.targets == nil {
		return nil
	}
	t.Frame = d.targets.frame
	if d.targets.objects != nil {
		t.Objects = append(t.Objects, d.targets.objects[sample]...)
	}
	m := d.targets.masks
	if m == nil {
		return nil
	}
	if m.sizes[sample] == missing {
		return d.errorf(sample, "%w: there is no mask %q: add it, or remove the image", ErrTargets, m.name(sample))
	}
	data, err := m.read(ctx, sample, m.sizes[sample])
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, blob.ErrChanged):
		return d.errorf(sample, "the mask %q %w: start again", m.name(sample), err)
	case err != nil:
		return d.errorf(sample, "cannot read the mask %q: %w%s", m.name(sample), cause(err), advice(err))
	}
	t.Mask, t.MaskName, t.MaskMap = data, m.name(sample), m.numbers
	return nil
}

// TargetBytes counts objects and the mask's file.
func (d *opened) TargetBytes(sample int) int64 { return d.targets.bytes(sample) }

func (t *sampleTargets) bytes(sample int) (n int64) {
	if t == nil {
		return 0
	}
	if t.objects != nil {
		for i := range t.objects[sample] {
			n += t.objects[sample][i].Bytes()
		}
	}
	if m := t.masks; m != nil {
		n += max(0, m.sizes[sample])
	}
	return n
}

// spec adds a mask to a spec.
func (m MaskNumbers) spec(s *schema.TargetSpec) error {
	list, err := m.Classes.read()
	if err != nil {
		return fmt.Errorf("masks: %w", err)
	}
	if len(list.names) > int(schema.MaskIgnore) {
		return fmt.Errorf("masks: %d classes: a mask has at most %d", len(list.names), schema.MaskIgnore)
	}
	s.Mask, s.MaskClasses = true, list.names
	return nil
}
