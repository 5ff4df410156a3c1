#include "textflag.h"
#include "transpose_amd64.h"

// The inverse DCT of two blocks at once, one in each half of the registers: idct.go's
// in 32 bits, on pairs of 16-bit values that VPMADDWD multiplies and adds, as
// libjpeg-turbo's SIMD code does.

// Pairs of factors, for pairs of coefficients (or of sums of two).
DATA even3<>+0x00(SB)/8, $0x115129cf115129cf
DATA even3<>+0x08(SB)/8, $0x115129cf115129cf
DATA even3<>+0x10(SB)/8, $0x115129cf115129cf
DATA even3<>+0x18(SB)/8, $0x115129cf115129cf
GLOBL even3<>(SB), RODATA|NOPTR, $32
DATA even2<>+0x00(SB)/8, $0xd6301151d6301151
DATA even2<>+0x08(SB)/8, $0xd6301151d6301151
DATA even2<>+0x10(SB)/8, $0xd6301151d6301151
DATA even2<>+0x18(SB)/8, $0xd6301151d6301151
GLOBL even2<>(SB), RODATA|NOPTR, $32
DATA odd37<>+0x00(SB)/8, $0x25a1e6dc25a1e6dc
DATA odd37<>+0x08(SB)/8, $0x25a1e6dc25a1e6dc
DATA odd37<>+0x10(SB)/8, $0x25a1e6dc25a1e6dc
DATA odd37<>+0x18(SB)/8, $0x25a1e6dc25a1e6dc
GLOBL odd37<>(SB), RODATA|NOPTR, $32
DATA odd15<>+0x00(SB)/8, $0x192525a1192525a1
DATA odd15<>+0x08(SB)/8, $0x192525a1192525a1
DATA odd15<>+0x10(SB)/8, $0x192525a1192525a1
DATA odd15<>+0x18(SB)/8, $0x192525a1192525a1
GLOBL odd15<>(SB), RODATA|NOPTR, $32
DATA odd0<>+0x00(SB)/8, $0xe333ecc1e333ecc1
DATA odd0<>+0x08(SB)/8, $0xe333ecc1e333ecc1
DATA odd0<>+0x10(SB)/8, $0xe333ecc1e333ecc1
DATA odd0<>+0x18(SB)/8, $0xe333ecc1e333ecc1
GLOBL odd0<>(SB), RODATA|NOPTR, $32
DATA odd3<>+0x00(SB)/8, $0x133ee333133ee333
DATA odd3<>+0x08(SB)/8, $0x133ee333133ee333
DATA odd3<>+0x10(SB)/8, $0x133ee333133ee333
DATA odd3<>+0x18(SB)/8, $0x133ee333133ee333
GLOBL odd3<>(SB), RODATA|NOPTR, $32
DATA odd1<>+0x00(SB)/8, $0xadfdefb0adfdefb0
DATA odd1<>+0x08(SB)/8, $0xadfdefb0adfdefb0
DATA odd1<>+0x10(SB)/8, $0xadfdefb0adfdefb0
DATA odd1<>+0x18(SB)/8, $0xadfdefb0adfdefb0
GLOBL odd1<>(SB), RODATA|NOPTR, $32
DATA odd2<>+0x00(SB)/8, $0x1051adfd1051adfd
DATA odd2<>+0x08(SB)/8, $0x1051adfd1051adfd
DATA odd2<>+0x10(SB)/8, $0x1051adfd1051adfd
DATA odd2<>+0x18(SB)/8, $0x1051adfd1051adfd
GLOBL odd2<>(SB), RODATA|NOPTR, $32

