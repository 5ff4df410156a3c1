#include "textflag.h"
#include "repeat_amd64.h"

REPEAT(eight, 0x0008000800080008)
REPEAT(lumaFactor, 0x4a854a854a854a85)
REPEAT(crToR, 0x6625662566256625)
REPEAT(cbToG, 0x1913191319131913)
REPEAT(crToG, 0x3408340834083408)
REPEAT(cbToB, 0x811a811a811a811a)
REPEAT(redLess, 0x379a379a379a379a)
REPEAT(greenMore, 0x2204220422042204)
REPEAT(blueLess, 0x4515451545154515)

// Where the bytes of eight pixels come from: the first 16 and the last 8, of reds and greens, and of blues.
#define TWICE(name, low, high) \
	DATA name<>+0(SB)/8, $low   \
	DATA name<>+8(SB)/8, $high  \
	DATA name<>+16(SB)/8, $low  \
	DATA name<>+24(SB)/8, $high \
	GLOBL name<>(SB), RODATA|NOPTR, $32

TWICE(redGreen, 0x0a02800901800800, 0x05800c04800b0380)
TWICE(blue, 0x8080018080008080, 0x8004808003808002)
TWICE(redGreenRest, 0x800f07800e06800d, 0x8080808080808080)
TWICE(blueRest, 0x0780800680800580, 0x8080808080808080)

// func upsampleAVX2(dst, near, far *uint8, n int)
TEXT ·upsampleAVX2(SB), NOSPLIT, $0-32
	MOVQ    dst+0(FP), DI
	MOVQ    near+8(FP), SI
	MOVQ    far+16(FP), R8
	MOVQ    n+24(FP), DX
	SUBQ    $16, DX
	XORL    CX, CX
	VMOVDQU eight<>(SB), Y15

sixteen:
	VPMOVZXBW (SI)(CX*1), Y0
	VPMOVZXBW 1(SI)(CX*1), Y1
	VPMOVZXBW (R8)(CX*1), Y2
	VPMOVZXBW 1(R8)(CX*1), Y3
	VPADDW    Y1, Y2, Y2 // the diagonals
	VPADDW    Y0, Y3, Y3
	VPADDW    Y2, Y3, Y4
	VPADDW    Y15, Y4, Y4
	VPADDW    Y2, Y2, Y2
	VPADDW    Y3, Y3, Y3
	VPADDW    Y4, Y2, Y2
	VPADDW    Y4, Y3, Y3
	VPSRLW    $3, Y2, Y2
	VPSRLW    $3, Y3, Y3
	VPADDW    Y0, Y2, Y2
	VPADDW    Y1, Y3, Y3
	VPSRLW    $1, Y2, Y2
	VPSRLW    $1, Y3, Y3
	VPSLLW    $8, Y3, Y3
	VPOR      Y3, Y2, Y2
	VMOVDQU   Y2, (DI)(CX*2)
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

// func convertAVX2(rgb, luma, cb, cr *uint8, n int)
TEXT ·convertAVX2(SB), NOSPLIT, $0-40
	MOVQ rgb+0(FP), R9
	MOVQ luma+8(FP), SI
	MOVQ cb+16(FP), R8
	MOVQ cr+24(FP), BX
	MOVQ n+32(FP), DX
	SUBQ $16, DX
	XORL CX, CX

sixteen:
	VPMOVZXBW    (SI)(CX*1), Y0
	VPMOVZXBW    (R8)(CX*1), Y1
	VPMOVZXBW    (BX)(CX*1), Y2
	VPSLLW       $8, Y0, Y0
	VPSLLW       $8, Y1, Y1
	VPSLLW       $8, Y2, Y2
	VPMULHUW     lumaFactor<>(SB), Y0, Y0
	VPMULHUW     crToR<>(SB), Y2, Y3
	VPMULHUW     cbToG<>(SB), Y1, Y4
	VPMULHUW     crToG<>(SB), Y2, Y5
	VPMULHUW     cbToB<>(SB), Y1, Y6
	VPADDW       Y0, Y3, Y3
	VPSUBW       redLess<>(SB), Y3, Y3
	VPADDW       greenMore<>(SB), Y0, Y7
	VPSUBW       Y4, Y7, Y7
	VPSUBW       Y5, Y7, Y7
	VPADDUSW     Y0, Y6, Y6
	VPSUBUSW     blueLess<>(SB), Y6, Y6 // up to 34237
	VPSRAW       $6, Y3, Y3
	VPSRAW       $6, Y7, Y7
	VPSRLW       $6, Y6, Y6
	VPACKUSWB    Y7, Y3, Y3
	VPACKUSWB    Y6, Y6, Y6
	VPSHUFB      redGreen<>(SB), Y3, Y0
	VPSHUFB      blue<>(SB), Y6, Y1
	VPSHUFB      redGreenRest<>(SB), Y3, Y2
	VPSHUFB      blueRest<>(SB), Y6, Y4
	VPOR         Y1, Y0, Y0
	VPOR         Y4, Y2, Y2
	LEAQ         (CX)(CX*2), DI
	ADDQ         R9, DI
	VMOVDQU      X0, (DI)
	VMOVQ        X2, 16(DI)
	VEXTRACTI128 $1, Y0, 24(DI)
	VEXTRACTI128 $1, Y2, X2
	VMOVQ        X2, 40(DI)
	CMPQ         CX, DX
	JEQ          done
	ADDQ         $16, CX
	CMPQ         CX, DX
	JLE          sixteen
	MOVQ         DX, CX
	JMP          sixteen

done:
	VZEROUPPER
	RET
