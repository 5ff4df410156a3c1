package trainer

import (
	"fmt"

	"golang.org/x/text/unicode/norm"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// MatchClasses maps the classes of another data set to those of the training set,
// by name: element i is the training set's number for class i of other. A class
// that the training set doesn't have is an error.
func MatchClasses(training, other schema.Task) ([]int32, error) {
	number := make(map[string]int32, len(training.Classes))
	for i, name := range training.Classes {
		number[name] = int32(i)
	}
	out := make([]int32, len(other.Classes))
	var unknown []string
	for i, name := range other.Classes {
		n, ok := number[name]
		if !ok {
			unknown = append(unknown, name+alike(name, training.Classes))
		}
		out[i] = n
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("trainer: task %s: the training set has no class %s (its classes: %s): leave their images out, or train on some", training.Name, phrase.List(unknown), phrase.List(training.Classes))
	}
	return out, nil
}

// alike explains a name that looks like a class and isn't one.
func alike(name string, classes []string) string {
	for _, class := range classes {
		if norm.NFC.String(class) == norm.NFC.String(name) {
			return fmt.Sprintf(" (%+q, and %+q is one: they differ only in Unicode normal form)", name, class)
		}
	}
	return ""
}

// Translate replaces labels by the numbers of MatchClasses; Unknown stays Unknown.
func Translate(labels, classes []int32) []int32 {
	out := make([]int32, len(labels))
	for i, label := range labels {
		out[i] = schema.Unknown
		if label != schema.Unknown {
			out[i] = classes[label]
		}
	}
	return out
}
