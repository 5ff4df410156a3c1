package sinks

// Entry is a sink that a command may name.
type Entry struct {
	Name string
	New  func() Sink
	Doc  string // one line
}

// Catalog lists the sinks, in the order in which help shows them. Adding a sink
// is one file and one line here.
var Catalog = []Entry{
	{"arrow", func() Sink { return &ArrowParts{} }, "Arrow IPC files in a directory, with a manifest; resumable"},
	{"arrow_stream", func() Sink { return &IPCStream{} }, "an Arrow IPC stream of one shape"},
	{"discard", func() Sink { return &Discard{} }, "nothing: counts rows, for measuring"},
}
