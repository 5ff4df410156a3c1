#include "textflag.h"

// What n bytes add, n a multiple of 32 up to adlerMost: the sums of the bytes; those of the bytes before
// each 32; and those of each 32, times 32 to 1. Four quadwords, four, and eight doublewords.
//
// func adlerAVX2(data *byte, n int, weights *[32]int8, sums *adlerSums)
TEXT ·adlerAVX2(SB), NOSPLIT, $0-32
	MOVQ     data+0(FP), SI
	MOVQ     n+8(FP), CX
	MOVQ     weights+16(FP), AX
	MOVQ     sums+24(FP), DI
	VMOVDQU  (AX), Y5
	VPXOR    Y0, Y0, Y0
	VPXOR    Y1, Y1, Y1
	VPXOR    Y2, Y2, Y2
	VPXOR    Y3, Y3, Y3
	VPCMPEQW Y6, Y6, Y6
	VPSRLW   $15, Y6, Y6 // ones

next:
	VMOVDQU    (SI), Y4
	VPADDQ     Y0, Y1, Y1
	VPSADBW    Y3, Y4, Y7
	VPMADDUBSW Y5, Y4, Y4
	VPMADDWD   Y6, Y4, Y4
	VPADDQ     Y7, Y0, Y0
	VPADDD     Y4, Y2, Y2
	ADDQ       $32, SI
	SUBQ       $32, CX
	JNZ        next
	VMOVDQU    Y0, (DI)
	VMOVDQU    Y1, 32(DI)
	VMOVDQU    Y2, 64(DI)
	VZEROUPPER
	RET
