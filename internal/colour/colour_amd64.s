#include "textflag.h"
#include "go_asm.h"

// The 24 bytes of eight pixels at a place, 16 of them in each lane of Y0.
#define LOAD(at) \
	VMOVDQU     at(SI), X0                  \
	VINSERTI128 $1, at+8(SI), Y0, Y0

// Their greys in Y4: green has more than half of the weight, and is taken twice.
#define GREY \
	VPSHUFB  constants_pairs(AX), Y0, Y4        \
	VPSHUFB  (constants_pairs+32)(AX), Y0, Y5   \
	VPMADDWD constants_weights(AX), Y4, Y4      \
	VPMADDWD (constants_weights+32)(AX), Y5, Y5 \
	VPADDD   constants_rounding(AX), Y4, Y4     \
	VPADDD   Y4, Y5, Y4                         \
	VPSRLD   $16, Y4, Y4

// Eight bytes at a place as floats.
#define BYTES(at, to) \
	VPMOVZXBD at(SI), to \
	VCVTDQ2PS to, to

// Four times eight whole numbers to the 32 bytes at DI.
#define PACK(a, b, c, d, order) \
	VCVTTPS2DQ a, a          \
	VCVTTPS2DQ b, b          \
	VCVTTPS2DQ c, c          \
	VCVTTPS2DQ d, d          \
	VPACKSSDW  b, a, a       \
	VPACKSSDW  d, c, c       \
	VPACKUSWB  c, a, a       \
	VPERMD     a, order, a   \
	VMOVDQU    a, (SI)

// blendLevels of package stages, a function of each byte.
//
// func levelsAVX2(values *uint8, n int, c *constants, level, factor float32)
TEXT ·levelsAVX2(SB), NOSPLIT, $0-32
	MOVQ         values+0(FP), SI
	MOVQ         n+8(FP), CX
	MOVQ         c+16(FP), AX
	VBROADCASTSS level+24(FP), Y14
	VBROADCASTSS factor+28(FP), Y15
	VMOVDQU      constants_fours(AX), Y13
	TESTQ        CX, CX
	JZ           levelsDone
	VXORPS       Y0, Y0, Y0
	VUCOMISS     X0, X14
	JEQ          fromBlack

levels:
	BYTES(0, Y0)
	BYTES(8, Y1)
	BYTES(16, Y2)
	BYTES(24, Y3)
	VSUBPS Y14, Y0, Y0
	VSUBPS Y14, Y1, Y1
	VSUBPS Y14, Y2, Y2
	VSUBPS Y14, Y3, Y3
	VMULPS Y15, Y0, Y0
	VMULPS Y15, Y1, Y1
	VMULPS Y15, Y2, Y2
	VMULPS Y15, Y3, Y3
	VADDPS Y14, Y0, Y0
	VADDPS Y14, Y1, Y1
	VADDPS Y14, Y2, Y2
	VADDPS Y14, Y3, Y3
	PACK(Y0, Y1, Y2, Y3, Y13)
	ADDQ   $32, SI
	SUBQ   $32, CX
	JNZ    levels
	VZEROUPPER
	RET

fromBlack:
	BYTES(0, Y0)
	BYTES(8, Y1)
	BYTES(16, Y2)
	BYTES(24, Y3)
	VMULPS Y15, Y0, Y0
	VMULPS Y15, Y1, Y1
	VMULPS Y15, Y2, Y2
	VMULPS Y15, Y3, Y3
	PACK(Y0, Y1, Y2, Y3, Y13)
	ADDQ   $32, SI
	SUBQ   $32, CX
	JNZ    fromBlack

levelsDone:
	VZEROUPPER
	RET

// A channel blended with the grey, Y4, which is a float.
#define BLEND(number, channel) \
	VPSHUFB    (constants_channels+32*number)(AX), Y0, channel \
	VCVTDQ2PS  channel, channel      \
	VSUBPS     Y4, channel, channel  \
	VMULPS     Y15, channel, channel \
	VADDPS     Y4, channel, channel  \
	VCVTTPS2DQ channel, channel

// Eight pixels at a place, 12 bytes in each lane of Y1.
#define SATURATED(at) \
	LOAD(at)                             \
	GREY                                 \
	VCVTDQ2PS Y4, Y4                     \
	BLEND(0, Y1)                           \
	BLEND(1, Y2)                           \
	BLEND(2, Y3)                           \
	VPACKSSDW Y2, Y1, Y1                 \
	VPACKSSDW Y3, Y3, Y3                 \
	VPACKUSWB Y3, Y1, Y1                 \
	VPSHUFB   constants_weave(AX), Y1, Y1

