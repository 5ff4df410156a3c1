#include "go_asm.h"
#include "textflag.h"
#include "resize_amd64.h"

// From planes, row by row, to what the output holds.

DWORDS(yccBias, $0x20200000)    // 1<<29 + yccHalf
DWORDS(yccRed, $0x59ba4000)     // crToR, 1<<14
DWORDS(yccBlue, $0x71684000)    // cbToB, 1<<14
DWORDS(yccGreen, $0xd24c4000)   // -crToG, 1<<14
DWORDS(yccGreenB, $0xe9fa0000)  // -cbToG, 0
DWORDS(blendHalf, $0x00002000)  // 1<<(planeBits-1)

// 16 words to bytes; shifts take off the fraction.
#define LEVELS(lo, hi) \
	VPADDD    lo, Y15, lo  \
	VPADDD    hi, Y15, hi  \
	VPSRAD    $22, lo, lo  \
	VPSRAD    $22, hi, hi  \
	VPACKSSDW hi, lo, lo   \
	VPACKUSWB lo, lo, lo   \
	VPERMQ    $8, lo, lo

// func convertAVX2(red, green, blue *uint8, luma, cb, cr *int16, n int)
TEXT ·convertAVX2(SB), NOSPLIT, $0-56
	MOVQ red+0(FP), DI
	MOVQ green+8(FP), SI
	MOVQ blue+16(FP), BX
	MOVQ luma+24(FP), R9
	MOVQ cb+32(FP), R10
	MOVQ cr+40(FP), R11
	MOVQ n+48(FP), CX
	SUBQ $16, CX
	XORQ DX, DX
	VPBROADCASTD yccBias<>(SB), Y15
	VPBROADCASTD yccRed<>(SB), Y14
	VPBROADCASTD yccBlue<>(SB), Y13
	VPBROADCASTD yccGreen<>(SB), Y12
	VPBROADCASTD yccGreenB<>(SB), Y11

convert:
	VMOVDQU    (R9)(DX*2), Y0
	VMOVDQU    (R10)(DX*2), Y1
	VMOVDQU    (R11)(DX*2), Y2
	VPUNPCKLWD Y2, Y0, Y3
	VPUNPCKHWD Y2, Y0, Y4
	VPUNPCKLWD Y1, Y0, Y5
	VPUNPCKHWD Y1, Y0, Y6
	VPMADDWD   Y12, Y3, Y7
	VPMADDWD   Y12, Y4, Y8
	VPMADDWD   Y11, Y5, Y9
	VPMADDWD   Y11, Y6, Y10
	VPMADDWD   Y14, Y3, Y3
	VPMADDWD   Y14, Y4, Y4
	VPMADDWD   Y13, Y5, Y5
	VPMADDWD   Y13, Y6, Y6
	VPADDD     Y9, Y7, Y7
	VPADDD     Y10, Y8, Y8
	LEVELS(Y3, Y4)
	LEVELS(Y7, Y8)
	LEVELS(Y5, Y6)
	VMOVDQU    X3, (DI)(DX*1)
	VMOVDQU    X7, (SI)(DX*1)
	VMOVDQU    X5, (BX)(DX*1)
	NEXT(16, convert, convertDone)

convertDone:
	VZEROUPPER
	RET

// Two taps of 16 words of a plane, at i bytes, weighed by w, to words in out; Y3 and Y4 are spoilt.
#define BLEND2(rows, w, out) \
	VMOVDQU    (rows)(DX*2), Y3      \
	VMOVDQU    (rows)(AX*1), Y4      \
	VPUNPCKLWD Y4, Y3, out           \
	VPUNPCKHWD Y4, Y3, Y4            \
	VPMADDWD   w, out, out           \
	VPMADDWD   w, Y4, Y4             \
	VPADDD     Y10, out, out         \
	VPADDD     Y10, Y4, Y4           \
	VPSRAD     $14, out, out         \
	VPSRAD     $14, Y4, Y4           \
	VPACKSSDW  Y4, out, out

// func blendTwoAVX2(t *twoTaps)
TEXT ·blendTwoAVX2(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), BX
	MOVQ twoTaps_red(BX), DI
	MOVQ twoTaps_green(BX), SI
	MOVQ twoTaps_blue(BX), R15
	VPBROADCASTD yccBias<>(SB), Y15
	VPBROADCASTD yccRed<>(SB), Y14
	VPBROADCASTD yccBlue<>(SB), Y13
	VPBROADCASTD yccGreen<>(SB), Y12
	VPBROADCASTD yccGreenB<>(SB), Y11
	VPBROADCASTD blendHalf<>(SB), Y10
	XORQ R12, R12 // the row

