#include "go_asm.h"
#include "textflag.h"

// The coefficients of a block.
//
//	R8   value, as boolDecoder has it
//	R9   8+bits
//	R10  the range: 1+span
//	R11  the data
//	R12  zigzag
//	R13  the number of the coefficient
//	BX   the pairs of all coefficients
//	SI   those of its band and a context
//	DI   out

// Where coefficients belong, and behind that where their bands begin in wideTokens; there are 17.
DATA order<>+0(SB)/8, $0x0603020508040100
DATA order<>+8(SB)/8, $0x0f0e0b070a0d0c09
DATA order<>+16(SB)/8, $0x0360024001200000 // 0, 1, 2, 3
DATA order<>+24(SB)/8, $0x06c005a0048006c0 // 6, 4, 5, 6
DATA order<>+32(SB)/8, $0x06c006c006c006c0 // 6, 6, 6, 6
DATA order<>+40(SB)/8, $0x07e006c006c006c0 // 6, 6, 6, 7
DATA order<>+48(SB)/8, $0
GLOBL order<>(SB), RODATA|NOPTR, $56

// What categories 3 to 6 have: the probabilities of their bits, and 0; 16 bytes each.
DATA large<>+0(SB)/8, $0x00000000008c94ad
DATA large<>+8(SB)/8, $0
DATA large<>+16(SB)/8, $0x00000000878c9bb0
DATA large<>+24(SB)/8, $0
DATA large<>+32(SB)/8, $0x00000082868d9db4
DATA large<>+40(SB)/8, $0
DATA large<>+48(SB)/8, $0x8c99b1c4e6f3fefe
DATA large<>+56(SB)/8, $0x0000000000818285
GLOBL large<>(SB), RODATA|NOPTR, $64

// Loads bytes until there are at least 56 bits.
#define LOAD \
	MOVQ   (R11), AX   \
	BSWAPQ AX          \
	SHRXQ  R9, AX, AX  \
	ORQ    AX, R8      \
	MOVL   R9, CX      \
	XORL   $63, CX     \
	SHRL   $3, CX      \
	ADDQ   CX, R11     \
	ORL    $56, R9

// Compares value with the share of 0. A pair of wideTokens makes a range r a sum of the share in its highest
// byte, the shift that the share needs included: its leading zeros. AX is that sum, CX the share, DX it as value
// has it. JCC: 1.
#define COMPARE(at) \
	MOVL   R10, AX             \
	IMULL  (8*at)(SI), AX      \
	ADDL   (8*at+4)(SI), AX    \
	MOVL   AX, CX              \
	SHRL   $24, CX             \
	RORXQ  $8, CX, DX          \
	CMPQ   R8, DX

// After COMPARE.
#define ZERO \
	LZCNTL AX, AX       \
	SHLXL  AX, CX, R10  \
	SUBL   AX, R9       \
	SHLXQ  AX, R8, R8

// The range less the share, in the highest byte with the lower ones at least 0, as soon as the sum is there.
#define ONE \
	SUBQ   DX, R8         \
	SHLL   $24, R10       \
	ORL    $0xffffff, R10 \
	SUBL   AX, R10        \
	LZCNTL R10, AX        \
	SHRL   $24, R10       \
	SHLXL  AX, R10, R10   \
	SUBL   AX, R9         \
	SHLXQ  AX, R8, R8

// DX is the decision, without a jump, by the probability in AX.
#define DECIDE \
	DECL    R10          \
	IMULL   R10, AX      \
	SHRL    $8, AX       \
	LEAL    1(AX), CX    \
	SUBL    AX, R10      \
	RORXQ   $8, CX, DX   \
	MOVQ    R8, AX       \
	SUBQ    DX, AX       \
	CMOVQCC AX, R8       \
	CMOVLCS CX, R10      \
	SBBL    DX, DX       \
	INCL    DX           \
	LZCNTL  R10, CX      \
	ANDL    $7, CX       \
	SHLXL   CX, R10, R10 \
	SUBL    CX, R9       \
	SHLXQ   CX, R8, R8

// DECIDE by a pair: that of wideTokens begins with the probability, 2^16 times.
#define DECIDEBY(at) \
	MOVBLZX (8*at+2)(SI), AX \
	DECIDE

// func squareBMI2(b *boolDecoder, tokens *wideTokens, q *quantizer, first, wide int, up, left *uint8, out *int16) uint64
TEXT ·squareBMI2(SB), NOSPLIT, $24-72
	MOVQ b+0(FP), DX
	MOVQ boolDecoder_value(DX), R8
	MOVQ boolDecoder_bits(DX), R9
	MOVL boolDecoder_span(DX), R10
	INCL R10
	MOVQ boolDecoder_data(DX), R11
	ADDQ $8, R9
	LEAQ order<>(SB), R12
	MOVQ out+56(FP), DI
	MOVQ $0, kinds-8(SP)
	MOVQ $0, number-16(SP) // of the block, twice
	MOVQ $0, column-24(SP)

