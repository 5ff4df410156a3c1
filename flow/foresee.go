package flow

import "context"

// Exposures are a ledger: in all, and by epochs.
type Exposures struct {
	Ledger  map[string]map[string]Exposure `json:"ledger"`
	Images  map[string]map[string]Exposure `json:"images,omitempty"`
	ByEpoch []EpochExposure                `json:"ledger_by_epoch"`
}

// mostForeseen is the number of draws that Foresee looks at, of whole epochs.
const mostForeseen = 1 << 22

// Foresee is the ledger that a run of a plan would have if no draw failed, of all ranks
// together: what is drawn follows from the index, and nothing is read. Of a long run it is that
// of the first epochs, about four million draws; epochs says how many.
func Foresee(ctx context.Context, p *Plan) (_ *Exposures, epochs int, err error) {
	l, r := newLedger(p), p.rows
	labels := make([]int32, len(r.tasks))
	draws := make([]outcome, 1)
	for epochs < p.info.Epochs && (epochs == 0 || int64(epochs+1)*p.info.RowsPerEpoch <= mostForeseen) {
		for position := range p.info.RowsPerEpoch {
			if position%4096 == 0 && ctx.Err() != nil {
				return nil, epochs, context.Cause(ctx)
			}
			row := r.locate(epochs, position, labels)
			if row.fault != nil {
				return nil, epochs, row.failed("source", row.fault)
			}
			d := outcome{planned: row.meta.Labels, given: row.sample, labels: row.meta.Labels, sample: row.sample, weight: row.meta.Weight, strengths: draws[0].strengths[:0]}
			of := row.address()
			for i := range p.steps {
				if choose := p.steps[i].choose(); choose != nil && p.steps[i].isPicture() {
					_, strength := choose(&of)
					d.strengths = append(d.strengths, strength)
				}
			}
			draws[0] = d
			l.add(epochs, draws)
		}
		epochs++
	}
	out := &Exposures{ByEpoch: l.byEpochs()}
	out.Ledger, out.Images = l.named(l.whole())
	return out, epochs, nil
}
