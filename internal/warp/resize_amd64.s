#include "textflag.h"
#include "resize_amd64.h"

// A resize of rows goes by groups of 16: their bytes are transposed to columns of 16
// words (a column is a register), taps are weighed column by column in pairs of words
// (VPMADDWD), and the results are transposed back. Where a length is not a multiple of
// a block's, the last block begins earlier and repeats some of the one before.

// Interleaving registers k and k+4 moves the highest bit of a row's number behind the
// lowest of a column's: after three steps rows and columns have changed places.
#define INTERLEAVE(low, high, a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7) \
	low  a4, a0, b0 \
	high a4, a0, b1 \
	low  a5, a1, b2 \
	high a5, a1, b3 \
	low  a6, a2, b4 \
	high a6, a2, b5 \
	low  a7, a3, b6 \
	high a7, a3, b7

// From Y0..Y7 to Y8..Y15.
#define TRANSPOSE(low, high) \
	INTERLEAVE(low, high, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15) \
	INTERLEAVE(low, high, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7) \
	INTERLEAVE(low, high, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15)

// Rows k and k+8 of 16 bytes to the lanes of Yk; the address is spoilt.
#define LOAD16(at, upper, stride, stride3) \
	LEAQ        (at)(stride*8), upper              \
	VMOVDQU     (at), X0                           \
	VMOVDQU     (at)(stride*1), X1                 \
	VMOVDQU     (at)(stride*2), X2                 \
	VMOVDQU     (at)(stride3*1), X3                \
	VINSERTI128 $1, (upper), Y0, Y0                \
	VINSERTI128 $1, (upper)(stride*1), Y1, Y1      \
	VINSERTI128 $1, (upper)(stride*2), Y2, Y2      \
	VINSERTI128 $1, (upper)(stride3*1), Y3, Y3     \
	LEAQ        (at)(stride*4), at                 \
	LEAQ        (upper)(stride*4), upper           \
	VMOVDQU     (at), X4                           \
	VMOVDQU     (at)(stride*1), X5                 \
	VMOVDQU     (at)(stride*2), X6                 \
	VMOVDQU     (at)(stride3*1), X7                \
	VINSERTI128 $1, (upper), Y4, Y4                \
	VINSERTI128 $1, (upper)(stride*1), Y5, Y5      \
	VINSERTI128 $1, (upper)(stride*2), Y6, Y6      \
	VINSERTI128 $1, (upper)(stride3*1), Y7, Y7

#define WORDS(j, a) \
	VPUNPCKLBW Y0, a, Y1              \
	VPUNPCKHBW Y0, a, Y2              \
	VMOVDQU    Y1, (64*j)(R10)        \
	VMOVDQU    Y2, (64*j+32)(R10)

// func columnsAVX2(columns *int16, rows *uint8, stride, n int)
TEXT ·columnsAVX2(SB), NOSPLIT, $0-32
	MOVQ columns+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ stride+16(FP), AX
	MOVQ n+24(FP), CX
	SUBQ $16, CX
	LEAQ (AX)(AX*2), BX
	XORQ DX, DX

columns:
	LEAQ (SI)(DX*1), R8
	LOAD16(R8, R9, AX, BX)
	TRANSPOSE(VPUNPCKLBW, VPUNPCKHBW)
	MOVQ DX, R10
	SHLQ $5, R10
	ADDQ DI, R10
	VPXOR Y0, Y0, Y0
	WORDS(0, Y8)
	WORDS(1, Y9)
	WORDS(2, Y10)
	WORDS(3, Y11)
	WORDS(4, Y12)
	WORDS(5, Y13)
	WORDS(6, Y14)
	WORDS(7, Y15)
	NEXT(16, columns, columnsDone)

columnsDone:
	VZEROUPPER
	RET

#define ROWS8(a, x) \
	VMOVDQU      x, (R8)        \
	VEXTRACTI128 $1, a, (R9)    \
	ADDQ         AX, R8         \
	ADDQ         AX, R9

// func rowsOfWordsAVX2(rows *int16, stride int, columns *int16, n int)
TEXT ·rowsOfWordsAVX2(SB), NOSPLIT, $0-32
	MOVQ rows+0(FP), DI
	MOVQ stride+8(FP), AX
	MOVQ columns+16(FP), SI
	MOVQ n+24(FP), CX
	SUBQ $8, CX
	ADDQ AX, AX // bytes
	XORQ DX, DX

