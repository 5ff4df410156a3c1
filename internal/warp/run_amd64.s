#include "go_asm.h"
#include "textflag.h"

// AVX2 forms of ycc_run.go's loops.

#define CONST32(name, v) \
	DATA name<>+0(SB)/4, $v  \
	DATA name<>+4(SB)/4, $v  \
	DATA name<>+8(SB)/4, $v  \
	DATA name<>+12(SB)/4, $v \
	DATA name<>+16(SB)/4, $v \
	DATA name<>+20(SB)/4, $v \
	DATA name<>+24(SB)/4, $v \
	DATA name<>+28(SB)/4, $v \
	GLOBL name<>(SB), RODATA|NOPTR, $32

#define CONST128(name, a, b) \
	DATA name<>+0(SB)/8, $a  \
	DATA name<>+8(SB)/8, $b  \
	DATA name<>+16(SB)/8, $a \
	DATA name<>+24(SB)/8, $b \
	GLOBL name<>(SB), RODATA|NOPTR, $32

DATA iota<>+0(SB)/8, $0x0000000100000000
DATA iota<>+8(SB)/8, $0x0000000300000002
DATA iota<>+16(SB)/8, $0x0000000500000004
DATA iota<>+24(SB)/8, $0x0000000700000006
GLOBL iota<>(SB), RODATA|NOPTR, $32

CONST32(lanes, 8)
CONST32(unit, 4096)
CONST32(half20, 1048576)
CONST32(half16, 65536)
CONST32(half15, 32768)
CONST32(grey7, 16384)

// Factors of Cb and Cr, in the halves of a word.
CONST32(toRed, 1505361920)
CONST32(toGreen, 3528255994)
CONST32(toBlue, 29032)

// Bytes of a word to its halves.
CONST128(bytes02, 0x8006800480028000, 0x800e800c800a8008)
CONST128(bytes13, 0x8007800580038001, 0x800f800d800b8009)

// Fours of reds, greens and blues, from both halves, to eights.
DATA eights<>+0(SB)/8, $0x0000000400000000
DATA eights<>+8(SB)/8, $0x0000000500000001
DATA eights<>+16(SB)/8, $0x0000000600000002
DATA eights<>+24(SB)/8, $0x0000000700000003
GLOBL eights<>(SB), RODATA|NOPTR, $32

// The places of eight points lie in memory in four vectors, u of points 0, 1, 4 and 5 and
// of 2, 3, 6 and 7, and so v: so that VSHUFPS gives their halves in order.
#define POINTS(at, du) \
	MOVQ AX, (at+0)(SP)  \
	ADDQ du, AX          \
	MOVQ AX, (at+8)(SP)  \
	ADDQ du, AX          \
	MOVQ AX, (at+32)(SP) \
	ADDQ du, AX          \
	MOVQ AX, (at+40)(SP) \
	ADDQ du, AX          \
	MOVQ AX, (at+16)(SP) \
	ADDQ du, AX          \
	MOVQ AX, (at+24)(SP) \
	ADDQ du, AX          \
	MOVQ AX, (at+48)(SP) \
	ADDQ du, AX          \
	MOVQ AX, (at+56)(SP)

#define STEP(at, du) \
	SHLQ         $3, du      \
	VMOVQ        du, X0      \
	VPBROADCASTQ X0, Y0      \
	VMOVDQU      Y0, at(SP)

// A walk's points, steps and stride.
#define START(walk, at, steps) \
	MOVQ         walk_u(walk), AX       \
	MOVQ         walk_du(walk), BX      \
	POINTS(at, BX)                      \
	STEP(steps, BX)                     \
	MOVQ         walk_v(walk), AX       \
	MOVQ         walk_dv(walk), BX      \
	POINTS(at+64, BX)                   \
	STEP(steps+32, BX)                  \
	VPBROADCASTD walk_stride(walk), Y0  \
	VMOVDQU      Y0, (steps+64)(SP)

#define HALVES(at, step, int, frac) \
	VMOVDQU at(SP), Y0           \
	VMOVDQU (at+32)(SP), Y1      \
	VSHUFPS $0xdd, Y1, Y0, int   \
	VSHUFPS $0x88, Y1, Y0, frac  \
	VPADDQ  step(SP), Y0, Y0     \
	VPADDQ  step(SP), Y1, Y1     \
	VMOVDQU Y0, at(SP)           \
	VMOVDQU Y1, (at+32)(SP)      \
	VPSRLD  $20, frac, frac