// ColorJitterParams.adjust of package stages, of the saturation.
//
// func saturateAVX2(pixels *uint8, n int, c *constants, factor float32)
TEXT ·saturateAVX2(SB), NOSPLIT, $0-28
	MOVQ         pixels+0(FP), SI
	MOVQ         n+8(FP), CX
	MOVQ         c+16(FP), AX
	VBROADCASTSS factor+24(FP), Y15
	TESTQ CX, CX
	JZ    saturateDone

saturate:
	SATURATED(0)
	VMOVDQA      Y1, Y7
	SATURATED(24)
	VMOVDQU      X7, (SI)
	VEXTRACTI128 $1, Y7, 12(SI)
	VMOVDQU      X1, 24(SI)
	VEXTRACTI128 $1, Y1, X1
	VMOVQ        X1, 36(SI)
	VPEXTRD      $2, X1, 44(SI)
	ADDQ         $48, SI
	SUBQ         $48, CX
	JNZ          saturate

saturateDone:
	VZEROUPPER
	RET

// greys of package stages.
//
// func greysAVX2(pixels *uint8, n int, c *constants, sums *[8]uint32)
TEXT ·greysAVX2(SB), NOSPLIT, $0-32
	MOVQ  pixels+0(FP), SI
	MOVQ  n+8(FP), CX
	MOVQ  c+16(FP), AX
	MOVQ  sums+24(FP), DI
	VPXOR Y15, Y15, Y15
	TESTQ CX, CX
	JZ    greysDone

greys:
	LOAD(0)
	GREY
	VPADDD  Y4, Y15, Y15
	LOAD(24)
	GREY
	VPADDD  Y4, Y15, Y15
	ADDQ    $48, SI
	SUBQ    $48, CX
	JNZ     greys

greysDone:
	VMOVDQU Y15, (DI)
	VZEROUPPER
	RET

// A channel of 16 pixels in words, of Y0 and Y4.
#define CHANNEL(number, to) \
	VPSHUFB (constants_words+64*number)(AX), Y0, to      \
	VPSHUFB (constants_words+64*number+32)(AX), Y4, Y5   \
	VPOR    Y5, to, to

// The words of from as doublewords and floats.
#define FLOATS(from, low, high) \
	VPUNPCKLWD Y15, from, low  \
	VPUNPCKHWD Y15, from, high \
	VCVTDQ2PS  low, low        \
	VCVTDQ2PS  high, high

// The hue in float32, of the middle's place in the span, rounded as Pillow does.
#define HUE(order, place) \
	VPERMPS      constants_signs(AX), order, Y11    \
	VPERMPS      constants_firsts(AX), order, Y12   \
	VFMADD213PS  Y12, Y11, place                    \
	VMULPS       (constants_sixth+32)(AX), place, Y11 \
	VFMADD132PS  constants_sixth(AX), Y11, place    \
	VMULPS       Y14, place, place                  \
	VCVTTPS2DQ   place, place

// Four pixels in each lane, of value, middle and lowest in the bytes of doublewords, to 12
// bytes of R G B.
#define ORDERED(sector, pixels) \
	VPERMD  constants_order(AX), sector, sector \
	VPADDD  constants_lanes(AX), sector, sector \
	VPSHUFB sector, pixels, pixels              \
	VPSHUFB constants_pack(AX), pixels, pixels

// turnHue of package stages. Hues are rounded as float32, as there; the rest is whole numbers:
// nothing lies near a half.
//
// func turnHueAVX2(pixels *uint8, n int, c *constants, turn uint16)
TEXT ·turnHueAVX2(SB), NOSPLIT, $0-26
	MOVQ         pixels+0(FP), SI
	MOVQ         n+8(FP), CX
	MOVQ         c+16(FP), AX
	VPBROADCASTW turn+24(FP), Y13
	VMOVUPS      constants_full(AX), Y14
	VPXOR        Y15, Y15, Y15
	TESTQ CX, CX
	JZ    turnDone

