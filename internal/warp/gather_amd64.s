#include "textflag.h"

// The bytes of lines at given columns, sixteen at a time.

// func gatherAVX2(out, line *uint8, groups *gathered, places *uint8, n, loads int)
TEXT ·gatherAVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ line+8(FP), SI
	MOVQ groups+16(FP), BX
	MOVQ places+24(FP), R8
	MOVQ n+32(FP), CX
	MOVQ loads+40(FP), DX
	CMPQ DX, $1
	JNE  several

one:
	MOVLQSX (BX), R9
	MOVLQSX 4(BX), R10
	VMOVDQU (SI)(R9*1), X0
	VPSHUFB (R8), X0, X0
	VMOVDQU X0, (DI)(R10*1)
	ADDQ    $8, BX
	ADDQ    $16, R8
	DECQ    CX
	JNZ     one
	RET

several:
	MOVLQSX (BX), R9
	MOVLQSX 4(BX), R10
	ADDQ    SI, R9
	VPXOR   X1, X1, X1
	MOVQ    DX, AX

load:
	VMOVDQU (R9), X0
	VPSHUFB (R8), X0, X0
	VPOR    X0, X1, X1
	ADDQ    $16, R9
	ADDQ    $16, R8
	DECQ    AX
	JNZ     load
	VMOVDQU X1, (DI)(R10*1)
	ADDQ    $8, BX
	DECQ    CX
	JNZ     several
	RET
