package schema

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Derive begins the same batch with other pictures of the same type: only these need to
// be filled, the other columns are those of base, which is retained until then. It is for
// operators of one's own that change whole batches; they release base themselves. A nil
// mem is Arrow's default.
func Derive(base *Batch, mem memory.Allocator) *Draft {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	b := &Builder{
		run:     &Run{Form: base.Form, Variants: make([]Variant, base.Variant+1)},
		mem:     mem,
		images:  mem,
		schemas: make([]*arrow.Schema, base.Variant+1),
	}
	b.run.Variants[base.Variant].Tensor = base.Tensor
	b.schemas[base.Variant] = base.Record.Schema()
	return b.Derive(base, base.Variant)
}
