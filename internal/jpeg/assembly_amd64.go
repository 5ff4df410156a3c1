package jpeg

import "golang.org/x/sys/cpu"

func haveAssembly() bool {
	return cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && cpu.X86.HasPOPCNT
}

// fastDeposits chooses between two ways of assembly to the same bytes.
var fastDeposits = deposits()

// deposits reports whether PDEP is fast: AMD's processors before Zen 3 do it bit by bit.
func deposits() bool

//go:noescape
func full2AVX2(a *uint8, strideA int, b *uint8, strideB int, coefsA, coefsB *uint64) (largest int)

// full2 is full for two blocks. It returns the larger of their sums of magnitudes: if that is
// above maxPlainSum, the samples are wrong and the blocks need another transform.
func full2(a []uint8, strideA int, b []uint8, strideB int, blocks *[2]coefBlock) (largest int) {
	_, _ = a[7*strideA+7], b[7*strideB+7]
	return full2AVX2(&a[0], strideA, &b[0], strideB, &blocks[0].words[0], &blocks[1].words[0])
}

//go:noescape
func magnitudesAVX2(words *[16]uint64) int

// decodeBlocksAVX2 decodes n blocks of a sequential scan, planned and kept one after the other,
// which it empties first. If it has to stop within a block, left is how many are left with this
// one, and at the place of its next coefficient, or noBlock if nothing of it is read yet.
//
//go:noescape
func decodeBlocksAVX2(b *bits, coefs *[64]int16, last *uint8, plan *planned, n int) (left, at int)

// skipBlocksAVX2 is decodeBlocksAVX2 without the coefficients.
//
//go:noescape
func skipBlocksAVX2(b *bits, plan *planned, n int) (left, at int)

// codedPairAVX2 is full2AVX2 for coefficients as coded, of one component.
//
//go:noescape
func codedPairAVX2(a, b *uint8, stride int, coefsA, coefsB *[64]int16, factors *[64]uint16) (largest int)

// acFirstAVX2 decodes blocks of an AC scan's row. Where plain Go has to decode one, at its data's
// end or at rare codes, s.blocks isn't 0 yet.
//
//go:noescape
func acFirstAVX2(b *bits, s *band, ac *huffman)

// acRefineAVX2 is acFirstAVX2 for a scan that refines.
//
//go:noescape
func acRefineAVX2(b *bits, s *band, ac *huffman)

// dequantizeAVX2 multiplies coefficients, modulo 2^16.
//
//go:noescape
func dequantizeAVX2(words *[16]uint64, coefs *[64]int16, factors *[64]uint16)

//go:noescape
func fourAVX2(dst *uint8, stride int, words *uint64)

//go:noescape
func twoAVX2(dst *uint8, stride int, words *uint64)

// reducedFast is four, or two, by size.
func reducedFast(dst []uint8, stride, size int, words *[16]uint64) {
	_ = dst[(size-1)*(stride+1)]
	if size == 4 {
		fourAVX2(&dst[0], stride, &words[0])
	} else {
		twoAVX2(&dst[0], stride, &words[0])
	}
}

//go:noescape
func transform2AVX2(blocks *encBlock, samples *uint8, stride int, d *divisors, zigzag *[4][4][16]uint8)

// transform2 is transform for two blocks.
func transform2(blocks *[2]encBlock, samples []uint8, stride int, d *divisors) {
	_ = samples[7*stride+15]
	transform2AVX2(&blocks[0], &samples[0], stride, d, &zigzagBytes)
}

// zigzagBytes is where, among the 16 coefficients of two rows, are 16 coefficients
// in zigzag order; 0x80 stands for elsewhere.
var zigzagBytes = func() (s [4][4][16]uint8) {
	for k, at := range zigzag {
		for rows := range s[k/16] {
			s[k/16][rows][k%16] = 0x80
		}
		s[k/16][at/16][k%16] = at % 16
	}
	return s
}()
