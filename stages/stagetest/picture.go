// Package stagetest checks that stages keep the contract of package stages: one
// conformance suite per kind. The test of every stage calls its suite, in one line,
// and adds what is particular to the stage.
package stagetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Sizes are heights and widths of pictures that a stage must handle, or refuse with
// an error: a single pixel, thin ones, odd ones, larger ones.
var Sizes = [][2]int{{1, 1}, {1, 7}, {7, 1}, {2, 2}, {3, 2}, {5, 5}, {31, 17}, {64, 48}, {97, 65}, {375, 500}, {501, 333}}

// applied are the largest sizes at which pictures are really made.
const applied = 64 * 64

var word = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Picture checks a Warper, a Pixelwise, a Mapper or a Composite: that a draw doesn't depend on other
// rows, that Output is right, and that the input isn't changed. The options must allow
// at least one of Sizes.
func Picture(t *testing.T, stage stages.PictureStage) {
	t.Helper()
	Options(t, stage)
	if stage.Check() != nil {
		return
	}
	switch s := stage.(type) {
	case stages.Warper:
		warper(t, s)
	case stages.Pixelwise:
		pixelwise(t, s)
	case stages.Mapper:
		mapper(t, s)
	case stages.Composite:
		composite(t, s)
	default:
		t.Errorf("%s: %T is neither a Warper nor a Pixelwise nor a Mapper nor a Composite", stage.Name(), stage)
	}
}

// Batches checks a Batcher, a Mixer, a Composer or an Expander.
func Batches(t *testing.T, stage stages.Stage) {
	t.Helper()
	Options(t, stage)
	if stage.Check() != nil {
		return
	}
	switch s := stage.(type) {
	case stages.Batcher:
		if size, _ := s.Rows(); size < 1 {
			t.Errorf("%s: batches of %d rows pass Check", s.Name(), size)
		}
	case stages.Mixer:
		mixer(t, s)
	case stages.Composer:
		composer(t, s)
	case stages.Expander:
		expander(t, s)
	default:
		t.Errorf("%s: %T is neither a Batcher nor a Mixer nor a Composer nor an Expander", stage.Name(), stage)
	}
}

// Options checks the options of a stage of any kind: stage must pass its Check, the
// zero value and the catalogue's defaults must pass or name what they lack, and a zero
// must stand for the catalogue's default.
func Options(t *testing.T, stage stages.Stage) {
	t.Helper()
	typ := reflect.TypeOf(stage)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	zero, ok := reflect.Zero(typ).Interface().(stages.Stage)
	if !ok {
		t.Fatalf("%v: a pointer is needed to call its methods: give it value receivers", typ)
	}
	if !word.MatchString(stage.Name()) || stage.Version() < 1 {
		t.Errorf("%v: name %q (want lower_case), version %d (want at least 1)", typ, stage.Name(), stage.Version())
	}
	for _, f := range options.Fields(stage) {
		if !word.MatchString(f.Name) || f.Doc == "" {
			t.Errorf("%s: option %q: want a lower_case name and a line of doc", stage.Name(), f.Name)
		}
	}
	if err := stage.Check(); err != nil {
		t.Errorf("%s: the stage under test fails its Check: %v", stage.Name(), err)
	}
	checkErrors(t, "zero value", zero)

	capabilities(t, stage)
	for _, entry := range stages.Catalog {
		if initial := entry.New(); initial.Name() == stage.Name() {
			checkErrors(t, "catalogue's default", initial)
			zeroIsDefault(t, stage, initial)
			return
		}
	}
	t.Logf("%s is not in stages.Catalog: its defaults are not compared with a file's", stage.Name())
}

// capabilities checks what a stage implements in addition to its kind, as far as
// its options go.
func capabilities(t *testing.T, stage stages.Stage) {
	t.Helper()
	if s, ok := stage.(stages.StatsConsumer); ok {
		with := s.WithStats([3]float64{0.4, 0.5, 0.6}, [3]float64{0.1, 0.2, 0.3})
		if again, ok := with.(stages.StatsConsumer); !ok || again.NeedsStats() || with.Name() != stage.Name() || with.Check() != nil {
			t.Errorf("%s: WithStats gives %#v: want a valid stage of the same name that needs no figures", stage.Name(), with)
		}
	}
	if r, ok := stage.(stages.Resizer); ok && r.ResizeFilter() == "" {
		t.Errorf("%s: ResizeFilter is empty", stage.Name())
	}
}

