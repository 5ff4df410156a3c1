//go:build !amd64

package jpeg

func haveAssembly() bool { return false }

var fastDeposits = false

func full2([]uint8, int, []uint8, int, *[2]coefBlock) int { panic("jpeg: no assembly") }

func magnitudesAVX2(*[16]uint64) int { panic("jpeg: no assembly") }

func decodeBlocksAVX2(*bits, *[64]int16, *uint8, *planned, int) (left, at int) {
	panic("jpeg: no assembly")
}

func skipBlocksAVX2(*bits, *planned, int) (left, at int) { panic("jpeg: no assembly") }

func codedPairAVX2(_, _ *uint8, _ int, _, _ *[64]int16, _ *[64]uint16) int {
	panic("jpeg: no assembly")
}

func reducedFast([]uint8, int, int, *[16]uint64) { panic("jpeg: no assembly") }

func transform2(*[2]encBlock, []uint8, int, *divisors) { panic("jpeg: no assembly") }

func acFirstAVX2(*bits, *band, *huffman) { panic("jpeg: no assembly") }

func acRefineAVX2(*bits, *band, *huffman) { panic("jpeg: no assembly") }

func dequantizeAVX2(*[16]uint64, *[64]int16, *[64]uint16) { panic("jpeg: no assembly") }
