#include "textflag.h"

// AVX2 forms of kernels.go: vector lanes are its independent sums, products
// are rounded before they are added (no fused multiply-add), so the bytes are
// the same.

// Small integers, eight lanes each.
DATA codes<>+0x00(SB)/8, $0x0000000100000001
DATA codes<>+0x08(SB)/8, $0x0000000100000001
DATA codes<>+0x10(SB)/8, $0x0000000100000001
DATA codes<>+0x18(SB)/8, $0x0000000100000001
DATA codes<>+0x20(SB)/8, $0x0000000200000002
DATA codes<>+0x28(SB)/8, $0x0000000200000002
DATA codes<>+0x30(SB)/8, $0x0000000200000002
DATA codes<>+0x38(SB)/8, $0x0000000200000002
DATA codes<>+0x40(SB)/8, $0x0000000300000003
DATA codes<>+0x48(SB)/8, $0x0000000300000003
DATA codes<>+0x50(SB)/8, $0x0000000300000003
DATA codes<>+0x58(SB)/8, $0x0000000300000003
DATA codes<>+0x60(SB)/8, $0x0000000400000004
DATA codes<>+0x68(SB)/8, $0x0000000400000004
DATA codes<>+0x70(SB)/8, $0x0000000400000004
DATA codes<>+0x78(SB)/8, $0x0000000400000004
GLOBL codes<>(SB), RODATA|NOPTR, $128

// The 4x4 inputs, by row and column: AX and R15 are rows 0 and 2 of a channel,
// BX the bytes of a phase, R13 of three.
#define X00 0(AX)
#define X01 0(AX)(BX*1)
#define X02 4(AX)
#define X03 4(AX)(BX*1)
#define X10 0(AX)(BX*2)
#define X11 0(AX)(R13*1)
#define X12 4(AX)(BX*2)
#define X13 4(AX)(R13*1)
#define X20 0(R15)
#define X21 0(R15)(BX*1)
#define X22 4(R15)
#define X23 4(R15)(BX*1)
#define X30 0(R15)(BX*2)
#define X31 0(R15)(R13*1)
#define X32 4(R15)(BX*2)
#define X33 4(R15)(R13*1)

#define POSITION(x, a, e) \
	VMOVUPS x, Y10        \
	VMULPS  Y10, Y8, Y11  \
	VMULPS  Y10, Y9, Y12  \
	VADDPS  Y11, a, a     \
	VADDPS  Y12, e, e

// One weight of both channels (R10: the first's, R11 bytes on the second's).
#define TAP(k, p0, p1, p2, p3) \
	VBROADCASTSS (k*4)(R10), Y8         \
	VBROADCASTSS (k*4)(R10)(R11*1), Y9  \
	POSITION(p0, Y0, Y4)                \
	POSITION(p1, Y1, Y5)                \
	POSITION(p2, Y2, Y6)                \
	POSITION(p3, Y3, Y7)

// m and Y8 become the larger of m and v, or a NaN, and its number.
#define LARGER(v, m, code) \
	VCMPPS    $0x1e, m, v, Y9                  \
	VCMPPS    $0x03, v, v, Y10                 \
	VORPS     Y10, Y9, Y9                      \
	VBLENDVPS Y9, v, m, m                      \
	VBLENDVPS Y9, codes<>+code(SB), Y8, Y8

#define FINISH(m, b, c, d, bias, dst, arg) \
	VXORPS       Y8, Y8, Y8                    \
	LARGER(b, m, 0x00)                         \
	LARGER(c, m, 0x20)                         \
	LARGER(d, m, 0x40)                         \
	VBROADCASTSS bias, Y10                     \
	VADDPS       Y10, m, m                     \
	VXORPS       Y11, Y11, Y11                 \
	VCMPPS       $0x12, Y11, m, Y9             \
	VANDNPS      m, Y9, m                      \
	VBLENDVPS    Y9, codes<>+0x60(SB), Y8, Y8  \
	VMOVUPS      m, dst                        \
	VEXTRACTF128 $1, Y8, X9                    \
	VPACKSSDW    X9, X8, X8                    \
	VPACKUSWB    X8, X8, X8                    \
	VMOVQ        X8, arg