// checkErrors wants every error of a Check to begin with an option's name.
func checkErrors(t *testing.T, what string, stage stages.Stage) {
	t.Helper()
	err := stage.Check()
	if err == nil {
		return
	}
	for _, err := range errlist.Split(err) {
		msg := err.Error()
		name := msg[:strings.IndexAny(msg+" ", ": ")]
		if !slices.Contains(options.Names(stage), name) || strings.Contains(msg, "\n") {
			t.Errorf("%s: the %s fails with %q: want one line that begins with an option's name", stage.Name(), what, msg)
		}
	}
}

// zeroIsDefault wants an option left out in Go to mean what it means left out in
// a file, where the catalogue's value stands. Options that a stage requires fail
// its Check and are skipped.
func zeroIsDefault(t *testing.T, stage, initial stages.Stage) {
	t.Helper()
	v := reflect.Indirect(reflect.ValueOf(stage))
	defaults := reflect.Indirect(reflect.ValueOf(initial))
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		fresh := reflect.New(v.Type()).Elem()
		fresh.Set(v)
		fresh.Field(i).SetZero()
		without := fresh.Interface().(stages.Stage)
		if without.Check() != nil {
			continue
		}
		fresh.Field(i).Set(defaults.Field(i))
		with := fresh.Interface().(stages.Stage)
		a, errA := options.Canonical(without)
		b, errB := options.Canonical(with)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%s: %s left out is %s, and %s with the catalogue's default: add a tag default (%v)",
				stage.Name(), v.Type().Field(i).Name, a, b, errors.Join(errA, errB))
		}
		if d, ok := without.(stages.PictureStage); ok && !reflect.DeepEqual(sample(d), sample(with.(stages.PictureStage))) {
			t.Errorf("%s: %s left out draws something else than with the catalogue's default", stage.Name(), v.Type().Field(i).Name)
		}
	}
}

// drawn is the outcome of one draw.
type drawn struct {
	params    stages.Params
	err       string
	transform stages.Transform
}

func draw(stage stages.PictureStage, height, width, epoch int, position int64) drawn {
	return drawInto(nil, stage, height, width, epoch, position)
}

func drawInto(used stages.Params, stage stages.PictureStage, height, width, epoch int, position int64) drawn {
	key := rng.NewKey(7, stage.Name(), "0")
	params, err := stage.Draw(&stages.Row{
		Key: "a/1.jpg", Height: height, Width: width, Labels: []int32{0}, Epoch: epoch, Position: position,
		Rand: key.Stream(epoch, position, 0), Recycled: used,
	})
	d := drawn{params: params}
	if err != nil {
		d.err = err.Error()
	} else if w, ok := stage.(stages.Warper); ok && params != nil {
		d.transform = w.Warp(params, height, width)
	}
	return d
}

// sample draws some rows of every size.
func sample(stage stages.PictureStage) []drawn {
	var list []drawn
	for _, size := range Sizes {
		for position := range int64(8) {
			list = append(list, draw(stage, size[0], size[1], int(position%2), position))
		}
	}
	return list
}

// repeats draws rows again, and again in the memory of others' params.
func repeats(t *testing.T, stage stages.PictureStage) {
	t.Helper()
	first := sample(stage)
	if again := sample(stage); !reflect.DeepEqual(first, again) {
		t.Errorf("%s: two draws of the same rows differ", stage.Name())
	}
	var used stages.Params
	for i, want := range first {
		size, position := Sizes[i/8], int64(i%8)
		got := drawInto(used, stage, size[0], size[1], int(position%2), position)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: a draw depends on row.Recycled: %+v, without %+v", stage.Name(), got, want)
		}
		if got.err == "" && got.params != nil {
			used = got.params
		}
	}
}

