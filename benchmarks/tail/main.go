// Command tail is the Go side of benchmarks/tail: it plans the draws of the stage rebalance,
// draws, and prints what tail.py puts into its table, as JSON.
//
//	tail -kind balanced -samples 1000000 -classes 100000 [-mixed]
//	tail -kind factors -samples 1000000 -classes 100000 [-mixed]
//	tail -kind objects -samples 100170 -classes 1203 -objects FILE
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// mostDrawn is the number of draws that are made.
const mostDrawn = 10_000_000

// epochs are those of which classes' draws are counted together.
const epochs = 20

func main() {
	log.SetFlags(0)
	kind := flag.String("kind", "balanced", "balanced, factors or objects")
	samples := flag.Int("samples", 1_000_000, "number of samples")
	classes := flag.Int("classes", 100_000, "number of classes")
	mixed := flag.Bool("mixed", false, "samples of a class don't follow each other")
	objects := flag.String("objects", "", "file of the objects of each image: int32 numbers of objects, then all their classes")
	flag.Parse()
	var x index
	r := stages.Rebalance{Target: stages.RepeatFactor(0.001, 0.5)}
	switch *kind {
	case "balanced":
		x = newLabels(*samples, *classes, *mixed)
		r = stages.Rebalance{Target: stages.ClassBalanced, Draws: min(int64(*samples), mostDrawn)}
	case "factors":
		tail := newLabels(*samples, *classes, *mixed)
		tail.factors = true
		x = tail
		r.Target = stages.RepeatFactor(2/float64(*classes), 0.5)
	case "objects":
		x = readObjects(*objects, *samples, *classes)
		r.Task = stages.TaskNames{"boxes"}
	default:
		log.Fatalf("-kind %s: balanced, factors or objects", *kind)
	}
	if err := r.Check(); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(measure(r, x)); err != nil {
		log.Fatal(err)
	}
}

// index is one whose samples' classes can be asked for.
type index interface {
	schema.Index
	expected(draws int64) []float64 // draws of the samples with each class in an epoch
	classes(sample int, do func(class int32))
}

type figures struct {
	First      float64 `json:"first"`       // seconds of the processor until the first draw
	PerMillion float64 `json:"per_million"` // the same of a million further ones
	Draws      int64   `json:"draws"`       // per epoch
	Memory     float64 `json:"memory"`      // MB, kept beside the index
	Peak       float64 `json:"peak"`        // MB, while planning
	Off        float64 `json:"off"`         // draws by which classes are off what is expected, root mean square; -1: not counted
	Most       float64 `json:"most"`        // the same, at most
	Later      float64 `json:"later"`       // the same as Off, of 20 epochs together; -1: not counted
	Uses       int64   `json:"uses"`        // by how much uses of a class's samples differ; -1: not counted
}

func measure(r stages.Rebalance, x index) figures {
	runtime.GC()
	debug.FreeOSMemory()
	before, kept := status("VmRSS"), heap()
	begun := machine.UsedSeconds()
	order, err := r.SampleAll(x, rng.NewKey(1, r.Name(), "0"))
	if err != nil {
		log.Fatal(err)
	}
	sum := order.At(0, 0)
	f := figures{First: machine.UsedSeconds() - begun, Draws: order.Len(), Peak: status("VmHWM") - before}
	runtime.GC()
	f.Memory = heap() - kept
	drawn := min(order.Len(), mostDrawn)
	begun = machine.UsedSeconds()
	for position := range drawn {
		sum += order.At(0, position)
	}
	f.PerMillion = (machine.UsedSeconds() - begun) / float64(drawn) * 1e6
	fmt.Fprintln(os.Stderr, sum)
	f.Off, f.Most, f.Later, f.Uses = -1, -1, -1, -1
	if order.Len() > mostDrawn*3 {
		return f
	}
	want := x.expected(order.Len())
	have, uses := make([]float64, len(want)), make([]int32, x.Len())
	for position := range order.Len() {
		sample := order.At(0, position)
		uses[sample]++
		x.classes(sample, func(c int32) { have[c]++ })
	}
	f.Off, f.Most = 0, 0
	for c, n := range have {
		f.Off += (n - want[c]) * (n - want[c])
		f.Most = max(f.Most, math.Abs(n-want[c]))
	}
	f.Off = math.Sqrt(f.Off / float64(len(want)))
	f.Uses = 0
	if _, several := x.(*images); several {
		f.Uses, f.Later = -1, 0
		for epoch := 1; epoch < epochs; epoch++ {
			for position := range order.Len() {
				x.classes(order.At(epoch, position), func(c int32) { have[c]++ })
			}
		}
		for c, n := range have {
			f.Later += (n - epochs*want[c]) * (n - epochs*want[c])
		}
		f.Later = math.Sqrt(f.Later / float64(len(want)))
		return f
	}
	low, high := make([]int32, len(want)), make([]int32, len(want))
	for c := range low {
		low[c] = math.MaxInt32
	}
	for sample, n := range uses {
		x.classes(sample, func(c int32) { low[c], high[c] = min(low[c], n), max(high[c], n) })
	}
	for c := range low {
		f.Uses = max(f.Uses, int64(high[c]-low[c]))
	}
	return f
}

