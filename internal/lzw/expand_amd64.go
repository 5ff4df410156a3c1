package lzw

import "golang.org/x/sys/cpu"

func haveAssembly() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI2 }

// expandBMI2 is expandGo, but stops before a code that stands for nothing.
//
//go:noescape
func expandBMI2(d *Decoder, limit int)

func (d *Decoder) expandFast(limit int) {
	if useAssembly {
		_ = d.out[limit+slack-1] // what the routine relies on
		expandBMI2(d, limit)
	}
}