func warper(t *testing.T, stage stages.Warper) {
	t.Helper()
	name := stage.Name()
	repeats(t, stage)
	pixels := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	if _, err := stage.Output(schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 375, Width: 500}); err == nil {
		t.Errorf("%s: takes the pictures of to_tensor, which no warp can sample", name)
	}
	passed := 0
	for _, size := range Sizes {
		h, w := size[0], size[1]
		in := pixels
		in.Height, in.Width = h, w
		out, refused := stage.Output(in)
		var last []drawn
		for position := range int64(8) {
			d := draw(stage, h, w, 1, position)
			// From the last to the first, to see that no row depends on another.
			if last = append([]drawn{draw(stage, h, w, 1, 7-position)}, last...); position == 7 && !reflect.DeepEqual(last[7], d) {
				t.Errorf("%s: draws depend on those before them", name)
			}
			if first := draw(stage, h, w, 1, 0); (d.err == "") != (first.err == "") {
				t.Errorf("%s: %dx%d fails in some draws only: %q", name, w, h, d.err+first.err)
			}
			if refused != nil && d.err == "" {
				t.Errorf("%s: Output refuses %v (%v), and Draw does not", name, in, refused)
			}
			if d.err != "" || refused != nil {
				continue
			}
			passed++
			outH, outW := h, w
			if d.params != nil {
				object(t, name, d.params)
				outH, outW = d.transform.Height, d.transform.Width
				transform(t, name, d.transform, h, w)
			}
			agree(t, name, in, out, outH, outW)
			for _, unknown := range []schema.Tensor{{Height: h}, {Width: w}, {}} {
				unknown.DType, unknown.Layout = pixels.DType, pixels.Layout
				if out, err := stage.Output(unknown); err != nil {
					t.Errorf("%s: refuses %v: %v", name, unknown, err)
				} else {
					agree(t, name, unknown, out, outH, outW)
				}
			}
			if d.params != nil && position < 2 && h*w <= applied && outH*outW <= 16*applied {
				apply(t, name, d.transform, h, w)
			}
		}
	}
	if passed == 0 {
		t.Errorf("%s: refuses every size of %v", name, Sizes)
	}
}

// agree compares a static type with the size of a real picture.
func agree(t *testing.T, name string, in, out schema.Tensor, height, width int) {
	t.Helper()
	if out.DType != schema.Uint8 || out.Layout != schema.HWC {
		t.Errorf("%s: Output(%v) is %v: warps keep uint8 hwc", name, in, out)
	}
	if out.Height != 0 && out.Height != height || out.Width != 0 && out.Width != width {
		t.Errorf("%s: Output(%v) is %v, and the picture is %d high, %d wide", name, in, out, height, width)
	}
}

// object wants params that the params column can hold and that compare equal
// when drawn again.
func object(t *testing.T, name string, params stages.Params) {
	t.Helper()
	b, err := json.Marshal(params)
	var fields map[string]any
	if err != nil || json.Unmarshal(b, &fields) != nil {
		t.Errorf("%s: params %#v marshal to %s (%v): want a JSON object", name, params, b, err)
	}
	for key := range fields {
		if !word.MatchString(key) {
			t.Errorf("%s: params %s: want lower_case names", name, b)
		}
	}
}

func transform(t *testing.T, name string, tr stages.Transform, height, width int) {
	t.Helper()
	for _, f := range tr.Homography() {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			t.Errorf("%s: matrix %v of %dx%d is not finite", name, tr.Homography(), width, height)
		}
	}
	if _, ok := tr.Homography().Invert(); !ok {
		t.Errorf("%s: matrix %v of %dx%d has no inverse for the params column", name, tr.Homography(), width, height)
	}
	if err := tr.Check(height, width); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// apply wants the input unchanged, and an output that depends on nothing else.