DATA round1<>+0x00(SB)/8, $0x0000040000000400
DATA round1<>+0x08(SB)/8, $0x0000040000000400
DATA round1<>+0x10(SB)/8, $0x0000040000000400
DATA round1<>+0x18(SB)/8, $0x0000040000000400
GLOBL round1<>(SB), RODATA|NOPTR, $32
DATA round2<>+0x00(SB)/8, $0x0002000000020000
DATA round2<>+0x08(SB)/8, $0x0002000000020000
DATA round2<>+0x10(SB)/8, $0x0002000000020000
DATA round2<>+0x18(SB)/8, $0x0002000000020000
GLOBL round2<>(SB), RODATA|NOPTR, $32
DATA grey<>+0x00(SB)/8, $0x8080808080808080
DATA grey<>+0x08(SB)/8, $0x8080808080808080
DATA grey<>+0x10(SB)/8, $0x8080808080808080
DATA grey<>+0x18(SB)/8, $0x8080808080808080
GLOBL grey<>(SB), RODATA|NOPTR, $32
DATA ones<>+0x00(SB)/8, $0x0001000100010001
DATA ones<>+0x08(SB)/8, $0x0001000100010001
DATA ones<>+0x10(SB)/8, $0x0001000100010001
DATA ones<>+0x18(SB)/8, $0x0001000100010001
GLOBL ones<>(SB), RODATA|NOPTR, $32

// Lines 0..7 in Y0..Y7 to lines of the result; the sums of the even ones wait in memory.
#define BUTTERFLY(even, oddL, oddH, shift, plus, minus) \
	VMOVDQU (64*even)(SP), Y10    \
	VMOVDQU (64*even+32)(SP), Y11 \
	VPADDD  oddL, Y10, Y12        \
	VPADDD  oddH, Y11, Y13        \
	VPSUBD  oddL, Y10, Y10        \
	VPSUBD  oddH, Y11, Y11        \
	VPSRAD  $shift, Y12, Y12      \
	VPSRAD  $shift, Y13, Y13      \
	VPSRAD  $shift, Y10, Y10      \
	VPSRAD  $shift, Y11, Y11      \
	VPACKSSDW Y13, Y12, plus      \
	VPACKSSDW Y11, Y10, minus

#define PASS(round, shift) \
	VPUNPCKLWD Y6, Y2, Y8        \
	VPUNPCKHWD Y6, Y2, Y9        \
	VPMADDWD   even3<>(SB), Y8, Y10 \
	VPMADDWD   even3<>(SB), Y9, Y11 \
	VPMADDWD   even2<>(SB), Y8, Y8  \
	VPMADDWD   even2<>(SB), Y9, Y9  \
	VPADDW     Y4, Y0, Y2        \
	VPSUBW     Y4, Y0, Y0        \
	VPXOR      Y4, Y4, Y4        \
	VPUNPCKLWD Y2, Y4, Y6        \
	VPUNPCKHWD Y2, Y4, Y2        \
	VPUNPCKLWD Y0, Y4, Y12       \
	VPUNPCKHWD Y0, Y4, Y0        \
	VPSRAD     $3, Y6, Y6        \
	VPSRAD     $3, Y2, Y2        \
	VPSRAD     $3, Y12, Y12      \
	VPSRAD     $3, Y0, Y0        \
	VPADDD     round<>(SB), Y6, Y6   \
	VPADDD     round<>(SB), Y2, Y2   \
	VPADDD     round<>(SB), Y12, Y12 \
	VPADDD     round<>(SB), Y0, Y0   \
	VPADDD     Y10, Y6, Y4       \
	VPADDD     Y11, Y2, Y13      \
	VPSUBD     Y10, Y6, Y6       \
	VPSUBD     Y11, Y2, Y2       \
	VMOVDQU    Y4, 0(SP)         \
	VMOVDQU    Y13, 32(SP)       \
	VMOVDQU    Y6, 192(SP)       \
	VMOVDQU    Y2, 224(SP)       \
	VPADDD     Y8, Y12, Y4       \
	VPADDD     Y9, Y0, Y13       \
	VPSUBD     Y8, Y12, Y12      \
	VPSUBD     Y9, Y0, Y0        \
	VMOVDQU    Y4, 64(SP)        \
	VMOVDQU    Y13, 96(SP)       \
	VMOVDQU    Y12, 128(SP)      \
	VMOVDQU    Y0, 160(SP)       \
	VPADDW     Y7, Y3, Y8        \
	VPADDW     Y5, Y1, Y9        \
	VPUNPCKLWD Y9, Y8, Y10       \
	VPUNPCKHWD Y9, Y8, Y11       \
	VPMADDWD   odd37<>(SB), Y10, Y12 \
	VPMADDWD   odd37<>(SB), Y11, Y13 \
	VPMADDWD   odd15<>(SB), Y10, Y10 \
	VPMADDWD   odd15<>(SB), Y11, Y11 \
	VPUNPCKLWD Y1, Y7, Y8        \
	VPUNPCKHWD Y1, Y7, Y9        \
	VPMADDWD   odd0<>(SB), Y8, Y0 \
	VPMADDWD   odd0<>(SB), Y9, Y1 \
	VPMADDWD   odd3<>(SB), Y8, Y8 \
	VPMADDWD   odd3<>(SB), Y9, Y9 \
	VPADDD     Y12, Y0, Y0       \
	VPADDD     Y13, Y1, Y1       \
	VPADDD     Y10, Y8, Y8       \
	VPADDD     Y11, Y9, Y9       \
	VPUNPCKLWD Y3, Y5, Y2        \
	VPUNPCKHWD Y3, Y5, Y4        \
	VPMADDWD   odd1<>(SB), Y2, Y14 \
	VPMADDWD   odd1<>(SB), Y4, Y15 \
	VPMADDWD   odd2<>(SB), Y2, Y2 \
	VPMADDWD   odd2<>(SB), Y4, Y4 \
	VPADDD     Y10, Y14, Y14     \
	VPADDD     Y11, Y15, Y15     \
	VPADDD     Y12, Y2, Y5       \
	VPADDD     Y13, Y4, Y6       \
	BUTTERFLY(3, Y0, Y1, shift, Y3, Y4)   \
	BUTTERFLY(0, Y8, Y9, shift, Y0, Y7)   \
	BUTTERFLY(1, Y5, Y6, shift, Y1, Y6)   \
	BUTTERFLY(2, Y14, Y15, shift, Y2, Y5)

