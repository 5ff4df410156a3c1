//go:build !amd64

package webp

func literalsFast(*VP8LDecoder, *group, []uint32, uint) (int, uint32, bool) { return 0, 0, false }

func predictFast(_, _, _, _ []uint32, _ int) bool { return false }

func crossColourFast(_, _ []uint32, _ uint32) int { return 0 }

func toRGBFast([]byte, []uint32, bool) int { return 0 }