func apply(t *testing.T, name string, tr stages.Transform, height, width int) {
	t.Helper()
	in := Pattern(height, width)
	out := warp.Apply(in, tr)
	if !reflect.DeepEqual(in, Pattern(height, width)) {
		t.Errorf("%s: applied to %dx%d, it changed its input", name, width, height)
	}
	if !reflect.DeepEqual(out, warp.Apply(in, tr)) {
		t.Errorf("%s: applied twice to %dx%d, it gave two results", name, width, height)
	}
}

// Pattern is a uint8 picture with gradients, edges and three different channels, by
// integer formulas that other languages can repeat.
func Pattern(height, width int) *schema.Picture {
	p := schema.NewPicture(height, width)
	for y := range height {
		for x := range width {
			for c := range 3 {
				wave := (3*x + 2*y + 85*c) % 400 // a triangle: no jump anywhere
				if wave >= 200 {
					wave = 399 - wave
				}
				p.U8[(y*width+x)*3+c] = uint8(wave + 40*((x/16+y/16+c)%2))
			}
		}
	}
	return p
}

func pixelwise(t *testing.T, stage stages.Pixelwise) {
	t.Helper()
	name := stage.Name()
	repeats(t, stage)
	accepted := 0
	for _, in := range []schema.Tensor{
		{DType: schema.Uint8, Layout: schema.HWC, Height: 5, Width: 7},
		{DType: schema.Float32, Layout: schema.CHW, Height: 5, Width: 7},
		{DType: schema.Float32, Layout: schema.HWC},
	} {
		out, err := stage.Output(in)
		if err != nil {
			continue
		}
		accepted++
		if out.Height != in.Height || out.Width != in.Width {
			t.Errorf("%s: Output(%v) is %v: a Pixelwise keeps the size", name, in, out)
		}
		for position := range int64(8) {
			if d := draw(stage, 5, 7, 0, position); d.err != "" {
				t.Errorf("%s: accepts %v, and Draw fails: %s", name, in, d.err)
			} else if d.params != nil {
				object(t, name, d.params)
				pixelFunc(t, name, stage.PixelFunc(d.params), in)
			}
		}
	}
	if accepted == 0 {
		t.Errorf("%s: accepts neither uint8 hwc nor float32", name)
	}
}

func pixelFunc(t *testing.T, name string, p stages.PixelFunc, in schema.Tensor) {
	t.Helper()
	top := float32(1)
	if in.DType == schema.Uint8 {
		top = 255
	}
	for _, rgb := range [][3]float32{{0, 0, 0}, {top, top, top}, {0, top / 3, top}, {top, 0, top / 5}} {
		out := p.Map(rgb)
		if out != p.Map(rgb) {
			t.Errorf("%s: %v becomes two things, or NaN: %v", name, rgb, out)
		}
		for c := range rgb {
			if math.IsInf(float64(out[c]), 0) {
				t.Errorf("%s: %v becomes %v", name, rgb, out)
			}
			alone := [3]float32{}
			alone[c] = rgb[c]
			if p.Separate && p.Map(alone)[c] != out[c] {
				t.Errorf("%s: separate, and channel %d depends on the others", name, c)
			}
		}
	}
}

func mapper(t *testing.T, stage stages.Mapper) {
	t.Helper()
	name := stage.Name()
	repeats(t, stage)
	accepted := 0
	for _, kind := range []schema.Tensor{
		{DType: schema.Uint8, Layout: schema.HWC}, {DType: schema.Float32, Layout: schema.CHW},
		{DType: schema.Float32, Layout: schema.HWC}, {DType: schema.Uint8, Layout: schema.CHW},
	} {
		for _, size := range Sizes {
			static, refused := stage.Output(kind) // of rows that vary in size
			in := kind
			in.Height, in.Width = size[0], size[1]
			out, err := stage.Output(in)
			if err != nil {
				continue
			}
			accepted++
			if refused != nil {
				t.Errorf("%s: takes %v and refuses %v: %v", name, in, kind, refused)
			}
			if out.Height != size[0] || out.Width != size[1] {
				t.Errorf("%s: Output(%v) is %v: a Mapper keeps the size", name, in, out)
			}
			for position := range int64(8) {
				d := draw(stage, size[0], size[1], 1, position)
				if d.params == nil || d.err != "" {
					continue
				}
				object(t, name, d.params)
				if position < 4 && size[0]*size[1] <= applied {
					mapped(t, stage, d.params, in, out, static)
				}
			}
		}
	}
	if accepted == 0 {
		t.Errorf("%s: refuses every type and every size of %v", name, Sizes)
	}
}

