package flow

import (
	"math/rand/v2"
	"testing"
)

// enumerated is what a deal makes, batch after batch, by the words of its contract:
// rounds of consecutive batches, one for each rank.
func enumerated(d *deal) (list []job) {
	for epoch := d.start.epoch; epoch < d.epochs; epoch++ {
		from := d.from(epoch)
		var round []int64
		var rounds [][]int64
		for n := from; n < d.batches; n++ {
			if round = append(round, n); int64(len(round)) == d.world {
				rounds, round = append(rounds, round), nil
			}
		}
		if len(round) > 0 && d.padded {
			for n := d.batches; int64(len(round)) < d.world; n++ {
				round = append(round, n)
			}
			rounds = append(rounds, round)
		}
		for i, round := range rounds {
			n := round[d.rank]
			j := job{epoch: epoch, number: n, pick: n % d.batches, next: cursor{epoch, from + int64(i+1)*d.world}}
			j.first = j.pick * d.size
			j.rows = int(min(d.size, d.rows-j.first))
			if i == len(rounds)-1 {
				j.next = cursor{epoch + 1, 0}
			}
			list = append(list, j)
		}
	}
	return list
}

func TestDealByNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	for range 20_000 {
		d := &deal{epochs: 1 + r.IntN(3), batches: 1 + r.Int64N(9), size: 1 + r.Int64N(4), world: 1 + r.Int64N(5), padded: r.IntN(2) == 0}
		d.rows = d.batches*d.size - r.Int64N(d.size)
		d.rank = r.Int64N(d.world)
		if d.check() != nil {
			continue // fewer batches than ranks
		}
		if d.start.epoch = r.IntN(d.epochs + 1); d.start.epoch < d.epochs {
			d.start.batch = r.Int64N(d.batches)
		}
		want := enumerated(d)
		if d.count() != int64(len(want)) {
			t.Fatalf("%+v: %d batches, want %d", d, d.count(), len(want))
		}
		rows := int64(0)
		for n, w := range want {
			have := d.job(int64(n))
			if have.epoch != w.epoch || have.number != w.number || have.first != w.first || have.rows != w.rows || have.pick != w.pick || have.next != w.next {
				t.Fatalf("%+v: batch %d is %+v, want %+v", d, n, have, w)
			}
			if !d.makes(have.epoch, have.number) || d.after(have.epoch, have.number) != have.next {
				t.Fatalf("%+v: batch %d of epoch %d: makes %v, after %v", d, have.number, have.epoch, d.makes(have.epoch, have.number), d.after(have.epoch, have.number))
			}
			rows += int64(have.rows)
		}
		if d.totalRows() != rows {
			t.Fatalf("%+v: %d draws, want %d", d, d.totalRows(), rows)
		}
	}
}
