//go:build !amd64

package lzw

func haveAssembly() bool { return false }

func (d *Decoder) expandFast(int) {}
