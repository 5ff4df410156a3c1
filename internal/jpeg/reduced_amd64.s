#include "textflag.h"

// reduced.go's transforms to 4x4 and 2x2 samples, of blocks up to maxPlainSum.

// Factors of pairs of coefficients: the even sum, and the two odd ones.
DATA even26<>+0(SB)/8, $0xe7823b21e7823b21
DATA even26<>+8(SB)/8, $0xe7823b21e7823b21
GLOBL even26<>(SB), RODATA|NOPTR, $16
DATA first13<>+0(SB)/8, $0xba7921f9ba7921f9
DATA first13<>+8(SB)/8, $0xba7921f9ba7921f9
GLOBL first13<>(SB), RODATA|NOPTR, $16
DATA first57<>+0(SB)/8, $0xf93e2e75f93e2e75
DATA first57<>+8(SB)/8, $0xf93e2e75f93e2e75
GLOBL first57<>(SB), RODATA|NOPTR, $16
DATA second13<>+0(SB)/8, $0x1ccd52031ccd5203
DATA second13<>+8(SB)/8, $0x1ccd52031ccd5203
GLOBL second13<>(SB), RODATA|NOPTR, $16
DATA second57<>+0(SB)/8, $0xefb0ecc2efb0ecc2
DATA second57<>+8(SB)/8, $0xefb0ecc2efb0ecc2
GLOBL second57<>(SB), RODATA|NOPTR, $16

DATA half13<>+0(SB)/8, $0xd74673fcd74673fc
DATA half13<>+8(SB)/8, $0xd74673fcd74673fc
GLOBL half13<>(SB), RODATA|NOPTR, $16
DATA half57<>+0(SB)/8, $0xe8ee1b37e8ee1b37
DATA half57<>+8(SB)/8, $0xe8ee1b37e8ee1b37
GLOBL half57<>(SB), RODATA|NOPTR, $16
DATA odds<>+0(SB)/8, $0xd746000073fc0000
DATA odds<>+8(SB)/8, $0xe8ee00001b370000
GLOBL odds<>(SB), RODATA|NOPTR, $16

DATA round1of4<>+0(SB)/8, $0x0000080000000800
DATA round1of4<>+8(SB)/8, $0x0000080000000800
GLOBL round1of4<>(SB), RODATA|NOPTR, $16
DATA round2of4<>+0(SB)/8, $0x0404000004040000
DATA round2of4<>+8(SB)/8, $0x0404000004040000
GLOBL round2of4<>(SB), RODATA|NOPTR, $16
DATA round1of2<>+0(SB)/8, $0x0000100000001000
DATA round1of2<>+8(SB)/8, $0x0000100000001000
GLOBL round1of2<>(SB), RODATA|NOPTR, $16
DATA round2of2<>+0(SB)/8, $0x0808000008080000
DATA round2of2<>+8(SB)/8, $0x0808000008080000
GLOBL round2of2<>(SB), RODATA|NOPTR, $16

// Columns of bytes to rows.
DATA rows4<>+0(SB)/8, $0x0d0905010c080400
DATA rows4<>+8(SB)/8, $0x0f0b07030e0a0602
GLOBL rows4<>(SB), RODATA|NOPTR, $16
DATA rows2<>+0(SB)/8, $0x8080808005010400
DATA rows2<>+8(SB)/8, $0x8080808080808080
GLOBL rows2<>(SB), RODATA|NOPTR, $16

// AVERAGE2 is average2 of coefficient 0, shifted, in e and of the pairs of 2 and 6, of 1
// and 3, and of 5 and 7: a, b, c and d.
#define AVERAGE2(e, p26, p13, p57, a, b, c, d) \
	VPMADDWD even26<>(SB), p26, p26   \
	VPADDD   p26, e, a                \
	VPSUBD   p26, e, b                \
	VPMADDWD second13<>(SB), p13, d   \
	VPMADDWD second57<>(SB), p57, p26 \
	VPADDD   p26, d, d                \
	VPMADDWD first13<>(SB), p13, p13  \
	VPMADDWD first57<>(SB), p57, p57  \
	VPADDD   p57, p13, p13            \
	VPSUBD   p13, b, c                \
	VPADDD   p13, b, b                \
	VPADDD   d, a, p26                \
	VPSUBD   d, a, d                  \
	VMOVDQA  p26, a

