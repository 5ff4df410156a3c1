#include "go_asm.h"
#include "textflag.h"
#include "scan_amd64.h"

// Blocks after each other, whose coefficients are stored or not: AX is the place of the last one
// of the block at DI, R12 what the block is, R15 how far a lookup shifts.

// The coefficient DX to place AX.
#define STORE \
	MOVBLZX (R13)(AX*1), CX \
	MOVW    DX, (DI)(CX*2)

#define NO_STORE

#define ZERO_BLOCK \
	VMOVDQU Y0, (DI)   \
	VMOVDQU Y0, 32(DI) \
	VMOVDQU Y0, 64(DI) \
	VMOVDQU Y0, 96(DI)

// One or two coefficients of R11's pairs: R8 is the place of the last, or too large.
#define PAIR \
	SHRXQ   R15, R9, BX                \
	MOVL    huffman_pairs(R11)(BX*4), BX \
	MOVWLZX BX, R8                     \
	SHRL    $10, R8                    \
	ADDL    AX, R8                     \
	CMPL    R8, $62                    \
	JHI     special                    \
	SHLXQ   BX, R9, R9                 \
	SUBL    BX, R10

// Behind the last coefficient of a block a 0 is stored.
#define DECODE_PAIR \
	PAIR                          \
	RORXL   $6, BX, CX            \
	ANDL    $15, CX               \
	ADDL    AX, CX                \
	MOVBLZX 1(R13)(CX*1), CX      \
	RORXL   $16, BX, DX           \
	MOVBLSX DX, DX                \
	MOVW    DX, (DI)(CX*2)        \
	MOVBLZX (R13)(R8*1), CX       \
	MOVL    R8, AX                \
	SARL    $24, BX               \
	MOVW    BX, (DI)(CX*2)        \
	JEQ     ended

#define SKIP_PAIR \
	PAIR                     \
	MOVL  R8, AX             \
	TESTL $0xff000000, BX    \
	JEQ   ended

// The DC coefficient's difference is added to its component's predictor: DX.
#define DC \
	LOOKUP                       \
	TESTL BX, BX                 \
	JEQ   nothing                \
	MOVL  BX, DX                 \
	SARL  $16, DX                \
	TESTL $0xf00, BX             \
	JNE   sizedDC                \
	PASS_CODE                    \
	JMP   addedDC                \
sizedDC:                         \
	PASS_CODE                    \
	TAKE_VALUE                   \
addedDC:                         \
	MOVQ planned_component(R12), CX \
	ADDL component_pred(CX), DX  \
	MOVL DX, component_pred(CX)

// The place of an entry's coefficient.
#define PLACE \
	MOVL BX, CX                  \
	SHRL $12, CX                 \
	ANDL $15, CX                 \
	LEAL 1(AX)(CX*1), R8         \
	CMPL R8, $63                 \
	JHI  rest                    \
	MOVL R8, AX

// What isn't in pairs, or near a block's end: a coefficient by its code. A long code is found as
// by huffman.long.
#define SPECIAL(store) \
special:                         \
	LOOKUP                       \
	MOVL BX, DX                  \
	SARL $16, DX                 \
	JEQ  novalue                 \
	PLACE                        \
	PASS_CODE                    \
stored:                          \
	store                        \
	CMPL AX, $63                 \
	JEQ  done                    \
	JMP  fill                    \
novalue:                         \
	TESTL $0xf00, BX             \
	JNE  sized                   \
	TESTL BX, BX                 \
	JEQ  long                    \
	CMPL BX, $0xf000             \
	JHS  zeros                   \
	PASS_CODE                    \
	JMP  done                    \
zeros:                           \
	CMPL AX, $46                 \
	JHI  rest                    \
	ADDL $16, AX                 \
	PASS_CODE                    \
	JMP  fill                    \
sized:                           \
	ANDL $63, R10                \
	CMPL R10, $31                \
	JLT  fill                    \
	PLACE                        \
	PASS_CODE                    \
	TAKE_VALUE                   \
	JMP  stored                  \
