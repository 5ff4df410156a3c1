#include "textflag.h"
#include "repeat_amd64.h"

// The inverse transform of four blocks: two in each half of a register.

REPEAT(cosine, 0x4e7b4e7b4e7b4e7b)
REPEAT(sine, 0x8a8c8a8c8a8c8a8c)
REPEAT(half, 0x0004000400040004)
REPEAT(middle, 0x2000200020002000)
REPEAT(outside, 0xc000c000c000c000)

// Y0 to Y3 become the transform of theirs: butterfly.
#define BUTTERFLY \
	VPADDW  Y2, Y0, Y4            \
	VPSUBW  Y2, Y0, Y5            \
	VPMULHW sine<>(SB), Y1, Y6    \
	VPADDW  Y1, Y6, Y6            \
	VPMULHW cosine<>(SB), Y3, Y7  \
	VPADDW  Y3, Y7, Y7            \
	VPSUBW  Y7, Y6, Y6            \
	VPMULHW cosine<>(SB), Y1, Y8  \
	VPADDW  Y1, Y8, Y8            \
	VPMULHW sine<>(SB), Y3, Y9    \
	VPADDW  Y3, Y9, Y9            \
	VPADDW  Y9, Y8, Y8            \
	VPADDW  Y8, Y4, Y0            \
	VPADDW  Y6, Y5, Y1            \
	VPSUBW  Y6, Y5, Y2            \
	VPSUBW  Y8, Y4, Y3

// Transposes four times 4x4 words.
#define TRANSPOSE \
	VPUNPCKLWD  Y1, Y0, Y4  \
	VPUNPCKLWD  Y3, Y2, Y5  \
	VPUNPCKHWD  Y1, Y0, Y6  \
	VPUNPCKHWD  Y3, Y2, Y7  \
	VPUNPCKLDQ  Y5, Y4, Y8  \
	VPUNPCKLDQ  Y7, Y6, Y9  \
	VPUNPCKHDQ  Y5, Y4, Y10 \
	VPUNPCKHDQ  Y7, Y6, Y11 \
	VPUNPCKLQDQ Y9, Y8, Y0  \
	VPUNPCKHQDQ Y9, Y8, Y1  \
	VPUNPCKLQDQ Y11, Y10, Y2 \
	VPUNPCKHQDQ Y11, Y10, Y3

#define TRANSFORM \
	BUTTERFLY                 \
	TRANSPOSE                 \
	VPADDW half<>(SB), Y0, Y0 \
	BUTTERFLY                 \
	VPSRAW $3, Y0, Y0         \
	VPSRAW $3, Y1, Y1         \
	VPSRAW $3, Y2, Y2         \
	VPSRAW $3, Y3, Y3         \
	TRANSPOSE

// Jumps where a coefficient of Y0 to Y3 is below -8192 or above 8191.
#define CHECK(to) \
	VPADDW middle<>(SB), Y0, Y4 \
	VPADDW middle<>(SB), Y1, Y5 \
	VPADDW middle<>(SB), Y2, Y6 \
	VPADDW middle<>(SB), Y3, Y7 \
	VPOR   Y5, Y4, Y4           \
	VPOR   Y7, Y6, Y6           \
	VPOR   Y6, Y4, Y4           \
	VPTEST outside<>(SB), Y4    \
	JNE    to

// Y0 to Y3 are the rows of four blocks.
#define FOUR \
	VMOVDQU     (SI), X4              \
	VMOVDQU     16(SI), X5            \
	VMOVDQU     32(SI), X6            \
	VMOVDQU     48(SI), X7            \
	VINSERTI128 $1, 64(SI), Y4, Y4    \
	VINSERTI128 $1, 80(SI), Y5, Y5    \
	VINSERTI128 $1, 96(SI), Y6, Y6    \
	VINSERTI128 $1, 112(SI), Y7, Y7   \
	VPUNPCKLQDQ Y6, Y4, Y0            \
	VPUNPCKHQDQ Y6, Y4, Y1            \
	VPUNPCKLQDQ Y7, Y5, Y2            \
	VPUNPCKHQDQ Y7, Y5, Y3

#define ROW16(y) \
	VPMOVZXBW    (DI), Y4    \
	VPADDW       y, Y4, Y4   \
	VEXTRACTI128 $1, Y4, X5  \
	VPACKUSWB    X5, X4, X4  \
	VMOVDQU      X4, (DI)    \
	ADDQ         R8, DI

// func addFourAVX2(pix *uint8, stride int, in *int16) bool
TEXT ·addFourAVX2(SB), NOSPLIT, $0-25
	MOVQ pix+0(FP), DI
	MOVQ stride+8(FP), R8
	MOVQ in+16(FP), SI
	FOUR
	CHECK(large)
	TRANSFORM
	ROW16(Y0)
	ROW16(Y1)
	ROW16(Y2)
	ROW16(Y3)
	VZEROUPPER
	MOVB $1, ret+24(FP)
	RET

