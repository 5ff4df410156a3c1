package flow_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// cutFiles cuts files of every layout somewhere behind the header of their first scan.
func cutFiles(t *testing.T, r *rand.Rand) (dir string, n int64) {
	t.Helper()
	_, files := jpegFiles(t, r)
	dir = t.TempDir()
	for i, data := range files {
		sos := bytes.Index(data, []byte{0xff, 0xda})
		first := sos + 2 + int(data[sos+3])
		write(t, filepath.Join(dir, []string{"a", "b"}[i%2], fmt.Sprintf("%02d.jpg", i)), data[:first+r.IntN(len(data)-first)])
	}
	return dir, int64(len(files))
}

// Of cut files exact has the reference's bytes, full its params, and all count every row.
func TestCutJPEGFilesAreFilled(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (replay with -schedules %d)", seed, seed)
	r := rand.New(rand.NewPCG(seed, 7))
	dir, _ := cutFiles(t, r)
	skip := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}}) // fractional sampling factors
	for range 15 {
		list := randomStages(r)
		list[0] = stages.Decode{Truncated: stages.TruncatedFill}
		pipe := flow.New(sources.Folder{Path: dir}, list...)
		draws := flow.Seed(r.Uint64())
		want, wantParams, err := contents(t, pipe, draws, skip, flow.Exec(flow.Reference))
		got, params, exactErr := contents(t, pipe, draws, skip, flow.WithFuse(flow.FuseExact))
		_, full, fullErr := contents(t, pipe, draws, skip)
		if fmt.Sprint(err) != fmt.Sprint(exactErr) || fmt.Sprint(err) != fmt.Sprint(fullErr) {
			t.Fatalf("the reference says %v, exact %v, full %v\n%s", err, exactErr, fullErr, names(list))
		}
		if err != nil {
			continue
		}
		if len(want) == 0 || !slices.Equal(params, wantParams) || !slices.Equal(full, wantParams) {
			t.Fatalf("other params\n%s", names(list))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("row %d: other bytes than the reference's\n%s%s", i, params[i], names(list))
			}
		}
		for _, how := range []flow.Option{flow.Exec(flow.Reference), flow.WithFuse(flow.FuseExact), flow.WithFuse(flow.FuseFull)} {
			rows, report := rowsOf(t, pipe, draws, skip, how)
			first, _, _ := bytes.Cut([]byte(rows[0]), []byte(" "))
			if report.Filled != report.Rows || report.FirstFilled != string(first) {
				t.Errorf("%d of %d rows were filled, the first of %q; want all and %q\n%s", report.Filled, report.Rows, report.FirstFilled, first, names(list))
			}
		}
	}
}

// The option is part of the plan; filled rows are counted by class, and without the
// option they fail.
func TestFilledRowsAreCounted(t *testing.T) {
	dir := brokenPictures(t) // two of them cut in half
	pipe := func(d stages.Decode) *flow.Pipeline {
		return flow.New(sources.Folder{Path: dir}, d, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4})
	}
	skip := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 99}})
	_, without := rowsOf(t, pipe(stages.Decode{}), skip)
	_, written := rowsOf(t, pipe(stages.Decode{Truncated: stages.TruncatedError}), skip)
	_, with := rowsOf(t, pipe(stages.Decode{Truncated: stages.TruncatedFill}), skip)
	if without.PlanHash != written.PlanHash || without.PlanHash == with.PlanHash {
		t.Errorf("plan hashes %s without the option, %s with its default, %s with fill", without.PlanHash, written.PlanHash, with.PlanHash)
	}
	if without.Filled != 0 || without.FirstFilled != "" || without.Failed != 4 {
		t.Errorf("without fill: %d filled, %d failed", without.Filled, without.Failed)
	}
	if with.Filled != 2 || with.Failed != 2 || with.Rows != without.Rows+2 || with.FirstFilled != "common/03.jpg" {
		t.Errorf("with fill: %d filled, the first %q, %d failed", with.Filled, with.FirstFilled, with.Failed)
	}
	classes := with.Ledger["class"]
	if classes["common"].Filled != 1 || classes["rare"].Filled != 1 || classes["middle"].Filled != 0 {
		t.Errorf("the ledger has %+v", classes)
	}
}

// A whole progressive file that lacks scans is no error, and counted, with and without fill.
func TestLackOfScansIsCounted(t *testing.T) {
	const firstScan = "/9j/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//" +
		"wgALCAAUABgBAREA/8QAFwABAQEBAAAAAAAAAAAAAAAABAMAAv/aAAgBAQAAAAGTt2MVJO//2Q=="
	data, err := base64.StdEncoding.DecodeString(firstScan)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "0.jpg"), data)
	for _, d := range []stages.Decode{{}, {Truncated: stages.TruncatedFill}} {
		for _, list := range [][]stages.Stage{{d, stages.CenterCrop{Height: 9, Width: 8}}, {d, stages.Resize{Height: 8, Width: 8}}} {
			for _, how := range []flow.Option{flow.Exec(flow.Reference), flow.WithFuse(flow.FuseExact), flow.WithFuse(flow.FuseFull)} {
				pipe := flow.New(sources.Folder{Path: dir}, append(list, stages.Batch{Size: 1})...)
				if rows, report := rowsOf(t, pipe, how); len(rows) != 1 || report.Filled != 1 || report.FirstFilled != "a/0.jpg" {
					t.Errorf("%s: %d rows, %d filled, the first %q", names(list), len(rows), report.Filled, report.FirstFilled)
				}
			}
		}
	}
}

