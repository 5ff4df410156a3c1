#include "go_asm.h"
#include "textflag.h"

// The coefficients of a block.
//
//	R8   value, as boolDecoder has it
//	R9   8+bits
//	R10  span
//	R11  the data
//	R12  zigzag
//	R13  the number of the coefficient
//	BX   its tokenNode
//	SI   the probabilities: a context of it
//	DI   out

DATA order<>+0(SB)/8, $0x0603020508040100
DATA order<>+8(SB)/8, $0x0f0e0b070a0d0c09
GLOBL order<>(SB), RODATA|NOPTR, $16

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

// Compares value with the share of 0: AX is it less 1, CX it, DX it as value has it. JCC: 1.
#define COMPARE(p) \
	MOVBLZX p, AX      \
	IMULL   R10, AX    \
	SHRL    $8, AX     \
	LEAL    1(AX), CX  \
	MOVQ    CX, DX     \
	SHLQ    $56, DX    \
	CMPQ    R8, DX

// R10 is the new range.
#define NARROW \
	LZCNTL R10, CX      \
	ANDL   $7, CX       \
	SHLXL  CX, R10, R10 \
	SUBL   CX, R9       \
	DECL   R10          \
	SHLXQ  CX, R8, R8

// After COMPARE.
#define ZERO \
	MOVL CX, R10 \
	NARROW

#define ONE \
	SUBQ DX, R8  \
	SUBL AX, R10 \
	NARROW

// DX is the decision, without a jump; p isn't R14, which it uses.
#define DECIDE(p) \
	MOVBLZX p, AX        \
	IMULL   R10, AX      \
	SHRL    $8, AX       \
	LEAL    1(AX), CX    \
	SUBL    AX, R10      \
	MOVQ    CX, DX       \
	SHLQ    $56, DX      \
	MOVQ    R8, AX       \
	SUBQ    DX, AX       \
	CMOVQCC AX, R8       \
	CMOVLCS CX, R10      \
	SBBL    DX, DX       \
	INCL    DX           \
	NARROW

// func coefficientsBMI2(b *boolDecoder, nodes *[17]tokenNode, context int, q *quantizer, n int, out *[16]int16) int
TEXT ·coefficientsBMI2(SB), NOSPLIT, $0-56
	MOVQ b+0(FP), DX
	MOVQ boolDecoder_value(DX), R8
	MOVQ boolDecoder_bits(DX), R9
	MOVL boolDecoder_span(DX), R10
	MOVQ boolDecoder_data(DX), R11
	ADDQ $8, R9
	LEAQ order<>(SB), R12
	MOVQ n+32(FP), R13
	MOVQ nodes+8(FP), BX
	LEAQ (R13)(R13*2), AX
	SHLQ $4, AX
	ADDQ AX, BX
	MOVQ context+16(FP), SI
	SHLQ $4, SI
	ADDQ BX, SI
	MOVQ out+40(FP), DI

coefficient:
	LOAD
	COMPARE(0(SI))
	JCC more
	ZERO
	JMP  done

more:
	ONE

zeros:
	COMPARE(1(SI))
	JCC some
	ZERO
	INCL R13
	ADDQ $48, BX
	MOVQ BX, SI
	CMPL R13, $16
	JEQ  done
	LOAD
	JMP  zeros

some:
	ONE
	COMPARE(2(SI))
	JCC above1
	ZERO
	MOVL $1, R14
	LEAQ 64(BX), SI

sign:
	MOVL R10, AX
	SHRL $1, AX
	LEAQ 1(AX), CX
	SHLQ $56, CX
	MOVQ R8, AX
	SUBQ CX, AX
	SBBL DX, DX // 0: negative
	CMOVQCC AX, R8
	NOTL DX
	ADDL DX, R10
	ORL  $1, R10
	ADDQ R8, R8
	DECL R9
	XORL DX, R14
	SUBL DX, R14
	MOVQ q+24(FP), AX
	IMULL (AX)(R13*4), R14
	MOVBLZX (R12)(R13*1), AX
	MOVW R14, (DI)(AX*2)
	INCL R13
	ADDQ $48, BX
	CMPL R13, $16
	JNE  coefficient

done:
	MOVQ b+0(FP), DX
	SUBQ $8, R9
	MOVQ R8, boolDecoder_value(DX)
	MOVQ R9, boolDecoder_bits(DX)
	MOVL R10, boolDecoder_span(DX)
	MOVQ R11, CX
	SUBQ boolDecoder_data(DX), CX
	MOVQ R11, boolDecoder_data(DX)
	SUBQ CX, boolDecoder_data+8(DX)
	SUBQ CX, boolDecoder_data+16(DX)
	MOVQ R13, ret+48(FP)
	RET

above1:
	ONE
	COMPARE(3(SI))
	JCC above4
	ZERO
	COMPARE(4(SI))
	JCC threeOrFour
	ZERO
	MOVL $2, R14
	LEAQ 80(BX), SI
	JMP  sign

threeOrFour:
	ONE
	DECIDE(5(SI))
	LEAL 3(DX), R14
	LEAQ 80(BX), SI
	JMP  sign