// func convPoolAVX2(dst, dst2 *float32, arg, arg2 *uint8, x, w, bias *float32, pitch, phase, channels, n int)
TEXT ·convPoolAVX2(SB), NOSPLIT, $0-88
	MOVQ dst+0(FP), DI
	MOVQ dst2+8(FP), SI
	MOVQ arg+16(FP), R8
	MOVQ arg2+24(FP), R9
	MOVQ x+32(FP), DX
	MOVQ pitch+56(FP), R12
	SHLQ $2, R12
	MOVQ phase+64(FP), BX
	SHLQ $2, BX
	LEAQ (BX)(BX*2), R13
	MOVQ channels+72(FP), R11
	IMULQ $36, R11

vector:
	MOVQ   w+40(FP), R10
	MOVQ   channels+72(FP), CX
	MOVQ   DX, AX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7

channel:
	LEAQ (AX)(R12*1), R15
	TAP(0, X00, X01, X10, X11)
	TAP(1, X01, X02, X11, X12)
	TAP(2, X02, X03, X12, X13)
	TAP(3, X10, X11, X20, X21)
	TAP(4, X11, X12, X21, X22)
	TAP(5, X12, X13, X22, X23)
	TAP(6, X20, X21, X30, X31)
	TAP(7, X21, X22, X31, X32)
	TAP(8, X22, X23, X32, X33)
	ADDQ $36, R10
	LEAQ (AX)(BX*4), AX
	DECQ CX
	JNZ  channel

	MOVQ bias+48(FP), CX
	FINISH(Y0, Y1, Y2, Y3, (CX), (DI), (R8))
	FINISH(Y4, Y5, Y6, Y7, 4(CX), (SI), (R9))
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $8, R8
	ADDQ $8, R9
	ADDQ $32, DX
	SUBQ $8, n+80(FP)
	JG   vector
	VZEROUPPER
	RET

