package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/outfile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/parquetsource"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer/gorgoniatrainer"
	"github.com/sluicedata/sluice/trainer/softmax"
)

// catalogs are the components that pipeline and trainer files may name.
var catalogs = pipefile.Catalogs{
	Stages: stages.Catalog, Sources: slices.Concat(sources.Catalog, parquetsource.Catalog), Sinks: sinks.Catalog,
	Models: slices.Concat(gorgoniatrainer.Catalog, softmax.Catalog),
}

// runFlags are shared by every command that runs a pipeline. A flag overrides
// the pipeline file.
type runFlags struct {
	File string `arg:"" help:"Pipeline file (YAML); - reads it from stdin, paths are then relative to the working directory."`
	editFlags
	Workers *int    `placeholder:"N" help:"Goroutines that decode and transform; default: one per core. Never changes the bytes."`
	Readers *int    `placeholder:"N" help:"Goroutines that read files ahead; default: as many as workers, but at least 4. Never changes the bytes."`
	Budget  size    `placeholder:"SIZE" help:"Memory for files and batches in flight, such as 256MiB; default: 1GiB. Never changes the bytes."`
	Seed    *uint64 `placeholder:"N" help:"Seed of all random numbers; default: the file's."`
	Epochs  *int    `placeholder:"N" help:"Passes over the data; default: the file's."`
	Exec    string  `placeholder:"NAME" help:"Executor: fused (the default), or reference, which is slow, runs stage after stage, and is what fused is tested against."`
	Fuse    string  `placeholder:"HOW" help:"Which stages may be fused: full or exact; default: the file's."`
	Params  bool    `help:"Add the column params: the augmentation drawn for each row, as JSON."`
	OnError string  `placeholder:"POLICY" help:"What to do about a row that cannot be made: fail, skip or refill; default: the file's."`
	MaxBad  string  `placeholder:"N|P%" help:"With skip and refill: how many draws may fail, as a number or a share; default: the file's, else 1%."`
	BadTo   string  `placeholder:"FILE" name:"quarantine" help:"With skip and refill: list what failed in this file, as JSON lines; default: the file's."`
	JSON    bool    `name:"json" help:"Print one JSON report instead of text."`
}

// editFlags change a pipeline file, wherever one is read.
type editFlags struct {
	Set     []string `sep:"none" placeholder:"PATH=VALUE" help:"Change the file: stages.rotate.degrees=10, split.val=0.2, source.folder.path=data; VALUE is YAML. May be repeated."`
	Without []string `placeholder:"STAGE,..." help:"Leave stages of the file out, by name."`
	Use     string   `placeholder:"SIDE" help:"Side of the file's split: train or val. Short for --set split.use=SIDE."`

	StdinName   string `hidden:"" help:"Name of what stdin holds, in messages; default: stdin."`
	StdinFolder string `hidden:"" help:"Folder of relative paths in it; default: the working directory."`

	text []byte // of a file that is read from stdin, or comes from Python
}

// called is the name of a pipeline file in messages.
func (f *editFlags) called(file string) string {
	if file == "-" {
		return cmp.Or(f.StdinName, "stdin")
	}
	return file
}

// load reads the pipeline file and applies the flags.
func (f *runFlags) load() (*flow.Pipeline, error) {
	file, err := f.loadFile()
	if err != nil {
		return nil, err
	}
	return file.Pipeline, nil
}

// loadStages is load without a source, which need not be there.
func (f *runFlags) loadStages() (*flow.Pipeline, error) {
	file, err := f.loadWith(func(edits []pipefile.Edit) (*pipefile.File, error) {
		var pipe *flow.Pipeline
		var err error
		if f.File == "-" {
			pipe, err = pipefile.ParseStages(f.called(f.File), f.text, catalogs, edits...)
		} else {
			pipe, err = pipefile.LoadStages(f.File, catalogs, edits...)
		}
		return &pipefile.File{Pipeline: pipe}, unreadable(err, "the pipeline file", f.File)
	})
	if err != nil {
		return nil, err
	}
	return file.Pipeline, nil
}

// loadFile is load of all that the file says.
func (f *runFlags) loadFile() (*pipefile.File, error) {
	return f.loadWith(func(edits []pipefile.Edit) (*pipefile.File, error) { return f.readFile(f.File, edits...) })
}

