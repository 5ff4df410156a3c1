#include "textflag.h"

#define DOUBLE(name, v) \
	DATA name<>+0(SB)/8, v \
	GLOBL name<>(SB), RODATA|NOPTR, $8

DOUBLE(halfDouble, $0x3fe0000000000000)      // 0.5
DOUBLE(oneDouble, $0x3ff0000000000000)       // 1
DOUBLE(magnitudeDouble, $0x7fffffffffffffff) // all bits but the sign
DOUBLE(weightDouble, $0x4150000000000000)    // 1 << weightBits

// func weighTrianglesAVX2(fixed *int32, most, usual int, four *fourTriangles, step float64, values *float64)
TEXT ·weighTrianglesAVX2(SB), NOSPLIT, $0-48
	MOVQ         fixed+0(FP), DI
	MOVQ         most+8(FP), DX
	MOVQ         usual+16(FP), CX
	MOVQ         four+24(FP), SI
	VBROADCASTSD step+32(FP), Y3
	MOVQ         values+40(FP), R8
	VMOVUPD      (SI), Y0             // centres
	VCVTDQ2PD    32(SI), Y1           // froms
	VCVTDQ2PD    48(SI), Y2           // counts
	VBROADCASTSD halfDouble<>(SB), Y4
	VBROADCASTSD oneDouble<>(SB), Y5
	VBROADCASTSD magnitudeDouble<>(SB), Y6
	VBROADCASTSD weightDouble<>(SB), Y7
	VXORPD       Y8, Y8, Y8           // sums
	VXORPD       Y9, Y9, Y9           // the number of the tap
	VXORPD       Y10, Y10, Y10
	MOVQ         R8, R9
	MOVQ         CX, BX

values:
	VADDPD  Y1, Y9, Y11
	VSUBPD  Y0, Y11, Y11
	VADDPD  Y4, Y11, Y11
	VMULPD  Y3, Y11, Y11
	VANDPD  Y6, Y11, Y11
	VSUBPD  Y11, Y5, Y11
	VCMPPD  $1, Y2, Y9, Y12 // whether there is such a tap
	VANDPD  Y12, Y11, Y11
	VMAXPD  Y10, Y11, Y11
	VADDPD  Y11, Y8, Y8
	VMOVUPD Y11, (R9)
	VADDPD  Y5, Y9, Y9
	ADDQ    $32, R9
	DECQ    BX
	JNZ     values

	SHLQ $2, DX             // bytes
	LEAQ (DI)(DX*2), R10

weights:
	VMOVUPD     (R8), Y11
	VDIVPD      Y8, Y11, Y11
	VMULPD      Y7, Y11, Y11
	VADDPD      Y4, Y11, Y11
	VCVTTPD2DQY Y11, X11
	VMOVD       X11, (DI)
	VPEXTRD     $1, X11, (DI)(DX*1)
	VPEXTRD     $2, X11, (R10)
	VPEXTRD     $3, X11, (R10)(DX*1)
	ADDQ        $32, R8
	ADDQ        $4, DI
	ADDQ        $4, R10
	DECQ        CX
	JNZ         weights
	VZEROUPPER
	RET