func heap() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// status is a size in /proc/self/status, in MB; 0 where there is none.
func status(name string) (mb float64) {
	text, _ := os.ReadFile("/proc/self/status")
	if at := bytes.Index(text, []byte(name+":")); at >= 0 {
		_, _ = fmt.Sscanf(string(text[at+len(name)+1:]), "%f", &mb)
	}
	return mb / 1000
}

// labels is an index of one task whose classes follow each other, as folders do, or are
// mixed. It holds the classes' numbers of samples.
type labels struct {
	schema.Index // nil: nothing else is asked for
	tasks        []schema.Task
	starts       []int // of each class, and the end
	hints        []int32
	shift        int
	mixed        []int32 // labels; nil: in a row
	factors      bool    // repeat factors are expected, not all classes alike
}

// newLabels is a long tail: the rarest class has a hundredth of the samples of the commonest.
func newLabels(samples, classes int, mixed bool) *labels {
	x := &labels{tasks: []schema.Task{{Name: "class", Classes: make([]string, classes)}}, starts: make([]int, classes+1)}
	share := func(c int) float64 { return math.Pow(0.01, float64(c)/float64(classes-1)) }
	sum := 0.0
	for c := range classes {
		x.tasks[0].Classes[c] = fmt.Sprint(c)
		sum += share(c)
	}
	for c := range classes {
		x.starts[c+1] = x.starts[c] + max(1, int(share(c)/sum*float64(samples)))
	}
	if mixed {
		for c := range classes {
			for range x.starts[c+1] - x.starts[c] {
				x.mixed = append(x.mixed, int32(c))
			}
		}
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(x.mixed), func(i, j int) { x.mixed[i], x.mixed[j] = x.mixed[j], x.mixed[i] })
		return x
	}
	for x.shift = 0; x.Len()>>x.shift > 1<<22; x.shift++ {
	}
	class := int32(0)
	for sample := 0; sample < x.Len(); sample += 1 << x.shift {
		for x.starts[class+1] <= sample {
			class++
		}
		x.hints = append(x.hints, class)
	}
	return x
}

func (x *labels) Len() int             { return x.starts[len(x.starts)-1] }
func (x *labels) Tasks() []schema.Task { return x.tasks }

func (x *labels) Label(_, sample int) int32 {
	if x.mixed != nil {
		return x.mixed[sample]
	}
	class := x.hints[sample>>x.shift]
	for x.starts[class+1] <= sample {
		class++
	}
	return class
}

func (x *labels) classes(sample int, do func(class int32)) { do(x.Label(0, sample)) }

func (x *labels) expected(draws int64) []float64 {
	classes := len(x.starts) - 1
	want, sum := make([]float64, classes), 0.0
	for c := range want {
		n := float64(x.starts[c+1] - x.starts[c])
		want[c] = 1
		if x.factors {
			want[c] = n * max(1, math.Sqrt(2/float64(classes)*float64(x.Len())/n))
		}
		sum += want[c]
	}
	for c := range want {
		want[c] *= float64(draws) / sum
	}
	return want
}

// images is an index of objects.
type images struct {
	schema.Table
	several schema.Several
}

// readObjects reads what tail.py wrote.
func readObjects(file string, samples, classes int) *images {
	data, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	number := func(i int) int32 { return int32(binary.LittleEndian.Uint32(data[4*i:])) }
	x := &images{}
	t := &schema.TargetTable{Spec: &schema.TargetSpec{Boxes: true}, First: []int64{0}}
	for c := range classes {
		t.Spec.Classes = append(t.Spec.Classes, fmt.Sprint(c))
	}
	for i := range samples {
		x.Keys = append(x.Keys, fmt.Sprint(i))
		t.First = append(t.First, t.First[i]+int64(number(i)))
	}
	for i := range t.First[samples] {
		t.Labels = append(t.Labels, number(samples+int(i)))
	}
	x.Targets = t
	x.several = schema.SeveralOf(x)[0]
	return x
}

func (x *images) classes(sample int, do func(class int32)) { x.several.Each(sample, do) }

// expected is LVIS's: each image as often as the largest factor of its classes.
func (x *images) expected(draws int64) []float64 {
	having, want := make([]float64, len(x.several.Classes)), make([]float64, len(x.several.Classes))
	for i := range x.Len() {
		x.classes(i, func(c int32) { having[c]++ })
	}
	sum := 0.0
	factor := func(i int) float64 {
		most := 1.0
		x.classes(i, func(c int32) { most = max(most, math.Sqrt(0.001*float64(x.Len())/having[c])) })
		return most
	}
	for i := range x.Len() {
		sum += factor(i)
	}
	for i := range x.Len() {
		f := factor(i) * float64(draws) / sum
		x.classes(i, func(c int32) { want[c] += f })
	}
	return want
}
