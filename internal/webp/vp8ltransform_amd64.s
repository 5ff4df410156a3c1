#include "textflag.h"

// MEAN is the mean of X1 and X2, rounded down; X15 is ones in each byte.
#define MEAN \
	VPXOR  X1, X2, X3   \
	VPAND  X15, X3, X3  \
	VPAVGB X1, X2, X1   \
	VPSUBB X3, X1, X1

// ONWARD4 goes four pixels on.
#define ONWARD4 \
	ADDQ $16, SI  \
	ADDQ $16, DI  \
	ADDQ $16, DX  \
	SUBQ $4, CX

// ONWARD goes to the next pixel, or leaves the loop.
#define ONWARD(LOOP) \
	ADDQ $4, SI  \
	ADDQ $4, DI  \
	ADDQ $4, DX  \
	DECQ CX      \
	JNZ  LOOP

// Averages that are rounded down are the complements of rounded-up averages of complements. So X0 is the
// complement of the pixel to the left, and that of the next is the average less the coded difference.
#define DIFFERENCE(AVERAGE) \
	VMOVD  (SI), X3       \
	VPSUBB X3, AVERAGE, X0 \
	VPXOR  X14, X0, X4    \
	VMOVD  X4, (DI)

// func predictRowAVX2(out, in, above, tiles *uint32, n, tile int)
//
// DI, SI and DX are at the pixel, DX at the one above and to the left; R8 pixels are left, R9 is how many are in
// the next tile, CX in this one. X0 is the pixel to the left.
TEXT ·predictRowAVX2(SB), NOSPLIT, $0-48
	MOVQ     out+0(FP), DI
	MOVQ     in+8(FP), SI
	MOVQ     above+16(FP), DX
	MOVQ     tiles+24(FP), BX
	MOVQ     n+32(FP), R8
	MOVQ     tile+40(FP), R9
	DECQ     R9 // the first pixel of the row isn't among them
	VPCMPEQB X14, X14, X14
	VPSRLW   $15, X14, X15
	VPACKUSWB X15, X15, X15
	VPSLLD   $24, X14, X13 // black
	VMOVD    -4(DI), X0

next:
	TESTQ   R8, R8
	JZ      done
	MOVQ    R9, CX
	CMPQ    CX, R8
	CMOVQGT R8, CX
	SUBQ    CX, R8
	MOVQ    tile+40(FP), R9
	MOVL    (BX), AX
	ADDQ    $4, BX
	SHRL    $8, AX
	ANDL    $15, AX
	CMPL    AX, $7
	JLT     under7
	JEQ     mode7
	CMPL    AX, $11
	JLT     under11
	JEQ     mode11
	CMPL    AX, $13
	JLT     mode12
	JEQ     mode13
	JMP     mode0

under11:
	CMPL AX, $9
	JLT  mode8
	JEQ  mode9
	JMP  mode10

under7:
	CMPL AX, $3
	JLT  under3
	JEQ  mode3
	CMPL AX, $5
	JLT  mode4
	JEQ  mode5
	JMP  mode6

under3:
	CMPL AX, $1
	JLT  mode0
	JEQ  mode1
	JMP  mode2

last:
	VMOVD -4(DI), X0
	JMP   next

mode0:
	SUBQ $4, CX
	JLT  ones0

quads0:
	VPADDB  (SI), X13, X1
	VMOVDQU X1, (DI)
	ONWARD4
	JGE     quads0

ones0:
	ADDQ $4, CX
	JZ   last

one0:
	VMOVD  (SI), X1
	VPADDB X13, X1, X1
	VMOVD  X1, (DI)
	ONWARD(one0)
	JMP    last

	// Left: sums of four pixels by doubling steps.
mode1:
	SUBQ    $4, CX
	JLT     ones1
	VPSHUFD $0, X0, X0

quads1:
	VMOVDQU (SI), X1
	VPSLLDQ $4, X1, X2
	VPADDB  X2, X1, X1
	VPSLLDQ $8, X1, X2
	VPADDB  X2, X1, X1
	VPADDB  X0, X1, X1
	VMOVDQU X1, (DI)
	VPSHUFD $0xff, X1, X0
	ONWARD4
	JGE     quads1

ones1:
	ADDQ $4, CX
	JZ   last

one1:
	VMOVD  (SI), X1
	VPADDB X1, X0, X0
	VMOVD  X0, (DI)
	ONWARD(one1)
	JMP    last // X0 is that pixel alone

mode2:
	SUBQ $4, CX
	JLT  ones2

quads2:
	VMOVDQU 4(DX), X1
	VPADDB  (SI), X1, X1
	VMOVDQU X1, (DI)
	ONWARD4
	JGE     quads2

ones2:
	ADDQ $4, CX
	JZ   last

