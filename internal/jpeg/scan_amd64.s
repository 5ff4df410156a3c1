#include "go_asm.h"
#include "textflag.h"

// The place of coefficients in zigzag order: zigzag of jpeg.go.
DATA places<>+0x00(SB)/8, $0x0a03020910080100
DATA places<>+0x08(SB)/8, $0x05040b1219201811
DATA places<>+0x10(SB)/8, $0x22293028211a130c
DATA places<>+0x18(SB)/8, $0x1c150e07060d141b
DATA places<>+0x20(SB)/8, $0x242b323938312a23
DATA places<>+0x28(SB)/8, $0x332c251e170f161d
DATA places<>+0x30(SB)/8, $0x2e271f262d343b3a
DATA places<>+0x38(SB)/8, $0x3f3e372f363d3c35
GLOBL places<>(SB), RODATA|NOPTR, $64

DATA low<>+0(SB)/8, $0x0101010101010101
GLOBL low<>(SB), RODATA|NOPTR, $8
DATA high<>+0(SB)/8, $0x8080808080808080
GLOBL high<>(SB), RODATA|NOPTR, $8

// The reader: SI the next byte, R14 the last place to read eight from, R9 acc, R10 n.
// As bits.fill; where that is not possible, to elsewhere.
#define FILL(elsewhere) \
	CMPQ   SI, R14        \
	JHI    elsewhere      \
	MOVQ   (SI), CX       \
	BSWAPQ CX             \
	MOVQ   CX, DX         \
	NOTQ   DX             \
	SUBQ   low<>(SB), DX  \
	ANDQ   CX, DX         \
	ANDQ   high<>(SB), DX \
	JNE    elsewhere      \
	SHRXQ  R10, CX, CX    \
	ORQ    CX, R9         \
	MOVL   $63, CX        \
	SUBQ   R10, CX        \
	SHRQ   $3, CX         \
	ADDQ   CX, SI         \
	ORQ    $56, R10

// As bits.fillSlow, but that it goes elsewhere at a marker, and near the end.
#define FILL_BYTES(next, plain, end, elsewhere) \
	LEAQ  6(R14), R8       \
next:                      \
	CMPQ  R10, $56         \
	JHI   end              \
	CMPQ  SI, R8           \
	JHI   elsewhere        \
	MOVBLZX (SI), CX       \
	CMPL  CX, $0xff        \
	JNE   plain            \
	CMPB  1(SI), $0        \
	JNE   elsewhere        \
	INCQ  SI               \
plain:                     \
	INCQ  SI               \
	MOVL  $56, DX          \
	SUBQ  R10, DX          \
	SHLXQ DX, CX, CX       \
	ORQ   CX, R9           \
	ADDQ  $8, R10          \
	JMP   next             \
end:

// An entry's code in BX is passed, and then its size bits are taken to DX, extended.
#define PASS_CODE \
	SHLXQ   BX, R9, R9 \
	MOVBLZX BX, CX     \
	SUBQ    CX, R10

#define TAKE_VALUE \
	MOVL  BX, CX       \
	SHRL  $8, CX       \
	ANDL  $15, CX      \
	MOVL  $64, R8      \
	SUBL  CX, R8       \
	SHRXQ R8, R9, DX   \
	MOVQ  R9, R15      \
	SARQ  $63, R15     \
	NOTQ  R15          \
	MOVL  $-1, R8      \
	SHLXL CX, R8, R8   \
	INCL  R8           \
	ANDL  R15, R8      \
	ADDL  R8, DX       \
	SHLXQ CX, R9, R9   \
	SUBQ  CX, R10

// The coefficient AX, DX times its factor, to its place.
#define STORE \
	MOVWLZX (R12)(AX*2), CX \
	IMULL   CX, DX          \
	MOVBLZX (R13)(AX*1), CX \
	MOVW    DX, (DI)(CX*2)

#define LOOKUP \
	MOVQ R9, BX            \
	SHRQ $(64-const_lutBits), BX           \
	MOVL huffman_lut(R11)(BX*4), BX

// The place of an entry's coefficient.
#define PLACE(most) \
	MOVL BX, CX             \
	SHRL $12, CX            \
	ANDL $15, CX            \
	LEAQ 1(AX)(CX*1), R8    \
	CMPQ R8, $most          \
	JHI  rest               \
	MOVQ R8, AX

// One or two coefficients of R11's pairs: R8 is the place of the last.
#define PAIR \
	MOVQ  R9, BX                        \
	SHRQ  $(64-const_lutBits), BX       \
	MOVL  huffman_pairs(R11)(BX*4), BX  \
	TESTL $0xff0000, BX                 \
	JEQ   special                       \
	MOVL  BX, R8                        \
	SHRL  $11, R8                       \
	ANDL  $31, R8                       \
	ADDQ  AX, R8                        \
	CMPQ  R8, $62                       \
	JHI   last                          \
	PASS_PAIR

#define PASS_PAIR \
	SHLXQ BX, R9, R9 \
	MOVL  BX, CX     \
	ANDL  $63, CX    \
	SUBQ  CX, R10

#define STORE_PAIR \
	MOVL    BX, CX           \
	SHRL    $7, CX           \
	ANDL    $15, CX          \
	LEAQ    1(AX)(CX*1), AX  \
	MOVL    BX, DX           \
	SHRL    $16, DX          \
	MOVBLSX DX, DX           \
	STORE                    \
	MOVQ    R8, AX           \
	MOVL    BX, DX           \
	SARL    $24, DX          \
	STORE

