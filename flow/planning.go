package flow

import (
	"fmt"

	"github.com/sluicedata/sluice/schema"
)

// planner makes a plan: nothing else writes to one.
type planner struct {
	*Plan
	batcher  int  // the batch stage; -1: none
	dropLast bool // an epoch's last batch, where it is short
	selected schema.Index

	scheduled bool // draws depend on the number of epochs
}

func (p *planner) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}
