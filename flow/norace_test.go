//go:build !race

package flow

// RaceEnabled tells tests of the race detector, which makes pools drop what they hold.
const RaceEnabled = false
