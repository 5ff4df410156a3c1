#include "textflag.h"

// AVX2 forms of ycc.go's and upsample.go's loops, in the words that libjpeg-turbo's SIMD
// code uses: a product of 17 bits is one of 16 and a multiple of the factor.

DATA grey<>+0(SB)/8, $0x0080008000800080
DATA grey<>+8(SB)/8, $0x0080008000800080
DATA grey<>+16(SB)/8, $0x0080008000800080
DATA grey<>+24(SB)/8, $0x0080008000800080
GLOBL grey<>(SB), RODATA|NOPTR, $32
DATA one<>+0(SB)/8, $0x0001000100010001
DATA one<>+8(SB)/8, $0x0001000100010001
DATA one<>+16(SB)/8, $0x0001000100010001
DATA one<>+24(SB)/8, $0x0001000100010001
GLOBL one<>(SB), RODATA|NOPTR, $32
DATA two<>+0(SB)/8, $0x0002000200020002
DATA two<>+8(SB)/8, $0x0002000200020002
DATA two<>+16(SB)/8, $0x0002000200020002
DATA two<>+24(SB)/8, $0x0002000200020002
GLOBL two<>(SB), RODATA|NOPTR, $32
DATA three<>+0(SB)/8, $0x0003000300030003
DATA three<>+8(SB)/8, $0x0003000300030003
DATA three<>+16(SB)/8, $0x0003000300030003
DATA three<>+24(SB)/8, $0x0003000300030003
GLOBL three<>(SB), RODATA|NOPTR, $32
DATA seven<>+0(SB)/8, $0x0007000700070007
DATA seven<>+8(SB)/8, $0x0007000700070007
DATA seven<>+16(SB)/8, $0x0007000700070007
DATA seven<>+24(SB)/8, $0x0007000700070007
GLOBL seven<>(SB), RODATA|NOPTR, $32
DATA eight<>+0(SB)/8, $0x0008000800080008
DATA eight<>+8(SB)/8, $0x0008000800080008
DATA eight<>+16(SB)/8, $0x0008000800080008
DATA eight<>+24(SB)/8, $0x0008000800080008
GLOBL eight<>(SB), RODATA|NOPTR, $32

DATA red<>+0(SB)/8, $0x66e966e966e966e9
DATA red<>+8(SB)/8, $0x66e966e966e966e9
DATA red<>+16(SB)/8, $0x66e966e966e966e9
DATA red<>+24(SB)/8, $0x66e966e966e966e9
GLOBL red<>(SB), RODATA|NOPTR, $32
DATA blue<>+0(SB)/8, $0xc5a2c5a2c5a2c5a2
DATA blue<>+8(SB)/8, $0xc5a2c5a2c5a2c5a2
DATA blue<>+16(SB)/8, $0xc5a2c5a2c5a2c5a2
DATA blue<>+24(SB)/8, $0xc5a2c5a2c5a2c5a2
GLOBL blue<>(SB), RODATA|NOPTR, $32
DATA green<>+0(SB)/8, $0x492ea7e6492ea7e6
DATA green<>+8(SB)/8, $0x492ea7e6492ea7e6
DATA green<>+16(SB)/8, $0x492ea7e6492ea7e6
DATA green<>+24(SB)/8, $0x492ea7e6492ea7e6
GLOBL green<>(SB), RODATA|NOPTR, $32
DATA half<>+0(SB)/8, $0x0000800000008000
DATA half<>+8(SB)/8, $0x0000800000008000
DATA half<>+16(SB)/8, $0x0000800000008000
DATA half<>+24(SB)/8, $0x0000800000008000
GLOBL half<>(SB), RODATA|NOPTR, $32

// Eight reds and blues, and eight greens, to pixels: 16 bytes and 8.
DATA redBlue<>+0(SB)/8, $0x8002098001088000
DATA redBlue<>+8(SB)/8, $0x050c80040b80030a
DATA redBlue<>+16(SB)/8, $0x8002098001088000
DATA redBlue<>+24(SB)/8, $0x050c80040b80030a
GLOBL redBlue<>(SB), RODATA|NOPTR, $32
DATA greens<>+0(SB)/8, $0x0280800180800080
DATA greens<>+8(SB)/8, $0x8080048080038080
DATA greens<>+16(SB)/8, $0x0280800180800080
DATA greens<>+24(SB)/8, $0x8080048080038080
GLOBL greens<>(SB), RODATA|NOPTR, $32
DATA redBlueRest<>+0(SB)/8, $0x0f80070e80060d80
DATA redBlueRest<>+8(SB)/8, $0x8080808080808080
DATA redBlueRest<>+16(SB)/8, $0x0f80070e80060d80
DATA redBlueRest<>+24(SB)/8, $0x8080808080808080
GLOBL redBlueRest<>(SB), RODATA|NOPTR, $32
DATA greensRest<>+0(SB)/8, $0x8007808006808005
DATA greensRest<>+8(SB)/8, $0x8080808080808080
DATA greensRest<>+16(SB)/8, $0x8007808006808005
DATA greensRest<>+24(SB)/8, $0x8080808080808080
GLOBL greensRest<>(SB), RODATA|NOPTR, $32

// func convertYCCAVX2(dst, luma, cb, cr *uint8, n int)
TEXT ·convertYCCAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ luma+8(FP), SI
	MOVQ cb+16(FP), R8
	MOVQ cr+24(FP), R9
	MOVQ n+32(FP), DX
	SUBQ $16, DX
	XORL CX, CX
	VMOVDQU grey<>(SB), Y15
	VMOVDQU one<>(SB), Y14
	VMOVDQU green<>(SB), Y13
	VMOVDQU half<>(SB), Y12
	VMOVDQU redBlue<>(SB), Y11
	VMOVDQU greens<>(SB), Y10
	VMOVDQU redBlueRest<>(SB), Y9
	VMOVDQU greensRest<>(SB), Y8