// composite wants steps that can act, on pictures of the type and size that Output promises.
func composite(t *testing.T, stage stages.Composite) {
	t.Helper()
	name := stage.Name()
	repeats(t, stage)
	accepted := 0
	for _, size := range Sizes {
		for position := range int64(16) {
			in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: size[0], Width: size[1]}
			out, err := stage.Output(in)
			if err != nil {
				continue
			}
			d := draw(stage, size[0], size[1], 1, position)
			if d.err != "" || d.params == nil {
				continue
			}
			accepted++
			object(t, name, d.params)
			steps := stage.Steps(d.params)
			if !reflect.DeepEqual(steps, stage.Steps(d.params)) {
				t.Errorf("%s: the steps of %+v are two things", name, d.params)
			}
			have := in
			for _, s := range steps {
				have = stepped(t, name, s, have)
			}
			if out.Height != 0 && out.Height != have.Height || out.Width != 0 && out.Width != have.Width {
				t.Errorf("%s: Output promises %v, and %+v makes %v", name, out, d.params, have)
			}
		}
	}
	if accepted == 0 {
		t.Errorf("%s: refuses every size of %v", name, Sizes)
	}
}

// stepped is the type that a step makes.
func stepped(t *testing.T, name string, s stages.Step, in schema.Tensor) schema.Tensor {
	t.Helper()
	if s.Params == nil {
		t.Fatalf("%s: a step of %s has no params", name, s.Stage.Name())
	}
	_, looks := s.Stage.(stages.ObjectStage)
	if _, nested := s.Stage.(stages.Composite); looks || nested {
		t.Fatalf("%s: %s can't be a step", name, s.Stage.Name())
	}
	out := in
	switch stage := s.Stage.(type) {
	case stages.Warper:
		transform := stage.Warp(s.Params, in.Height, in.Width)
		if err := transform.Check(in.Height, in.Width); err != nil {
			t.Errorf("%s: %s of %v: %v", name, stage.Name(), in, err)
		}
		out.Height, out.Width = transform.Height, transform.Width
	case stages.Pixelwise:
		pixelFunc(t, name, stage.PixelFunc(s.Params), in)
	case stages.Mapper:
		if in.Height*in.Width <= applied {
			mapped(t, stage, s.Params, in, in, in)
		}
	default:
		t.Errorf("%s: a step is neither a Warper nor a Pixelwise nor a Mapper: %T", name, stage)
	}
	return out
}

// mapped wants a new picture of the type that Output promised, an unchanged input, and
// the same from the function of a pixel, where there is one.
func mapped(t *testing.T, stage stages.Mapper, params stages.Params, in, out, static schema.Tensor) {
	t.Helper()
	name := stage.Name()
	src, same := filled(in), filled(in)
	got := stage.Map(params, src)
	if !reflect.DeepEqual(src, same) {
		t.Errorf("%s: changed its input %v", name, in)
	}
	if got == src || shared(got.U8, src.U8) || shared(got.F32, src.F32) {
		t.Errorf("%s: returns the memory of its input", name)
	}
	if !reflect.DeepEqual(got, stage.Map(params, src)) {
		t.Errorf("%s: applied twice to %v, it gave two results", name, in)
	}
	for _, promised := range []schema.Tensor{out, static} {
		have := got.Tensor()
		if promised.Height == 0 {
			have.Height = 0
		}
		if promised.Width == 0 {
			have.Width = 0
		}
		if have != promised || len(got.U8)+len(got.F32) != got.Tensor().Elements() {
			t.Errorf("%s: Output promises %v, and the picture is %v", name, promised, got.Tensor())
		}
	}
	if e, ok := stage.(stages.Editor); ok {
		pic := filled(in)
		if e.Edit(params, pic); !reflect.DeepEqual(pic, got) {
			t.Errorf("%s: Edit and Map make different pictures of %v", name, in)
		}
		if e.EditBytes(params, in.Height, in.Width) < 0 {
			t.Errorf("%s: EditBytes is negative", name)
		}
	}
	mapsPixels(t, stage, params, src, got)
}