// Eight points: Y2 and Y12 are the samples left and above, Y4 their places, Y3 the
// weights of left and right, Y5 that of below.
#define NEXT(at, steps) \
	HALVES(at, steps, Y2, Y3)           \
	HALVES(at+64, steps+32, Y12, Y5)    \
	VPMULLD (steps+64)(SP), Y12, Y4     \
	VPADDD  Y2, Y4, Y4                  \
	VPSLLD  $16, Y3, Y0                 \
	VPSUBD  Y3, Y0, Y3                  \
	VPADDD  unit<>(SB), Y3, Y3

// The places in Y4, which lie in memory at 448, as numbers to AX, BX, R11, R12 (first
// four) and so on: loads one by one are faster than VPGATHERDD on most processors.
#define PLACES(at) \
	MOVL (448+at)(SP), AX   \
	MOVL (452+at)(SP), BX   \
	MOVL (456+at)(SP), R11  \
	MOVL (460+at)(SP), R12

// Two bytes each of eight places: the halves of a row's words.
#define BYTES2(base, out, lane) \
	VPINSRW $(lane+0), (base)(AX*1), out, out  \
	VPINSRW $(lane+1), (base)(BX*1), out, out  \
	VPINSRW $(lane+2), (base)(R11*1), out, out \
	VPINSRW $(lane+3), (base)(R12*1), out, out

// Four bytes each of four places.
#define BYTES4(base, out) \
	VMOVD   (base)(AX*2), out               \
	VPINSRD $1, (base)(BX*2), out, out      \
	VPINSRD $2, (base)(R11*2), out, out     \
	VPINSRD $3, (base)(R12*2), out, out

// Between a row's pairs, in the halves of words, and the next one's.
#define BETWEEN(out, lost) \
	VPMADDWD Y3, out, out             \
	VPMADDWD Y3, lost, lost           \
	VPSUBD   out, lost, lost          \
	VPMULLD  Y5, lost, lost           \
	VPSLLD   $12, out, out            \
	VPADDD   lost, out, out

// Luma with 24 bits below a level to Y15, Cb and Cr to Y9 and Y11. Where the planes are
// alike (R14 is not 0) points have the same fractions in all. Points behind the end are
// the first sample's.
#define SAMPLE(apart, placed) \
	VPCMPGTD iota<>(SB), Y13, Y14     \
	NEXT(0, 256)                      \
	VPAND    Y14, Y4, Y0              \
	VMOVDQU  Y0, 448(SP)              \
	PLACES(0)                         \
	BYTES2(SI, X7, 0)                 \
	BYTES2(R8, X8, 0)                 \
	PLACES(16)                        \
	BYTES2(SI, X7, 4)                 \
	BYTES2(R8, X8, 4)                 \
	VPMOVZXBW X7, Y15                 \
	VPMOVZXBW X8, Y10                 \
	BETWEEN(Y15, Y10)                 \
	TESTQ    R14, R14                 \
	JEQ      apart                    \
	VPMULLD  (352+64)(SP), Y12, Y4    \
	VPADDD   Y2, Y4, Y4               \
	JMP      placed                   \
apart:                                \
	NEXT(128, 352)                    \
placed:                               \
	VPAND    Y14, Y4, Y0              \
	VMOVDQU  Y0, 448(SP)              \
	PLACES(0)                         \
	BYTES4(R9, X7)                    \
	BYTES4(R10, X8)                   \
	PLACES(16)                        \
	BYTES4(R9, X0)                    \
	BYTES4(R10, X1)                   \
	VINSERTI128 $1, X0, Y7, Y7        \
	VINSERTI128 $1, X1, Y8, Y8        \
	VPSHUFB  bytes02<>(SB), Y7, Y9    \
	VPSHUFB  bytes02<>(SB), Y8, Y10   \
	BETWEEN(Y9, Y10)                  \
	VPSHUFB  bytes13<>(SB), Y7, Y11   \
	VPSHUFB  bytes13<>(SB), Y8, Y10   \
	BETWEEN(Y11, Y10)