long:                            \
	MOVQ R9, CX                  \
	SHRQ $48, CX                 \
	MOVL $(const_lutBits+1), DX  \
longer:                          \
	CMPL CX, huffman_limit(R11)(DX*4) \
	JLO  found                   \
	INCL DX                      \
	CMPL DX, $16                 \
	JLS  longer                  \
	JMP  rest                    \
found:                           \
	MOVL $16, BX                 \
	SUBL DX, BX                  \
	SHRXL BX, CX, CX             \
	ADDQ huffman_offset(R11)(DX*8), CX \
	MOVBLZX CX, CX               \
	MOVBLZX huffman_values(R11)(CX*1), BX \
	SHLL $8, BX                  \
	ORL  DX, BX                  \
	JMP  novalue

// func decodeBlocksAVX2(b *bits, coefs *[64]int16, last *uint8, plan *planned, n int) (left, at int)
TEXT ·decodeBlocksAVX2(SB), NOSPLIT, $0-56
	LOAD_READER
	MOVQ  coefs+8(FP), DI
	MOVQ  plan+24(FP), R12
	LEAQ  places<>(SB), R13
	MOVL  $(64-const_lutBits), R15
	VPXOR Y0, Y0, Y0

block:
	ZERO_BLOCK
	MOVQ planned_dc(R12), R11
	FILL(bytesDC)

start:
	DC
	MOVW DX, (DI)
	MOVQ planned_ac(R12), R11
	XORL AX, AX

	// The DC coefficient took 26 bits at most, so there are enough for two lookups.
	DECODE_PAIR
	DECODE_PAIR

fill:
	FILL(bytes)

filled:
	DECODE_PAIR
	DECODE_PAIR
	DECODE_PAIR
	DECODE_PAIR
	DECODE_PAIR
	JMP fill

	SPECIAL(STORE)

ended:
	DECL AX

done:
	MOVQ last+16(FP), CX
	MOVB AX, (CX)
	INCQ last+16(FP)
	ADDQ $128, DI
	ADDQ $planned__size, R12
	DECQ n+32(FP)
	JNE  block
	JMP  out

bytesDC:
	FILL_BYTES(nextDC, plainDC, endDC, nothing)
	JMP start

bytes:
	FILL_BYTES(next, plain, end, rest)
	JMP filled

nothing:
	MOVQ $const_noBlock, AX
	JMP  out

rest:
	INCL AX

out:
	VZEROUPPER
	ANDL $63, R10
	STORE_READER
	MOVQ n+32(FP), CX
	MOVQ CX, left+40(FP)
	MOVQ AX, at+48(FP)
	RET

// func skipBlocksAVX2(b *bits, plan *planned, n int) (left, at int)
TEXT ·skipBlocksAVX2(SB), NOSPLIT, $0-40
	LOAD_READER
	MOVQ plan+8(FP), R12
	MOVL $(64-const_lutBits), R15

block:
	MOVQ planned_dc(R12), R11
	FILL(bytesDC)

start:
	DC
	MOVQ planned_ac(R12), R11
	XORL AX, AX
	SKIP_PAIR
	SKIP_PAIR

fill:
	FILL(bytes)

filled:
	SKIP_PAIR
	SKIP_PAIR
	SKIP_PAIR
	SKIP_PAIR
	SKIP_PAIR
	JMP fill

	SPECIAL(NO_STORE)

ended:
done:
	ADDQ $planned__size, R12
	DECQ n+16(FP)
	JNE  block
	JMP  out

bytesDC:
	FILL_BYTES(nextDC, plainDC, endDC, nothing)
	JMP start

bytes:
	FILL_BYTES(next, plain, end, rest)
	JMP filled

nothing:
	MOVQ $const_noBlock, AX
	JMP  out

rest:
	INCL AX

out:
	ANDL $63, R10
	STORE_READER
	MOVQ n+16(FP), CX
	MOVQ CX, left+24(FP)
	MOVQ AX, at+32(FP)
	RET
