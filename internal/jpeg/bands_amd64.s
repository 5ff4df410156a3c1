#include "go_asm.h"
#include "textflag.h"
#include "scan_amd64.h"

// The state at the start of a block, to which a function returns where plain Go goes on.
#define KEEP \
	MOVQ SI, si-8(SP)    \
	MOVQ R9, acc-16(SP)  \
	MOVQ R10, n-24(SP)

#define GO_BACK \
	MOVQ si-8(SP), SI    \
	MOVQ acc-16(SP), R9  \
	MOVQ n-24(SP), R10

#define START \
	LOAD_READER              \
	MOVQ s+8(FP), R12        \
	MOVQ ac+16(FP), R11      \
	LEAQ places<>(SB), R13   \
	MOVQ band_coefs(R12), DI

// The next block, if there is one.
#define NEXT(block, out) \
	ADDQ band_step(R12), DI       \
	ADDQ $8, band_nonzero(R12)    \
	DECQ band_blocks(R12)         \
	JNE  block                    \
	JMP  out

// EOBn of an entry in BX: DX is for how many blocks the band has ended.
#define END_OF_BAND \
	PASS_CODE              \
	MOVL  BX, CX           \
	SHRL  $12, CX          \
	ANDL  $15, CX          \
	MOVL  $63, R8          \
	SUBL  CX, R8           \
	MOVQ  R9, DX           \
	SHRQ  $1, DX           \
	SHRXQ R8, DX, DX       \
	SHLXQ CX, R9, R9       \
	SUBQ  CX, R10          \
	MOVL  $1, R8           \
	SHLXQ CX, R8, R8       \
	ADDQ  R8, DX

// func acFirstAVX2(b *bits, s *band, ac *huffman)
TEXT ·acFirstAVX2(SB), NOSPLIT, $24-24
	START

block:
	MOVQ band_ended(R12), DX
	TESTQ DX, DX
	JNE  ended
	KEEP
	MOVQ band_first(R12), AX
	DECQ AX

coef:
	CMPQ R10, $32
	JLT  fill

filled:
	LOOKUP
	MOVL BX, DX
	SARL $16, DX
	JEQ  special
	PASS_CODE

place:
	MOVL BX, CX
	SHRL $12, CX
	ANDL $15, CX
	LEAQ 1(AX)(CX*1), AX
	CMPQ AX, band_last(R12)
	JHI  back
	MOVQ band_low(R12), CX
	SHLXL CX, DX, DX
	MOVBLZX (R13)(AX*1), CX
	MOVW DX, (DI)(CX*2)
	MOVL $1, DX
	SHLXQ AX, DX, DX
	MOVQ band_nonzero(R12), CX
	ORQ  DX, (CX)
	CMPQ AX, band_last(R12)
	JLT  coef

next:
	NEXT(block, out)

special:
	MOVL BX, CX
	SHRL $8, CX
	ANDL $15, CX
	JEQ  sizeless
	CMPL CX, $10 // larger values might be shifted out of 16 bits
	JHI  back
	PASS_CODE
	TAKE_VALUE
	JMP  place

sizeless:
	NO_END(zeros)
	END_OF_BAND
	DECQ DX
	MOVQ DX, band_ended(R12)
	JMP  next

zeros:
	TESTL BX, BX
	JEQ  back
	PASS_CODE
	ADDQ $16, AX
	CMPQ AX, band_last(R12)
	JLT  coef
	JMP  next

ended: // as many blocks as there are at once
	MOVQ  band_blocks(R12), CX
	CMPQ  DX, CX
	CMOVQLT DX, CX
	SUBQ  CX, band_ended(R12)
	MOVQ  CX, DX
	IMULQ band_step(R12), DX
	ADDQ  DX, DI
	LEAQ  (CX*8), DX
	ADDQ  DX, band_nonzero(R12)
	SUBQ  CX, band_blocks(R12)
	JNE   block
	JMP   out

fill:
	FILL(bytes)
	JMP filled

bytes:
	FILL_BYTES(nextByte, plain, end, back)
	JMP filled

back:
	GO_BACK

out:
	MOVQ $0, band_nonzero(R12) // it may point beyond the row
	STORE_READER
	RET

// func acRefineAVX2(b *bits, s *band, ac *huffman)
TEXT ·acRefineAVX2(SB), NOSPLIT, $56-24
	START

block:
	KEEP
	MOVQ band_nonzero(R12), CX
	MOVQ (CX), CX
	MOVQ CX, new-32(SP)
	MOVQ band_mask(R12), AX
	ANDQ AX, CX
	MOVQ CX, old-40(SP)
	MOVQ band_ended(R12), DX
	MOVQ DX, ended-48(SP)
	TESTQ DX, DX
	JNE  rest

symbol:
	CMPQ R10, $32
	JLT  fill

