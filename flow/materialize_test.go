package flow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// counted is a format of another module: it is told where to write, and counts.
type counted struct {
	sinks.Discard
	to sinks.Destination
}

func (*counted) Name() string { return "counted" }
func (*counted) Check() error { return nil }

func (c *counted) Into(to sinks.Destination) error {
	if to.Update {
		return errors.New("counted: it cannot be updated")
	}
	c.to = to
	return nil
}

func TestMaterializeShardInAnotherFormat(t *testing.T) {
	pipe := flow.New(sources.Folder{Path: pictures(t)}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 4})
	format, to := &counted{}, sinks.Destination{Dir: "anywhere", Shard: 1, Shards: 3}
	report, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, Format: format, To: to})
	if err != nil {
		t.Fatal(err)
	}
	if format.to != to || format.Rows == 0 || format.Rows != report.Rows {
		t.Errorf("to %+v, %d rows of %d", format.to, format.Rows, report.Rows)
	}
	to.Update = true
	if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, Format: format, To: to}); err == nil || !strings.Contains(err.Error(), "cannot be updated") {
		t.Errorf("an update: %v", err)
	}
	if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe}); err == nil || !strings.Contains(err.Error(), "no directory") {
		t.Errorf("without a destination: %v", err)
	}
}