#define LOAD(row, y, x) \
	VMOVDQU     (16*row)(SI), x       \
	VINSERTI128 $1, (16*row)(DI), y, y

// Two rows of both blocks.
#define STORE(y, x) \
	VMOVQ        x, (AX)        \
	VMOVHPS      x, (AX)(BX*1)  \
	VEXTRACTI128 $1, y, x       \
	VMOVQ        x, (CX)        \
	VMOVHPS      x, (CX)(DX*1)  \
	LEAQ         (AX)(BX*2), AX \
	LEAQ         (CX)(DX*2), CX

// Adds the magnitudes of a row to Y9; saturated, so that -32768 becomes positive.
#define MAGNITUDES(y) \
	VPSUBSW  y, Y8, Y10           \
	VPMAXSW  y, Y10, Y10          \
	VPMADDWD ones<>(SB), Y10, Y10 \
	VPADDD   Y10, Y9, Y9

#define SUM_HALVES(from, to, tmp) \
	VPSHUFD $0x4e, from, tmp \
	VPADDD  tmp, from, to    \
	VPSHUFD $0xb1, to, tmp   \
	VPADDD  tmp, to, to

// Rows of both blocks, in Y0 to Y7, to samples; largest is the larger sum of their magnitudes.
#define TRANSFORM(largest) \
	VPXOR Y8, Y8, Y8 \
	VPXOR Y9, Y9, Y9 \
	MAGNITUDES(Y0) \
	MAGNITUDES(Y1) \
	MAGNITUDES(Y2) \
	MAGNITUDES(Y3) \
	MAGNITUDES(Y4) \
	MAGNITUDES(Y5) \
	MAGNITUDES(Y6) \
	MAGNITUDES(Y7) \
	SUM_HALVES(Y9, Y9, Y10) \
	VEXTRACTI128 $1, Y9, X10 \
	VPMAXSD X10, X9, X9 \
	VMOVD   X9, R8 \
	MOVQ    R8, largest \
	PASS(round1, 11) \
	TRANSPOSE \
	PASS(round2, 18) \
	VPACKSSWB  Y2, Y0, Y8 \
	VPACKSSWB  Y3, Y1, Y9 \
	VPACKSSWB  Y6, Y4, Y10 \
	VPACKSSWB  Y7, Y5, Y11 \
	VMOVDQU    grey<>(SB), Y15 \
	VPADDB     Y15, Y8, Y8 \
	VPADDB     Y15, Y9, Y9 \
	VPADDB     Y15, Y10, Y10 \
	VPADDB     Y15, Y11, Y11 \
	VPUNPCKLBW Y9, Y8, Y0 \
	VPUNPCKHBW Y9, Y8, Y1 \
	VPUNPCKLBW Y11, Y10, Y2 \
	VPUNPCKHBW Y11, Y10, Y3 \
	VPUNPCKLWD Y1, Y0, Y4 \
	VPUNPCKHWD Y1, Y0, Y5 \
	VPUNPCKLWD Y3, Y2, Y6 \
	VPUNPCKHWD Y3, Y2, Y7 \
	VPUNPCKLDQ Y6, Y4, Y0 \
	VPUNPCKHDQ Y6, Y4, Y1 \
	VPUNPCKLDQ Y7, Y5, Y2 \
	VPUNPCKHDQ Y7, Y5, Y3 \
	STORE(Y0, X0) \
	STORE(Y1, X1) \
	STORE(Y2, X2) \
	STORE(Y3, X3)

