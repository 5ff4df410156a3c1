//go:build race

package warp

// raceEnabled tells tests of the race detector, which makes pools drop what they hold.
const raceEnabled = true