// func fourAVX2(dst *uint8, stride int, words *uint64)
TEXT ·fourAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ words+16(FP), SI
	VPXOR      X15, X15, X15
	VPUNPCKLWD (SI), X15, X0
	VPUNPCKHWD (SI), X15, X1
	VPSRAD     $2, X0, X0
	VPSRAD     $2, X1, X1
	VPADDD     round1of4<>(SB), X0, X0
	VPADDD     round1of4<>(SB), X1, X1
	VMOVDQU    32(SI), X2
	VPUNPCKHWD 96(SI), X2, X3
	VPUNPCKLWD 96(SI), X2, X2
	VMOVDQU    16(SI), X4
	VPUNPCKHWD 48(SI), X4, X5
	VPUNPCKLWD 48(SI), X4, X4
	VMOVDQU    80(SI), X6
	VPUNPCKHWD 112(SI), X6, X7
	VPUNPCKLWD 112(SI), X6, X6
	AVERAGE2(X0, X2, X4, X6, X8, X9, X10, X11)
	AVERAGE2(X1, X3, X5, X7, X12, X13, X14, X2)
	VPSRAD     $12, X8, X8
	VPSRAD     $12, X9, X9
	VPSRAD     $12, X10, X10
	VPSRAD     $12, X11, X11
	VPSRAD     $12, X12, X12
	VPSRAD     $12, X13, X13
	VPSRAD     $12, X14, X14
	VPSRAD     $12, X2, X2
	VPACKSSDW  X12, X8, X8
	VPACKSSDW  X13, X9, X9
	VPACKSSDW  X14, X10, X10
	VPACKSSDW  X2, X11, X11

	// Four rows to columns, two in a register.
	VPUNPCKLWD X9, X8, X0
	VPUNPCKHWD X9, X8, X1
	VPUNPCKLWD X11, X10, X2
	VPUNPCKHWD X11, X10, X3
	VPUNPCKLDQ X2, X0, X4
	VPUNPCKHDQ X2, X0, X5
	VPUNPCKLDQ X3, X1, X6
	VPUNPCKHDQ X3, X1, X7
	VPUNPCKLWD X4, X15, X0
	VPSRAD     $2, X0, X0
	VPADDD     round2of4<>(SB), X0, X0
	VPUNPCKLWD X7, X5, X1
	VPUNPCKHWD X5, X4, X2
	VPUNPCKHWD X7, X6, X3
	AVERAGE2(X0, X1, X2, X3, X8, X9, X10, X11)
	VPSRAD     $19, X8, X8
	VPSRAD     $19, X9, X9
	VPSRAD     $19, X10, X10
	VPSRAD     $19, X11, X11
	VPACKSSDW  X9, X8, X8
	VPACKSSDW  X11, X10, X10
	VPACKUSWB  X10, X8, X8
	VPSHUFB    rows4<>(SB), X8, X8
	LEAQ       (DI)(DX*2), AX
	VMOVD      X8, (DI)
	VPEXTRD    $1, X8, (DI)(DX*1)
	VPEXTRD    $2, X8, (AX)
	VPEXTRD    $3, X8, (AX)(DX*1)
	RET

// func twoAVX2(dst *uint8, stride int, words *uint64)
TEXT ·twoAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), DX
	MOVQ words+16(FP), SI
	VPXOR      X15, X15, X15
	VPUNPCKLWD (SI), X15, X0
	VPUNPCKHWD (SI), X15, X1
	VPSRAD     $1, X0, X0
	VPSRAD     $1, X1, X1
	VPADDD     round1of2<>(SB), X0, X0
	VPADDD     round1of2<>(SB), X1, X1
	VMOVDQU    16(SI), X4
	VPUNPCKHWD 48(SI), X4, X5
	VPUNPCKLWD 48(SI), X4, X4
	VMOVDQU    80(SI), X6
	VPUNPCKHWD 112(SI), X6, X7
	VPUNPCKLWD 112(SI), X6, X6
	VPMADDWD   half13<>(SB), X4, X4
	VPMADDWD   half13<>(SB), X5, X5
	VPMADDWD   half57<>(SB), X6, X6
	VPMADDWD   half57<>(SB), X7, X7
	VPADDD     X6, X4, X4
	VPADDD     X7, X5, X5
	VPADDD     X4, X0, X8
	VPADDD     X5, X1, X9
	VPSUBD     X4, X0, X0
	VPSUBD     X5, X1, X1
	VPSRAD     $13, X8, X8
	VPSRAD     $13, X9, X9
	VPSRAD     $13, X0, X0
	VPSRAD     $13, X1, X1
	VPACKSSDW  X9, X8, X8
	VPACKSSDW  X1, X0, X0

	VPMADDWD   odds<>(SB), X8, X2
	VPMADDWD   odds<>(SB), X0, X3
	VPHADDD    X3, X2, X2
	VPHADDD    X2, X2, X2
	VPUNPCKLWD X0, X8, X0
	VPUNPCKLWD X0, X15, X0
	VPSRAD     $1, X0, X0
	VPADDD     round2of2<>(SB), X0, X0
	VPADDD     X2, X0, X1
	VPSUBD     X2, X0, X0
	VPSRAD     $20, X1, X1
	VPSRAD     $20, X0, X0
	VPACKSSDW  X0, X1, X1
	VPACKUSWB  X1, X1, X1
	VPSHUFB    rows2<>(SB), X1, X1
	VMOVD      X1, AX
	MOVW       AX, (DI)
	SHRL       $16, AX
	MOVW       AX, (DI)(DX*1)
	RET
