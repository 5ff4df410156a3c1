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
	SUBQ $4, CX
	JLT rest
	LEAQ (BX)(BX*2), R8 // three steps
	LEAQ (AX)(AX*2), R9

four:
	VMOVDQU (SI), X1
	VMOVDQU (SI)(BX*1), X2
	VMOVDQU (SI)(BX*2), X3
	VMOVDQU (SI)(R8*1), X4
	VPSHUFB X0, X1, X1
	VPSHUFB X0, X2, X2
	VPSHUFB X0, X3, X3
	VPSHUFB X0, X4, X4
	VMOVDQU X1, (DI)
	VMOVDQU X2, (DI)(AX*1)
	VMOVDQU X3, (DI)(AX*2)
	VMOVDQU X4, (DI)(R9*1)
	LEAQ (SI)(BX*4), SI
	LEAQ (DI)(AX*4), DI
	SUBQ $4, CX
	JGE four

rest:
	ADDQ $4, CX
	JZ done

step:
	VMOVDQU (SI), X1
	VPSHUFB X0, X1, X1
	VMOVDQU X1, (DI)
	ADDQ BX, SI
	ADDQ AX, DI
	DECQ CX
	JNZ step

done:
	RET

// func lookUpAVX2(dst, numbers *byte, n int, table *rgbTable)
TEXT ·lookUpAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ numbers+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ table+24(FP), BX

four:
	MOVBLZX (SI), AX
	MOVBLZX 1(SI), DX
	MOVBLZX 2(SI), R8
	MOVBLZX 3(SI), R9
	MOVL (BX)(AX*4), AX
	MOVL (BX)(DX*4), DX
	MOVL (BX)(R8*4), R8
	MOVL (BX)(R9*4), R9
	MOVL AX, (DI) // the next one's red is stored over the byte behind it
	MOVL DX, 3(DI)
	MOVL R8, 6(DI)
	MOVL R9, 9(DI)
	ADDQ $4, SI
	ADDQ $12, DI
	DECQ CX
	JNZ four
	RET
