package sources

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/phrase"
)

// This file counts what is wrong with annotations, and looks at boxes.

// faultText says of what a fault is, what is wrong, and what is done or can be done.
type faultText struct{ noun, what, then string }

// faultCount is how often something was found, with the first as an example.
type faultCount struct {
	n       int
	example string
}

// faultCounts counts faults by their texts.
type faultCounts struct {
	texts  []faultText // those that occur
	counts []faultCount
}

// add counts a fault; the first is the example.
func (f *faultCounts) add(text faultText, example string, args ...any) {
	f.addMany(text, 1, example, args...)
}

func (f *faultCounts) addMany(text faultText, n int, example string, args ...any) {
	i := slices.Index(f.texts, text)
	if i < 0 {
		i = len(f.texts)
		f.texts, f.counts = append(f.texts, text), append(f.counts, faultCount{example: sprintf(example, args...)})
	}
	f.counts[i].n += n
}

// example is the first fault of a text.
func (f *faultCounts) example(text faultText) string {
	if i := slices.Index(f.texts, text); i >= 0 {
		return f.counts[i].example
	}
	return ""
}

// warnings are a sentence for each text. of tells how many of a noun there are in all.
func (f *faultCounts) warnings(prefix string, of map[string]int) (list []string) {
	for i, text := range f.texts {
		c := f.counts[i]
		count := phrase.Count(c.n, text.noun)
		if all, known := of[text.noun]; known {
			count = fmt.Sprintf("%d of %s", c.n, phrase.Count(all, text.noun))
		}
		list = append(list, sprintf("%s%s with %s, such as %s: %s", prefix, count, text.what, c.example, text.then))
	}
	return list
}

// noneLeft is the error of data of which every object of n is left out; nil where there are none.
func (f *faultCounts) noneLeft(n int, noun string) error {
	var why []string
	for i, text := range f.texts {
		if text.noun == noun {
			why = append(why, sprintf("%s with %s, such as %s", phrase.Count(f.counts[i].n, noun), text.what, f.counts[i].example)+": "+text.then)
		}
	}
	if n == 0 || len(why) == 0 {
		return nil
	}
	return fmt.Errorf("no object is left of %s: %s", phrase.Count(n, noun), strings.Join(why, "; "))
}

// strangers are classes of objects that aren't among the given ones.
type strangers map[string]int

var strangeClass = faultText{"object", "a class that isn't among classes", "left out: add it to classes, or remove them"}

// count tells the faults of them, with those of the classes that their names resemble.
func (s strangers) count(f *faultCounts, classes []string) {
	if len(s) == 0 {
		return
	}
	const most = 5
	names := slices.SortedFunc(maps.Keys(s), func(a, b string) int { return cmp.Or(cmp.Compare(s[b], s[a]), cmp.Compare(a, b)) })
	n, list := 0, []string{}
	for i, name := range names {
		if n += s[name]; i < most {
			list = append(list, sprintf("%q (%d)%s", name, s[name], alike(name, classes)))
		}
	}
	if len(names) > most {
		list = append(list, fmt.Sprintf("%d more", len(names)-most))
	}
	f.addMany(strangeClass, n, "%s", strings.Join(list, ", "))
}

// inFloat32 reports a coordinate that is finite, and so in float32.
func inFloat32(v float64) bool { return math.Abs(v) <= math.MaxFloat32 }

// Of boxes in a form that is probably another.
var (
	sharesText = faultText{"box", "all of its numbers from 0 to 1", "taken as pixels: multiply them by the image's width and height if they are shares of these"}
	asCorners  = faultText{"box", "a right or lower edge out of its image", "x, y, width and height would fit as left, top, right and bottom: subtract the first two from the last two if they are these"}
)

// areShares reports four numbers from 0 to 1: a box in a picture's first pixel, hardly ever meant.
func areShares(b []float64) bool {
	return len(b) == 4 && !slices.ContainsFunc(b, func(v float64) bool { return v < 0 || v > 1 })
}

const exchangedCorners = "a box whose corners are exchanged"

// mendBox says what is wrong with a box in a picture of that size (0: unknown), as its kind, and
// whether the box is left out for it; "": nothing is.
func mendBox(b [4]float64, height, width int) (what, then string, leftOut bool) {
	for _, v := range b {
		if !inFloat32(v) {
			return "a box that isn't four finite numbers", "left out: remove or mend them", true
		}
	}
	w, h := float64(width), float64(height)
	switch {
	case b[0] > b[2] || b[1] > b[3]:
		return exchangedCorners, "left out: the first corner is the left upper one", true
	case float32(b[0]) == float32(b[2]) || float32(b[1]) == float32(b[3]):
		return "a box without width or height", "left out: remove or mend them", true
	case width > 0 && height > 0 && (b[0] >= w || b[1] >= h || b[2] <= 0 || b[3] <= 0):
		return "a box outside of its image", "left out: mend them, or the size of their images", true
	case width > 0 && height > 0 && (b[0] < -1e-3 || b[1] < -1e-3 || b[2] > w+1e-3 || b[3] > h+1e-3):
		return "a box that reaches out of its image", "it stays as it is: check whether its image has another size, or its corners another origin", false
	}
	return "", "", false
}