// Rows of luma in SI and R8, of pairs in R9 and R10; how many points are left in Y13.
#define BEGIN \
	MOVQ         luma+16(FP), R11      \
	MOVQ         chroma+24(FP), R12    \
	START(R11, 0, 256)                 \
	START(R12, 128, 352)               \
	MOVQ         walk_pix(R11), SI     \
	MOVQ         walk_stride(R11), R8  \
	ADDQ         SI, R8                \
	MOVQ         pairs+32(FP), R9      \
	MOVQ         walk_stride(R12), R10 \
	LEAQ         (R9)(R10*2), R10      \
	MOVQ         alike+40(FP), R14     \
	MOVQ         n+8(FP), CX           \
	VMOVD        CX, X13               \
	VPBROADCASTD X13, Y13

// func sampleYCCAVX2(red *uint8, n int, luma, chroma *walk, pairs *uint16, alike int, green, blue *uint8)
TEXT ·sampleYCCAVX2(SB), NOSPLIT, $480-64
	MOVQ red+0(FP), DI
	MOVQ green+48(FP), DX
	MOVQ blue+56(FP), R13
	BEGIN

eight:
	SAMPLE(apart, placed)
	VPSRLD   $3, Y15, Y15
	VPADDD   half20<>(SB), Y15, Y15
	VPADDD   half16<>(SB), Y9, Y9
	VPADDD   half16<>(SB), Y11, Y11
	VPSRLD   $17, Y9, Y9
	VPSRLD   $17, Y11, Y11
	VPSUBD   grey7<>(SB), Y9, Y9
	VPSUBD   grey7<>(SB), Y11, Y11
	VPSLLD   $16, Y11, Y11
	VPBLENDW $0xaa, Y11, Y9, Y9
	VPMADDWD toRed<>(SB), Y9, Y0
	VPMADDWD toGreen<>(SB), Y9, Y1
	VPMADDWD toBlue<>(SB), Y9, Y2
	VPADDD   Y15, Y0, Y0
	VPADDD   Y15, Y1, Y1
	VPADDD   Y15, Y2, Y2
	VPSRAD   $21, Y0, Y0
	VPSRAD   $21, Y1, Y1
	VPSRAD   $21, Y2, Y2
	VPXOR    Y3, Y3, Y3
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKUSWB Y2, Y0, Y0
	VMOVDQU  eights<>(SB), Y1
	VPERMD   Y0, Y1, Y0
	VMOVQ    X0, (DI)
	VMOVHPS  X0, (DX)
	VEXTRACTI128 $1, Y0, X0
	VMOVQ    X0, (R13)
	ADDQ     $8, DI
	ADDQ     $8, DX
	ADDQ     $8, R13
	VPSUBD   lanes<>(SB), Y13, Y13
	SUBQ     $8, CX
	JGT      eight
	VZEROUPPER
	RET

#define ADD(sum, to) \
	VPADDD  half15<>(SB), sum, sum \
	VPSRLD  $16, sum, sum          \
	VPAND   Y14, sum, sum          \
	VPADDD  (to), sum, sum         \
	VMOVDQU sum, (to)              \
	ADDQ    $32, to

// func addYCCAVX2(first *uint32, n int, luma, chroma *walk, pairs *uint16, alike int, second, third *uint32)
TEXT ·addYCCAVX2(SB), NOSPLIT, $480-64
	MOVQ first+0(FP), DI
	MOVQ second+48(FP), DX
	MOVQ third+56(FP), R13
	BEGIN

eight:
	SAMPLE(apart, placed)
	ADD(Y15, DI)
	ADD(Y9, DX)
	ADD(Y11, R13)
	VPSUBD lanes<>(SB), Y13, Y13
	SUBQ   $8, CX
	JGT    eight
	VZEROUPPER
	RET

// func interleaveBytesAVX2(dst *uint16, a, b *uint8, n int)
TEXT ·interleaveBytesAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	SUBQ $16, CX
	XORL AX, AX

sixteen:
	VMOVDQU    (SI)(AX*1), X0
	VMOVDQU    (DX)(AX*1), X1
	VPUNPCKLBW X1, X0, X2
	VPUNPCKHBW X1, X0, X3
	VMOVDQU    X2, (DI)(AX*2)
	VMOVDQU    X3, 16(DI)(AX*2)
	CMPQ       AX, CX
	JEQ        interleaved
	ADDQ       $16, AX
	CMPQ       AX, CX
	JLE        sixteen
	MOVQ       CX, AX
	JMP        sixteen

interleaved:
	RET

