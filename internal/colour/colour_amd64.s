#include "textflag.h"
#include "go_asm.h"

// Eight pixels at SI as doublewords, red in Y1, green in Y2, blue in Y3.
#define LOAD \
	VMOVDQU     (SI), X0                            \
	VINSERTI128 $1, 8(SI), Y0, Y0                   \
	VPSHUFB     constants_channels(AX), Y0, Y1      \
	VPSHUFB     (constants_channels+32)(AX), Y0, Y2 \
	VPSHUFB     (constants_channels+64)(AX), Y0, Y3

// Three bytes of each doubleword of Y0 to the eight pixels at SI.
#define STORE \
	VPSHUFB      constants_pack(AX), Y0, Y0 \
	VEXTRACTI128 $1, Y0, X1                 \
	VMOVQ        X0, (SI)                   \
	VPEXTRD      $2, X0, 8(SI)              \
	VMOVQ        X1, 12(SI)                 \
	VPEXTRD      $2, X1, 20(SI)

// The greys of Y1, Y2, Y3 in Y4.
#define GREY \
	VPMULLD constants_weights(AX), Y1, Y4      \
	VPMULLD (constants_weights+32)(AX), Y2, Y5 \
	VPMULLD (constants_weights+64)(AX), Y3, Y6 \
	VPADDD  constants_rounding(AX), Y4, Y4     \
	VPADDD  Y5, Y6, Y5                         \
	VPADDD  Y4, Y5, Y4                         \
	VPSRLD  $16, Y4, Y4

// levels of package stages, a function of each byte.
//
// func levelsAVX2(values *uint8, n int, c *constants)
TEXT ·levelsAVX2(SB), NOSPLIT, $0-24
	MOVQ    values+0(FP), SI
	MOVQ    n+8(FP), CX
	MOVQ    c+16(FP), AX
	VMOVUPS constants_level(AX), Y14
	VMOVUPS constants_factor(AX), Y15

levels:
	VPMOVZXBD    (SI), Y0
	VPMOVZXBD    8(SI), Y1
	VCVTDQ2PS    Y0, Y0
	VCVTDQ2PS    Y1, Y1
	VSUBPS       Y14, Y0, Y0
	VSUBPS       Y14, Y1, Y1
	VMULPS       Y15, Y0, Y0
	VMULPS       Y15, Y1, Y1
	VADDPS       Y14, Y0, Y0
	VADDPS       Y14, Y1, Y1
	VCVTTPS2DQ   Y0, Y0
	VCVTTPS2DQ   Y1, Y1
	VPACKSSDW    Y1, Y0, Y0
	VPERMQ       $0xd8, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKUSWB    X1, X0, X0
	VMOVDQU      X0, (SI)
	ADDQ         $16, SI
	SUBQ         $16, CX
	JNZ          levels
	VZEROUPPER
	RET

// A channel blended with the grey, Y4 and as a float Y5.
#define BLEND(channel) \
	VPSUBD     Y4, channel, channel  \
	VCVTDQ2PS  channel, channel      \
	VMULPS     Y15, channel, channel \
	VADDPS     Y5, channel, channel  \
	VCVTTPS2DQ channel, channel      \
	VPMAXSD    Y13, channel, channel \
	VPMINSD    Y14, channel, channel

// saturated of package stages.
//
// func saturateAVX2(pixels *uint8, n int, c *constants)
TEXT ·saturateAVX2(SB), NOSPLIT, $0-24
	MOVQ    pixels+0(FP), SI
	MOVQ    n+8(FP), CX
	MOVQ    c+16(FP), AX
	VMOVUPS constants_factor(AX), Y15
	VMOVDQU constants_byteMask(AX), Y14
	VPXOR   Y13, Y13, Y13

saturate:
	LOAD
	GREY
	VCVTDQ2PS Y4, Y5
	BLEND(Y1)
	BLEND(Y2)
	BLEND(Y3)
	VPSLLD    $8, Y2, Y2
	VPSLLD    $16, Y3, Y3
	VPOR      Y1, Y2, Y0
	VPOR      Y3, Y0, Y0
	STORE
	ADDQ      $24, SI
	SUBQ      $8, CX
	JNZ       saturate
	VZEROUPPER
	RET

// The sum of meanGrey of package stages.
//
// func greysAVX2(pixels *uint8, n int, c *constants, sums *[8]uint32)
TEXT ·greysAVX2(SB), NOSPLIT, $0-32
	MOVQ  pixels+0(FP), SI
	MOVQ  n+8(FP), CX
	MOVQ  c+16(FP), AX
	MOVQ  sums+24(FP), DI
	VPXOR Y15, Y15, Y15

greys:
	LOAD
	GREY
	VPADDD  Y4, Y15, Y15
	ADDQ    $24, SI
	SUBQ    $8, CX
	JNZ     greys
	VMOVDQU Y15, (DI)
	VZEROUPPER
	RET