one2:
	VMOVD  4(DX), X1
	VMOVD  (SI), X2
	VPADDB X2, X1, X1
	VMOVD  X1, (DI)
	ONWARD(one2)
	JMP    last

mode3:
	SUBQ $4, CX
	JLT  ones3

quads3:
	VMOVDQU 8(DX), X1
	VPADDB  (SI), X1, X1
	VMOVDQU X1, (DI)
	ONWARD4
	JGE     quads3

ones3:
	ADDQ $4, CX
	JZ   last

one3:
	VMOVD  8(DX), X1
	VMOVD  (SI), X2
	VPADDB X2, X1, X1
	VMOVD  X1, (DI)
	ONWARD(one3)
	JMP    last

mode4:
	SUBQ $4, CX
	JLT  ones4

quads4:
	VMOVDQU (DX), X1
	VPADDB  (SI), X1, X1
	VMOVDQU X1, (DI)
	ONWARD4
	JGE     quads4

ones4:
	ADDQ $4, CX
	JZ   last

one4:
	VMOVD  (DX), X1
	VMOVD  (SI), X2
	VPADDB X2, X1, X1
	VMOVD  X1, (DI)
	ONWARD(one4)
	JMP    last

	// (left + top right) / 2, and that with top
mode5:
	VPXOR X14, X0, X0

one5:
	VMOVD  8(DX), X1
	VPXOR  X14, X1, X1
	VMOVD  4(DX), X2
	VPXOR  X14, X2, X2
	VPAVGB X0, X1, X1
	VPAVGB X1, X2, X2
	DIFFERENCE(X2)
	ONWARD(one5)
	JMP    last

	// left and top left
mode6:
	VPXOR X14, X0, X0

one6:
	VMOVD  (DX), X1
	VPXOR  X14, X1, X1
	VPAVGB X0, X1, X1
	DIFFERENCE(X1)
	ONWARD(one6)
	JMP    last

	// left and top
mode7:
	VPXOR X14, X0, X0

one7:
	VMOVD  4(DX), X1
	VPXOR  X14, X1, X1
	VPAVGB X0, X1, X1
	DIFFERENCE(X1)
	ONWARD(one7)
	JMP    last

	// top left and top
mode8:
	SUBQ $4, CX
	JLT  ones8

quads8:
	VMOVDQU (DX), X1
	VMOVDQU 4(DX), X2
	MEAN
	VPADDB  (SI), X1, X1
	VMOVDQU X1, (DI)
	ONWARD4
	JGE     quads8

ones8:
	ADDQ $4, CX
	JZ   last

one8:
	VMOVD  (DX), X1
	VMOVD  4(DX), X2
	MEAN
	VMOVD  (SI), X2
	VPADDB X2, X1, X1
	VMOVD  X1, (DI)
	ONWARD(one8)
	JMP    last

	// top and top right
mode9:
	SUBQ $4, CX
	JLT  ones9

quads9:
	VMOVDQU 4(DX), X1
	VMOVDQU 8(DX), X2
	MEAN
	VPADDB  (SI), X1, X1
	VMOVDQU X1, (DI)
	ONWARD4
	JGE     quads9

ones9:
	ADDQ $4, CX
	JZ   last

one9:
	VMOVD  4(DX), X1
	VMOVD  8(DX), X2
	MEAN
	VMOVD  (SI), X2
	VPADDB X2, X1, X1
	VMOVD  X1, (DI)
	ONWARD(one9)
	JMP    last

	// (left + top left) / 2 and (top + top right) / 2
mode10:
	VPXOR X14, X0, X0

one10:
	VMOVD  (DX), X1
	VPXOR  X14, X1, X1
	VMOVD  4(DX), X2
	VPXOR  X14, X2, X2
	VMOVD  8(DX), X3
	VPXOR  X14, X3, X3
	VPAVGB X2, X3, X2
	VPAVGB X0, X1, X1
	VPAVGB X1, X2, X2
	DIFFERENCE(X2)
	ONWARD(one10)
	JMP    last

	// The nearer one of left and top.
mode11:
	VMOVD    (DX), X1
	VMOVD    4(DX), X2
	VPSADBW  X1, X2, X3
	VPSADBW  X1, X0, X4
	VPCMPGTD X3, X4, X4
	VPBLENDVB X4, X0, X2, X0
	VMOVD    (SI), X3
	VPADDB   X3, X0, X0
	VMOVD    X0, (DI)
	ONWARD(mode11)
	JMP      next

	// left + top - top left
mode12:
	VPMOVZXBW X0, X0

