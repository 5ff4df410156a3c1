package pipefile

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
)

// Help describes everything that a pipeline file may hold.
func Help(c Catalogs) string {
	var b strings.Builder
	b.WriteString("PIPELINE\n\n")
	describe(&b, "", "the top of a pipeline file", settings{})
	describe(&b, "on_error", "what to do about rows that fail", onError{})
	describe(&b, "objects", "which boxes, polygons and keypoints stay", flow.Objects{})
	describe(&b, "split", "divide the source into training and validation samples", sources.Split{})
	b.WriteString("SOURCES\n\n")
	for _, e := range c.Sources {
		describe(&b, e.New().Name(), e.Doc, e.New())
	}
	b.WriteString("STAGES\n\n")
	for _, e := range c.Stages {
		describe(&b, e.New().Name(), e.Doc, e.New())
	}
	b.WriteString("SINKS\n\n")
	for _, e := range c.Sinks {
		describe(&b, e.New().Name(), e.Doc, e.New())
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// HelpOn describes one stage, source or sink.
func HelpOn(name string, c Catalogs) (string, error) {
	var b strings.Builder
	if i := slices.Index(stageNames(c), name); i >= 0 {
		describe(&b, name, c.Stages[i].Doc, c.Stages[i].New())
	}
	source, sink := slices.Index(sourceNames(c), name), slices.Index(sinkNames(c), name)
	from, to := name, name
	if source >= 0 && sink >= 0 { // what can be read can often be written
		from, to = name+", as a source", name+", as a sink"
	}
	if source >= 0 {
		describe(&b, from, c.Sources[source].Doc, c.Sources[source].New())
	}
	if sink >= 0 {
		describe(&b, to, c.Sinks[sink].Doc, c.Sinks[sink].New())
	}
	if b.Len() > 0 {
		return b.String(), nil
	}
	all := slices.Concat(stageNames(c), sourceNames(c), sinkNames(c))
	return "", fmt.Errorf("pipefile: no stage, source or sink %q%s (there are: %s)",
		name, meantComponent(name, all, slices.Concat(foreignStages, foreignSources, foreignSinks)), strings.Join(all, ", "))
}

// partsDoc is about the sources of a composite.
const partsDoc = "a source, such as {folder: {path: data/web}}, under a name of your choice; as many as there are"

// describe writes a name, its doc line, and a line for each option.
func describe(b *strings.Builder, name, doc string, of any) {
	if name != "" {
		doc = name + ": " + doc
	}
	fmt.Fprintf(b, "%s\n", doc)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	if s, ok := of.(sources.Source); ok && isComposite(s) {
		fmt.Fprintf(w, "    NAME\tmap\t%s\n", partsDoc)
	}
	describeOptions(w, "    ", of)
	w.Flush() // into a strings.Builder, which never fails
	b.WriteString("\n")
}

// describeOptions writes a line for each option, and below it those that it has in turn.
func describeOptions(w io.Writer, margin string, of any) {
	for _, f := range options.Fields(of) {
		text := f.Doc
		if d, ok := f.Default(); ok && !strings.Contains(text, "default") {
			text = strings.TrimSpace(fmt.Sprintf("%s (default %s)", text, flowValue(d)))
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\n", margin, f.Name, f.Kind(), text)
		if within := f.Within(); within != nil {
			describeOptions(w, margin+"  ", within)
		}
	}
}
