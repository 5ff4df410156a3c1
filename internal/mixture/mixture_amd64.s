#include "textflag.h"

// func floatsAVX2(own, partner *float32, share, rest float32, n int)
TEXT ·floatsAVX2(SB), NOSPLIT, $0-32
	MOVQ         own+0(FP), DI
	MOVQ         partner+8(FP), SI
	VBROADCASTSS share+16(FP), Y2
	VBROADCASTSS rest+20(FP), Y3
	MOVQ         n+24(FP), CX

floats:
	VMULPS  (DI), Y2, Y0
	VMULPS  (SI), Y3, Y1
	VADDPS  Y0, Y1, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	SUBQ    $8, CX
	JNZ     floats
	VZEROUPPER
	RET

// func bytesAVX2(own, partner *uint8, weights uint32, n int)
TEXT ·bytesAVX2(SB), NOSPLIT, $0-32
	MOVQ         own+0(FP), DI
	MOVQ         partner+8(FP), SI
	MOVL         weights+16(FP), AX
	VMOVD        AX, X6
	VPBROADCASTD X6, Y6
	MOVQ         n+24(FP), CX
	VPCMPEQD     Y7, Y7, Y7
	VPSRLD       $31, Y7, Y7
	VPSLLD       $14, Y7, Y7      // One / 2

bytes:
	VPMOVZXBW    (DI), Y0
	VPMOVZXBW    (SI), Y1
	VPUNPCKLWD   Y1, Y0, Y2       // own and partner by turns
	VPUNPCKHWD   Y1, Y0, Y3
	VPMADDWD     Y6, Y2, Y2
	VPMADDWD     Y6, Y3, Y3
	VPADDD       Y7, Y2, Y2
	VPADDD       Y7, Y3, Y3
	VPSRLD       $15, Y2, Y2
	VPSRLD       $15, Y3, Y3
	VPACKUSDW    Y3, Y2, Y2
	VEXTRACTI128 $1, Y2, X3
	VPACKUSWB    X3, X2, X2
	VMOVDQU      X2, (DI)
	ADDQ         $16, DI
	ADDQ         $16, SI
	SUBQ         $16, CX
	JNZ          bytes
	VZEROUPPER
	RET