func (f *runFlags) loadWith(read func([]pipefile.Edit) (*pipefile.File, error)) (*pipefile.File, error) {
	if err := errors.Join(named("<file>", "a pipeline file", f.File), f.choices(), atLeastOne("workers", f.Workers), atLeastOne("readers", f.Readers), atLeastOne("epochs", f.Epochs)); err != nil {
		return nil, usageError{err}
	}
	edits, err := f.edits()
	if err != nil {
		return nil, usageError{err}
	}
	file, err := read(edits)
	if err != nil {
		return nil, err
	}
	if err := f.apply(&file.Pipeline.Settings); err != nil {
		return nil, usageError{err}
	}
	return file, nil
}

// edits are what --set, --without and --use change in the file, in this order.
func (f *editFlags) edits() (list []pipefile.Edit, err error) {
	for _, text := range f.Set {
		e, err := pipefile.ParseEdit("--set", text)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	for _, stage := range f.Without {
		list = append(list, pipefile.Edit{Flag: "--without " + stage, Path: stage, Remove: true})
	}
	if f.Use != "" {
		list = append(list, pipefile.Edit{Flag: "--use " + f.Use, Path: "split.use", Value: f.Use})
	}
	return list, nil
}

// read reads the pipeline of a file, with edits; stdin is read once.
func (f *editFlags) read(file string, edits ...pipefile.Edit) (*flow.Pipeline, error) {
	read, err := f.readFile(file, edits...)
	if err != nil {
		return nil, err
	}
	return read.Pipeline, nil
}

func (f *editFlags) readFile(file string, edits ...pipefile.Edit) (*pipefile.File, error) {
	if file != "-" {
		read, err := pipefile.LoadFile(file, catalogs, edits...)
		return read, unreadable(err, "the pipeline file", file)
	}
	if f.text == nil {
		var err error
		if f.text, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20)); err != nil {
			return nil, fmt.Errorf("cannot read the pipeline from stdin: %w", err)
		}
	}
	return pipefile.ParseFile(f.called(file), f.text, f.StdinFolder, catalogs, edits...)
}

// named refuses an empty name of what a flag or an argument is to be, and a URL.
func named(flag, what, name string) error {
	if name == "" {
		return pipefile.Error{File: flag, Msg: "is empty: name " + what}
	}
	if options.IsURL(name) {
		return pipefile.Error{File: flag, Msg: fmt.Sprintf("%q is a URL: name %s on this machine", name, what)}
	}
	return nil
}

// atLeastOne refuses a number that flow would take for its default.
func atLeastOne(flag string, n *int) error {
	if n != nil && *n < 1 {
		return pipefile.Error{File: fmt.Sprintf("--%s %d", flag, *n), Msg: "at least 1"}
	}
	return nil
}

// pageFile is the HTML page that a command writes, which is known by its head.
func pageFile(command, name string) outfile.Kind {
	return outfile.Kind{Name: name, Is: func(data []byte) bool {
		head := data[:min(len(data), 1000)]
		return bytes.HasPrefix(head, []byte("<!doctype html>")) && bytes.Contains(head, []byte("<title>sluice "+command+": "))
	}}
}

// checkPage says why a command can't write its page to out, "-" for stdout, where a report in
// JSON goes, too.
func checkPage(command string, file outfile.Kind, out string, asJSON bool) error {
	if out != "-" {
		if _, err := file.At(out); err != nil {
			return fmt.Errorf("%s: --out: %w", command, err)
		}
		return nil
	}
	if asJSON {
		return usageError{errors.New("--json: the report and the page of -o - cannot both go to stdout: name a file, or leave --json out")}
	}
	return nil
}

// choices refuses names that the pipeline would refuse without saying that a flag has them.
func (f *runFlags) choices() error {
	one := func(flag, have string, names ...string) error {
		if have == "" || slices.Contains(names, have) {
			return nil
		}
		last := len(names) - 1
		return pipefile.Error{File: "--" + flag + " " + have, Msg: "want " + strings.Join(names[:last], ", ") + " or " + names[last]}
	}
	return errors.Join(one("on-error", f.OnError, flow.Policy("").Values()...),
		one("exec", f.Exec, string(flow.Fused), string(flow.Reference)), one("fuse", f.Fuse, string(flow.FuseFull), string(flow.FuseExact)))
}

