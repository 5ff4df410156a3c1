package sinks

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicedata/sluice/schema"
)

// classNames adds the names of classes to records: for each task a column class.<task>
// of texts with a dictionary, whose numbers are those of label.<task>. It is null where
// the class is unknown.
type classNames struct {
	schema *arrow.Schema
	labels []string // columns
	types  []*arrow.DictionaryType
	names  []arrow.Array // dictionaries
}

func newClassNames(s *arrow.Schema, tasks []schema.Task) (*classNames, error) {
	c := &classNames{}
	fields, md := s.Fields(), s.Metadata()
	for _, t := range tasks {
		if s.HasField(columnClass + t.Name) {
			return nil, fmt.Errorf("class_names: the source has a column %s%s itself: leave class_names out", columnClass, t.Name)
		}
		b := array.NewStringBuilder(ipcMemory)
		b.AppendValues(t.Classes, nil)
		c.names = append(c.names, b.NewArray())
		b.Release()
		c.labels = append(c.labels, schema.ColumnLabel+t.Name)
		c.types = append(c.types, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String})
		fields = append(fields, arrow.Field{Name: columnClass + t.Name, Type: c.types[len(c.types)-1], Nullable: true})
	}
	c.schema = arrow.NewSchema(fields, &md)
	return c, nil
}

// record is a batch's record with the names, to be released.
func (c *classNames) record(b *schema.Batch) arrow.Record {
	columns := append([]arrow.Array{}, b.Record.Columns()...)
	for t, label := range c.labels {
		named := array.NewDictionaryArray(c.types[t], b.Column(label), c.names[t])
		defer named.Release()
		columns = append(columns, named)
	}
	return array.NewRecord(c.schema, columns, b.Record.NumRows())
}
