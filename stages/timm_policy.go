package stages

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// timmPolicy is what timm's text says, such as rand-m9-n3-mstd0.5-inc1:
//
//	mX      magnitude, in tenths of the range (10)
//	nX      operations, one after the other (2)
//	pX      chance of each to be done (0.5)
//	mstdX   standard deviation of a normal distribution of magnitudes (0); above 100 they are
//	        uniform between 0 and the magnitude
//	mmaxX   largest magnitude (10)
//	incX    1: all operations do more at larger magnitudes (0)
type timmPolicy struct {
	text                          string
	magnitude, p, deviation, most float64
	ops                           int
	increasing                    bool
}

// timmOps are those of timm's policies, each as likely.
var timmOps = []string{
	opAutocontrast, opEqualize, opInvert, opRotate, opPosterize, opSolarize, opSolarizeAdd, opColor,
	opContrast, opBrightness, opSharpness, opShearX, opShearY, opTranslateX, opTranslateY,
}

var timmSection = regexp.MustCompile(`^([a-z]+)(\d.*)$`)

func parseTimm(text string) (timmPolicy, error) {
	t := timmPolicy{text: text, magnitude: 10, p: 0.5, most: 10, ops: 2}
	sections := strings.Split(text, "-")
	if sections[0] != "rand" {
		return t, fmt.Errorf("%q doesn't begin with rand: write timm's text, such as rand-m9-mstd0.5-inc1", text)
	}
	for _, section := range sections[1:] {
		if strings.HasPrefix(section, "t") {
			return t, fmt.Errorf("%q: there is timm's usual set of operations alone, and no weights: leave %s out", text, section)
		}
		parts := timmSection.FindStringSubmatch(section)
		if parts == nil {
			return t, fmt.Errorf("%q: %q is no section with a number, such as m9, n3, p0.5, mstd0.5, mmax15 or inc1", text, section)
		}
		v, err := strconv.ParseFloat(parts[2], 64)
		if err != nil || math.IsInf(v, 0) {
			return t, fmt.Errorf("%q: %q has no number", text, section)
		}
		switch parts[1] {
		case "m":
			t.magnitude = v
		case "n":
			t.ops = int(min(v, mostOps+1))
			err = ifNot(v == math.Trunc(v) && v >= 1 && v <= mostOps, "give 1 to %d operations", mostOps)
		case "p":
			t.p = v
			err = ifNot(v <= 1, "a probability is at most 1")
		case "mstd":
			t.deviation = v
		case "mmax":
			t.most = v
			err = ifNot(v > 0, "nothing is left to do")
		case "inc":
			t.increasing = v != 0
		default:
			err = fmt.Errorf("timm has no section %s", parts[1])
		}
		if err != nil {
			return t, fmt.Errorf("%q: %s: %w", text, section, err)
		}
	}
	return t, nil
}

func ifNot(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// timmTimes is a policy's text with s times the magnitude.
func timmTimes(text string, s float64) string {
	t, err := parseTimm(text)
	if err != nil {
		return text // for Check to report
	}
	sections := []string{"rand", "m" + strconv.FormatFloat(float64(t.magnitude*s), 'f', -1, 64)}
	for _, section := range strings.Split(text, "-")[1:] {
		if parts := timmSection.FindStringSubmatch(section); parts[1] != "m" {
			sections = append(sections, section)
		}
	}
	return strings.Join(sections, "-")
}

// draw appends the operations of a row to a list. Draws, for each: the operation, whether it is
// done where that isn't certain, its magnitude where there is a deviation, its sign.
func (t *timmPolicy) draw(row *Row, list []Operation) []Operation {
	for range t.ops {
		op := timmOps[row.Rand.IntN(len(timmOps))]
		if t.p < 1 && row.Rand.Float64() >= t.p {
			continue
		}
		m := t.magnitude
		switch {
		case t.deviation > 100:
			m = row.Rand.Uniform(0, m)
		case t.deviation > 0:
			m += float64(t.deviation * standardNormal(row.Rand))
		}
		level := min(max(m, 0), t.most) / 10
		value, signed := t.at(op, level, row.Height, row.Width)
		if signed && row.Rand.IntN(2) == 1 {
			value = 0 - value
		}
		if t.increasing && (op == opColor || op == opContrast || op == opBrightness || op == opSharpness) {
			value = max(value, -0.9)
		}
		list = append(list, Operation{op, value})
	}
	return list
}

// standardNormal is a number of the standard normal distribution.
func standardNormal(rand *Rand) float64 {
	return float64(quantiles()[rand.Uint64()>>48]) / quantileOne
}

// at is the magnitude of an operation at a level, 1 at the end of timm's range.
func (t *timmPolicy) at(op string, level float64, height, width int) (value float64, signed bool) {
	switch op {
	case opRotate:
		return 30 * level, true
	case opShearX, opShearY:
		return 0.3 * level, true
	case opTranslateX:
		return 0.45 * level * float64(width), true
	case opTranslateY:
		return 0.45 * level * float64(height), true
	case opColor, opContrast, opBrightness, opSharpness:
		if t.increasing {
			return 0.9 * level, true
		}
		return float64(1.8*level) - 0.9, false
	case opPosterize:
		bits := math.Trunc(4 * level)
		if t.increasing {
			bits = 4 - bits
		}
		return min(max(bits, 0), 8), false
	case opSolarize:
		threshold := min(256, math.Trunc(256*level))
		if t.increasing {
			threshold = 256 - threshold
		}
		return threshold, false
	case opSolarizeAdd:
		return min(128, math.Trunc(110*level)), false
	}
	return 0, false
}