block:
	MOVQ column-24(SP), AX
	MOVQ up+40(FP), CX
	MOVQ left+48(FP), DX
	MOVBLZX (CX)(AX*1), SI
	MOVBLZX (DX), AX
	ADDL AX, SI
	MOVQ first+24(FP), R13
	MOVQ tokens+8(FP), BX
	MOVWLZX 16(R12)(R13*2), AX
	ADDQ BX, AX
	LEAQ (SI)(SI*2), SI
	SHLQ $5, SI
	ADDQ AX, SI

coefficient:
	CMPL R9, $32
	JCS  load

loaded:
	COMPARE(0)
	JCC more
	ZERO
	JMP  done

more:
	ONE

zeros:
	COMPARE(1)
	JCC some
	ZERO
	INCL R13
	MOVWLZX 16(R12)(R13*2), SI
	ADDQ BX, SI
	CMPL R13, $16
	JEQ  done
	CMPL R9, $32
	JCC  zeros
	LOAD
	JMP  zeros

some:
	ONE
	COMPARE(2)
	JCC above1
	ZERO
	MOVL $1, R14
	MOVWLZX 18(R12)(R13*2), SI
	LEAQ 96(BX)(SI*1), SI

sign:
	LEAL 1(R10), CX
	SHRL $1, CX
	RORXQ $8, CX, CX
	MOVQ R8, AX
	SUBQ CX, AX
	SBBL DX, DX // 0: negative
	CMOVQCC AX, R8
	SUBL DX, R10
	ANDL $-2, R10
	ADDQ R8, R8
	DECL R9
	NOTL DX
	XORL DX, R14
	SUBL DX, R14
	MOVQ q+16(FP), AX
	IMULL (AX)(R13*4), R14
	MOVBLZX (R12)(R13*1), AX
	MOVW R14, (DI)(AX*2)
	INCL R13
	CMPL R13, $16
	JNE  coefficient

done:
	// The kind of the block: 3 if R13 is above 3, 2 if it is above 1, 1 if only the first isn't 0.
	XORL AX, AX
	XORL DX, DX
	CMPW (DI), $0
	SETNE AX
	MOVL $2, CX
	CMPL R13, $2
	CMOVLCC CX, AX
	MOVL $3, CX
	CMPL R13, $4
	CMOVLCC CX, AX
	MOVQ number-16(SP), CX
	SHLXQ CX, AX, AX
	ORQ AX, kinds-8(SP)
	ADDQ $2, CX
	MOVQ CX, number-16(SP)
	ADDQ $32, DI
	CMPQ R13, first+24(FP)
	SETHI DX
	MOVQ column-24(SP), AX
	MOVQ up+40(FP), CX
	MOVB DX, (CX)(AX*1)
	MOVQ left+48(FP), CX
	MOVB DX, (CX)
	INCQ AX
	MOVQ AX, column-24(SP)
	CMPQ AX, wide+32(FP)
	JNE  block
	MOVQ $0, column-24(SP)
	INCQ left+48(FP)
	MOVQ AX, CX
	IMULQ AX, AX
	ADDQ AX, AX
	CMPQ AX, number-16(SP)
	JNE  block
	MOVQ b+0(FP), DX
	SUBQ $8, R9
	MOVQ R8, boolDecoder_value(DX)
	MOVQ R9, boolDecoder_bits(DX)
	DECL R10
	MOVL R10, boolDecoder_span(DX)
	MOVQ R11, CX
	SUBQ boolDecoder_data(DX), CX
	MOVQ R11, boolDecoder_data(DX)
	SUBQ CX, boolDecoder_data+8(DX)
	SUBQ CX, boolDecoder_data+16(DX)
	MOVQ kinds-8(SP), AX
	MOVQ AX, ret+64(FP)
	RET

load:
	LOAD
	JMP loaded

above1:
	ONE
	LOAD
	COMPARE(3)
	JCC above4
	ZERO
	COMPARE(4)
	JCC threeOrFour
	ZERO
	MOVL $2, R14
	MOVWLZX 18(R12)(R13*2), SI
	LEAQ 192(BX)(SI*1), SI
	JMP  sign

threeOrFour:
	ONE
	DECIDEBY(5)
	LEAL 3(DX), R14
	MOVWLZX 18(R12)(R13*2), SI
	LEAQ 192(BX)(SI*1), SI
	JMP  sign

