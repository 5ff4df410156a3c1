package jpeg

import "golang.org/x/sys/cpu"

func haveAssembly() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI2 }

//go:noescape
func full2AVX2(a *uint8, strideA int, b *uint8, strideB int, coefsA, coefsB *uint64)

// full2 is full of two blocks.
func full2(a []uint8, strideA int, b []uint8, strideB int, blocks *[2]coefBlock) {
	_, _ = a[7*strideA+7], b[7*strideB+7]
	full2AVX2(&a[0], strideA, &b[0], strideB, &blocks[0].words[0], &blocks[1].words[0])
}

//go:noescape
func magnitudesAVX2(words *[16]uint64) int

// decodeBlockAVX2 gives the place of the block's last coefficient; or, where it can't
// go on, minus the place of the next, or noBlock when it has read nothing.
//
//go:noescape
func decodeBlockAVX2(b *bits, words *[16]uint64, c *component, dc, ac *huffman) int
