#include "textflag.h"

// func widenAVX2(dst *int16, src *uint8, n int)
TEXT ·widenAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

widen:
	VPMOVZXBW (SI), Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	SUBQ      $16, CX
	JNZ       widen
	VZEROUPPER
	RET

// WEIGH adds up 16 products and their rounding, Y7, in Y4 (values 0-3 and 8-11) and Y5 (4-7
// and 12-15). SI: inputs, DX: weights, R8: pairs, BX: offset in bytes, Y6: zero. Changes R9 to
// R13, Y0 to Y3.
#define WEIGH(loop, done) \
	MOVQ         (SI), R9       \
	VMOVDQU      (R9)(BX*1), Y0 \
	VPBROADCASTW (DX), Y3       \
	VPUNPCKLWD   Y6, Y0, Y1     \
	VPUNPCKHWD   Y6, Y0, Y2     \
	VPMADDWD     Y3, Y1, Y1     \
	VPMADDWD     Y3, Y2, Y2     \
	VPADDD       Y7, Y1, Y4     \
	VPADDD       Y7, Y2, Y5     \
	LEAQ         8(SI), R9      \
	LEAQ         2(DX), R10     \
	MOVQ         R8, R11        \
loop: \
	TESTQ        R11, R11        \
	JZ           done            \
	MOVQ         (R9), R12       \
	MOVQ         8(R9), R13      \
	VMOVDQU      (R12)(BX*1), Y0 \
	VMOVDQU      (R13)(BX*1), Y1 \
	VPBROADCASTW (R10), Y3       \
	VPUNPCKLWD   Y1, Y0, Y2      \
	VPUNPCKHWD   Y1, Y0, Y0      \
	VPMADDWD     Y3, Y2, Y2      \
	VPMADDWD     Y3, Y0, Y0      \
	VPADDD       Y2, Y4, Y4      \
	VPADDD       Y0, Y5, Y5      \
	ADDQ         $16, R9         \
	ADDQ         $2, R10         \
	DECQ         R11             \
	JMP          loop            \
done:

// func lengthwiseAVX2(dst *int16, inputs **int16, weights *int16, pairs, n int)
TEXT ·lengthwiseAVX2(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         inputs+8(FP), SI
	MOVQ         weights+16(FP), DX
	MOVQ         pairs+24(FP), R8
	MOVQ         n+32(FP), CX
	XORQ         BX, BX
	VPXOR        Y6, Y6, Y6
	MOVL         $128, AX
	MOVQ         AX, X7
	VPBROADCASTD X7, Y7

lengthwise:
	WEIGH(lengthwisePair, lengthwiseSum)
	VPSRAD    $8, Y4, Y4
	VPSRAD    $8, Y5, Y5
	VPACKSSDW Y5, Y4, Y4
	VMOVDQU   Y4, (DI)(BX*1)
	ADDQ      $32, BX
	SUBQ      $16, CX
	JNZ       lengthwise
	VZEROUPPER
	RET

// func acrossAVX2(dst *uint8, inputs **int16, weights *int16, pairs, n int)
TEXT ·acrossAVX2(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         inputs+8(FP), SI
	MOVQ         weights+16(FP), DX
	MOVQ         pairs+24(FP), R8
	MOVQ         n+32(FP), CX
	XORQ         BX, BX
	VPXOR        Y6, Y6, Y6
	MOVL         $2097152, AX
	MOVQ         AX, X7
	VPBROADCASTD X7, Y7

across:
	WEIGH(acrossPair, acrossSum)
	VPSRAD       $22, Y4, Y4
	VPSRAD       $22, Y5, Y5
	VPACKSSDW    Y5, Y4, Y4
	VEXTRACTI128 $1, Y4, X0
	VPACKUSWB    X0, X4, X4
	VMOVDQU      X4, (DI)
	ADDQ         $16, DI
	ADDQ         $32, BX
	SUBQ         $16, CX
	JNZ          across
	VZEROUPPER
	RET