// func full2AVX2(a *uint8, strideA int, b *uint8, strideB int, coefsA, coefsB *uint64) (largest int)
TEXT ·full2AVX2(SB), NOSPLIT, $256-56
	MOVQ a+0(FP), AX
	MOVQ strideA+8(FP), BX
	MOVQ b+16(FP), CX
	MOVQ strideB+24(FP), DX
	MOVQ coefsA+32(FP), SI
	MOVQ coefsB+40(FP), DI
	LOAD(0, Y0, X0)
	LOAD(1, Y1, X1)
	LOAD(2, Y2, X2)
	LOAD(3, Y3, X3)
	LOAD(4, Y4, X4)
	LOAD(5, Y5, X5)
	LOAD(6, Y6, X6)
	LOAD(7, Y7, X7)
	TRANSFORM(largest+48(FP))
	VZEROUPPER
	RET

#define LOAD_CODED(row, y, x) \
	VMOVDQU        (16*row)(SI), x       \
	VINSERTI128    $1, (16*row)(DI), y, y \
	VBROADCASTI128 (16*row)(R9), Y8      \
	VPMULLW        Y8, y, y

// func codedPairAVX2(a, b *uint8, stride int, coefsA, coefsB *[64]int16, factors *[64]uint16) (largest int)
TEXT ·codedPairAVX2(SB), NOSPLIT, $256-56
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), CX
	MOVQ stride+16(FP), BX
	MOVQ coefsA+24(FP), SI
	MOVQ coefsB+32(FP), DI
	MOVQ factors+40(FP), R9
	MOVQ BX, DX
	LOAD_CODED(0, Y0, X0)
	LOAD_CODED(1, Y1, X1)
	LOAD_CODED(2, Y2, X2)
	LOAD_CODED(3, Y3, X3)
	LOAD_CODED(4, Y4, X4)
	LOAD_CODED(5, Y5, X5)
	LOAD_CODED(6, Y6, X6)
	LOAD_CODED(7, Y7, X7)
	TRANSFORM(largest+48(FP))
	VZEROUPPER
	RET

// func magnitudesAVX2(words *[16]uint64) int
TEXT ·magnitudesAVX2(SB), NOSPLIT, $0-16
	MOVQ    words+0(FP), AX
	VPXOR   Y8, Y8, Y8
	VPXOR   Y9, Y9, Y9
	VMOVDQU (AX), Y0
	VMOVDQU 32(AX), Y1
	VMOVDQU 64(AX), Y2
	VMOVDQU 96(AX), Y3
	MAGNITUDES(Y0)
	MAGNITUDES(Y1)
	MAGNITUDES(Y2)
	MAGNITUDES(Y3)
	VEXTRACTI128 $1, Y9, X1
	VPADDD  X1, X9, X9
	SUM_HALVES(X9, X0, X1)
	VMOVD   X0, AX
	MOVQ    AX, ret+8(FP)
	VZEROUPPER
	RET