sixteen:
	VPMOVZXBW  (SI)(CX*1), Y0
	VPMOVZXBW  (R8)(CX*1), Y1
	VPMOVZXBW  (R9)(CX*1), Y2
	VPSUBW     Y15, Y1, Y1
	VPSUBW     Y15, Y2, Y2
	VPADDW     Y2, Y2, Y3
	VPMULHW    red<>(SB), Y3, Y3
	VPADDW     Y14, Y3, Y3
	VPSRAW     $1, Y3, Y3
	VPADDW     Y2, Y3, Y3
	VPADDW     Y0, Y3, Y3    // red
	VPADDW     Y1, Y1, Y4
	VPMULHW    blue<>(SB), Y4, Y5
	VPADDW     Y14, Y5, Y5
	VPSRAW     $1, Y5, Y5
	VPADDW     Y4, Y5, Y5
	VPADDW     Y0, Y5, Y5    // blue
	VPUNPCKLWD Y2, Y1, Y6
	VPUNPCKHWD Y2, Y1, Y7
	VPMADDWD   Y13, Y6, Y6
	VPMADDWD   Y13, Y7, Y7
	VPADDD     Y12, Y6, Y6
	VPADDD     Y12, Y7, Y7
	VPSRAD     $16, Y6, Y6
	VPSRAD     $16, Y7, Y7
	VPACKSSDW  Y7, Y6, Y6
	VPSUBW     Y2, Y6, Y6
	VPADDW     Y0, Y6, Y6    // green
	VPACKUSWB  Y5, Y3, Y3
	VPACKUSWB  Y6, Y6, Y6
	VPSHUFB    Y11, Y3, Y0
	VPSHUFB    Y10, Y6, Y1
	VPOR       Y1, Y0, Y0
	VPSHUFB    Y9, Y3, Y2
	VPSHUFB    Y8, Y6, Y4
	VPOR       Y4, Y2, Y2
	VMOVDQU    X0, (DI)
	VMOVQ      X2, 16(DI)
	VEXTRACTI128 $1, Y0, 24(DI)
	VEXTRACTI128 $1, Y2, X2
	VMOVQ      X2, 40(DI)
	CMPQ       CX, DX
	JEQ        converted
	ADDQ       $16, CX
	ADDQ       $48, DI
	CMPQ       CX, DX
	JLE        sixteen
	SUBQ       CX, DX // some of them again
	ADDQ       DX, CX
	LEAQ       (DX)(DX*2), AX
	ADDQ       AX, DI
	MOVQ       CX, DX
	JMP        sixteen

converted:
	VZEROUPPER
	RET

// A sum of three nearer samples and a farther one.
#define SUM(near, far, out, tmp) \
	VPMOVZXBW near, out         \
	VPMULLW   Y15, out, out     \
	VPMOVZXBW far, tmp          \
	VPADDW    tmp, out, out

// func upsampleH2V2AVX2(dst, near, far *uint8, n int)
TEXT ·upsampleH2V2AVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ near+8(FP), SI
	MOVQ far+16(FP), R8
	MOVQ n+24(FP), DX
	SUBQ $16, DX
	XORL CX, CX
	VMOVDQU three<>(SB), Y15
	VMOVDQU seven<>(SB), Y14
	VMOVDQU eight<>(SB), Y13

sixteen:
	SUM(-1(SI)(CX*1), -1(R8)(CX*1), Y0, Y3)
	SUM((SI)(CX*1), (R8)(CX*1), Y1, Y4)
	SUM(1(SI)(CX*1), 1(R8)(CX*1), Y2, Y5)
	VPMULLW Y15, Y1, Y1
	VPADDW  Y1, Y0, Y0
	VPADDW  Y1, Y2, Y2
	VPADDW  Y13, Y0, Y0
	VPADDW  Y14, Y2, Y2
	VPSRLW  $4, Y0, Y0
	VPSRLW  $4, Y2, Y2
	VPSLLW  $8, Y2, Y2
	VPOR    Y2, Y0, Y0
	VMOVDQU Y0, (DI)(CX*2)
	CMPQ    CX, DX
	JEQ     done
	ADDQ    $16, CX
	CMPQ    CX, DX
	JLE     sixteen
	MOVQ    DX, CX
	JMP     sixteen

done:
	VZEROUPPER
	RET

// func upsampleH2AVX2(dst, src *uint8, n int)
TEXT ·upsampleH2AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), DX
	SUBQ $16, DX
	XORL CX, CX
	VMOVDQU three<>(SB), Y15
	VMOVDQU one<>(SB), Y14
	VMOVDQU two<>(SB), Y13

sixteen:
	VPMOVZXBW (SI)(CX*1), Y1
	VPMULLW   Y15, Y1, Y1
	VPMOVZXBW -1(SI)(CX*1), Y0
	VPMOVZXBW 1(SI)(CX*1), Y2
	VPADDW    Y1, Y0, Y0
	VPADDW    Y1, Y2, Y2
	VPADDW    Y14, Y0, Y0
	VPADDW    Y13, Y2, Y2
	VPSRLW    $2, Y0, Y0
	VPSRLW    $2, Y2, Y2
	VPSLLW    $8, Y2, Y2
	VPOR      Y2, Y0, Y0
	VMOVDQU   Y0, (DI)(CX*2)
	CMPQ      CX, DX
	JEQ       done
	ADDQ      $16, CX
	CMPQ      CX, DX
	JLE       sixteen
	MOVQ      DX, CX
	JMP       sixteen

done:
	VZEROUPPER
	RET