above4:
	ONE
	LOAD
	COMPARE(6(SI))
	JCC above10
	ZERO
	COMPARE(7(SI))
	JCC above6
	ZERO
	MOVL $159, R14
	DECIDE(R14)
	LEAL 5(DX), R14
	LEAQ 80(BX), SI
	JMP  sign

above6:
	ONE
	MOVL $165, R14
	DECIDE(R14)
	LEAL 7(DX)(DX*1), SI
	MOVL $145, R14
	DECIDE(R14)
	LEAL (SI)(DX*1), R14
	LEAQ 80(BX), SI
	JMP  sign

above10:
	ONE
	DECIDE(8(SI))
	MOVL DX, R14
	ADDQ R14, SI
	DECIDE(9(SI))
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
	DECIDE(0(R12))
	LEAL (DX)(R14*2), R14
	INCQ R12
	CMPB (R12), $0
	JNE  bits
	ADDL SI, R14
	LEAQ order<>(SB), R12
	LEAQ 80(BX), SI
	JMP  sign

// func squareBMI2(b *boolDecoder, nodes *[17]tokenNode, q *quantizer, first, wide int, up, left *uint8, out *int16) uint64
TEXT ·squareBMI2(SB), NOSPLIT, $24-72
	MOVQ b+0(FP), DX
	MOVQ boolDecoder_value(DX), R8
	MOVQ boolDecoder_bits(DX), R9
	MOVL boolDecoder_span(DX), R10
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
	MOVQ nodes+8(FP), BX
	LEAQ (R13)(R13*2), AX
	SHLQ $4, AX
	ADDQ AX, BX
	SHLQ $4, SI
	ADDQ BX, SI

coefficient:
	LOAD
	COMPARE(0(SI))
	JCC more
	ZERO
	JMP  done

more:
	ONE

zeros:
	COMPARE(1(SI))
	JCC some
	ZERO
	INCL R13
	ADDQ $48, BX
	MOVQ BX, SI
	CMPL R13, $16
	JEQ  done
	LOAD
	JMP  zeros

some:
	ONE
	COMPARE(2(SI))
	JCC above1
	ZERO
	MOVL $1, R14
	LEAQ 64(BX), SI

sign:
	MOVL R10, AX
	SHRL $1, AX
	LEAQ 1(AX), CX
	SHLQ $56, CX
	MOVQ R8, AX
	SUBQ CX, AX
	SBBL DX, DX // 0: negative
	CMOVQCC AX, R8
	NOTL DX
	ADDL DX, R10
	ORL  $1, R10
	ADDQ R8, R8
	DECL R9
	XORL DX, R14
	SUBL DX, R14
	MOVQ q+16(FP), AX
	IMULL (AX)(R13*4), R14
	MOVBLZX (R12)(R13*1), AX
	MOVW R14, (DI)(AX*2)
	INCL R13
	ADDQ $48, BX
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
	MOVL R10, boolDecoder_span(DX)
	MOVQ R11, CX
	SUBQ boolDecoder_data(DX), CX
	MOVQ R11, boolDecoder_data(DX)
	SUBQ CX, boolDecoder_data+8(DX)
	SUBQ CX, boolDecoder_data+16(DX)
	MOVQ kinds-8(SP), AX
	MOVQ AX, ret+64(FP)
	RET

above1:
	ONE
	COMPARE(3(SI))
	JCC above4
	ZERO
	COMPARE(4(SI))
	JCC threeOrFour
	ZERO
	MOVL $2, R14
	LEAQ 80(BX), SI
	JMP  sign

threeOrFour:
	ONE
	DECIDE(5(SI))
	LEAL 3(DX), R14
	LEAQ 80(BX), SI
	JMP  sign

above4:
	ONE
	LOAD
	COMPARE(6(SI))
	JCC above10
	ZERO
	COMPARE(7(SI))
	JCC above6
	ZERO
	MOVL $159, R14
	DECIDE(R14)
	LEAL 5(DX), R14
	LEAQ 80(BX), SI
	JMP  sign

above6:
	ONE
	MOVL $165, R14
	DECIDE(R14)
	LEAL 7(DX)(DX*1), SI
	MOVL $145, R14
	DECIDE(R14)
	LEAL (SI)(DX*1), R14
	LEAQ 80(BX), SI
	JMP  sign

above10:
	ONE
	DECIDE(8(SI))
	MOVL DX, R14
	ADDQ R14, SI
	DECIDE(9(SI))
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
	DECIDE(0(R12))
	LEAL (DX)(R14*2), R14
	INCQ R12
	CMPB (R12), $0
	JNE  bits
	ADDL SI, R14
	LEAQ order<>(SB), R12
	LEAQ 80(BX), SI
	JMP  sign

// func leadingZeros(x uint32) uint32
TEXT ·leadingZeros(SB), NOSPLIT, $0-12
	MOVL   x+0(FP), AX
	LZCNTL AX, AX
	MOVL   AX, ret+8(FP)
	RET