words:
	MOVQ    DX, R10
	SHLQ    $5, R10
	ADDQ    SI, R10
	VMOVDQU (R10), Y0
	VMOVDQU 32(R10), Y1
	VMOVDQU 64(R10), Y2
	VMOVDQU 96(R10), Y3
	VMOVDQU 128(R10), Y4
	VMOVDQU 160(R10), Y5
	VMOVDQU 192(R10), Y6
	VMOVDQU 224(R10), Y7
	TRANSPOSE(VPUNPCKLWD, VPUNPCKHWD)
	LEAQ    (DI)(DX*2), R8
	LEAQ    (R8)(AX*8), R9
	ROWS8(Y8, X8)
	ROWS8(Y9, X9)
	ROWS8(Y10, X10)
	ROWS8(Y11, X11)
	ROWS8(Y12, X12)
	ROWS8(Y13, X13)
	ROWS8(Y14, X14)
	ROWS8(Y15, X15)
	NEXT(8, words, wordsDone)

wordsDone:
	VZEROUPPER
	RET

#define ROWS2(a, x) \
	VPERMQ       $0xd8, a, a         \
	VMOVDQU      x, (R8)             \
	VEXTRACTI128 $1, a, (R8)(AX*1)   \
	LEAQ         (R8)(AX*2), R8

// func rowsOfBytesAVX2(rows *uint8, stride int, columns *uint8, n int)
TEXT ·rowsOfBytesAVX2(SB), NOSPLIT, $0-32
	MOVQ rows+0(FP), DI
	MOVQ stride+8(FP), AX
	MOVQ columns+16(FP), SI
	MOVQ n+24(FP), CX
	SUBQ $16, CX
	MOVQ $16, R11
	MOVQ $48, R12
	XORQ DX, DX

bytes:
	MOVQ DX, R8
	SHLQ $4, R8
	ADDQ SI, R8
	LOAD16(R8, R9, R11, R12)
	TRANSPOSE(VPUNPCKLBW, VPUNPCKHBW)
	LEAQ (DI)(DX*1), R8
	ROWS2(Y8, X8)
	ROWS2(Y9, X9)
	ROWS2(Y10, X10)
	ROWS2(Y11, X11)
	ROWS2(Y12, X12)
	ROWS2(Y13, X13)
	ROWS2(Y14, X14)
	ROWS2(Y15, X15)
	NEXT(16, bytes, bytesDone)

bytesDone:
	VZEROUPPER
	RET

DWORDS(wordsHalf, $0xffe00020)  // 1<<(planeBits-9) - 1<<(planeBits+7)
DWORDS(planeHalf, $0x00002000)  // 1<<(planeBits-1)
DWORDS(pillowHalf, $0x00200000) // 1<<(weightBits-1)

// Two taps of 16 words: pairs of the first eight to lo, of the others to hi, lane by lane.
#define PAIRS(a, b, lo, hi) \
	VMOVDQU    a, hi         \
	VPUNPCKLWD b, hi, lo     \
	VPUNPCKHWD b, hi, hi

// func resizeWordsAVX2(out, columns *int16, starts, weights *int32, pairs, n int)
TEXT ·resizeWordsAVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ columns+8(FP), SI
	MOVQ starts+16(FP), DX
	MOVQ weights+24(FP), BX
	MOVQ pairs+32(FP), R8
	MOVQ n+40(FP), CX
	VPBROADCASTD wordsHalf<>(SB), Y15

pixel:
	MOVLQSX (DX), R10
	SHLQ    $5, R10
	ADDQ    SI, R10
	MOVQ    R8, R9
	VMOVDQA Y15, Y0
	VMOVDQA Y15, Y1

pixelTaps:
	VPBROADCASTD (BX), Y2
	PAIRS((R10), 32(R10), Y3, Y4)
	VPMADDWD Y2, Y3, Y3
	VPMADDWD Y2, Y4, Y4
	VPADDD   Y3, Y0, Y0
	VPADDD   Y4, Y1, Y1
	ADDQ     $64, R10
	ADDQ     $4, BX
	DECQ     R9
	JNZ      pixelTaps

	VPSRAD    $6, Y0, Y0
	VPSRAD    $6, Y1, Y1
	VPACKSSDW Y1, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $32, DI
	ADDQ      $4, DX
	DECQ      CX
	JNZ       pixel
	VZEROUPPER
	RET

// The sum of Pillow's weights in two parts, in units of 1 and 2^15 (Y0 and Y2, Y1 and
// Y3), to 16 bytes in X0.
#define SPLIT(lo, hi) \
	VPBROADCASTD lo, Y6   \
	VPBROADCASTD hi, Y7   \
	VPMADDWD Y6, Y4, Y8   \
	VPMADDWD Y6, Y5, Y9   \
	VPMADDWD Y7, Y4, Y10  \
	VPMADDWD Y7, Y5, Y11  \
	VPADDD   Y8, Y0, Y0   \
	VPADDD   Y9, Y1, Y1   \
	VPADDD   Y10, Y2, Y2  \
	VPADDD   Y11, Y3, Y3