// shared reports whether two slices share their first value.
func shared[T any](a, b []T) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// mapsPixels compares what a PixelwiseMapper does to a uint8 pixel with its Map.
func mapsPixels(t *testing.T, stage stages.Mapper, params stages.Params, src, want *schema.Picture) {
	t.Helper()
	p, isPoint := stage.(stages.PixelwiseMapper)
	if !isPoint || src.U8 == nil || src.Layout != schema.HWC {
		return
	}
	f, ok := p.MapPixels(params)
	if !ok {
		return
	}
	pixelFunc(t, stage.Name(), f, src.Tensor())
	if f.Row != nil {
		row := slices.Clone(src.U8)
		f.Row(row)
		if !slices.Equal(row, want.U8) {
			t.Errorf("%s: %+v: PixelFunc.Row gives other values than Map", stage.Name(), params)
		}
	}
	for i := 0; i < len(src.U8); i += 3 {
		out := f.Map([3]float32{float32(src.U8[i]), float32(src.U8[i+1]), float32(src.U8[i+2])})
		for c, v := range out {
			if v != float32(want.U8[i+c]) {
				t.Fatalf("%s: %+v: a pixel %v becomes %v, and with Map %v", stage.Name(), params, src.U8[i:i+3], out, want.U8[i:i+3])
			}
		}
	}
}

// filled is Pattern in a type; float32 values are in 0..1.
func filled(of schema.Tensor) *schema.Picture {
	p := Pattern(of.Height, of.Width)
	p.Layout = of.Layout
	if of.DType == schema.Float32 {
		for _, v := range p.U8 {
			p.F32 = append(p.F32, float32(v)/255)
		}
		p.U8 = nil
	}
	return p
}

// mixer wants draws that are repeatable, marshal to an object and have a share; and a Mix that
// changes no partner, and leaves a row whose partner is the same as it is.
func mixer(t *testing.T, stage stages.Mixer) {
	t.Helper()
	name, key := stage.Name(), rng.NewKey(3, stage.Name(), "0")
	for position := range int64(200) {
		size := Sizes[2:][position%int64(len(Sizes)-2)]
		if size[0]*size[1] > applied {
			continue
		}
		params := stage.DrawMix(size[0], size[1], key.Stream(1, position, 0))
		if !reflect.DeepEqual(params, stage.DrawMix(size[0], size[1], key.Stream(1, position, 0))) {
			t.Fatalf("%s: draw %d is not repeatable", name, position)
		}
		if params == nil {
			continue
		}
		if text, err := json.Marshal(params); err != nil || !strings.HasPrefix(string(text), "{") {
			t.Errorf("%s: the params %+v marshal to %s (%v)", name, params, text, err)
		}
		if share := stage.Share(params); !(share >= 0 && share <= 1) {
			t.Errorf("%s: %+v has the share %v", name, params, share)
		}
		for _, kind := range []schema.Tensor{
			{DType: schema.Uint8, Layout: schema.HWC}, {DType: schema.Float32, Layout: schema.CHW}, {DType: schema.Uint8, Layout: schema.HWC, Channels: 1},
		} {
			kind.Height, kind.Width = size[0], size[1]
			own, partner, other := tensor(kind, 3), tensor(kind, 3), tensor(kind, 200)
			stage.Mix(params, own, partner)
			if !closeTo(own, partner) {
				t.Errorf("%s: %+v makes another picture of one and the same twice", name, params)
			}
			stage.Mix(params, own, other)
			if !reflect.DeepEqual(other, tensor(kind, 200)) {
				t.Errorf("%s: %+v changed the partner", name, params)
			}
		}
	}
}