func (f *runFlags) apply(s *flow.Settings) error {
	s.Budget = int64(f.Budget)
	if f.Readers != nil {
		s.Readers = *f.Readers
	}
	if f.OnError != "" {
		s.Failures.Policy = flow.Policy(f.OnError)
		if s.Failures.Policy == flow.Fail {
			s.Failures = flow.Failures{Policy: flow.Fail} // the file's max and quarantine have no say
		}
	}
	if f.MaxBad != "" {
		var err error
		if s.Failures.Max, err = flow.ParseLimit(f.MaxBad); err != nil {
			return pipefile.Error{File: "--max-bad " + f.MaxBad, Msg: "want a number of rows, such as 25, or a share of them, such as 1%"}
		}
	}
	if f.BadTo != "" {
		s.Failures.Quarantine = f.BadTo
	}
	if f.Workers != nil {
		s.Workers = *f.Workers
	}
	if f.Seed != nil {
		s.Seed = *f.Seed
	}
	if f.Epochs != nil {
		s.Epochs = *f.Epochs
	}
	if f.Exec != "" {
		s.Exec = flow.Executor(f.Exec)
	}
	if f.Fuse != "" {
		s.Fuse = flow.Fuse(f.Fuse)
	}
	s.Params = s.Params || f.Params
	return nil
}

// size is a number of bytes: 256MiB, 2GiB, 500MB or a plain number.
type size int64

// UnmarshalText reads the flag.
func (s *size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "KMGTiB")
	unit, known := map[string]float64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}[string(text[len(number):])]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || n*unit < 1 || n*unit > 1<<60 {
		return fmt.Errorf("%q: want a size such as 256MiB or 2GiB", text)
	}
	*s = size(n * unit)
	return nil
}

// limitMemory has Go collect its garbage before it grows far beyond the budget:
// to be called when the plan is there, whose index stays as it is. GOMEMLIMIT,
// if set, has the say.
func limitMemory(p *flow.Plan) {
	const other = 48 << 20 // stacks, tables, batches being written
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetMemoryLimit(int64(m.HeapAlloc) + p.Settings().Budget + other)
}

// report prints a command's report as JSON. What started this program as its child gets the
// text as one more member: the JSON alone doesn't say it in words.
func (c console) report(report any, text string) error {
	if !c.asChild {
		return printJSON(c.out, report)
	}
	members, err := json.Marshal(report)
	if err != nil {
		return err
	}
	more, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	return printJSON(c.out, json.RawMessage(slices.Concat(bytes.TrimSuffix(members, []byte("}")), []byte(","), more[1:])))
}

// printJSON writes one report, indented.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// warnings prints a run's warnings before it begins, and bounds its memory.
func (c console) warnings(line *progressLine) flow.Option {
	return flow.OnPlan(func(p *flow.Plan) { c.begin(line, p) })
}

// warningsOf is warnings of a run that is written in a format, which may have some of its own.
func (c console) warningsOf(line *progressLine, format sinks.Format) flow.Option {
	return flow.OnPlan(func(p *flow.Plan) {
		c.begin(line, p)
		if w, ok := format.(sinks.Warner); ok {
			c.warn(w.Warnings(p.Info()))
		}
	})
}

// begin prints a plan's warnings, and bounds the memory of what comes.
func (c console) begin(line *progressLine, p *flow.Plan) {
	line.clear()
	c.warn(p.Warnings())
	limitMemory(p)
}

func (c console) warn(list []string) {
	for _, text := range list {
		fmt.Fprintf(c.err, "warning: %s\n", text)
	}
}

// failures tells of rows that failed in a run that went on, or whose damaged files
// were filled. lists says what lists them all, "" if nothing does.
func (c console) failures(r *flow.Report, lists string) {
	if r.Filled > 0 {
		of := "are of files that are truncated or damaged, the first of "
		if r.Filled == 1 {
			of = "is of a file that is truncated or damaged, "
		}
		c.warn([]string{fmt.Sprintf("%d of %d rows %s%s: what is missing is filled", r.Filled, r.Rows, of, r.FirstFilled)})
	}
	if m := r.Memory; m.RowBytes > max(m.BudgetBytes, 64<<20) {
		c.warn([]string{fmt.Sprintf("the largest row took %d MiB, and the budget is %d MiB: such rows were made alone, one after the other; a larger budget makes several at a time, decode: {max_pixels: N} refuses such pictures",
			m.RowBytes>>20, m.BudgetBytes>>20)})
	}
	c.objects(r)
	c.warn(r.Remarks())
	if r.Failed+r.Refilled > 0 {
		fmt.Fprintf(c.err, "%d of %d draws failed: %d refilled by another sample of the class, %d left out\n",
			r.Failed+r.Refilled, r.Drawn, r.Refilled, r.Failed)
		fmt.Fprint(c.err, failedSamples(r, lists))
	}
}

