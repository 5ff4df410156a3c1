package flow

import "github.com/sluicedata/sluice/schema"

// Sample is a sample that a foreign source gives. Key names it, in errors and in
// the quarantine. Without Data, Key is that of a sample in the plan's index, from
// which everything else comes.
type Sample struct {
	Key     string
	Data    []byte          // the encoded image; not changed, and kept until its row is made, by a Repeater until the stream ends
	Labels  []int32         // class numbers, per task; nil: unknown
	Weight  float32         // 0: 1
	Targets *schema.Targets // nil: none; not changed
	Values  []any           // of the columns that the plan's source adds (schema.Run.Columns); nil: none
}
