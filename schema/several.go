package schema

import "slices"

// Several is a task of which a sample may have several classes: the classes of its objects,
// by the name ColumnBoxes, or a task of several labels.
type Several struct {
	Task
	of func(sample int) []int32
}

// SeveralOf are those of an index.
func SeveralOf(x Index) (list []Several) {
	spec := TargetSpecOf(x)
	if spec.Objects() {
		list = append(list, Several{Task{ColumnBoxes, spec.Classes}, func(sample int) []int32 { return ObjectLabelsOf(x, sample) }})
	}
	if spec == nil {
		return list
	}
	for _, task := range spec.Multi {
		column := MultiColumn(x.Columns(), task.Name)
		list = append(list, Several{task, func(sample int) []int32 {
			if column < 0 {
				return nil
			}
			classes, _ := MultiValue(x.Value(column, sample))
			return classes
		}})
	}
	return list
}

// Each calls do with every class that a sample has, once.
func (s *Several) Each(sample int, do func(class int32)) {
	list := s.of(sample)
	for i, c := range list {
		if c >= 0 && int(c) < len(s.Classes) && !slices.Contains(list[:i], c) {
			do(c)
		}
	}
}