// closeTo allows for the rounding of float32.
func closeTo(a, b *schema.Picture) bool {
	return slices.Equal(a.U8, b.U8) && slices.EqualFunc(a.F32, b.F32, func(x, y float32) bool { return x-y < 1e-6 && y-x < 1e-6 })
}

// composer wants parts that cover every pixel once, of pixels that there are; or choices among any objects.
func composer(t *testing.T, stage stages.Composer) {
	t.Helper()
	name, key := stage.Name(), rng.NewKey(3, stage.Name(), "0")
	tiler, tiles := stage.(stages.Tiler)
	paster, pastes := stage.(stages.Paster)
	if tiles == pastes {
		t.Fatalf("%s: a Composer is either a Tiler or a Paster", name)
	}
	for position := range int64(200) {
		size := Sizes[2:][position%int64(len(Sizes)-2)]
		height, width := size[0], size[1]
		if height*width > applied {
			continue
		}
		params := stage.DrawMix(height, width, key.Stream(1, position, 0))
		if !reflect.DeepEqual(params, stage.DrawMix(height, width, key.Stream(1, position, 0))) {
			t.Fatalf("%s: draw %d is not repeatable", name, position)
		}
		if params == nil {
			continue
		}
		if text, err := json.Marshal(params); err != nil || !strings.HasPrefix(string(text), "{") {
			t.Errorf("%s: the params %+v marshal to %s (%v)", name, params, text, err)
		}
		if tiles {
			tiled(t, tiler, params, height, width)
		} else {
			chosen(t, paster, params, int(position%12))
		}
	}
	if !pastes {
		return
	}
	if more := paster.DonorStage(); more != nil {
		warper, ok := more.(stages.Warper)
		if !ok {
			t.Fatalf("%s: what donors go through, %T, is no Warper", name, more)
		}
		Picture(t, warper)
		if out, err := more.Output(schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 5, Width: 7}); err != nil || out.Height != 5 || out.Width != 7 {
			t.Errorf("%s: what donors go through gives %v (%v): it must keep the size", name, out, err)
		}
	}
	if weights := paster.Blend(); weights != nil {
		sum := -int(weights[0])
		for _, w := range weights {
			sum += 2 * int(w)
		}
		if sum != 1<<15 {
			t.Errorf("%s: the weights of the blend have the sum %d, want %d", name, sum, 1<<15)
		}
	}
}

// tiled checks the parts of a Tiler.
func tiled(t *testing.T, stage stages.Tiler, params stages.Params, height, width int) {
	t.Helper()
	name, tiles := stage.Name(), stage.Tiles(params, height, width)
	if len(tiles) != 1+stage.DonorCount() {
		t.Fatalf("%s: %d parts of %d pictures", name, len(tiles), 1+stage.DonorCount())
	}
	times := make([]int, height*width)
	for _, tile := range tiles {
		for y := tile.Part.Min.Y; y < tile.Part.Max.Y; y++ {
			for x := tile.Part.Min.X; x < tile.Part.Max.X; x++ {
				times[y*width+x]++
			}
		}
		if from := tile.Part.Sub(tile.Part.Min).Add(tile.From); !tile.Part.Empty() && !from.In(image.Rect(0, 0, width, height)) {
			t.Fatalf("%s: of %dx%d: %+v shows %v", name, width, height, tile, from)
		}
	}
	if slices.ContainsFunc(times, func(n int) bool { return n != 1 }) {
		t.Fatalf("%s: of %dx%d: %+v: not every pixel is in one part", name, width, height, tiles)
	}
}