one12:
	VPMOVZXBW 4(DX), X2
	VPMOVZXBW (DX), X1
	VPSUBW    X1, X2, X2
	VPADDW    X2, X0, X0
	VPACKUSWB X0, X0, X0
	VMOVD     (SI), X3
	VPADDB    X3, X0, X0
	VMOVD     X0, (DI)
	VPMOVZXBW X0, X0
	ONWARD(one12)
	JMP       last

	// The mean of left and top, and half of what that is above top left; halves are rounded to zero.
mode13:
	VPMOVZXBW X0, X0

one13:
	VPMOVZXBW 4(DX), X2
	VPMOVZXBW (DX), X1
	VPADDW    X2, X0, X0
	VPSRLW    $1, X0, X0
	VPSUBW    X1, X0, X2
	VPCMPGTW  X0, X1, X4
	VPSUBW    X4, X2, X2
	VPSRAW    $1, X2, X2
	VPADDW    X2, X0, X0
	VPACKUSWB X0, X0, X0
	VMOVD     (SI), X3
	VPADDB    X3, X0, X0
	VMOVD     X0, (DI)
	VPMOVZXBW X0, X0
	ONWARD(one13)
	JMP       last

done:
	RET

// Products of signed bytes, shifted right by 5, are the high words of those of 256 times the one and 8 times
// the other.
//
// func crossColourAVX2(out, in *uint32, n int, multipliers uint32)
TEXT ·crossColourAVX2(SB), NOSPLIT, $0-28
	MOVQ         out+0(FP), DI
	MOVQ         in+8(FP), SI
	MOVQ         n+16(FP), CX
	MOVL         multipliers+24(FP), DX
	MOVBLSX      DX, AX                 // green to red
	SHLL         $3, AX
	SHLL         $16, AX
	SHRL         $8, DX
	MOVBLSX      DX, BX                 // green to blue
	SHLL         $3, BX
	MOVWLZX      BX, BX
	ORL          BX, AX
	VMOVD        AX, X10
	VPBROADCASTD X10, X10
	SHRL         $8, DX
	MOVBLSX      DX, BX                 // red to blue
	SHLL         $3, BX
	SHLL         $16, BX
	VMOVD        BX, X11
	VPBROADCASTD X11, X11
	VPCMPEQB     X12, X12, X12
	VPSLLW       $8, X12, X12 // alpha and green
	XORQ         AX, AX

cross:
	VMOVDQU  (SI)(AX*4), X0
	VPAND    X12, X0, X1
	VPSHUFLW $0xa0, X1, X2
	VPSHUFHW $0xa0, X2, X2 // green twice
	VPMULHW  X10, X2, X2
	VPADDB   X2, X0, X0    // red, and blue but for red's share
	VPSLLW   $8, X0, X2
	VPMULHW  X11, X2, X2
	VPSRLD   $16, X2, X2
	VPADDB   X2, X0, X0
	VPANDN   X0, X12, X0
	VPOR     X1, X0, X0
	VMOVDQU  X0, (DI)(AX*4)
	ADDQ     $4, AX
	CMPQ     AX, CX
	JLT      cross
	RET

DATA rgb<>+0(SB)/8, $0x090a040506000102
DATA rgb<>+8(SB)/8, $0x808080800c0d0e08
GLOBL rgb<>(SB), RODATA|NOPTR, $16

DATA greens<>+0(SB)/8, $0x8005800580018001
DATA greens<>+8(SB)/8, $0x800d800d80098009
GLOBL greens<>(SB), RODATA|NOPTR, $16

// Four pixels become 12 bytes; 16 are written.
//
// func rgbAVX2(pix *byte, pixels *uint32, n int)
TEXT ·rgbAVX2(SB), NOSPLIT, $0-24
	MOVQ    pix+0(FP), DI
	MOVQ    pixels+8(FP), SI
	MOVQ    n+16(FP), CX
	VMOVDQU rgb<>(SB), X10

plain:
	VMOVDQU (SI), X0
	VPSHUFB X10, X0, X0
	VMOVDQU X0, (DI)
	ADDQ    $16, SI
	ADDQ    $12, DI
	SUBQ    $4, CX
	JGT     plain
	RET

// func greenRGBAVX2(pix *byte, pixels *uint32, n int)
TEXT ·greenRGBAVX2(SB), NOSPLIT, $0-24
	MOVQ    pix+0(FP), DI
	MOVQ    pixels+8(FP), SI
	MOVQ    n+16(FP), CX
	VMOVDQU rgb<>(SB), X10
	VMOVDQU greens<>(SB), X11

plus:
	VMOVDQU (SI), X0
	VPSHUFB X11, X0, X1
	VPADDB  X1, X0, X0
	VPSHUFB X10, X0, X0
	VMOVDQU X0, (DI)
	ADDQ    $16, SI
	ADDQ    $12, DI
	SUBQ    $4, CX
	JGT     plus
	RET
