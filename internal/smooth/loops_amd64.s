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

// func sumTriplesAVX2(dst *uint16, row *uint8, n int)
TEXT ·sumTriplesAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ row+8(FP), SI
	MOVQ n+16(FP), CX

triples:
	VPMOVZXBW (SI), Y0
	VPMOVZXBW 3(SI), Y1
	VPMOVZXBW 6(SI), Y2
	VPADDW    Y1, Y0, Y0
	VPADDW    Y2, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	SUBQ      $16, CX
	JNZ       triples
	VZEROUPPER
	RET

// func sharpenAVX2(row *uint8, above, here, below *uint16, factor float32, n int)
TEXT ·sharpenAVX2(SB), NOSPLIT, $0-48
	MOVQ         row+0(FP), DI
	MOVQ         above+8(FP), R8
	MOVQ         here+16(FP), R9
	MOVQ         below+24(FP), R10
	VBROADCASTSS factor+32(FP), Y15
	MOVQ         n+40(FP), CX
	MOVL         $13, AX
	MOVQ         AX, X14
	VPBROADCASTW X14, Y14
	MOVL         $40330, AX         // (2 sum + 13) / 26 is (2 sum + 13) * 40330 >> 20
	MOVQ         AX, X13
	VPBROADCASTW X13, Y13
	XORQ         BX, BX

sharpen:
	VMOVDQU      (R8)(BX*1), Y0
	VPADDW       (R9)(BX*1), Y0, Y0
	VPADDW       (R10)(BX*1), Y0, Y0
	VPMOVZXBW    (DI), Y1
	VPSLLW       $2, Y1, Y2
	VPADDW       Y2, Y0, Y0
	VPADDW       Y0, Y0, Y0
	VPADDW       Y14, Y0, Y0
	VPMULHUW     Y13, Y0, Y0
	VPSRLW       $4, Y0, Y0         // the means
	VPSUBW       Y0, Y1, Y1         // how far values are from them
	VEXTRACTI128 $1, Y1, X2
	VPMOVSXWD    X1, Y1
	VPMOVSXWD    X2, Y2
	VEXTRACTI128 $1, Y0, X3
	VPMOVSXWD    X0, Y0
	VPMOVSXWD    X3, Y3
	VCVTDQ2PS    Y1, Y1
	VCVTDQ2PS    Y2, Y2
	VCVTDQ2PS    Y0, Y0
	VCVTDQ2PS    Y3, Y3
	VMULPS       Y15, Y1, Y1
	VMULPS       Y15, Y2, Y2
	VADDPS       Y1, Y0, Y0
	VADDPS       Y2, Y3, Y3
	VCVTTPS2DQ   Y0, Y0
	VCVTTPS2DQ   Y3, Y3
	VPACKSSDW    Y3, Y0, Y0
	VPERMQ       $0xD8, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKUSWB    X1, X0, X0
	VMOVDQU      X0, (DI)
	ADDQ         $16, DI
	ADDQ         $32, BX
	SUBQ         $16, CX
	JNZ          sharpen
	VZEROUPPER
	RET
