//go:build !amd64

package warp

func (g *Gather) takeFast([]uint8, []uint8) {}
