package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/ledgerpage"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/inspect"
)

type ledgerCmd struct {
	runFlags
	More    []string `arg:"" optional:"" help:"More reports or states: of the other ranks of the run, to be added up."`
	Out     string   `short:"o" default:"ledger.html" help:"HTML file to write; - is stdout."`
	Classes int      `default:"40" help:"Classes shown of each task; if there are more, the commonest and the rarest."`
}

// Help is what ledger takes.
func (ledgerCmd) Help() string {
	return "A pipeline file: what its run will show of each class, planned and not run. A data set that materialize wrote: what its rows show. " +
		"A JSON report of a run (--json) or of inspect, or a state: what that run showed. Several reports or states, one of each rank: what the run showed in all."
}

// ledgerReport is what ledger --json prints.
type ledgerReport struct {
	File     string `json:"file"`
	PlanHash string `json:"plan_hash"`
	Of       string `json:"of"` // a sentence
	flow.Exposures
}

func (cmd *ledgerCmd) Run(ctx context.Context, c console) error {
	if err := errors.Join(named("<file>", "a pipeline file, a data set or a report", cmd.File), named("--out", "a file", cmd.Out), atLeastOne("classes", &cmd.Classes)); err != nil {
		return usageError{err}
	}
	if err := checkPage("ledger", ledgerFile, cmd.Out, cmd.JSON); err != nil {
		return err
	}
	ledger, err := cmd.read(ctx, c)
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := (ledgerpage.Page{Title: cmd.called(cmd.File), Classes: cmd.Classes}).Write(&html, ledger); err != nil {
		return err
	}
	if cmd.Out == "-" {
		_, err := c.out.Write(html.Bytes())
		return err
	}
	if err := ledgerFile.Write(cmd.Out, html.Bytes()); err != nil {
		return fmt.Errorf("ledger: cannot write %s: %w", cmd.Out, err)
	}
	text := fmt.Sprintf("%s: %s Open it in a browser\n", cmd.Out, ledger.About)
	if cmd.JSON {
		return c.report(ledgerReport{cmd.Out, ledger.PlanHash, ledger.About, ledger.Exposures}, text)
	}
	_, err = fmt.Fprint(c.err, text)
	return err
}

// read finds out what the argument is.
func (cmd *ledgerCmd) read(ctx context.Context, c console) (*ledgerpage.Ledger, error) {
	info, err := os.Stat(cmd.File)
	if len(cmd.More) > 0 {
		return cmd.merged()
	}
	if err == nil && info.IsDir() {
		return cmd.ofDataset(ctx)
	}
	if err == nil && info.Mode().IsRegular() {
		if ledger, err := ofReport(cmd.File); ledger != nil || err != nil {
			return ledger, err
		}
	}
	return cmd.planned(ctx, c)
}

// ofReport is the ledger in a report or a state; nil: it is neither.
func ofReport(file string) (*ledgerpage.Ledger, error) {
	if data, isReport := reportIn(file); isReport {
		return ledgerOf(file, data)
	}
	return nil, nil
}

// ledgerOf is the ledger in a report or a state.
func ledgerOf(file string, data []byte) (*ledgerpage.Ledger, error) {
	ledger, err := ledgerpage.Read(data)
	if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", file, err)
	}
	if ledger.About == "" {
		ledger.About = "What a run showed."
	}
	return ledger, nil
}

// merged adds up the ledgers of several ranks.
func (cmd *ledgerCmd) merged() (*ledgerpage.Ledger, error) {
	names := append([]string{cmd.File}, cmd.More...)
	var list []*ledgerpage.Ledger
	contents := map[[sha256.Size]byte]string{} // whose
	for _, name := range names {
		data, isReport := reportIn(name)
		if !isReport {
			return nil, fmt.Errorf("ledger: %s is no report and no state: of several files each is one of a rank (--json, --state)", name)
		}
		sum := sha256.Sum256(data)
		if first, ok := contents[sum]; ok {
			return nil, fmt.Errorf("ledger: %s and %s are the same report, which would be counted twice: give one of each rank", first, name)
		}
		contents[sum] = name
		ledger, err := ledgerOf(name, data)
		if err != nil {
			return nil, err
		}
		list = append(list, ledger)
	}
	ledger, err := ledgerpage.Merge(names, list)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return ledger, nil
}

// mostReport is the size of the largest report that is read, in bytes.
const mostReport = 256 << 20

// reportIn reads a file, if it is a JSON object. YAML maps in braces aren't, or have no ledger.
func reportIn(name string) (data []byte, ok bool) {
	f, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	first := make([]byte, 64)
	n, _ := io.ReadFull(f, first)
	if !bytes.HasPrefix(bytes.TrimSpace(first[:n]), []byte("{")) {
		return nil, false
	}
	rest, err := io.ReadAll(io.LimitReader(f, mostReport))
	if err != nil {
		return nil, false
	}
	data = slices.Concat(first[:n], rest)
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil, false
	}
	_, pipeline := members["stages"]
	return data, !pipeline
}

// planned is the ledger of a run that isn't made.
func (cmd *ledgerCmd) planned(ctx context.Context, c console) (_ *ledgerpage.Ledger, err error) {
	pipe, err := cmd.load()
	if err != nil {
		return nil, err
	}
	line := newProgressLine(c.err, "ledger")
	plan, err := pipe.Plan(ctx, flow.OnProgress(line.update))
	line.done()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	c.warn(plan.Warnings())
	exposures, epochs, err := flow.Foresee(ctx, plan)
	if err != nil {
		return nil, err
	}
	about := fmt.Sprintf("Planned, and not run: %s of %s.", phrase.Count(int64(epochs), "epoch"), phrase.Count(plan.Info().RowsPerEpoch, "draw"))
	if epochs < plan.Info().Epochs {
		about = fmt.Sprintf("Planned, and not run: the first %s of %s, of %s each.", phrase.Count(int64(epochs), "epoch"), phrase.Count(int64(plan.Info().Epochs), "epoch"), phrase.Count(plan.Info().RowsPerEpoch, "draw"))
	}
	return &ledgerpage.Ledger{PlanHash: plan.Info().PlanHash, About: about, Exposures: *exposures}, nil
}

// ofDataset is the ledger of the rows of a data set.
func (cmd *ledgerCmd) ofDataset(ctx context.Context) (*ledgerpage.Ledger, error) {
	reader, ok := formatOf(cmd.File).(sinks.Reader)
	if !ok {
		return nil, fmt.Errorf("ledger: %s is of the format %s, which sluice writes and doesn't read: give the report of the run, materialize --json", cmd.File, formatOf(cmd.File).Name())
	}
	inspector := inspect.Inspector{Name: cmd.File}
	if err := reader.ReadBatches(ctx, cmd.File, inspector.Add); err != nil {
		return nil, err
	}
	report, err := inspector.Report()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(report)
	if err != nil {
		return nil, err
	}
	ledger, err := ledgerpage.Read(data)
	if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", cmd.File, err)
	}
	ledger.About = fmt.Sprintf("A data set of %s.", phrase.Count(report.Rows, "row"))
	return ledger, nil
}

// ledgerFile is what ledger writes: it is known by the head of the page.
var ledgerFile = pageFile("ledger", "a ledger's page")
