package schema

// Unknown is the label of a sample whose class is not known; null in Arrow.
const Unknown int32 = -1

// Task is one label column: its name and the names of its classes, in the
// order of their numbers.
type Task struct {
	Name    string   `json:"name"`
	Classes []string `json:"classes"`
}

// Index is what is known of a source's samples without opening an image.
// Samples are numbered 0..Len()-1 in the source's stable order.
type Index struct {
	Tasks   []Task
	Keys    []string  // slash-separated path with extension, unique
	Sizes   []int64   // encoded bytes; -1: the sample was missing when the source was listed
	Labels  [][]int32 // [task][sample]; Unknown where there is none
	Weights []float32 // per sample; nil: all 1

	// Origin is each sample's number in the source before a split chose among
	// them (the column source_index); nil: the sample's own number.
	Origin []int64

	// PassedOver counts what the source saw and left out: files without an
	// image extension, and dot files.
	PassedOver int
}

// Len is the number of samples.
func (x *Index) Len() int { return len(x.Keys) }

// Weight is the weight of a sample.
func (x *Index) Weight(sample int) float32 {
	if x.Weights == nil {
		return 1
	}
	return x.Weights[sample]
}

// SourceIndex is a sample's number in the source before any split.
func (x *Index) SourceIndex(sample int) int64 {
	if x.Origin == nil {
		return int64(sample)
	}
	return x.Origin[sample]
}

// TaskNumber finds a task by name. The empty name means the only task; ok is
// false where there is none or several.
func (x *Index) TaskNumber(name string) (task int, ok bool) {
	if name == "" {
		return 0, len(x.Tasks) == 1
	}
	for i, t := range x.Tasks {
		if t.Name == name {
			return i, true
		}
	}
	return 0, false
}

// Counts is the number of samples of each class of a task; the last element
// counts the samples whose label is Unknown.
func (x *Index) Counts(task int) []int64 {
	counts := make([]int64, len(x.Tasks[task].Classes)+1)
	for _, label := range x.Labels[task] {
		if label == Unknown {
			label = int32(len(counts) - 1)
		}
		counts[label]++
	}
	return counts
}

// Select returns the index of the given samples, in their order.
func (x *Index) Select(samples []int) *Index {
	out := &Index{Tasks: x.Tasks, PassedOver: x.PassedOver}
	out.Labels = make([][]int32, len(x.Labels))
	for _, s := range samples {
		out.Keys = append(out.Keys, x.Keys[s])
		out.Sizes = append(out.Sizes, x.Sizes[s])
		out.Origin = append(out.Origin, x.SourceIndex(s))
		if x.Weights != nil {
			out.Weights = append(out.Weights, x.Weights[s])
		}
		for t := range x.Labels {
			out.Labels[t] = append(out.Labels[t], x.Labels[t][s])
		}
	}
	return out
}
