#include "textflag.h"
#include "resize_amd64.h"

// From rows of RGB to what the output holds, eight pixels at a time.

// 1/255 in two parts, as in resize_output_amd64.s.
DWORDS(high255th, $0x3b808081)
DWORDS(low255th, $0xaf7efeff)

// One channel of the eight pixels in Y0.
#define CHANNEL(c, mean, high, low, dst) \
	VPSHUFB     (32*c)(R10), Y0, Y1 \
	VCVTDQ2PS   Y1, Y1              \
	VMULPS      Y14, Y1, Y2         \
	VFMADD231PS Y15, Y1, Y2         \
	VSUBPS      mean, Y2, Y2        \
	VMULPS      low, Y2, Y1         \
	VFMADD231PS high, Y2, Y1        \
	VMOVUPS     Y1, (dst)(DX*4)

// func planesAVX2(red, green, blue *float32, rgb *uint8, lines *[3]line255, places *[3][32]uint8, n, mirrored int)
TEXT ·planesAVX2(SB), NOSPLIT, $0-64
	MOVQ red+0(FP), DI
	MOVQ green+8(FP), SI
	MOVQ blue+16(FP), BX
	MOVQ rgb+24(FP), R9
	MOVQ lines+32(FP), AX
	MOVQ places+40(FP), R10
	MOVQ n+48(FP), CX
	VBROADCASTSS high255th<>(SB), Y15
	VBROADCASTSS low255th<>(SB), Y14
	VBROADCASTSS (AX), Y13
	VBROADCASTSS 4(AX), Y12
	VBROADCASTSS 8(AX), Y11
	VBROADCASTSS 12(AX), Y10
	VBROADCASTSS 16(AX), Y9
	VBROADCASTSS 20(AX), Y8
	VBROADCASTSS 24(AX), Y7
	VBROADCASTSS 28(AX), Y6
	VBROADCASTSS 32(AX), Y5
	SUBQ $8, CX
	XORQ DX, DX
	CMPQ mirrored+56(FP), $0
	JNE  back

ahead:
	LEAQ        (DX)(DX*2), R11
	ADDQ        R9, R11
	VMOVDQU     (R11), X0
	VINSERTI128 $1, 8(R11), Y0, Y0
	CHANNEL(0, Y13, Y12, Y11, DI)
	CHANNEL(1, Y10, Y9, Y8, SI)
	CHANNEL(2, Y7, Y6, Y5, BX)
	NEXT(8, ahead, done)

back:
	MOVQ        CX, R11
	SUBQ        DX, R11
	LEAQ        (R11)(R11*2), R11
	ADDQ        R9, R11
	VMOVDQU     8(R11), X0
	VINSERTI128 $1, (R11), Y0, Y0
	CHANNEL(0, Y13, Y12, Y11, DI)
	CHANNEL(1, Y10, Y9, Y8, SI)
	CHANNEL(2, Y7, Y6, Y5, BX)
	NEXT(8, back, done)

done:
	VZEROUPPER
	RET

// func mirrorAVX2(dst, rgb *uint8, places *[3][16]uint8, n int)
TEXT ·mirrorAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ rgb+8(FP), R9
	MOVQ places+16(FP), AX
	MOVQ n+24(FP), CX
	VMOVDQU (AX), X5
	VMOVDQU 16(AX), X6
	VMOVDQU 32(AX), X7
	SUBQ $8, CX
	XORQ DX, DX

mirror:
	MOVQ    CX, R11
	SUBQ    DX, R11
	LEAQ    (R11)(R11*2), R11
	ADDQ    R9, R11
	LEAQ    (DX)(DX*2), R12
	ADDQ    DI, R12
	VMOVDQU (R11), X0
	VMOVDQU 8(R11), X1
	VPSHUFB X5, X1, X2
	VPSHUFB X6, X0, X3
	VPSHUFB X7, X0, X4
	VPOR    X2, X3, X2
	VMOVDQU X4, 8(R12)
	VMOVDQU X2, (R12)
	NEXT(8, mirror, mirrorDone)

mirrorDone:
	VZEROUPPER
	RET
