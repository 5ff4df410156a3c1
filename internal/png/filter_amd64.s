#include "textflag.h"

// The filters of rows: up 32 bytes at a time, the others pixel by pixel, each in eight bytes of
// which as many as a pixel has count. What is written behind these is written again.

// func upAVX2(row, coded, above *byte, n int)
TEXT ·upAVX2(SB), NOSPLIT, $0-32
	MOVQ row+0(FP), DI
	MOVQ coded+8(FP), SI
	MOVQ above+16(FP), DX
	MOVQ n+24(FP), CX
	XORQ AX, AX

up:
	VMOVDQU (SI)(AX*1), Y0
	VPADDB  (DX)(AX*1), Y0, Y0
	VMOVDQU Y0, (DI)(AX*1)
	ADDQ    $32, AX
	CMPQ    AX, CX
	JLT     up
	VZEROUPPER
	RET

// func subAVX2(row, coded *byte, n, pixel int)
TEXT ·subAVX2(SB), NOSPLIT, $0-32
	MOVQ  row+0(FP), DI
	MOVQ  coded+8(FP), SI
	MOVQ  n+16(FP), CX
	MOVQ  pixel+24(FP), BX
	XORQ  AX, AX
	VPXOR X0, X0, X0

sub:
	VMOVQ  (SI)(AX*1), X1
	VPADDB X1, X0, X0
	VMOVQ  X0, (DI)(AX*1)
	ADDQ   BX, AX
	CMPQ   AX, CX
	JLT    sub
	RET

// Sums of 16 bytes by doubling steps, and the last one of the 16 before in all of them.
//
// func sub1AVX2(row, coded *byte, n int)
TEXT ·sub1AVX2(SB), NOSPLIT, $0-24
	MOVQ     row+0(FP), DI
	MOVQ     coded+8(FP), SI
	MOVQ     n+16(FP), CX
	XORQ     AX, AX
	VPXOR    X0, X0, X0
	VPCMPEQB X3, X3, X3
	VPSRLW   $12, X3, X3
	VPACKUSWB X3, X3, X3 // 15: the last byte

sub1:
	VMOVDQU (SI)(AX*1), X1
	VPSLLDQ $1, X1, X2
	VPADDB  X2, X1, X1
	VPSLLDQ $2, X1, X2
	VPADDB  X2, X1, X1
	VPSLLDQ $4, X1, X2
	VPADDB  X2, X1, X1
	VPSLLDQ $8, X1, X2
	VPADDB  X2, X1, X1
	VPADDB  X0, X1, X0
	VMOVDQU X0, (DI)(AX*1)
	VPSHUFB X3, X0, X0
	ADDQ    $16, AX
	CMPQ    AX, CX
	JLT     sub1
	RET

// The mean of two bytes rounds up here, so 1 goes off where their sum is odd.
//
// func averageAVX2(row, coded, above *byte, n, pixel int)
TEXT ·averageAVX2(SB), NOSPLIT, $0-40
	MOVQ     row+0(FP), DI
	MOVQ     coded+8(FP), SI
	MOVQ     above+16(FP), DX
	MOVQ     n+24(FP), CX
	MOVQ     pixel+32(FP), BX
	XORQ     AX, AX
	VPXOR    X0, X0, X0
	VPCMPEQB X7, X7, X7
	VPABSB   X7, X7 // ones

average:
	VMOVQ  (DX)(AX*1), X1
	VMOVQ  (SI)(AX*1), X2
	VPAVGB X1, X0, X3
	VPXOR  X1, X0, X4
	VPAND  X7, X4, X4
	VPSUBB X4, X2, X2
	VPADDB X2, X3, X0
	VMOVQ  X0, (DI)(AX*1)
	ADDQ   BX, AX
	CMPQ   AX, CX
	JLT    average
	RET

// In 16 bits: X0 the pixel to the left, X1 the one above it.
//
// func paethAVX2(row, coded, above *byte, n, pixel int)
TEXT ·paethAVX2(SB), NOSPLIT, $0-40
	MOVQ  row+0(FP), DI
	MOVQ  coded+8(FP), SI
	MOVQ  above+16(FP), DX
	MOVQ  n+24(FP), CX
	MOVQ  pixel+32(FP), BX
	XORQ  AX, AX
	VPXOR X0, X0, X0
	VPXOR X1, X1, X1

