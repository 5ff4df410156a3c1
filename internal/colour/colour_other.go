//go:build !amd64

package colour

// Levels does nothing here.
func Levels([]uint8, float32, float32) bool { return false }

// Saturate does nothing here.
func Saturate([]uint8, float32) bool { return false }

// Greys does nothing here.
func Greys([]uint8) (sum int, ok bool) { return 0, false }

// TurnHue does nothing here.
func TurnHue([]uint8, uint8) bool { return false }

// Grey does nothing here.
func Grey([]uint8) bool { return false }

// Fold does nothing here.
func Fold([]uint8, uint8, uint8, uint8) bool { return false }

// LookUp does nothing here.
func LookUp([]uint8, *[256]uint8) bool { return false }