// The data set's own mean and deviation are those of the pictures that runs see.
func TestMeasuringFilledFiles(t *testing.T) {
	dir := t.TempDir()
	_, files := jpegFiles(t, rand.New(rand.NewPCG(1, 1)))
	for i, data := range files[:4] {
		write(t, filepath.Join(dir, "a", fmt.Sprintf("%d.jpg", i)), data[:len(data)-2])
	}
	pipe := func(d stages.Decode) *flow.Pipeline {
		return flow.New(sources.Folder{Path: dir}, d, stages.Resize{Height: 8, Width: 8}, stages.ToTensor{},
			stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}, stages.Batch{Size: 2})
	}
	var row *flow.RowError
	if _, _, err := contents(t, pipe(stages.Decode{})); !errors.As(err, &row) {
		t.Errorf("measuring cut files gives %v", err)
	}
	if _, report := rowsOf(t, pipe(stages.Decode{Truncated: stages.TruncatedFill})); report.Filled != 4 {
		t.Errorf("%d of 4 rows filled", report.Filled)
	}
}

// Pictures that cannot be decoded, or were missing when the source was listed, are left
// out of the mean and the deviation as on_error says, whatever the order in which they
// are read.
func TestMeasuringOnError(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir, whole := brokenPictures(t), t.TempDir()
	if err := os.CopyFS(whole, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"common/03.jpg", "common/11.jpg", "middle/04.jpg", "rare/01.jpg"} {
		if err := os.Remove(filepath.Join(whole, name)); err != nil {
			t.Fatal(err)
		}
	}
	pipe := func(dir string) *flow.Pipeline {
		return flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.ToTensor{},
			stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}, stages.Batch{Size: 2})
	}
	normalize := func(p *flow.Plan) string {
		text := string(p.Canonical())
		at := strings.Index(text, `"normalize"`)
		return text[at : at+strings.Index(text[at:], "}")]
	}
	want, err := pipe(whole).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for _, workers := range []int{1, 3} {
		for _, policy := range []flow.Policy{flow.Skip, flow.Refill} {
			plan, err := pipe(dir).Plan(t.Context(), flow.Workers(workers), flow.OnError(flow.Failures{Policy: policy, Max: flow.Limit{Count: 4}}))
			if err != nil {
				t.Fatal(err)
			}
			if have := normalize(plan); have != normalize(want) {
				t.Errorf("%s: %s\nwithout the broken ones %s", policy, have, normalize(want))
			}
			if text := strings.Join(plan.Warnings(), "\n"); !strings.Contains(text, "measured without 4 of ") || !strings.Contains(text, "the first of them common/03.jpg") {
				t.Errorf("%s: the warnings are %q", policy, text)
			}
			if err := plan.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	var many *flow.TooManyFailures
	if _, err := pipe(dir).Plan(t.Context(), flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 3}})); !errors.As(err, &many) || many.Limit != 3 {
		t.Errorf("four broken pictures of three: %v", err)
	}
	var row *flow.RowError
	if _, err := pipe(dir).Plan(t.Context()); !errors.As(err, &row) || strings.Contains(err.Error(), "epoch") {
		t.Errorf("on_error fail: %v", err)
	}
}

// A channel without variation is named: nothing can be divided by its deviation.
func TestMeasuringConstantChannels(t *testing.T) {
	for _, c := range []struct {
		pixel func(i int) [3]uint8
		want  string
	}{
		{func(i int) [3]uint8 { return [3]uint8{uint8(i), uint8(3 * i), 7} }, "the blue channel is constant: "},
		{func(i int) [3]uint8 { return [3]uint8{9, uint8(3 * i), 0} }, "the red and blue channels are constant: "},
		{func(int) [3]uint8 { return [3]uint8{1, 2, 3} }, "the pictures are of one colour: "},
	} {
		dir := t.TempDir()
		for n := range 2 {
			img := image.NewNRGBA(image.Rect(0, 0, 5, 4))
			for i := range 20 {
				p := c.pixel(i + n)
				copy(img.Pix[4*i:], []uint8{p[0], p[1], p[2], 255})
			}
			var b bytes.Buffer
			if err := png.Encode(&b, img); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "a", fmt.Sprintf("%d.png", n)), b.Bytes())
		}
		_, err := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.ToTensor{},
			stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}, stages.Batch{Size: 2}).Plan(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %q in it", err, c.want)
		}
	}
}
