//go:build !unix

package machine

import (
	"math"
	"os"
)

// PeakBytes is unknown.
func PeakBytes(*os.ProcessState) float64 { return math.NaN() }

// UsedSeconds is unknown.
func UsedSeconds() float64 { return math.NaN() }