// turned of package stages, without its tables: what there is float64 is float32 here, with the
// exact remainder of each rounding where that can matter.
//
// func turnHueAVX2(pixels *uint8, n int, c *constants)
TEXT ·turnHueAVX2(SB), NOSPLIT, $0-24
	MOVQ    pixels+0(FP), SI
	MOVQ    n+8(FP), CX
	MOVQ    c+16(FP), AX
	VMOVUPS constants_one(AX), Y15
	VMOVUPS constants_full(AX), Y14
	VXORPS  Y12, Y12, Y12

turn:
	LOAD
	VPMAXSD Y1, Y2, Y4
	VPMAXSD Y3, Y4, Y4 // most
	VPMINSD Y1, Y2, Y5
	VPMINSD Y3, Y5, Y5
	VPSUBD  Y5, Y4, Y6 // span
	VPADDD  Y4, Y4, Y7
	VPADDD  Y5, Y7, Y7
	VPSUBD  Y1, Y7, Y7
	VPSUBD  Y2, Y7, Y7
	VPSUBD  Y3, Y7, Y7 // how far the middle is below

	// The order of the channels, negated.
	VPCMPGTD Y1, Y3, Y10
	VPCMPGTD Y2, Y3, Y9
	VPCMPGTD Y1, Y2, Y8
	VPADDD   Y10, Y10, Y10
	VPADDD   Y9, Y10, Y10
	VPADDD   Y10, Y10, Y10
	VPADDD   Y8, Y10, Y10

	// The hue: first + x or first - x sixths, where x is the middle's place in the span.
	VCVTDQ2PS Y6, Y6
	VCVTDQ2PS Y7, Y7
	VCVTDQ2PS Y4, Y2                       // most, as a float from here on
	VDIVPS    Y6, Y7, Y7
	VPERMPS   constants_signs(AX), Y10, Y8
	VPERMPS   constants_firsts(AX), Y10, Y9
	VPERMPS   constants_rounds(AX), Y10, Y1
	VXORPS    Y8, Y7, Y7
	VADDPS    Y9, Y7, Y7
	VDIVPS    constants_sixShort(AX), Y7, Y7
	VMULPS    Y14, Y7, Y7
	VADDPS    Y1, Y7, Y7
	VCVTTPS2DQ Y7, Y7                      // of grey it is no number, and counts for nothing
	VPADDD    constants_turn(AX), Y7, Y7
	VPAND     constants_byteMask(AX), Y7, Y7

	// The saturation's share. Of black it is no number, of which the maximum makes 0.
	VDIVPS   Y2, Y6, Y3
	VMULPS   Y14, Y3, Y3
	VMAXPS   Y12, Y3, Y3
	VROUNDPS $3, Y3, Y3
	VDIVPS   Y14, Y3, Y3

	// Six times the hue is 255 times the sector, Y8, and what is left is its place in it, Y5.
	VPMULLW   constants_six(AX), Y7, Y5
	VPADDD    constants_unit(AX), Y5, Y8
	VPMULHUW  constants_around(AX), Y8, Y8
	VPMULLW   constants_byteMask(AX), Y8, Y7
	VPSUBD    Y7, Y5, Y5
	VCVTDQ2PS Y5, Y5
	VDIVPS    Y14, Y5, Y5

	// What the middle lacks: the share times the place, as a float32, in odd sectors, else times
	// 1 less the place, as a float64: Y7 + Y1.
	VSUBPS      Y5, Y15, Y6
	VSUBPS      Y6, Y15, Y9
	VSUBPS      Y5, Y9, Y9
	VPSLLD      $31, Y8, Y10
	VBLENDVPS   Y10, Y5, Y6, Y6
	VPSRAD      $31, Y10, Y10
	VMULPS      Y3, Y6, Y7
	VMOVAPS     Y7, Y1
	VFMSUB231PS Y3, Y6, Y1                  // exactly, less Y7
	VFMADD231PS Y3, Y9, Y1
	VANDNPS     Y1, Y10, Y1

	// The middle is most * (1 - that), rounded: at most 1 too large at first, Y6, and then the
	// remainder tells.
	VADDPS       constants_half(AX), Y2, Y9 // most + 1/2
	VMOVAPS      Y2, Y6
	VFNMADD231PS Y2, Y7, Y6
	VADDPS       constants_above(AX), Y6, Y6
	VROUNDPS     $3, Y6, Y6
	VSUBPS       Y6, Y9, Y10
	VFNMADD231PS Y2, Y7, Y10
	VFNMADD231PS Y2, Y1, Y10
	VCVTTPS2DQ   Y6, Y6
	VPSRAD       $31, Y10, Y10
	VPADDD       Y10, Y6, Y6

	// The lowest is never near a half.
	VMULPS     Y2, Y3, Y3
	VSUBPS     Y3, Y9, Y3
	VCVTTPS2DQ Y3, Y3

	VPSLLD  $8, Y6, Y6
	VPSLLD  $16, Y3, Y3
	VPOR    Y6, Y4, Y0
	VPOR    Y3, Y0, Y0
	VPERMD  constants_order(AX), Y8, Y1
	VPADDD  constants_lanes(AX), Y1, Y1
	VPSHUFB Y1, Y0, Y0
	STORE
	ADDQ    $24, SI
	SUBQ    $8, CX
	JNZ     turn
	VZEROUPPER
	RET
