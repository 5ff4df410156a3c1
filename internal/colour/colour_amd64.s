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

// The middle and the lowest channel of four pixels: in mid and low, as doublewords of a
// half. share, f and m1 (their product) are halves of floats, odd of doublewords whose
// sign says that m1 is taken, most of doublewords; wide has room for four doubles.
#define LEVELS(share, f, m1, odd, most, shareWide, fWide, m1Wide, oddWide, mostWide, mid, low) \
	VCVTPS2PD   share, shareWide                         \
	VCVTPS2PD   f, fWide                                 \
	VCVTPS2PD   m1, m1Wide                               \
	VPMOVSXDQ   odd, oddWide                             \
	VCVTDQ2PD   most, mostWide                           \
	VSUBPD      fWide, Y12, fWide                        \
	VMULPD      shareWide, fWide, fWide                  \
	VBLENDVPD   oddWide, m1Wide, fWide, fWide            \
	VSUBPD      fWide, Y12, fWide                        \
	VSUBPD      shareWide, Y12, shareWide                \
	VMULPD      mostWide, fWide, fWide                   \
	VMULPD      mostWide, shareWide, shareWide           \
	VADDPD      constants_half(AX), fWide, fWide         \
	VADDPD      constants_half(AX), shareWide, shareWide \
	VCVTTPD2DQY fWide, mid                               \
	VCVTTPD2DQY shareWide, low

// turned of package stages: what depends on the hue alone is computed anew, in float64 as there.
//
// func turnHueAVX2(pixels *uint8, n int, c *constants, hues *Hues)
TEXT ·turnHueAVX2(SB), NOSPLIT, $0-32
	MOVQ    pixels+0(FP), SI
	MOVQ    n+8(FP), CX
	MOVQ    c+16(FP), AX
	MOVQ    hues+24(FP), R8
	VMOVUPD constants_one(AX), Y12

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

	// The place in hues.
	VPCMPGTD Y1, Y2, Y8
	VPCMPGTD Y2, Y3, Y9
	VPCMPGTD Y1, Y3, Y10
	VPAND    constants_bits(AX), Y8, Y8
	VPAND    (constants_bits+32)(AX), Y9, Y9
	VPAND    (constants_bits+64)(AX), Y10, Y10
	VPADDD   constants_bits(AX), Y6, Y11
	VPMADDWD Y6, Y11, Y11
	VPSRLD   $1, Y11, Y11
	VPADDD   Y7, Y11, Y11
	VPSLLD   $3, Y11, Y11
	VPOR     Y8, Y9, Y8
	VPOR     Y10, Y8, Y8
	VPADDD   Y8, Y11, Y11
	VPCMPEQD Y7, Y7, Y7
	VPGATHERDD Y7, (R8)(Y11*1), Y13
	VPADDD   constants_turn(AX), Y13, Y13
	VPAND    constants_byteMask(AX), Y13, Y13 // the new hue

	// The saturation, and its share in Y3. Of black it is no number, and a 0 in its last byte.
	VCVTDQ2PS    Y6, Y1
	VCVTDQ2PS    Y4, Y2
	VDIVPS       Y2, Y1, Y1
	VEXTRACTF128 $1, Y1, X5
	VCVTPS2PD    X1, Y3
	VCVTPS2PD    X5, Y5
	VMULPD       constants_full(AX), Y3, Y3
	VMULPD       constants_full(AX), Y5, Y5
	VCVTTPD2DQY  Y3, X3
	VCVTTPD2DQY  Y5, X5
	VINSERTI128  $1, X5, Y3, Y3
	VPAND        constants_byteMask(AX), Y3, Y3
	VCVTDQ2PS    Y3, Y3
	VDIVPS       constants_fullShort(AX), Y3, Y3

	// Six times the hue is 255 times the sector, Y8, and what is left is its place in it, Y5.
	VPMULLD   constants_six(AX), Y13, Y5
	VPSRLD    $8, Y5, Y8
	VPADDD    Y5, Y8, Y8
	VPADDD    constants_bits(AX), Y8, Y8
	VPSRLD    $8, Y8, Y8
	VPSLLD    $8, Y8, Y7
	VPSUBD    Y8, Y7, Y7
	VPSUBD    Y7, Y5, Y5
	VCVTDQ2PS Y5, Y5
	VDIVPS    constants_fullShort(AX), Y5, Y5

	// The channels.
	VMULPS       Y3, Y5, Y7
	VPSLLD       $31, Y8, Y9
	VEXTRACTF128 $1, Y3, X1
	VEXTRACTF128 $1, Y5, X2
	VEXTRACTF128 $1, Y7, X6
	VEXTRACTI128 $1, Y9, X10
	VEXTRACTI128 $1, Y4, X11
	LEVELS(X3, X5, X7, X9, X4, Y3, Y5, Y7, Y9, Y13, X5, X3)
	LEVELS(X1, X2, X6, X10, X11, Y1, Y2, Y6, Y10, Y11, X2, X1)
	VINSERTI128  $1, X2, Y5, Y5
	VINSERTI128  $1, X1, Y3, Y3
	VPSLLD       $8, Y5, Y5
	VPSLLD       $16, Y3, Y3
	VPOR         Y5, Y4, Y0
	VPOR         Y3, Y0, Y0
	VMOVDQU      constants_order(AX), Y1
	VPERMD       Y1, Y8, Y1
	VPADDD       constants_lanes(AX), Y1, Y1
	VPSHUFB      Y1, Y0, Y0
	STORE
	ADDQ         $24, SI
	SUBQ         $8, CX
	JNZ          turn
	VZEROUPPER
	RET