two:
	MOVQ twoTaps_width(BX), CX
	LEAQ (CX)(CX*1), R13 // bytes of a row
	SUBQ $16, CX
	MOVQ twoTaps_lumaStarts(BX), AX
	MOVLQSX (AX)(R12*4), R9
	IMULQ R13, R9
	ADDQ twoTaps_luma(BX), R9
	MOVQ twoTaps_chromaStarts(BX), AX
	MOVLQSX (AX)(R12*4), R10
	IMULQ R13, R10
	MOVQ R10, R11
	ADDQ twoTaps_cb(BX), R10
	ADDQ twoTaps_cr(BX), R11
	MOVQ twoTaps_lumaWeights(BX), AX
	VPBROADCASTD (AX)(R12*4), Y9
	MOVQ twoTaps_chromaWeights(BX), AX
	VPBROADCASTD (AX)(R12*4), Y8
	XORQ DX, DX

twoColumns:
	LEAQ (R13)(DX*2), AX // bytes to the row below
	BLEND2(R9, Y9, Y0)
	BLEND2(R10, Y8, Y1)
	BLEND2(R11, Y8, Y2)
	VPUNPCKLWD Y2, Y0, Y3
	VPUNPCKHWD Y2, Y0, Y4
	VPUNPCKLWD Y1, Y0, Y5
	VPUNPCKHWD Y1, Y0, Y6
	VPMADDWD   Y12, Y3, Y7
	VPMADDWD   Y11, Y5, Y0
	VPADDD     Y0, Y7, Y7
	VPMADDWD   Y12, Y4, Y1
	VPMADDWD   Y11, Y6, Y2
	VPADDD     Y2, Y1, Y1
	VPMADDWD   Y14, Y3, Y3
	VPMADDWD   Y14, Y4, Y4
	VPMADDWD   Y13, Y5, Y5
	VPMADDWD   Y13, Y6, Y6
	LEVELS(Y3, Y4)
	LEVELS(Y7, Y1)
	LEVELS(Y5, Y6)
	VMOVDQU    X3, (DI)(DX*1)
	VMOVDQU    X7, (SI)(DX*1)
	VMOVDQU    X5, (R15)(DX*1)
	NEXT(16, twoColumns, twoRow)

twoRow:
	MOVQ twoTaps_width(BX), AX
	ADDQ AX, DI
	ADDQ AX, SI
	ADDQ AX, R15
	INCQ R12
	CMPQ R12, twoTaps_rows(BX)
	JLT  two
	VZEROUPPER
	RET

#define MIX(i) \
	VPSHUFB (48*i)(AX), X0, X3    \
	VPSHUFB (48*i+16)(AX), X1, X4 \
	VPSHUFB (48*i+32)(AX), X2, X5 \
	VPOR    X3, X4, X4            \
	VPOR    X4, X5, X5            \
	VMOVDQU X5, (16*i)(R10)

// func interleaveAVX2(rgb, red, green, blue *uint8, places *[3][3][16]uint8, n int)
TEXT ·interleaveAVX2(SB), NOSPLIT, $0-48
	MOVQ rgb+0(FP), DI
	MOVQ red+8(FP), SI
	MOVQ green+16(FP), BX
	MOVQ blue+24(FP), R9
	MOVQ places+32(FP), AX
	MOVQ n+40(FP), CX
	SUBQ $16, CX
	XORQ DX, DX

mix:
	VMOVDQU (SI)(DX*1), X0
	VMOVDQU (BX)(DX*1), X1
	VMOVDQU (R9)(DX*1), X2
	LEAQ    (DX)(DX*2), R10
	ADDQ    DI, R10
	MIX(0)
	MIX(1)
	MIX(2)
	NEXT(16, mix, mixDone)

mixDone:
	VZEROUPPER
	RET

// 1/255 in two parts.
DWORDS(high255, $0x3b808081)
DWORDS(low255, $0xaf7efeff)

#define VALUES(levels, dst) \
	VPMOVZXBD   levels, Y0   \
	VCVTDQ2PS   Y0, Y0       \
	VMULPS      Y14, Y0, Y1  \
	VFMADD231PS Y15, Y0, Y1  \
	VSUBPS      Y13, Y1, Y1  \
	VMULPS      Y11, Y1, Y2  \
	VFMADD231PS Y12, Y1, Y2  \
	VMOVUPS     Y2, dst

// func valuesAVX2(dst *float32, levels *uint8, line *line255, n int)
TEXT ·valuesAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ levels+8(FP), SI
	MOVQ line+16(FP), BX
	MOVQ n+24(FP), CX
	SUBQ $16, CX
	XORQ DX, DX
	VBROADCASTSS high255<>(SB), Y15
	VBROADCASTSS low255<>(SB), Y14
	VBROADCASTSS (BX), Y13
	VBROADCASTSS 4(BX), Y12
	VBROADCASTSS 8(BX), Y11

values:
	VALUES((SI)(DX*1), (DI)(DX*4))
	VALUES(8(SI)(DX*1), 32(DI)(DX*4))
	NEXT(16, values, valuesDone)

valuesDone:
	VZEROUPPER
	RET