filled:
	LOOKUP
	MOVL BX, DX
	SARL $16, DX
	JEQ  special
	LEAL 1(DX), CX // only 1 and -1 may follow
	TESTL $0xfffffffd, CX
	JNE  back

// The next coefficient that is zero, behind run others, is DX, or zero still.
run:
	PASS_CODE
	SHRL $12, BX
	ANDL $15, BX
	MOVQ old-40(SP), R15
	ANDNQ AX, R15, R8
	CMPB band_deposits(R12), $0
	JEQ  zero
	MOVL $1, CX
	SHLXQ BX, CX, CX
	PDEPQ R8, CX, R8 // of those that are zero, the one with that number
	TESTQ R8, R8
	JEQ  none
	JMP  found

zero:
	TESTQ R8, R8
	JEQ  none
	DECL BX
	JLT  found
	BLSRQ R8, R8
	JMP  zero

found:
	MOVQ AX, BX
	BLSMSKQ R8, CX
	ANDNQ AX, CX, AX // those behind it
	ANDQ CX, BX
	ANDQ R15, BX     // those before it that are to be corrected
	TESTL DX, DX
	JEQ  correct
	BLSIQ R8, CX
	ORQ  CX, new-32(SP)
	TZCNTQ R8, CX
	MOVBLZX (R13)(CX*1), CX
	MOVQ band_low(R12), R8
	SHLXL R8, DX, DX
	MOVW DX, (DI)(CX*2)

correct: // BX
	TESTQ BX, BX
	JEQ  corrected
	POPCNTQ BX, CX
	CMPQ CX, R10
	JHI  more

enough:
	SUBQ CX, R10
	CMPQ band_step(R12), $0
	JNE  each
	SHLXQ CX, R9, R9 // nobody wants the values
	JMP  corrected

each:
	TZCNTQ BX, CX
	BLSRQ BX, BX
	MOVBLZX (R13)(CX*1), CX
	MOVWLSX (DI)(CX*2), DX
	ADDQ R9, R9
	SBBL R8, R8
	ANDL band_one(R12), R8
	MOVL DX, R15
	SARL $31, R15
	XORL R15, R8
	SUBL R15, R8
	ADDL R8, DX
	MOVW DX, (DI)(CX*2)
	TESTQ BX, BX
	JNE  each

corrected:
	TESTQ AX, AX
	JNE  symbol
	MOVQ new-32(SP), DX
	MOVQ band_nonzero(R12), CX
	MOVQ DX, (CX)
	NEXT(block, out)

none: // beyond the band
	TESTL DX, DX
	JNE  back
	MOVQ AX, BX
	ANDQ R15, BX
	XORL AX, AX
	JMP  correct

special:
	TESTL $0xf00, BX
	JNE  back
	NO_END(zeros)
	END_OF_BAND

rest: // of the band, without new coefficients
	DECQ DX
	MOVQ DX, band_ended(R12)
	MOVQ AX, BX
	ANDQ old-40(SP), BX
	XORL AX, AX
	JMP  correct

zeros:
	TESTL BX, BX
	JEQ  back
	XORL DX, DX
	JMP  run

fill:
	FILL(bytes)
	JMP filled

bytes:
	FILL_BYTES(nextByte, plain, end, back)
	JMP filled

more:
	FILL(moreBytes)
	JMP moreFilled

moreBytes:
	FILL_BYTES(nextMore, plainMore, endMore, back)

moreFilled:
	POPCNTQ BX, CX
	CMPQ CX, R10
	JLS  enough

back:
	GO_BACK
	MOVQ ended-48(SP), DX
	MOVQ DX, band_ended(R12)

out:
	MOVQ $0, band_nonzero(R12) // it may point beyond the row
	STORE_READER
	RET

// func dequantizeAVX2(words *[16]uint64, coefs *[64]int16, factors *[64]uint16)
TEXT ·dequantizeAVX2(SB), NOSPLIT, $0-24
	MOVQ words+0(FP), DI
	MOVQ coefs+8(FP), SI
	MOVQ factors+16(FP), DX
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VPMULLW (DX), Y0, Y0
	VPMULLW 32(DX), Y1, Y1
	VPMULLW 64(DX), Y2, Y2
	VPMULLW 96(DX), Y3, Y3
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VZEROUPPER
	RET

// func deposits() bool
TEXT ·deposits(SB), NOSPLIT, $0-1
	XORL AX, AX
	CPUID
	MOVB $0, ret+0(FP)
	CMPL BX, $0x6f677948 // Hygon
	JEQ  done
	CMPL BX, $0x68747541 // AuthenticAMD
	JNE  fast
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $20, AX
	ANDL $255, AX
	CMPL AX, $10 // beyond family 15: Zen 3 is 25
	JLT  done

fast:
	MOVB $1, ret+0(FP)

done:
	RET