CONST32(half21, 2097152)
CONST32(grey8, 32768)
CONST32(crRed, 22970)
CONST32(cbGreen, 5638)
CONST32(crGreen, 11700)
CONST32(cbBlue, 29032)

// The sums of eight pairs.
#define PAIRS(from, sum) \
	VMOVDQU (from)(R12*4), sum     \
	VPHADDD 32(from)(R12*4), sum, sum \
	VPERMQ  $0xd8, sum, sum

#define GATHER(from, sum) \
	VPCMPEQD   Y8, Y8, Y8          \
	VPGATHERDD Y8, (from)(Y11*4), Y9 \
	VPADDD     Y9, sum, sum        \
	ADDQ       $4, from

// (sum + n/2) / n, by the upper halves of products with 2^32/n, of even and odd lanes apart.
#define MEAN(sum) \
	VPADDD   Y13, sum, sum   \
	VPSRLQ   $32, sum, Y8    \
	VPMULUDQ Y12, sum, sum   \
	VPMULUDQ Y12, Y8, Y8     \
	VPSRLQ   $32, sum, sum   \
	VPBLENDD $0xaa, Y8, sum, sum

// func meansAVX2(red, green, blue *uint8, luma, cb, cr *uint32, width, columns, n int, inverse uint32)
TEXT ·meansAVX2(SB), NOSPLIT, $0-76
	MOVQ red+0(FP), DI
	MOVQ green+8(FP), SI
	MOVQ blue+16(FP), BX
	MOVQ luma+24(FP), R9
	MOVQ cb+32(FP), R10
	MOVQ cr+40(FP), R11
	MOVQ width+48(FP), CX
	MOVQ columns+56(FP), R13
	MOVQ n+64(FP), AX
	SHRQ $1, AX
	VMOVD AX, X13
	VPBROADCASTD X13, Y13
	MOVL inverse+72(FP), AX
	VMOVD AX, X12
	VPBROADCASTD X12, Y12
	VMOVD R13, X11
	VPBROADCASTD X11, Y11
	VPMULLD iota<>(SB), Y11, Y11
	SUBQ $8, CX
	XORQ DX, DX

eight:
	MOVQ  DX, R12
	IMULQ R13, R12
	CMPQ  R13, $2
	JNE   gather
	PAIRS(R9, Y0)
	PAIRS(R10, Y1)
	PAIRS(R11, Y2)
	JMP   summed

gather:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	LEAQ  (R9)(R12*4), AX
	LEAQ  (R10)(R12*4), R8
	LEAQ  (R11)(R12*4), R14
	MOVQ  R13, R12

column:
	GATHER(AX, Y0)
	GATHER(R8, Y1)
	GATHER(R14, Y2)
	DECQ  R12
	JNE   column

summed:
	MEAN(Y0)
	MEAN(Y1)
	MEAN(Y2)
	VPSLLD   $14, Y0, Y0
	VPADDD   half21<>(SB), Y0, Y0
	VPSUBD   grey8<>(SB), Y1, Y1
	VPSUBD   grey8<>(SB), Y2, Y2
	VPMULLD  crRed<>(SB), Y2, Y3
	VPMULLD  crGreen<>(SB), Y2, Y4
	VPMULLD  cbGreen<>(SB), Y1, Y5
	VPMULLD  cbBlue<>(SB), Y1, Y6
	VPADDD   Y0, Y3, Y3
	VPSUBD   Y4, Y0, Y4
	VPSUBD   Y5, Y4, Y4
	VPADDD   Y0, Y6, Y6
	VPSRAD   $22, Y3, Y3
	VPSRAD   $22, Y4, Y4
	VPSRAD   $22, Y6, Y6
	VPXOR    Y8, Y8, Y8
	VPACKSSDW Y4, Y3, Y3
	VPACKSSDW Y8, Y6, Y6
	VPACKUSWB Y6, Y3, Y3
	VMOVDQU  eights<>(SB), Y8
	VPERMD   Y3, Y8, Y3
	VMOVQ    X3, (DI)(DX*1)
	VMOVHPS  X3, (SI)(DX*1)
	VEXTRACTI128 $1, Y3, X3
	VMOVQ    X3, (BX)(DX*1)
	CMPQ     DX, CX
	JEQ      meant
	ADDQ     $8, DX
	CMPQ     DX, CX
	JLE      eight
	MOVQ     CX, DX
	JMP      eight

meant:
	VZEROUPPER
	RET
