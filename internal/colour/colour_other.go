//go:build !amd64

package colour

// Levels does nothing here.
func Levels([]uint8, float32, float32) int { return 0 }

// Saturate does nothing here.
func Saturate([]uint8, float32) int { return 0 }

// Greys does nothing here.
func Greys([]uint8) (sum, done int) { return 0, 0 }

// TurnHue does nothing here.
func TurnHue([]uint8, uint8) int { return 0 }