// func gatherAVX2(sums, dy *float32, arg *uint8, n int, x *float32, offset *[5]int, step int, zeros *float32)
TEXT ·gatherAVX2(SB), NOSPLIT, $0-64
	MOVQ    sums+0(FP), DI
	MOVQ    dy+8(FP), SI
	MOVQ    arg+16(FP), R8
	MOVQ    n+24(FP), CX
	MOVQ    x+32(FP), DX
	MOVQ    offset+40(FP), R9
	MOVQ    step+48(FP), R10
	SHLQ    $2, R10
	MOVQ    zeros+56(FP), R11
	VMOVUPS 0(DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS 64(DI), Y2
	VMOVUPS 96(DI), Y3

next:
	MOVBLZX      (R8), AX
	MOVQ         (R9)(AX*8), BX
	LEAQ         (DX)(BX*4), BX
	CMPL         AX, $4
	CMOVQEQ      R11, BX
	MOVQ         SI, R12
	CMOVQEQ      R11, R12 // 0 times 0, whatever the gradient
	VBROADCASTSS (R12), Y4
	VMULPS       0(BX), Y4, Y5
	VMULPS       32(BX), Y4, Y6
	VMULPS       64(BX), Y4, Y7
	VMULPS       96(BX), Y4, Y8
	VADDPS       Y5, Y0, Y0
	VADDPS       Y6, Y1, Y1
	VADDPS       Y7, Y2, Y2
	VADDPS       Y8, Y3, Y3
	INCQ         R8
	ADDQ         $4, SI
	ADDQ         R10, DX
	DECQ         CX
	JNZ          next
	VMOVUPS      Y0, 0(DI)
	VMOVUPS      Y1, 32(DI)
	VMOVUPS      Y2, 64(DI)
	VMOVUPS      Y3, 96(DI)
	VZEROUPPER
	RET

#define DOT(row, low, high) \
	VMULPS 0 row, Y8, Y10    \
	VMULPS 32 row, Y9, Y11   \
	VADDPS Y10, low, low     \
	VADDPS Y11, high, high

#define TREE(low, high, xlow, at) \
	VADDPS       high, low, low        \
	VEXTRACTF128 $1, low, X9           \
	VADDPS       X9, xlow, xlow        \
	VPERMILPS    $0xee, xlow, X9       \
	VADDPS       X9, xlow, xlow        \
	VPERMILPS    $0x55, xlow, X9       \
	VADDSS       X9, xlow, xlow        \
	VMOVSS       xlow, at(DI)

// func dot4AVX2(out, x, w *float32, stride, n int)
TEXT ·dot4AVX2(SB), NOSPLIT, $0-40
	MOVQ   out+0(FP), DI
	MOVQ   x+8(FP), SI
	MOVQ   w+16(FP), DX
	MOVQ   stride+24(FP), R8
	SHLQ   $2, R8
	LEAQ   (R8)(R8*2), R9
	MOVQ   n+32(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7

sixteen:
	VMOVUPS 0(SI), Y8
	VMOVUPS 32(SI), Y9
	DOT((DX), Y0, Y1)
	DOT((DX)(R8*1), Y2, Y3)
	DOT((DX)(R8*2), Y4, Y5)
	DOT((DX)(R9*1), Y6, Y7)
	ADDQ $64, SI
	ADDQ $64, DX
	SUBQ $16, CX
	JG   sixteen
	TREE(Y0, Y1, X0, 0)
	TREE(Y2, Y3, X2, 4)
	TREE(Y4, Y5, X4, 8)
	TREE(Y6, Y7, X6, 12)
	VZEROUPPER
	RET

#define ROW(a, low, high) \
	VBROADCASTSS a, Y10        \
	VMULPS       Y8, Y10, Y11  \
	VMULPS       Y9, Y10, Y12  \
	VADDPS       Y11, low, low \
	VADDPS       Y12, high, high

// func gemm4AVX2(c *float32, cStride int, a *float32, aStride int, b *float32, bStride, depth, n, add int)
TEXT ·gemm4AVX2(SB), NOSPLIT, $0-72
	MOVQ c+0(FP), DI
	MOVQ cStride+8(FP), R8
	SHLQ $2, R8
	LEAQ (R8)(R8*2), R13
	MOVQ aStride+24(FP), R9
	SHLQ $2, R9
	LEAQ (R9)(R9*2), R12
	MOVQ b+32(FP), R15
	MOVQ bStride+40(FP), R10
	SHLQ $2, R10
	MOVQ n+56(FP), R11

columns:
	MOVQ    a+16(FP), AX
	MOVQ    R15, DX
	MOVQ    depth+48(FP), CX
	VXORPS  Y0, Y0, Y0
	VXORPS  Y1, Y1, Y1
	VXORPS  Y2, Y2, Y2
	VXORPS  Y3, Y3, Y3
	VXORPS  Y4, Y4, Y4
	VXORPS  Y5, Y5, Y5
	VXORPS  Y6, Y6, Y6
	VXORPS  Y7, Y7, Y7
	CMPQ    add+64(FP), $0
	JEQ     depths
	VMOVUPS 0(DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS 0(DI)(R8*1), Y2
	VMOVUPS 32(DI)(R8*1), Y3
	VMOVUPS 0(DI)(R8*2), Y4
	VMOVUPS 32(DI)(R8*2), Y5
	VMOVUPS 0(DI)(R13*1), Y6
	VMOVUPS 32(DI)(R13*1), Y7

depths:
	VMOVUPS 0(DX), Y8
	VMOVUPS 32(DX), Y9
	ROW((AX), Y0, Y1)
	ROW((AX)(R9*1), Y2, Y3)
	ROW((AX)(R9*2), Y4, Y5)
	ROW((AX)(R12*1), Y6, Y7)
	ADDQ    $4, AX
	ADDQ    R10, DX
	DECQ    CX
	JNZ     depths
	VMOVUPS Y0, 0(DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 0(DI)(R8*1)
	VMOVUPS Y3, 32(DI)(R8*1)
	VMOVUPS Y4, 0(DI)(R8*2)
	VMOVUPS Y5, 32(DI)(R8*2)
	VMOVUPS Y6, 0(DI)(R13*1)
	VMOVUPS Y7, 32(DI)(R13*1)
	ADDQ    $64, DI
	ADDQ    $64, R15
	SUBQ    $16, R11
	JG      columns
	VZEROUPPER
	RET

// func gemm1AVX2(c, a, b *float32, bStride, depth, n, add int)
TEXT ·gemm1AVX2(SB), NOSPLIT, $0-56
	MOVQ c+0(FP), DI
	MOVQ b+16(FP), R15
	MOVQ bStride+24(FP), R10
	SHLQ $2, R10
	MOVQ n+40(FP), R11

columns:
	MOVQ    a+8(FP), AX
	MOVQ    R15, DX
	MOVQ    depth+32(FP), CX
	VXORPS  Y0, Y0, Y0
	VXORPS  Y1, Y1, Y1
	CMPQ    add+48(FP), $0
	JEQ     depths
	VMOVUPS 0(DI), Y0
	VMOVUPS 32(DI), Y1

depths:
	VMOVUPS 0(DX), Y8
	VMOVUPS 32(DX), Y9
	ROW((AX), Y0, Y1)
	ADDQ    $4, AX
	ADDQ    R10, DX
	DECQ    CX
	JNZ     depths
	VMOVUPS Y0, 0(DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $64, DI
	ADDQ    $64, R15
	SUBQ    $16, R11
	JG      columns
	VZEROUPPER
	RET

// func axpyAVX2(dst, x *float32, f float32, n int)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         x+8(FP), SI
	VBROADCASTSS f+16(FP), Y0
	MOVQ         n+24(FP), CX

eight:
	VMULPS  (SI), Y0, Y1
	VADDPS  (DI), Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $8, CX
	JG      eight
	VZEROUPPER
	RET

// The sign's complement, and the bounds of flush in trainer.AdamKernel.
DATA flushes<>+0x00(SB)/8, $0x7fffffff7fffffff
DATA flushes<>+0x08(SB)/8, $0x7fffffff7fffffff
DATA flushes<>+0x10(SB)/8, $0x7fffffff7fffffff
DATA flushes<>+0x18(SB)/8, $0x7fffffff7fffffff
DATA flushes<>+0x20(SB)/8, $0x0d8000000d800000
DATA flushes<>+0x28(SB)/8, $0x0d8000000d800000
DATA flushes<>+0x30(SB)/8, $0x0d8000000d800000
DATA flushes<>+0x38(SB)/8, $0x0d8000000d800000
DATA flushes<>+0x40(SB)/8, $0x2380000023800000
DATA flushes<>+0x48(SB)/8, $0x2380000023800000
DATA flushes<>+0x50(SB)/8, $0x2380000023800000
DATA flushes<>+0x58(SB)/8, $0x2380000023800000
GLOBL flushes<>(SB), RODATA|NOPTR, $96

#define FLUSH(v, bound, out) \
	VANDPS flushes<>+0x00(SB), v, Y7          \
	VCMPPS $0x15, flushes<>+bound(SB), Y7, Y7 \
	VANDPS v, Y7, out

// func adamAVX2(param, gradient, mean, square *float32, k *trainer.AdamFactors, n int)
TEXT ·adamAVX2(SB), NOSPLIT, $0-48
	MOVQ         param+0(FP), DI
	MOVQ         gradient+8(FP), SI
	MOVQ         mean+16(FP), R8
	MOVQ         square+24(FP), R9
	MOVQ         k+32(FP), AX
	MOVQ         n+40(FP), CX
	VBROADCASTSS 0(AX), Y8
	VBROADCASTSS 4(AX), Y9
	VBROADCASTSS 8(AX), Y10
	VBROADCASTSS 12(AX), Y11
	VBROADCASTSS 16(AX), Y12
	VBROADCASTSS 20(AX), Y13
	VBROADCASTSS 24(AX), Y14
	VBROADCASTSS 28(AX), Y15

elements:
	VMOVUPS (DI), Y0        // p
	VMULPS  Y0, Y8, Y1
	VADDPS  (SI), Y1, Y1    // g
	FLUSH(Y1, 0x20, Y1)
	VMULPS  (R8), Y9, Y2
	VMULPS  Y1, Y10, Y3
	VADDPS  Y3, Y2, Y2      // m
	FLUSH(Y2, 0x20, Y2)
	VMOVUPS Y2, (R8)
	VMULPS  (R9), Y11, Y4
	FLUSH(Y1, 0x40, Y6)
	VMULPS  Y6, Y12, Y5
	VMULPS  Y6, Y5, Y5
	VADDPS  Y5, Y4, Y4      // v
	FLUSH(Y4, 0x20, Y4)
	VMOVUPS Y4, (R9)
	VSQRTPS Y4, Y4
	VDIVPS  Y13, Y4, Y4
	VADDPS  Y14, Y4, Y4
	VMULPS  Y2, Y15, Y2
	VDIVPS  Y4, Y2, Y2
	VSUBPS  Y2, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	ADDQ    $32, R8
	ADDQ    $32, R9
	SUBQ    $8, CX
	JG      elements
	VZEROUPPER
	RET
