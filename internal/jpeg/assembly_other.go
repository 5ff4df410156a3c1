//go:build !amd64

package jpeg

func haveAssembly() bool { return false }

func full2([]uint8, int, []uint8, int, *[2]coefBlock) int { panic("jpeg: no assembly") }

func magnitudesAVX2(*[16]uint64) int { panic("jpeg: no assembly") }

func decodeBlockAVX2(*bits, *[16]uint64, *component, *huffman, *huffman) int {
	panic("jpeg: no assembly")
}

func skipBlockAVX2(*bits, *component, *huffman, *huffman) int { panic("jpeg: no assembly") }

func reducedFast([]uint8, int, int, *[16]uint64) { panic("jpeg: no assembly") }

func transform2(*[2]encBlock, []uint8, int, *divisors) { panic("jpeg: no assembly") }

func acFirstAVX2(*bits, *band, *huffman) { panic("jpeg: no assembly") }

func acRefineAVX2(*bits, *band, *huffman) { panic("jpeg: no assembly") }

func dequantizeAVX2(*[16]uint64, *[64]int16, *[64]uint16) { panic("jpeg: no assembly") }