above4:
	ONE
	LOAD
	COMPARE(6)
	JCC above10
	ZERO
	COMPARE(7)
	JCC above6
	ZERO
	MOVL $159, AX
	DECIDE
	LEAL 5(DX), R14
	MOVWLZX 18(R12)(R13*2), SI
	LEAQ 192(BX)(SI*1), SI
	JMP  sign

above6:
	ONE
	MOVL $165, AX
	DECIDE
	LEAL 7(DX)(DX*1), SI
	MOVL $145, AX
	DECIDE
	LEAL (SI)(DX*1), R14
	MOVWLZX 18(R12)(R13*2), SI
	LEAQ 192(BX)(SI*1), SI
	JMP  sign

above10:
	ONE
	DECIDEBY(8)
	MOVL DX, R14
	LEAQ (SI)(R14*8), SI
	DECIDEBY(9)
	LEAL (DX)(R14*2), SI // the category less 3
	MOVL SI, R14
	SHLL $4, R14
	LEAQ large<>(SB), R12
	ADDQ R14, R12
	MOVL SI, CX
	MOVL $8, R14
	SHLL CX, R14
	ADDL $3, R14
	MOVL R14, SI // the least value
	XORL R14, R14

bits:
	LOAD
	MOVBLZX (R12), AX
	DECIDE
	LEAL (DX)(R14*2), R14
	INCQ R12
	CMPB (R12), $0
	JNE  bits
	ADDL SI, R14
	LEAQ order<>(SB), R12
	MOVWLZX 18(R12)(R13*2), SI
	LEAQ 192(BX)(SI*1), SI
	JMP  sign

// func fineModesBMI2(b *boolDecoder, up, left *[4]mode, modes *[16]mode, tree *[9][2]uint8, probabilities *[10][10][9]uint8)
//
// R11 to R8 and R10 as above, BX the tree, SI a block's probabilities, DI the modes, R12 up, R13 left, R14 the place in the tree.
TEXT ·fineModesBMI2(SB), NOSPLIT, $8-48
	MOVQ b+0(FP), DX
	MOVQ boolDecoder_value(DX), R8
	MOVQ boolDecoder_bits(DX), R9
	MOVL boolDecoder_span(DX), R10
	INCL R10
	MOVQ boolDecoder_data(DX), R11
	ADDQ $8, R9
	MOVQ up+8(FP), R12
	MOVQ left+16(FP), R13
	MOVQ modes+24(FP), DI
	MOVQ tree+32(FP), BX
	MOVQ $0, number-8(SP)

block:
	MOVQ    number-8(SP), CX
	ANDL    $3, CX
	MOVBLZX (R12)(CX*1), AX
	LEAL    (AX)(AX*4), AX
	MOVBLZX (R13), CX
	LEAL    (CX)(AX*2), AX
	LEAL    (AX)(AX*8), SI
	ADDQ    probabilities+40(FP), SI
	XORL    R14, R14

decision:
	CMPL R9, $15
	JCS  load

loaded:
	MOVBLZX (SI)(R14*1), AX
	DECIDE
	LEAL    (DX)(R14*2), R14
	MOVBLZX (BX)(R14*1), R14
	CMPL    R14, $16
	JCS     decision
	SUBL    $16, R14
	MOVB    R14, (DI)
	INCQ    DI
	MOVQ    number-8(SP), CX
	MOVL    CX, AX
	ANDL    $3, AX
	MOVB    R14, (R12)(AX*1)
	MOVB    R14, (R13)
	INCQ    CX
	MOVQ    CX, number-8(SP)
	XORL    DX, DX
	TESTL   $3, CX
	SETEQ   DX
	ADDQ    DX, R13
	CMPL    CX, $16
	JNE     block
	MOVQ    b+0(FP), DX
	SUBQ    $8, R9
	MOVQ    R8, boolDecoder_value(DX)
	MOVQ    R9, boolDecoder_bits(DX)
	DECL    R10
	MOVL    R10, boolDecoder_span(DX)
	MOVQ    R11, CX
	SUBQ    boolDecoder_data(DX), CX
	MOVQ    R11, boolDecoder_data(DX)
	SUBQ    CX, boolDecoder_data+8(DX)
	SUBQ    CX, boolDecoder_data+16(DX)
	RET

load:
	LOAD
	JMP loaded

// func leadingZeros(x uint32) uint32
TEXT ·leadingZeros(SB), NOSPLIT, $0-12
	MOVL   x+0(FP), AX
	LZCNTL AX, AX
	MOVL   AX, ret+8(FP)
	RET
