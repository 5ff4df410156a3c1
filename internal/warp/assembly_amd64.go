package warp

import "golang.org/x/sys/cpu"

func haveAssembly() bool { return cpu.X86.HasAVX2 }

const withAssembly = true
