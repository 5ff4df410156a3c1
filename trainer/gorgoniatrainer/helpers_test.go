package gorgoniatrainer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mixed is golden.py's formula: n numbers of -0.5..0.5.
func mixed(n, salt int) []float32 {
	out := make([]float32, n)
	for i := range out {
		h := uint32(i)*2654435761 + uint32(salt)*2246822519
		h = (h ^ h>>15) * 2246822519
		h = (h ^ h>>13) * 3266489917
		h ^= h >> 16
		out[i] = float32(h>>8)/(1<<24) - 0.5
	}
	return out
}

func filled(n, salt int, scale float32) []float32 {
	out := mixed(n, salt)
	for i := range out {
		out[i] *= scale
	}
	return out
}

func goldenLabels(rows, classes, salt int) []int32 {
	u, mask, out := mixed(rows, salt), mixed(rows, salt+1), make([]int32, rows)
	for i := range out {
		out[i] = int32((float64(u[i]) + 0.5) * float64(classes))
		if float64(mask[i])+0.5 < 0.2 {
			out[i] = schema.Unknown
		}
	}
	return out
}

// setWeights gives a trainer golden.py's initial weights.
func setWeights(t *Trainer) {
	for i, w := range t.model.weights {
		scale := float32(0.04)
		if strings.HasPrefix(w.Name, "conv") {
			scale = 0.4
		}
		copy(w.Data, filled(len(w.Data), 1000+i, scale))
	}
}

func classNames(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("class ", i)
	}
	return out
}

// testConfig has two tasks, shape with 10 and type with 5 classes.
func testConfig(name string, poolTo int) trainer.Config {
	var model trainer.Model = SmallCNN{}
	if name == "recipe" {
		model = Recipe{PoolTo: poolTo}
	}
	return trainer.Config{
		Model: model,
		Tasks: []trainer.TaskConfig{{Task: "shape", Classes: classNames(10)}, {Task: "type", Classes: classNames(5)}},
		Seed:  42,
	}
}

func newTrainer(t testing.TB, cfg trainer.Config) *Trainer {
	t.Helper()
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// rows is what a test's batch holds.
type rows struct {
	height, width int
	images        []float32
	labels        [2][]int32
	weights       []float32
	lists         [][]int32 // of type, as a task of several labels; nil: unknown
	several       bool      // type is one
}

// goldenRows are the rows of golden.py's step.
func goldenRows(n, step int, size [2]int) *rows {
	r := &rows{height: size[0], width: size[1], images: filled(n*3*size[0]*size[1], 10+step, 2), weights: make([]float32, n)}
	for i, classes := range []int{10, 5} {
		r.labels[i] = goldenLabels(n, classes, 100+10*step+2*i)
	}
	for i := range r.weights {
		r.weights[i] = 1
	}
	has, known := mixed(n*5, 100+10*step+2+50), mixed(n, 100+10*step+2+1)
	for i := range n {
		var list []int32
		if known[i] >= -0.3 {
			list = []int32{}
			for c, v := range has[5*i : 5*i+5] {
				if v > 0.2 {
					list = append(list, int32(c))
				}
			}
		}
		r.lists = append(r.lists, list)
	}
	return r
}

// batch makes a record, with an allocator that fails the test for what isn't
// given back. The tasks' columns are in another order than the trainer's.
func (r *rows) batch(t testing.TB) *schema.Batch {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	run := &schema.Run{
		Tasks:    []schema.Task{{Name: "type", Classes: classNames(5)}, {Name: "other", Classes: classNames(2)}, {Name: "shape", Classes: classNames(10)}},
		Form:     schema.FormTensor,
		Variants: []schema.Variant{{Scale: 1, Tensor: schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: r.height, Width: r.width}}},
	}
	if r.several {
		run.Tasks[0].Name = "unused"
		run.Targets = &schema.TargetSpec{Multi: []schema.Task{{Name: "type", Classes: classNames(5)}}}
		run.Columns = []schema.Column{{Name: "label.type", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}}
	}
	b, err := schema.NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Draft(1, 7, len(r.weights))
	n := 3 * r.height * r.width
	for i, w := range r.weights {
		m := schema.Meta{Key: fmt.Sprintf("key-%d.png", i), Labels: []int32{r.labels[1][i], 0, r.labels[0][i]}, Weight: w}
		if r.several {
			if m.Values = []any{nil}; r.lists[i] != nil {
				m.Values[0] = r.lists[i]
			}
		}
		d.SetMeta(i, m)
		copy(d.Slot(i).F32, r.images[i*n:(i+1)*n])
	}
	batch, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(batch.Release)
	return batch
}

// bothKernels runs a test with the assembly, where the processor has it, and with
// plain Go.
func bothKernels(t *testing.T, test func(t *testing.T)) {
	for _, assembly := range []bool{true, false} {
		t.Run(fmt.Sprintf("assembly=%t", assembly), func(t *testing.T) {
			useKernels(t, assembly)
			test(t)
		})
	}
}

// useKernels runs a test with the assembly or with plain Go.
func useKernels(t testing.TB, assembly bool) {
	t.Helper()
	if assembly && !haveAssembly() {
		t.Skip("this processor has no AVX2")
	}
	before := useAssembly
	useAssembly = assembly
	t.Cleanup(func() { useAssembly = before })
}
