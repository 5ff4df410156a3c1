#include "textflag.h"

// func pickAVX2(dst, src *byte, n, dstStep, srcStep int, mask *[16]byte)
TEXT ·pickAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ dstStep+24(FP), AX
	MOVQ srcStep+32(FP), BX
	MOVQ mask+40(FP), DX
	VMOVDQU (DX), X0

step:
	VMOVDQU (SI), X1
	VPSHUFB X0, X1, X1
	VMOVDQU X1, (DI)
	ADDQ BX, SI
	ADDQ AX, DI
	DECQ CX
	JNZ step
	RET