turn:
	VMOVDQU     (SI), X0
	VINSERTI128 $1, 24(SI), Y0, Y0
	VMOVDQU     8(SI), X4
	VINSERTI128 $1, 32(SI), Y4, Y4
	CHANNEL(0, Y1)
	CHANNEL(1, Y2)
	CHANNEL(2, Y3)

	VPMAXSW Y1, Y2, Y4
	VPMAXSW Y3, Y4, Y4 // most
	VPMINSW Y1, Y2, Y5
	VPMINSW Y3, Y5, Y5
	VPSUBW  Y5, Y4, Y6 // span
	VPADDW  Y4, Y4, Y7
	VPADDW  Y5, Y7, Y7
	VPADDW  Y1, Y2, Y8
	VPADDW  Y3, Y8, Y8
	VPSUBW  Y8, Y7, Y7 // how far the middle is below

	// The order of the channels, negated.
	VPCMPGTW Y1, Y3, Y10
	VPCMPGTW Y2, Y3, Y9
	VPCMPGTW Y1, Y2, Y8
	VPADDW   Y10, Y10, Y10
	VPADDW   Y9, Y10, Y10
	VPADDW   Y10, Y10, Y10
	VPADDW   Y8, Y10, Y10

	// The place of the middle in the span, Y3 and Y5, and the saturation, Y1, for which black's
	// is no number, which becomes 0.
	FLOATS(Y6, Y1, Y2)
	FLOATS(Y7, Y3, Y5)
	FLOATS(Y4, Y8, Y9)
	VDIVPS     Y1, Y3, Y3
	VDIVPS     Y2, Y5, Y5
	VDIVPS     Y8, Y1, Y1
	VDIVPS     Y9, Y2, Y2
	VMULPS     Y14, Y1, Y1
	VMULPS     Y14, Y2, Y2
	VCVTTPS2DQ Y1, Y1
	VCVTTPS2DQ Y2, Y2
	VPACKUSDW  Y2, Y1, Y1

	// The hue, turned. Of grey it is no number, and counts for nothing.
	VPUNPCKLWD Y10, Y10, Y8
	VPUNPCKHWD Y10, Y10, Y9
	HUE(Y8, Y3)
	HUE(Y9, Y5)
	VPACKUSDW  Y5, Y3, Y3
	VPADDW     Y13, Y3, Y3
	VPAND      constants_byteMask(AX), Y3, Y3

	// Twice the hue is 85 times the sector, Y8, and what is left. How far it is from 85 times the
	// odd sector of a pair is how much the middle lacks, in 85ths of the saturation, Y3.
	VPMULHUW constants_sector(AX), Y3, Y8
	VPOR     constants_unit(AX), Y8, Y9
	VPMULLW  constants_circle(AX), Y9, Y9
	VPADDW   Y3, Y3, Y3
	VPSUBW   Y9, Y3, Y3
	VPABSW   Y3, Y3
	VPMULLW  Y1, Y3, Y3 // in 85 times 255ths

	// The lowest is the highest less that times the saturation.
	VPMULLW  Y1, Y4, Y1
	VPADDW   constants_round255(AX), Y1, Y1
	VPMULHUW constants_over255(AX), Y1, Y1
	VPSUBW   Y1, Y4, Y1

	// The middle is the highest less that times what it lacks.
	VPMULLW     Y3, Y4, Y5
	VPMULHUW    Y3, Y4, Y6
	VPUNPCKLWD  Y6, Y5, Y7
	VPUNPCKHWD  Y6, Y5, Y5
	VCVTDQ2PS   Y7, Y7
	VCVTDQ2PS   Y5, Y5
	VMOVUPS     constants_place(AX), Y6
	VFMADD213PS constants_half(AX), Y6, Y7
	VFMADD213PS constants_half(AX), Y6, Y5
	VCVTTPS2DQ  Y7, Y7
	VCVTTPS2DQ  Y5, Y5
	VPACKUSDW   Y5, Y7, Y5
	VPSUBW      Y5, Y4, Y5

	VPSLLW     $8, Y5, Y5
	VPOR       Y4, Y5, Y5
	VPUNPCKLWD Y1, Y5, Y6
	VPUNPCKHWD Y1, Y5, Y7
	VPUNPCKLWD Y8, Y8, Y9
	VPUNPCKHWD Y8, Y8, Y10
	ORDERED(Y9, Y6)
	ORDERED(Y10, Y7)
	VMOVDQU      X6, (SI)
	VMOVDQU      X7, 12(SI)
	VEXTRACTI128 $1, Y6, 24(SI)
	VEXTRACTI128 $1, Y7, X7
	VMOVQ        X7, 36(SI)
	VPEXTRD      $2, X7, 44(SI)
	ADDQ         $48, SI
	SUBQ         $48, CX
	JNZ          turn