// lists says what lists the samples that fail.
func lists(f flow.Failures) string {
	if f.Quarantine == "" {
		return "--quarantine FILE lists all"
	}
	return f.Quarantine + " lists all"
}

// failedSamples are the first samples that failed, a line each.
func failedSamples(r *flow.Report, lists string) string {
	var b strings.Builder
	for _, s := range r.FirstFailed {
		cause := s.Cause
		if s.Stage != "source" || !strings.HasPrefix(cause, "sources: ") { // a source names itself
			cause = s.Stage + ": " + cause
		}
		fmt.Fprintf(&b, "  %s: %s", s.Key, withoutPackages(cause))
		if s.Times > 1 {
			fmt.Fprintf(&b, " (%d times)", s.Times)
		}
		b.WriteString("\n")
	}
	if more := r.FailedSamples - len(r.FirstFailed); more > 0 {
		fmt.Fprintf(&b, "  and %s", phrase.Count(more, "more sample"))
		if lists != "" {
			b.WriteString(": " + lists)
		}
		b.WriteString("\n")
	} else if lists != "" && len(r.FirstFailed) > 0 {
		fmt.Fprintf(&b, "  %s\n", lists)
	}
	return b.String()
}

// turns tells of annotations of pictures that their files have turned.
func (c console) turns(r *flow.Report) {
	if r.Turned > 0 {
		c.warn([]string{fmt.Sprintf("the annotations of %s are of the picture as the file stores it, and it is shown turned, by what their sizes say: they were turned, too; annotations: stored, an option of the source, says so for all", phrase.Count(r.Turned, "row"))})
	}
	if r.Untold > 0 {
		remedy := "say annotations: stored, an option of the source, or annotations: displayed"
		if r.Turned > 0 {
			remedy = "those of other rows are of the picture as stored, and these are wrong if they are, too: say annotations: stored, an option of the source"
		}
		c.warn([]string{fmt.Sprintf("no size tells whether the annotations of %s, such as %s, are of the picture as the file stores it, which is shown turned (EXIF): they were taken as of the picture as it is shown; %s",
			phrase.Count(r.Untold, "row"), r.FirstUntold, remedy)})
	}
}

// objects tells what became of the objects of each class.
func (c console) objects(r *flow.Report) {
	c.turns(r)
	lost := func(x flow.ObjectExposure) float64 { return 1 - float64(x.Delivered)/float64(max(x.Seen, 1)) }
	var names []string
	for name, x := range r.Objects {
		if x.Seen > 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(lost(r.Objects[b]), lost(r.Objects[a])), cmp.Compare(a, b))
	})
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	pasted := slices.ContainsFunc(names, func(name string) bool { return r.Objects[name].Pasted > 0 })
	column := func(text string) string { // that of what was pasted, where there is any
		if !pasted {
			return ""
		}
		return text + "\t"
	}
	fmt.Fprintf(w, "objects\tseen\tdelivered\t%sclipped\tdropped\t\t\n", column("pasted"))
	for i, name := range names {
		if i == phrase.Most { // those that lost the largest share are shown
			fmt.Fprintf(w, "(%d more)\t\t\t%s\t\t\t\n", len(names)-i, column(""))
			break
		}
		x := r.Objects[name]
		var why []string
		for _, reason := range slices.Sorted(maps.Keys(x.Dropped)) {
			why = append(why, fmt.Sprintf("%d %s", x.Dropped[reason], reason))
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s%d\t%.0f %%\t%s\t\n", name, x.Seen, x.Delivered, column(fmt.Sprint(x.Pasted)), x.Clipped, 100*lost(x), strings.Join(why, ", "))
	}
	w.Flush() // into a strings.Builder, which never fails
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(c.err, strings.TrimRight(line, " \n"))
	}
}