#define DECODE_PAIR \
	PAIR                     \
	STORE_PAIR               \
	TESTL   $const_pairEnd, BX \
	JNE     done

#define SKIP_PAIR \
	PAIR                     \
	MOVQ    R8, AX           \
	TESTL   $const_pairEnd, BX \
	JNE     done

// Without size and value an entry is the end of the block, 16 zeros, or no code.
#define NO_END(elsewhere) \
	MOVL  BX, CX    \
	SHRL  $12, CX   \
	CMPL  CX, $15   \
	JEQ   elsewhere \
	TESTL BX, BX    \
	JEQ   elsewhere

#define LOAD_READER \
	MOVQ b+0(FP), BX             \
	MOVQ bits_data(BX), SI       \
	MOVQ (bits_data+8)(BX), R14  \
	LEAQ -8(SI)(R14*1), R14      \
	ADDQ bits_pos(BX), SI        \
	MOVQ bits_acc(BX), R9        \
	MOVQ bits_n(BX), R10

#define STORE_READER \
	MOVQ b+0(FP), BX       \
	SUBQ bits_data(BX), SI \
	MOVQ SI, bits_pos(BX)  \
	MOVQ R9, bits_acc(BX)  \
	MOVQ R10, bits_n(BX)

// The DC coefficient's difference is added to the predictor of component R12; DX.
#define DC(nothing, sized, added) \
	LOOKUP                       \
	TESTL BX, BX                 \
	JEQ   nothing                \
	MOVL  BX, DX                 \
	SARL  $16, DX                \
	TESTL $0xf00, BX             \
	JNE   sized                  \
	PASS_CODE                    \
	JMP   added                  \
sized:                           \
	PASS_CODE                    \
	TAKE_VALUE                   \
added:                           \
	ADDL component_pred(R12), DX \
	MOVL DX, component_pred(R12)

// func decodeBlockAVX2(b *bits, words *[16]uint64, c *component, dc, ac *huffman) int
TEXT ·decodeBlockAVX2(SB), NOSPLIT, $0-48
	LOAD_READER
	MOVQ words+8(FP), DI
	MOVQ c+16(FP), R12
	MOVQ dc+24(FP), R11
	FILL(bytesDC)

start:
	DC(nothing, sizedDC, addedDC)
	ADDQ $(component_quant+quantTable_q), R12
	LEAQ places<>(SB), R13
	XORL AX, AX
	STORE
	MOVQ ac+32(FP), R11

fill:
	FILL(bytes)

filled:
	DECODE_PAIR
	DECODE_PAIR
	DECODE_PAIR
	DECODE_PAIR
	DECODE_PAIR
	JMP fill

last: // a pair's second may be the next block's
	LOOKUP
	MOVL BX, DX
	SARL $16, DX
	JEQ  rest
	PLACE(63)
	PASS_CODE
	STORE
	CMPQ AX, $63
	JEQ  done
	JMP  fill

special:
	LOOKUP
	MOVL BX, DX
	SARL $16, DX
	JNE  large
	TESTL $0xf00, BX
	JNE  sized
	NO_END(rest)
	PASS_CODE
	JMP  done

large: // for a pair
	PLACE(62)
	PASS_CODE
	STORE
	JMP  fill

sized:
	CMPQ R10, $26 // a code and its value
	JLT  fill
	PLACE(62)
	PASS_CODE
	TAKE_VALUE
	STORE
	JMP  fill

bytesDC:
	FILL_BYTES(nextDC, plainDC, endDC, nothing)
	JMP start

bytes:
	FILL_BYTES(next, plain, end, rest)
	JMP filled

nothing:
	MOVQ $const_noBlock, ret+40(FP)
	RET

rest:
	INCQ AX
	NEGQ AX

done:
	STORE_READER
	MOVQ AX, ret+40(FP)
	RET

// func skipBlockAVX2(b *bits, c *component, dc, ac *huffman) int
TEXT ·skipBlockAVX2(SB), NOSPLIT, $0-40
	LOAD_READER
	MOVQ c+8(FP), R12
	MOVQ dc+16(FP), R11
	FILL(bytesDC)

start:
	DC(nothing, sizedDC, addedDC)
	XORL AX, AX
	MOVQ ac+24(FP), R11

fill:
	FILL(bytes)

filled:
	SKIP_PAIR
	SKIP_PAIR
	SKIP_PAIR
	SKIP_PAIR
	SKIP_PAIR
	JMP fill

last:
	LOOKUP
	MOVL BX, DX
	SARL $16, DX
	JEQ  rest
	PLACE(63)
	PASS_CODE
	CMPQ AX, $63
	JEQ  done
	JMP  fill

special:
	LOOKUP
	MOVL BX, DX
	SARL $16, DX
	JNE  large
	TESTL $0xf00, BX
	JNE  sized
	NO_END(rest)
	PASS_CODE
	JMP  done

large:
	PLACE(62)
	PASS_CODE
	JMP  fill

sized:
	CMPQ R10, $26
	JLT  fill
	PLACE(62)
	PASS_CODE
	MOVL  BX, CX
	SHRL  $8, CX
	ANDL  $15, CX
	SHLXQ CX, R9, R9
	SUBQ  CX, R10
	JMP   fill

bytesDC:
	FILL_BYTES(nextDC, plainDC, endDC, nothing)
	JMP start

bytes:
	FILL_BYTES(next, plain, end, rest)
	JMP filled

nothing:
	MOVQ $const_noBlock, ret+32(FP)
	RET

rest:
	INCQ AX
	NEGQ AX

done:
	STORE_READER
	MOVQ AX, ret+32(FP)
	RET
