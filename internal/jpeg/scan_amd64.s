#include "go_asm.h"
#include "textflag.h"
#include "scan_amd64.h"

// The coefficient AX, DX times its factor, to its place.
#define STORE \
	MOVWLZX (R12)(AX*2), CX \
	IMULL   CX, DX          \
	MOVBLZX (R13)(AX*1), CX \
	MOVW    DX, (DI)(CX*2)

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
