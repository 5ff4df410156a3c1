//go:build !amd64

package jpeg

func haveAssembly() bool { return false }

func full2([]uint8, int, []uint8, int, *[2]coefBlock) { panic("jpeg: no assembly") }
