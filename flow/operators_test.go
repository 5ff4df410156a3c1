package flow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reugn/go-streams/extension"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
)

// collected is a sink that keeps what came.
type collected struct {
	sink
	rows []string
}

func (c *collected) Write(ctx context.Context, b *schema.Batch) error {
	for row := range b.Rows() {
		c.rows = append(c.rows, fmt.Sprint(b.Epoch, b.Number, b.Tensor, string(pixelsOf(b, row))))
	}
	return c.sink.Write(ctx, b)
}

// The graph in single operators gives what it gives in one piece, by the plan's draws and
// by samples.
func TestOperatorsOneByOne(t *testing.T) {
	dir := pictures(t)
	whole, single := &collected{}, &collected{}
	s, plan := startOf(t, recipe(dir))
	s.Source().Via(gsflow.NewPassThrough()).To(s.Sink(whole))
	if _, err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	s, _ = startOf(t, recipe(dir))
	s.Draws().Via(s.Read()).Via(s.Transform()).Via(s.Batch()).Via(s.Scales()).To(s.Sink(single))
	report, err := s.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.rows) == 0 || !slices.Equal(whole.rows, single.rows) {
		t.Errorf("in one piece %d rows, one by one %d", len(whole.rows), len(single.rows))
	}
	var names []string
	for _, o := range report.Operators {
		names = append(names, o.Name)
	}
	if have := strings.Join(names, " "); !strings.HasPrefix(have, "read transform batch ") || !strings.HasSuffix(have, " sink") {
		t.Errorf("operators %s", have)
	}
	if info := plan.Info(); report.Rows != info.RowsPerEpoch*int64(info.Epochs) || report.State.Epoch != info.Epochs {
		t.Errorf("%d rows, state %+v", report.Rows, report.State)
	}
}

// An operator that nobody wired, or not to its end, leaves nothing once the stream ends.
func TestUnwiredOperators(t *testing.T) {
	dir := pictures(t)
	stop := errors.New("enough")
	for name, wire := range map[string]func(s *flow.Stream){
		"nothing":   func(*flow.Stream) {},
		"draws":     func(s *flow.Stream) { s.Draws() },
		"read":      func(s *flow.Stream) { s.Draws().Via(s.Read()) },
		"transform": func(s *flow.Stream) { s.Draws().Via(s.Read()).Via(s.Transform()) },
		"batch":     func(s *flow.Stream) { s.Draws().Via(s.Read()).Via(s.Transform()).Via(s.Batch()) },
		"scales":    func(s *flow.Stream) { s.Draws().Via(s.Read()).Via(s.Transform()).Via(s.Batch()).Via(s.Scales()) },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := startOf(t, recipe(dir))
			wire(s)
			time.Sleep(30 * time.Millisecond) // for what is wired to get going
			s.Cancel(stop)
			if _, err := s.Wait(); !errors.Is(err, stop) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// An element of another kind ends the stream with an error that says where it came.
func TestOperatorsSayWhatTheyTake(t *testing.T) {
	dir := pictures(t)
	for want, wire := range map[string]func(s *flow.Stream, in chan any){
		"operator read": func(s *flow.Stream, in chan any) { extension.NewChanSource(in).Via(s.Flow()).To(s.Sink(&sink{})) },
		"operator transform": func(s *flow.Stream, in chan any) {
			extension.NewChanSource(in).Via(s.Transform()).Via(s.Batch()).To(s.Sink(&sink{}))
		},
		"operator batch":  func(s *flow.Stream, in chan any) { extension.NewChanSource(in).Via(s.Batch()).To(s.Sink(&sink{})) },
		"operator scales": func(s *flow.Stream, in chan any) { extension.NewChanSource(in).Via(s.Scales()).To(s.Sink(&sink{})) },
		"operator deliver": func(s *flow.Stream, in chan any) {
			extension.NewChanSource(in).Via(gsflow.NewPassThrough()).To(s.Sink(&sink{}))
		},
	} {
		t.Run(want, func(t *testing.T) {
			s, _ := startOf(t, recipe(dir))
			in := make(chan any, 1)
			in <- 7
			close(in)
			wire(s, in)
			if _, err := s.Wait(); err == nil || !strings.Contains(err.Error(), want+" takes") {
				t.Errorf("error %v", err)
			}
		})
	}
}