#define SPLITSTART \
	VMOVDQA Y15, Y0    \
	VMOVDQA Y15, Y1    \
	VPXOR   Y2, Y2, Y2 \
	VPXOR   Y3, Y3, Y3

#define SPLITEND \
	VPSLLD    $15, Y2, Y2 \
	VPSLLD    $15, Y3, Y3 \
	VPADDD    Y2, Y0, Y0  \
	VPADDD    Y3, Y1, Y1  \
	VPSRAD    $22, Y0, Y0 \
	VPSRAD    $22, Y1, Y1 \
	VPACKSSDW Y1, Y0, Y0  \
	VPACKUSWB Y0, Y0, Y0  \
	VPERMQ    $8, Y0, Y0

// func resizeRGBAVX2(out *uint8, columns *int16, starts, weights *int32, pairs, n, pixelStep, channelStep int)
TEXT ·resizeRGBAVX2(SB), NOSPLIT, $0-64
	MOVQ out+0(FP), DI
	MOVQ columns+8(FP), SI
	MOVQ starts+16(FP), DX
	MOVQ weights+24(FP), BX
	MOVQ pairs+32(FP), R8
	MOVQ n+40(FP), CX
	MOVQ pixelStep+48(FP), AX
	MOVQ channelStep+56(FP), R14
	VPBROADCASTD pillowHalf<>(SB), Y15

rgb:
	MOVLQSX (DX), R10
	SHLQ    $5, R10
	ADDQ    SI, R10
	MOVQ    $3, R12
	MOVQ    DI, R15

rgbChannel:
	MOVQ R10, R13
	MOVQ BX, R11
	MOVQ R8, R9
	SPLITSTART

rgbTaps:
	PAIRS((R13), 96(R13), Y4, Y5)
	SPLIT((R11), 4(R11))
	ADDQ $192, R13
	ADDQ $8, R11
	DECQ R9
	JNZ  rgbTaps

	SPLITEND
	VMOVDQU X0, (R15)
	ADDQ    R14, R15
	ADDQ    $32, R10
	DECQ    R12
	JNZ     rgbChannel
	MOVQ    R11, BX
	ADDQ    AX, DI
	ADDQ    $4, DX
	DECQ    CX
	JNZ     rgb
	VZEROUPPER
	RET

// func blendWordsAVX2(dst, rows *int16, weights *int32, pairs, n int)
TEXT ·blendWordsAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ weights+16(FP), BX
	MOVQ pairs+24(FP), R13
	MOVQ n+32(FP), CX
	LEAQ (CX)(CX*1), AX // bytes of a row
	SUBQ $16, CX
	XORQ DX, DX
	VPBROADCASTD planeHalf<>(SB), Y15

blend:
	LEAQ    (SI)(DX*2), R10
	MOVQ    BX, R11
	MOVQ    R13, R9
	VMOVDQA Y15, Y0
	VMOVDQA Y15, Y1

blendTaps:
	VPBROADCASTD (R11), Y2
	PAIRS((R10), (R10)(AX*1), Y3, Y4)
	VPMADDWD Y2, Y3, Y3
	VPMADDWD Y2, Y4, Y4
	VPADDD   Y3, Y0, Y0
	VPADDD   Y4, Y1, Y1
	LEAQ     (R10)(AX*2), R10
	ADDQ     $4, R11
	DECQ     R9
	JNZ      blendTaps

	VPSRAD    $14, Y0, Y0
	VPSRAD    $14, Y1, Y1
	VPACKSSDW Y1, Y0, Y0
	VMOVDQU   Y0, (DI)(DX*2)
	NEXT(16, blend, blendDone)

blendDone:
	VZEROUPPER
	RET

// func blendBytesAVX2(dst, rows *uint8, stride int, weights *int32, pairs, n int)
TEXT ·blendBytesAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ stride+16(FP), AX
	MOVQ weights+24(FP), BX
	MOVQ pairs+32(FP), R13
	MOVQ n+40(FP), CX
	SUBQ $16, CX
	XORQ DX, DX
	VPBROADCASTD pillowHalf<>(SB), Y15

pillow:
	LEAQ (SI)(DX*1), R10
	MOVQ BX, R11
	MOVQ R13, R9
	SPLITSTART

pillowTaps:
	VPMOVZXBW  (R10), Y5
	VPMOVZXBW  (R10)(AX*1), Y6
	VPUNPCKLWD Y6, Y5, Y4
	VPUNPCKHWD Y6, Y5, Y5
	SPLIT((R11), 4(R11))
	LEAQ (R10)(AX*2), R10
	ADDQ $8, R11
	DECQ R9
	JNZ  pillowTaps

	SPLITEND
	VMOVDQU X0, (DI)(DX*1)
	NEXT(16, pillow, pillowDone)

pillowDone:
	VZEROUPPER
	RET