turnDone:
	VZEROUPPER
	RET

// Grayscale of package stages.
//
// func greyAVX2(pixels *uint8, n int, c *constants)
TEXT ·greyAVX2(SB), NOSPLIT, $0-24
	MOVQ  pixels+0(FP), SI
	MOVQ  n+8(FP), CX
	MOVQ  c+16(FP), AX
	TESTQ CX, CX
	JZ    greyDone

grey:
	LOAD(0)
	GREY
	VPSHUFB      constants_triple(AX), Y4, Y7
	LOAD(24)
	GREY
	VPSHUFB      constants_triple(AX), Y4, Y1
	VMOVDQU      X7, (SI)
	VEXTRACTI128 $1, Y7, 12(SI)
	VMOVDQU      X1, 24(SI)
	VEXTRACTI128 $1, Y1, X1
	VMOVQ        X1, 36(SI)
	VPEXTRD      $2, X1, 44(SI)
	ADDQ         $48, SI
	SUBQ         $48, CX
	JNZ          grey

greyDone:
	VZEROUPPER
	RET

// func foldAVX2(values *uint8, n int, mask, from, flip uint8)
TEXT ·foldAVX2(SB), NOSPLIT, $0-19
	MOVQ         values+0(FP), SI
	MOVQ         n+8(FP), CX
	VPBROADCASTB mask+16(FP), Y15
	VPBROADCASTB from+17(FP), Y14
	VPBROADCASTB flip+18(FP), Y13
	TESTQ        CX, CX
	JZ           foldDone

fold:
	VPAND    (SI), Y15, Y0
	VPMAXUB  Y14, Y0, Y1
	VPCMPEQB Y0, Y1, Y1 // all ones where it is at least from
	VPAND    Y13, Y1, Y1
	VPXOR    Y1, Y0, Y0
	VMOVDQU  Y0, (SI)
	ADDQ     $32, SI
	SUBQ     $32, CX
	JNZ      fold

foldDone:
	VZEROUPPER
	RET

// A part of a table looked up: where an index, less 16 for each part before, isn't negative.
#define PART(i) \
	VBROADCASTI128 (16*i)(AX), Y9 \
	VPSHUFB        Y0, Y9, Y6     \
	VPSHUFB        Y1, Y9, Y7     \
	VPSHUFB        Y2, Y9, Y8     \
	VPXOR          Y6, Y3, Y3     \
	VPXOR          Y7, Y4, Y4     \
	VPXOR          Y8, Y5, Y5     \
	VPSUBSB        Y15, Y0, Y0    \
	VPSUBSB        Y15, Y1, Y1    \
	VPSUBSB        Y15, Y2, Y2

// func lookUpAVX2(values *uint8, n int, steps *[256]uint8)
TEXT ·lookUpAVX2(SB), NOSPLIT, $0-24
	MOVQ         values+0(FP), SI
	MOVQ         n+8(FP), CX
	MOVQ         steps+16(FP), AX
	MOVL         $0x10, DX
	MOVQ         DX, X15
	VPBROADCASTB X15, Y15
	MOVL         $0x80, DX
	MOVQ         DX, X14
	VPBROADCASTB X14, Y14
	TESTQ        CX, CX
	JZ           lookUpDone

lookUp:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VPXOR   Y3, Y3, Y3
	VPXOR   Y4, Y4, Y4
	VPXOR   Y5, Y5, Y5
	PART(0)
	PART(1)
	PART(2)
	PART(3)
	PART(4)
	PART(5)
	PART(6)
	PART(7)
	VPXOR   (SI), Y14, Y0
	VPXOR   32(SI), Y14, Y1
	VPXOR   64(SI), Y14, Y2
	PART(8)
	PART(9)
	PART(10)
	PART(11)
	PART(12)
	PART(13)
	PART(14)
	PART(15)
	VMOVDQU Y3, (SI)
	VMOVDQU Y4, 32(SI)
	VMOVDQU Y5, 64(SI)
	ADDQ    $96, SI
	SUBQ    $96, CX
	JNZ     lookUp

lookUpDone:
	VZEROUPPER
	RET
