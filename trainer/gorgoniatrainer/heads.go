package gorgoniatrainer

// heads are the Linear layers of all tasks as one: weight [outputs, inputs] and
// bias [outputs], the tasks' rows one after the other. Logits lie task by
// task, rows x classes each. The weights are read once per pass, in chunks of
// columns that stay in cache with those of the features.
type heads struct {
	team     team
	classes  []int // per task
	outputs  int
	inputs   int // a multiple of 16
	partial  slab[float32]
	scratch  []headScratch // per worker
	gradient slab[float32] // [rows, outputs] and [outputs, rows]
}

type headScratch struct{ weight, x slab[float32] }

const (
	headChunk = 512            // columns worked on at a time
	headPitch = headChunk + 16 // of a packed chunk: not a power of two, which would clash in cache
	headJob   = 8 * headChunk  // columns per job, and per partial sum
)

func newHeads(t team, classes []int, inputs int) *heads {
	h := &heads{team: t, classes: classes, inputs: inputs, scratch: make([]headScratch, t.workers)}
	for _, n := range classes {
		h.outputs += n
	}
	return h
}

// pack copies columns from..from+n of some rows into a chunk, and adds rows of
// zeros up to a multiple of four.
func pack(s *slab[float32], src []float32, rows, stride, from, n int) []float32 {
	dst := s.take(roundUp(rows, 4) * headPitch)
	for row := range rows {
		copy(dst[row*headPitch:][:n], src[row*stride+from:])
	}
	clear(dst[rows*headPitch:])
	return dst
}

// forward is logits = x weight^T + bias, x [rows, inputs].
func (h *heads) forward(logits, x, weight, bias []float32, rows int) {
	jobs, size := (h.inputs+headJob-1)/headJob, rows*h.outputs
	partial := h.partial.take(jobs * size)
	h.team.run(jobs, func(worker, job int) {
		sums := partial[job*size : (job+1)*size]
		clear(sums)
		for from := job * headJob; from < min((job+1)*headJob, h.inputs); from += headChunk {
			n := min(headChunk, h.inputs-from)
			h.dots(sums, x, pack(&h.scratch[worker].weight, weight, h.outputs, h.inputs, from, n), rows, from, n)
		}
	})
	at := 0
	for first, task := 0, 0; task < len(h.classes); task++ {
		for row := range rows {
			for k := first; k < first+h.classes[task]; k++ {
				sum := bias[k]
				for job := range jobs {
					sum += partial[job*size+row*h.outputs+k]
				}
				logits[at] = sum
				at++
			}
		}
		first += h.classes[task]
	}
}

// dots adds the products of one chunk to sums [rows, outputs].
func (h *heads) dots(sums, x, chunk []float32, rows, from, n int) {
	for row := range rows {
		v, dst := x[row*h.inputs+from:][:n], sums[row*h.outputs:][:h.outputs]
		for k := 0; k < h.outputs; k += 4 {
			var four [4]float32
			dot4(&four, v, chunk[k*headPitch:], headPitch)
			for i := range dst[k:min(k+4, h.outputs)] {
				dst[k+i] += four[i]
			}
		}
	}
}

// backward turns the gradient of the logits into those of x, weight and bias;
// the latter two are added to what they hold if add is set.
func (h *heads) backward(dx, dweight, dbias, dlogits, x, weight []float32, rows int, add bool) {
	both := h.gradient.take(2 * rows * h.outputs)
	flat, transposed := both[:rows*h.outputs], both[rows*h.outputs:]
	h.rearrange(flat, transposed, dlogits, rows)
	for k := range h.outputs {
		sum := float32(0)
		for _, g := range transposed[k*rows : (k+1)*rows] {
			sum += g
		}
		if add {
			sum += dbias[k]
		}
		dbias[k] = sum
	}
	h.team.run((h.inputs+headChunk-1)/headChunk, func(worker, job int) {
		from := job * headChunk
		n := min(headChunk, h.inputs-from)
		s := &h.scratch[worker]
		w := pack(&s.weight, weight, h.outputs, h.inputs, from, n)
		gemm(dx[from:], h.inputs, flat, h.outputs, w, headPitch, rows, h.outputs, n, false)
		v := pack(&s.x, x, rows, h.inputs, from, n)
		gemm(dweight[from:], h.inputs, transposed, rows, v, headPitch, h.outputs, rows, n, add)
	})
}

// rearrange lays gradients that are ordered as logits out as [rows, outputs] and
// [outputs, rows].
func (h *heads) rearrange(flat, transposed, dlogits []float32, rows int) {
	at, first := 0, 0
	for _, classes := range h.classes {
		for row := range rows {
			for k := first; k < first+classes; k++ {
				flat[row*h.outputs+k], transposed[k*rows+row] = dlogits[at], dlogits[at]
				at++
			}
		}
		first += classes
	}
}