paeth:
	VPMOVZXBW (DX)(AX*1), X2
	VPMOVZXBW (SI)(AX*1), X3
	VPSUBW    X1, X2, X4
	VPSUBW    X1, X0, X5
	VPADDW    X4, X5, X6
	VPABSW    X4, X4             // how far the prediction is from the left,
	VPABSW    X5, X5             // from above,
	VPABSW    X6, X6             // and from the corner
	VPMINSW   X4, X5, X7
	VPCMPGTW  X5, X4, X8
	VPBLENDVB X8, X2, X0, X9
	VPCMPGTW  X6, X7, X8
	VPBLENDVB X8, X1, X9, X9
	VPADDB    X3, X9, X0
	VMOVDQA   X2, X1
	VPACKUSWB X0, X0, X9
	VMOVQ     X9, (DI)(AX*1)
	ADDQ      BX, AX
	CMPQ      AX, CX
	JLT       paeth
	RET

// Where the pixel to the left is as the one above it, the prediction is the pixel above: as long
// as nothing is coded, all are copied. Where it isn't, it is the one to the left, as long
// as nothing is coded and those above don't change.
//
// func paeth1AVX2(row, coded, above *byte, n int)
TEXT ·paeth1AVX2(SB), NOSPLIT, $0-32
	MOVQ  row+0(FP), DI
	MOVQ  coded+8(FP), SI
	MOVQ  above+16(FP), DX
	MOVQ  n+24(FP), CX
	XORQ  AX, AX
	VPXOR Y5, Y5, Y5

same:
	VMOVDQU   (DX)(AX*1), Y1
	VPCMPEQB  (SI)(AX*1), Y5, Y0
	VMOVDQU   Y1, (DI)(AX*1)
	VPMOVMSKB Y0, BX
	XORL      $-1, BX
	JNZ       coded
	ADDQ      $32, AX
	CMPQ      AX, CX
	JLT       same
	VZEROUPPER
	RET

coded:
	TZCNTL  BX, BX
	ADDQ    BX, AX
	CMPQ    AX, CX
	JGE     done
	MOVBLZX (DX)(AX*1), R9
	MOVBLZX (SI)(AX*1), R8
	ADDL    R9, R8
	MOVB    R8, (DI)(AX*1)
	MOVBLZX R8, R8         // left
	INCQ    AX             // R9: the corner of the next one, another one

other:
	CMPQ         AX, CX
	JGE          done
	VMOVD        R8, X3
	VPBROADCASTB X3, Y3
	VMOVDQU      (DX)(AX*1), Y1
	VPCMPEQB     -1(DX)(AX*1), Y1, Y2
	VPCMPEQB     (SI)(AX*1), Y5, Y0
	VPAND        Y0, Y2, Y0
	VMOVDQU      Y3, (DI)(AX*1)
	VPMOVMSKB    Y0, BX
	XORL         $-1, BX
	JNZ          changed
	ADDQ         $32, AX
	JMP          other

changed:
	TZCNTL  BX, BX
	ADDQ    BX, AX
	CMPQ    AX, CX
	JGE     done
	MOVBLZX (DX)(AX*1), R10   // above
	MOVBLZX -1(DX)(AX*1), R9  // corner
	MOVL    R10, R11
	SUBL    R9, R11           // above - corner
	MOVL    R8, R12
	SUBL    R9, R12           // left - corner
	LEAL    (R11)(R12*1), R13
	MOVL    R11, BX
	NEGL    BX
	CMOVLLT R11, BX           // their magnitudes
	MOVL    R12, R11
	NEGL    R11
	CMOVLLT R12, R11
	MOVL    R13, R12
	NEGL    R12
	CMOVLLT R13, R12
	CMPL    R11, BX
	CMOVLLT R11, BX
	CMOVLLT R10, R8
	CMPL    R12, BX
	CMOVLLT R9, R8
	MOVBLZX (SI)(AX*1), BX
	ADDL    BX, R8
	MOVB    R8, (DI)(AX*1)
	MOVBLZX R8, R8
	INCQ    AX
	CMPL    R8, R10
	JNE     other
	CMPQ    AX, CX
	JLT     same

done:
	VZEROUPPER
	RET

// func highAVX2(high, row *byte, n int)
TEXT ·highAVX2(SB), NOSPLIT, $0-24
	MOVQ     high+0(FP), DI
	MOVQ     row+8(FP), SI
	MOVQ     n+16(FP), CX
	VPCMPEQW Y2, Y2, Y2
	VPSRLW   $8, Y2, Y2 // the first of two bytes, the low one of a word

high:
	VPAND     (SI), Y2, Y0
	VPAND     32(SI), Y2, Y1
	VPACKUSWB Y1, Y0, Y0
	VPERMQ    $0xd8, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	DECQ      CX
	JNZ       high
	VZEROUPPER
	RET
