package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
)

func results() []*group {
	var groups []*group
	for i, workers := range []int{1, 2} {
		k := float64(i + 1)
		groups = append(groups, &group{size: "photos", recipe: "rrc", workers: workers, others: []float64{0.1}, list: []*contestant{
			{name: "sluice", speeds: []float64{400 * k, 500 * k, 600 * k}, cpu: []float64{2, 2, 2},
				looks: looks{"64 x 3 x 224 x 224 float32", -0.12, 1.01, 0.05}},
			{name: "opencv", versions: map[string]any{"opencv": "4.6"}, speeds: []float64{200 * k, 200 * k, 200 * k}, cpu: []float64{3, 5, 4}},
		}, missing: []string{"ffcv: not there & <nowhere>"}})
	}
	return groups
}

func TestTable(t *testing.T) {
	var b strings.Builder
	table(&b, results())
	for _, want := range []string{
		"| sluice | 1 | 500 (400...600) |  | 2.00 (2.00...2.00) |  |",
		"| opencv | 2 | 400 (400...400) | 2.50 (2.00...3.00) | 4.00 (3.00...5.00) | 2.00 (1.50...2.50) |",
		"opencv 4.6", "- ffcv: not there",
		"| rrc; photos | sluice | 64 x 3 x 224 x 224 float32 | -0.120 | 1.010 | 0.0500 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestPlotIsXML(t *testing.T) {
	var b strings.Builder
	plot(&b, results())
	if n := strings.Count(b.String(), "<path"); n != 4 {
		t.Errorf("%d bars", n)
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPageOfFormats(t *testing.T) {
	var b strings.Builder
	r := record{wanted: encodings[:1], about: encoded{Sizes: map[string]float64{encodings[0].name: 30_000}}, absent: map[string]string{"dali": "not there"}}
	for _, recipe := range []string{"decode", "rrc"} {
		g := results()[0]
		g.size, g.recipe = encodings[0].name, recipe
		g.list = append(g.list, &contestant{name: "simplejpeg", cpu: []float64{8, 6, 4}})
		for _, c := range g.list {
			c.speeds = []float64{1, 1, 1}
		}
		r.groups = append(r.groups, g)
	}
	r.page(&b)
	for _, want := range []string{
		"| progressive JPEG, 4:2:0, quality 75 | 30 | 500 (500...500) | 250 [2.00 (1.50...2.50)] |  |  |  | simplejpeg 167 [3.00 (2.00...4.00)] |",
		"| decode | 1.3 x opencv | 2.00 (1.50...2.50) | reached |",
		"| rrc | 2.0 x opencv | 2.00 (1.50...2.50) | reached |",
		"opencv 4.6", "- dali: not there",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// TestEncodings holds encode.py to the formats that there are.
func TestEncodings(t *testing.T) {
	text, err := os.ReadFile("encode.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range encodings {
		if !strings.Contains(string(text), fmt.Sprintf("    %q: ", e.name)) {
			t.Errorf("encode.py has no %s", e.name)
		}
	}
}

func TestRecipes(t *testing.T) {
	for _, name := range []string{"recipe", "rrc", "center", "torchvision", "timm", "simclr"} {
		if stages, err := list(name, 64); err != nil || len(stages) < 5 {
			t.Errorf("%s: %d stages, %v", name, len(stages), err)
		}
	}
	if _, err := list("nonsense", 64); err == nil {
		t.Error("nonsense is a recipe")
	}
}

func TestLooking(t *testing.T) {
	l := looking{shape: "1 x 2 x 4"}
	l.add([]float32{0, 1, 2, 1, 3, 3, 5, 5}, 4)
	want := looks{Shape: "1 x 2 x 4", Mean: 2.5, Deviation: math.Sqrt(3), Step: 5. / 6}
	if got := l.found(); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
