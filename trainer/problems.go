package trainer

import (
	"fmt"
	"math"
)

// problems collects errors.
type problems []error

func (p *problems) addf(option, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", option, fmt.Sprintf(format, args...)))
}

// positive is also false of NaN and infinity.
func positive(x float64) bool { return x > 0 && !math.IsInf(x, 0) }