large:
	VZEROUPPER
	MOVB $0, ret+24(FP)
	RET

// A row of eight samples, and the one four below.
#define ROWS8(y) \
	VMOVQ        (DI), X4               \
	VPINSRQ      $1, (DI)(R8*4), X4, X4 \
	VPMOVZXBW    X4, Y4                 \
	VPADDW       y, Y4, Y4              \
	VEXTRACTI128 $1, Y4, X5             \
	VPACKUSWB    X5, X4, X4             \
	VMOVQ        X4, (DI)               \
	VPEXTRQ      $1, X4, (DI)(R8*4)     \
	ADDQ         R8, DI

// func addSquareAVX2(pix *uint8, stride int, in *int16) bool
TEXT ·addSquareAVX2(SB), NOSPLIT, $0-25
	MOVQ pix+0(FP), DI
	MOVQ stride+8(FP), R8
	MOVQ in+16(FP), SI
	FOUR
	CHECK(large)
	TRANSFORM
	ROWS8(Y0)
	ROWS8(Y1)
	ROWS8(Y2)
	ROWS8(Y3)
	VZEROUPPER
	MOVB $1, ret+24(FP)
	RET

large:
	VZEROUPPER
	MOVB $0, ret+24(FP)
	RET

#define ROW4(x) \
	VPMOVZXBW (DI), X4   \
	VPADDW    x, X4, X4  \
	VPACKUSWB X4, X4, X4 \
	VMOVD     X4, (DI)   \
	ADDQ      R8, DI

// func addOneAVX2(pix *uint8, stride int, in *int16) bool
TEXT ·addOneAVX2(SB), NOSPLIT, $0-25
	MOVQ  pix+0(FP), DI
	MOVQ  stride+8(FP), R8
	MOVQ  in+16(FP), SI
	VMOVQ (SI), X0
	VMOVQ 8(SI), X1
	VMOVQ 16(SI), X2
	VMOVQ 24(SI), X3
	CHECK(large)
	TRANSFORM
	ROW4(X0)
	ROW4(X1)
	ROW4(X2)
	ROW4(X3)
	VZEROUPPER
	MOVB $1, ret+24(FP)
	RET

large:
	VZEROUPPER
	MOVB $0, ret+24(FP)
	RET

// func addFirstAVX2(pix *uint8, stride int, up, down uint8)
TEXT ·addFirstAVX2(SB), NOSPLIT, $0-18
	MOVQ         pix+0(FP), DI
	MOVQ         stride+8(FP), R8
	VPBROADCASTB up+16(FP), X1
	VPBROADCASTB down+17(FP), X2
	LEAQ         (DI)(R8*2), SI
	VMOVD        (DI), X0
	VPINSRD      $1, (DI)(R8*1), X0, X0
	VPINSRD      $2, (SI), X0, X0
	VPINSRD      $3, (SI)(R8*1), X0, X0
	VPADDUSB     X1, X0, X0
	VPSUBUSB     X2, X0, X0
	VMOVD        X0, (DI)
	VPEXTRD      $1, X0, (DI)(R8*1)
	VPEXTRD      $2, X0, (SI)
	VPEXTRD      $3, X0, (SI)(R8*1)
	RET

// func gradient16AVX2(pix *uint8, stride int, above *uint8)
TEXT ·gradient16AVX2(SB), NOSPLIT, $0-24
	MOVQ         pix+0(FP), DI
	MOVQ         stride+8(FP), R8
	MOVQ         above+16(FP), SI
	VPMOVZXBW    1(SI), Y0
	MOVBLZX      (SI), AX
	VMOVD        AX, X1
	VPBROADCASTW X1, Y1
	VPSUBW       Y1, Y0, Y0
	MOVQ         $16, CX

row:
	MOVBLZX      -1(DI), AX
	VMOVD        AX, X1
	VPBROADCASTW X1, Y1
	VPADDW       Y1, Y0, Y1
	VEXTRACTI128 $1, Y1, X2
	VPACKUSWB    X2, X1, X1
	VMOVDQU      X1, (DI)
	ADDQ         R8, DI
	DECQ         CX
	JNE          row
	VZEROUPPER
	RET

// func gradient8AVX2(pix *uint8, stride int, above *uint8)
TEXT ·gradient8AVX2(SB), NOSPLIT, $0-24
	MOVQ         pix+0(FP), DI
	MOVQ         stride+8(FP), R8
	MOVQ         above+16(FP), SI
	VPMOVZXBW    1(SI), X0
	MOVBLZX      (SI), AX
	VMOVD        AX, X1
	VPBROADCASTW X1, X1
	VPSUBW       X1, X0, X0
	MOVQ         $8, CX

row:
	MOVBLZX      -1(DI), AX
	VMOVD        AX, X1
	VPBROADCASTW X1, X1
	VPADDW       X1, X0, X1
	VPACKUSWB    X1, X1, X1
	VMOVQ        X1, (DI)
	ADDQ         R8, DI
	DECQ         CX
	JNE          row
	RET
