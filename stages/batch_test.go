package stages_test

import (
	"testing"

	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestBatch(t *testing.T) {
	stagetest.Batches(t, stages.Batch{Size: 32})
	stagetest.Batches(t, stages.Batch{Size: 1, DropLast: true})
	wrong(t, stages.Batch{}, "size: missing")
	wrong(t, stages.Batch{Size: -3}, "size: -3 rows")
}
