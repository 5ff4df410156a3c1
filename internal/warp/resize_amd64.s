#include "textflag.h"

// AVX2 forms of ycc_resize.go's loops.

#define CONST(name, v) \
	DATA name<>+0(SB)/4, $v  \
	DATA name<>+4(SB)/4, $v  \
	DATA name<>+8(SB)/4, $v  \
	DATA name<>+12(SB)/4, $v \
	DATA name<>+16(SB)/4, $v \
	DATA name<>+20(SB)/4, $v \
	DATA name<>+24(SB)/4, $v \
	DATA name<>+28(SB)/4, $v \
	GLOBL name<>(SB), RODATA|NOPTR, $32

CONST(half7, 64)
CONST(half13, 4096)
CONST(grey, 32768)
CONST(half22, 2097152)
CONST(crToR, 22970)
CONST(cbToG, 5638)
CONST(crToG, 11700)
CONST(cbToB, 29032)

// Four reds, greens, blues and zeros to four colours.
DATA interleaved<>+0(SB)/8, $0x0d0905010c080400
DATA interleaved<>+8(SB)/8, $0x0f0b07030e0a0602
DATA interleaved<>+16(SB)/8, $0x0d0905010c080400
DATA interleaved<>+24(SB)/8, $0x0f0b07030e0a0602
GLOBL interleaved<>(SB), RODATA|NOPTR, $32

// func blendRows16AVX2(dst *int16, pix *uint8, stride int, weights *int16, taps, n int)
TEXT ·blendRows16AVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ pix+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ weights+24(FP), R8
	MOVQ taps+32(FP), R9
	MOVQ n+40(FP), R10
	SUBQ $16, R10    // where the last sixteen begin
	XORL AX, AX
	VMOVDQU half7<>(SB), Y15
	VPXOR   Y14, Y14, Y14

columns:
	LEAQ    (SI)(AX*1), R11
	MOVQ    R8, R12
	MOVQ    R9, R13
	VMOVDQA Y15, Y0
	VMOVDQA Y15, Y1
	SUBQ    $2, R13
	JLT     odd

pair:
	VPMOVZXBW    (R11), Y2
	VPMOVZXBW    (R11)(DX*1), Y3
	VPBROADCASTD (R12), Y4
	VPUNPCKLWD   Y3, Y2, Y5
	VPUNPCKHWD   Y3, Y2, Y6
	VPMADDWD     Y4, Y5, Y5
	VPMADDWD     Y4, Y6, Y6
	VPADDD       Y5, Y0, Y0
	VPADDD       Y6, Y1, Y1
	LEAQ         (R11)(DX*2), R11
	ADDQ         $4, R12
	SUBQ         $2, R13
	JGE          pair

odd:
	CMPQ         R13, $-1
	JNE          store
	VPMOVZXBW    (R11), Y2
	VPBROADCASTW (R12), Y4
	VPUNPCKLWD   Y14, Y2, Y5
	VPUNPCKHWD   Y14, Y2, Y6
	VPMADDWD     Y4, Y5, Y5
	VPMADDWD     Y4, Y6, Y6
	VPADDD       Y5, Y0, Y0
	VPADDD       Y6, Y1, Y1

store:
	VPSRAD    $7, Y0, Y0
	VPSRAD    $7, Y1, Y1
	VPACKSSDW Y1, Y0, Y0
	VMOVDQU   Y0, (DI)(AX*2)
	CMPQ      AX, R10
	JEQ       done
	ADDQ      $16, AX
	CMPQ      AX, R10
	JLE       columns
	MOVQ      R10, AX // some of them again
	JMP       columns

done:
	VZEROUPPER
	RET

// Eight taps of the pixels j and j+4 of a group.
#define TAPS(j, x, y, sum) \
	MOVLQSX     (4*j)(R8), R13            \
	MOVLQSX     (4*j+16)(R8), R14         \
	VMOVDQU     (R12)(R13*2), x           \
	VINSERTI128 $1, (R12)(R14*2), y, y    \
	VPMADDWD    (32*j)(R9), y, y          \
	VPADDD      y, sum, sum

// func resizeAVX2(dst *uint16, src *int16, starts *int32, left int, weights *int16, chunks, groups int)
TEXT ·resizeAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ starts+16(FP), R8
	MOVQ left+24(FP), AX
	MOVQ weights+32(FP), R9
	MOVQ chunks+40(FP), R10
	MOVQ groups+48(FP), R11
	ADDQ AX, AX
	SUBQ AX, SI
	VMOVDQU half13<>(SB), Y15

group:
	MOVQ  SI, R12
	MOVQ  R10, BX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3

chunk:
	TAPS(0, X4, Y4, Y0)
	TAPS(1, X5, Y5, Y1)
	TAPS(2, X6, Y6, Y2)
	TAPS(3, X7, Y7, Y3)
	ADDQ $16, R12
	ADDQ $128, R9
	DECQ BX
	JNE  chunk

	VPHADDD   Y1, Y0, Y0
	VPHADDD   Y3, Y2, Y2
	VPHADDD   Y2, Y0, Y0
	VPADDD    Y15, Y0, Y0
	VPSRAD    $13, Y0, Y0
	VPACKUSDW Y0, Y0, Y0
	VPERMQ    $8, Y0, Y0
	VMOVDQU   X0, (DI)
	ADDQ      $16, DI
	ADDQ      $32, R8
	DECQ      R11
	JNE       group
	VZEROUPPER
	RET

// func convertAVX2(dst *uint32, luma, cb, cr *uint16, n int)
TEXT ·convertAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ luma+8(FP), R11
	MOVQ cb+16(FP), R12
	MOVQ cr+24(FP), R13
	MOVQ n+32(FP), DX
	SUBQ $8, DX
	XORL CX, CX
	VPXOR   Y14, Y14, Y14
	VMOVDQU crToR<>(SB), Y10
	VMOVDQU cbToG<>(SB), Y11
	VMOVDQU crToG<>(SB), Y12
	VMOVDQU cbToB<>(SB), Y13
	VMOVDQU grey<>(SB), Y15
	VMOVDQU interleaved<>(SB), Y9

eight:
	VPMOVZXWD (R11)(CX*2), Y0
	VPMOVZXWD (R12)(CX*2), Y1
	VPMOVZXWD (R13)(CX*2), Y2
	VPSLLD    $14, Y0, Y0
	VPADDD    half22<>(SB), Y0, Y0
	VPSUBD    Y15, Y1, Y1
	VPSUBD    Y15, Y2, Y2
	VPMULLD   Y10, Y2, Y3
	VPMULLD   Y11, Y1, Y4
	VPMULLD   Y12, Y2, Y5
	VPMULLD   Y13, Y1, Y6
	VPADDD    Y3, Y0, Y3 // red
	VPSUBD    Y4, Y0, Y4
	VPSUBD    Y5, Y4, Y4 // green
	VPADDD    Y6, Y0, Y6 // blue
	VPSRAD    $22, Y3, Y3
	VPSRAD    $22, Y4, Y4
	VPSRAD    $22, Y6, Y6
	VPACKSSDW Y4, Y3, Y3
	VPACKSSDW Y14, Y6, Y6
	VPACKUSWB Y6, Y3, Y3
	VPSHUFB   Y9, Y3, Y3
	VMOVDQU   Y3, (DI)(CX*4)
	CMPQ      CX, DX
	JEQ       done
	ADDQ      $8, CX
	CMPQ      CX, DX
	JLE       eight
	MOVQ      DX, CX // some of them again
	JMP       eight

done:
	VZEROUPPER
	RET
