//go:build !amd64

package warp

func (p *planes) valuesFast([]uint8, bool) bool { return false }

func mirror(dst, rgb []uint8) { mirrorGo(dst, rgb) }