// chosen checks the choice of a Paster among n objects: the same each time, ascending, no crowds.
func chosen(t *testing.T, stage stages.Paster, params stages.Params, n int) {
	t.Helper()
	index := Samples(48)
	index.Targets = &schema.TargetTable{Spec: &schema.TargetSpec{Boxes: true, Classes: []string{"a", "b"}}, First: []int64{0}}
	var in stages.Selection
	for sample := range index.Len() {
		in = append(in, sample)
		index.Targets.Labels = append(index.Targets.Labels, int32(1-min(sample%8, 1)))
		index.Targets.First = append(index.Targets.First, int64(sample+1))
	}
	choose, err := stage.Chooser(in, index)
	if err != nil {
		t.Fatalf("%s: %v", stage.Name(), err)
	}
	objects := make([]stages.Object, n)
	for i := range objects {
		objects[i] = stages.Object{Box: [4]float64{0, 0, 9, 9}, Label: int32(i % 2), Crowd: i%5 == 4, Area: 81}
	}
	list := choose(params, slices.Clone(objects))
	if again := choose(params, objects); !slices.Equal(list, again) {
		t.Errorf("%s: of %d objects it chooses %v, and then %v", stage.Name(), n, list, again)
	}
	for i, k := range list {
		if k < 0 || k >= n || i > 0 && k <= list[i-1] || objects[k].Crowd {
			t.Errorf("%s: of %d objects it chooses %v", stage.Name(), n, list)
		}
	}
}

func expander(t *testing.T, stage stages.Expander) {
	t.Helper()
	name := stage.Name()
	if _, err := stage.Variants(schema.Tensor{DType: schema.Float32, Layout: schema.CHW}); err == nil {
		t.Errorf("%s: accepts rows that vary in size", name)
	}
	accepted := 0
	for _, size := range Sizes[2:] {
		for _, kind := range []schema.Tensor{
			{DType: schema.Uint8, Layout: schema.HWC}, {DType: schema.Float32, Layout: schema.CHW},
			{DType: schema.Uint8, Layout: schema.CHW}, {DType: schema.Float32, Layout: schema.HWC},
		} {
			in := kind
			in.Height, in.Width = size[0], size[1]
			variants, err := stage.Variants(in)
			if err != nil {
				continue
			}
			accepted++
			for v, variant := range variants {
				if !variant.Tensor.Fixed() || !(variant.Scale > 0) {
					t.Fatalf("%s: variant %d of %v is %+v", name, v, in, variant)
				}
				if in.Height*in.Width <= applied {
					fill(t, fmt.Sprintf("%s of %v", name, in), stage, v, variant.Tensor, in)
				}
			}
			picks(t, stage, len(variants))
		}
	}
	if accepted == 0 {
		t.Errorf("%s: refuses every size of %v", name, Sizes[2:])
	}
}

// fill wants Apply to write every value of dst and none of src.
func fill(t *testing.T, name string, stage stages.Expander, variant int, out, in schema.Tensor) {
	t.Helper()
	src, same := tensor(in, 3), tensor(in, 3)
	low, high := tensor(out, 0), tensor(out, 99)
	stage.Apply(variant, low, src)
	stage.Apply(variant, high, src)
	if !reflect.DeepEqual(src, same) {
		t.Errorf("%s: variant %d changed its input", name, variant)
	}
	if !reflect.DeepEqual(low, high) {
		t.Errorf("%s: variant %d is not filled, or depends on what was there", name, variant)
	}
}

// tensor is a picture of a type, every value the same.
func tensor(of schema.Tensor, value uint8) *schema.Picture {
	p := &schema.Picture{Height: of.Height, Width: of.Width, Layout: of.Layout}
	if of.DType == schema.Float32 {
		p.F32 = slices.Repeat([]float32{float32(value) / 4}, of.Elements())
	} else {
		p.U8 = slices.Repeat([]uint8{value}, of.Elements())
	}
	return p
}

func picks(t *testing.T, stage stages.Expander, variants int) {
	t.Helper()
	key := rng.NewKey(7, stage.Name(), "0")
	for batch := range int64(20) {
		pick := stage.Pick(1, batch, key.Stream(1, batch, 0))
		if len(pick) == 0 || !reflect.DeepEqual(pick, stage.Pick(1, batch, key.Stream(1, batch, 0))) {
			t.Errorf("%s: batch %d is delivered as %v, or not always", stage.Name(), batch, pick)
		}
		for _, v := range pick {
			if v < 0 || v >= variants {
				t.Errorf("%s: batch %d picks variant %d of %d", stage.Name(), batch, v, variants)
			}
		}
	}
}
