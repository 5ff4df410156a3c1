#include "go_asm.h"
#include "textflag.h"
#include "transpose_amd64.h"

// The forward DCT of two neighbouring blocks at once, one in each half of the registers, and
// the division of its coefficients: fdct.go's, in 32 bits on pairs of 16-bit values that
// VPMADDWD multiplies and adds, as libjpeg-turbo's SIMD code does.

// Pairs of factors, by the coefficient that they give, for pairs of sums or differences.
DATA fdct2<>+0x00(SB)/8, $0x115129cf115129cf
DATA fdct2<>+0x08(SB)/8, $0x115129cf115129cf
DATA fdct2<>+0x10(SB)/8, $0x115129cf115129cf
DATA fdct2<>+0x18(SB)/8, $0x115129cf115129cf
GLOBL fdct2<>(SB), RODATA|NOPTR, $32
DATA fdct6<>+0x00(SB)/8, $0xd6301151d6301151
DATA fdct6<>+0x08(SB)/8, $0xd6301151d6301151
DATA fdct6<>+0x10(SB)/8, $0xd6301151d6301151
DATA fdct6<>+0x18(SB)/8, $0xd6301151d6301151
GLOBL fdct6<>(SB), RODATA|NOPTR, $32
DATA fdct37<>+0x00(SB)/8, $0x25a1e6dc25a1e6dc
DATA fdct37<>+0x08(SB)/8, $0x25a1e6dc25a1e6dc
DATA fdct37<>+0x10(SB)/8, $0x25a1e6dc25a1e6dc
DATA fdct37<>+0x18(SB)/8, $0x25a1e6dc25a1e6dc
GLOBL fdct37<>(SB), RODATA|NOPTR, $32
DATA fdct15<>+0x00(SB)/8, $0x192525a1192525a1
DATA fdct15<>+0x08(SB)/8, $0x192525a1192525a1
DATA fdct15<>+0x10(SB)/8, $0x192525a1192525a1
DATA fdct15<>+0x18(SB)/8, $0x192525a1192525a1
GLOBL fdct15<>(SB), RODATA|NOPTR, $32
DATA fdct7<>+0x00(SB)/8, $0xe333ecc1e333ecc1
DATA fdct7<>+0x08(SB)/8, $0xe333ecc1e333ecc1
DATA fdct7<>+0x10(SB)/8, $0xe333ecc1e333ecc1
DATA fdct7<>+0x18(SB)/8, $0xe333ecc1e333ecc1
GLOBL fdct7<>(SB), RODATA|NOPTR, $32
DATA fdct1<>+0x00(SB)/8, $0x133ee333133ee333
DATA fdct1<>+0x08(SB)/8, $0x133ee333133ee333
DATA fdct1<>+0x10(SB)/8, $0x133ee333133ee333
DATA fdct1<>+0x18(SB)/8, $0x133ee333133ee333
GLOBL fdct1<>(SB), RODATA|NOPTR, $32
DATA fdct5<>+0x00(SB)/8, $0xadfdefb0adfdefb0
DATA fdct5<>+0x08(SB)/8, $0xadfdefb0adfdefb0
DATA fdct5<>+0x10(SB)/8, $0xadfdefb0adfdefb0
DATA fdct5<>+0x18(SB)/8, $0xadfdefb0adfdefb0
GLOBL fdct5<>(SB), RODATA|NOPTR, $32
DATA fdct3<>+0x00(SB)/8, $0x1051adfd1051adfd
DATA fdct3<>+0x08(SB)/8, $0x1051adfd1051adfd
DATA fdct3<>+0x10(SB)/8, $0x1051adfd1051adfd
DATA fdct3<>+0x18(SB)/8, $0x1051adfd1051adfd
GLOBL fdct3<>(SB), RODATA|NOPTR, $32

DATA fdctHalf1<>+0x00(SB)/8, $0x0000040000000400
DATA fdctHalf1<>+0x08(SB)/8, $0x0000040000000400
DATA fdctHalf1<>+0x10(SB)/8, $0x0000040000000400
DATA fdctHalf1<>+0x18(SB)/8, $0x0000040000000400
GLOBL fdctHalf1<>(SB), RODATA|NOPTR, $32
DATA fdctHalf2<>+0x00(SB)/8, $0x0000400000004000
DATA fdctHalf2<>+0x08(SB)/8, $0x0000400000004000
DATA fdctHalf2<>+0x10(SB)/8, $0x0000400000004000
DATA fdctHalf2<>+0x18(SB)/8, $0x0000400000004000
GLOBL fdctHalf2<>(SB), RODATA|NOPTR, $32
DATA fdctTwo<>+0x00(SB)/8, $0x0002000200020002
DATA fdctTwo<>+0x08(SB)/8, $0x0002000200020002
DATA fdctTwo<>+0x10(SB)/8, $0x0002000200020002
DATA fdctTwo<>+0x18(SB)/8, $0x0002000200020002
GLOBL fdctTwo<>(SB), RODATA|NOPTR, $32
DATA fdctLevel<>+0x00(SB)/8, $0x0080008000800080
DATA fdctLevel<>+0x08(SB)/8, $0x0080008000800080
DATA fdctLevel<>+0x10(SB)/8, $0x0080008000800080
DATA fdctLevel<>+0x18(SB)/8, $0x0080008000800080
GLOBL fdctLevel<>(SB), RODATA|NOPTR, $32

// Two registers of 32-bit sums to one of 16-bit coefficients.
#define NARROW(a, b, shift, to) \
	VPSRAD    $shift, a, a \
	VPSRAD    $shift, b, b \
	VPACKSSDW b, a, to

// Lines 0..7 in Y0..Y7 to their coefficients; SCALE makes those of lines 0 and 4, in Y0 and Y10.
#define FDCT(half, shift, SCALE) \
	VPADDW     Y7, Y0, Y8         \
	VPSUBW     Y7, Y0, Y7         \
	VPADDW     Y6, Y1, Y9         \
	VPSUBW     Y6, Y1, Y6         \
	VPADDW     Y5, Y2, Y10        \
	VPSUBW     Y5, Y2, Y5         \
	VPADDW     Y4, Y3, Y11        \
	VPSUBW     Y4, Y3, Y4         \
	VPADDW     Y11, Y8, Y12       \
	VPSUBW     Y11, Y8, Y8        \
	VPADDW     Y10, Y9, Y13       \
	VPSUBW     Y10, Y9, Y9        \
	VPADDW     Y13, Y12, Y0       \
	VPSUBW     Y13, Y12, Y10      \
	SCALE                         \
	VPUNPCKLWD Y9, Y8, Y11        \
	VPUNPCKHWD Y9, Y8, Y12        \
	VPMADDWD   fdct2<>(SB), Y11, Y2  \
	VPMADDWD   fdct2<>(SB), Y12, Y3  \
	VPMADDWD   fdct6<>(SB), Y11, Y11 \
	VPMADDWD   fdct6<>(SB), Y12, Y12 \
	VPADDD     half<>(SB), Y2, Y2    \
	VPADDD     half<>(SB), Y3, Y3    \
	VPADDD     half<>(SB), Y11, Y11  \
	VPADDD     half<>(SB), Y12, Y12  \
	NARROW(Y2, Y3, shift, Y2)     \
	NARROW(Y11, Y12, shift, Y14)  \
	VPADDW     Y6, Y4, Y8         \
	VPADDW     Y7, Y5, Y9         \
	VPUNPCKLWD Y9, Y8, Y11        \
	VPUNPCKHWD Y9, Y8, Y12        \
	VPMADDWD   fdct37<>(SB), Y11, Y8  \
	VPMADDWD   fdct37<>(SB), Y12, Y9  \
	VPMADDWD   fdct15<>(SB), Y11, Y11 \
	VPMADDWD   fdct15<>(SB), Y12, Y12 \
	VPADDD     half<>(SB), Y8, Y8     \
	VPADDD     half<>(SB), Y9, Y9     \
	VPADDD     half<>(SB), Y11, Y11   \
	VPADDD     half<>(SB), Y12, Y12   \
	VPUNPCKLWD Y7, Y4, Y13        \
	VPUNPCKHWD Y7, Y4, Y15        \
	VPMADDWD   fdct7<>(SB), Y13, Y7   \
	VPMADDWD   fdct7<>(SB), Y15, Y4   \
	VPADDD     Y8, Y7, Y7         \
	VPADDD     Y9, Y4, Y4         \
	NARROW(Y7, Y4, shift, Y7)     \
	VPMADDWD   fdct1<>(SB), Y13, Y1   \
	VPMADDWD   fdct1<>(SB), Y15, Y4   \
	VPADDD     Y11, Y1, Y1        \
	VPADDD     Y12, Y4, Y4        \
	NARROW(Y1, Y4, shift, Y1)     \
	VPUNPCKLWD Y6, Y5, Y13        \
	VPUNPCKHWD Y6, Y5, Y15        \
	VPMADDWD   fdct5<>(SB), Y13, Y5   \
	VPMADDWD   fdct5<>(SB), Y15, Y4   \
	VPADDD     Y11, Y5, Y5        \
	VPADDD     Y12, Y4, Y4        \
	NARROW(Y5, Y4, shift, Y5)     \
	VPMADDWD   fdct3<>(SB), Y13, Y3   \
	VPMADDWD   fdct3<>(SB), Y15, Y4   \
	VPADDD     Y8, Y3, Y3         \
	VPADDD     Y9, Y4, Y4         \
	NARROW(Y3, Y4, shift, Y3)     \
	VMOVDQA    Y10, Y4            \
	VMOVDQA    Y14, Y6

#define SCALE1 \
	VPSLLW $2, Y0, Y0   \
	VPSLLW $2, Y10, Y10

#define SCALE2 \
	VPADDW fdctTwo<>(SB), Y0, Y0   \
	VPADDW fdctTwo<>(SB), Y10, Y10 \
	VPSRAW $2, Y0, Y0              \
	VPSRAW $2, Y10, Y10

#define LOAD_SAMPLES(y) \
	VPMOVZXBW (SI), y                  \
	VPSUBW    fdctLevel<>(SB), y, y    \
	ADDQ      DX, SI

// Divides a row of coefficients, stores it, and leaves -1 for those that are 0.
#define QUANTIZE(row, y, x) \
	VPABSW       y, Y8                                         \
	VPADDW       (divisors_words+32*row)(BX), Y8, Y8           \
	VPMULHUW     (divisors_words+256+32*row)(BX), Y8, Y8       \
	VPMULHUW     (divisors_words+512+32*row)(BX), Y8, Y8       \
	VPSIGNW      y, Y8, y                                      \
	VMOVDQU      x, (encBlock_values+16*row)(DI)               \
	VEXTRACTI128 $1, y, (encBlock__size+encBlock_values+16*row)(DI) \
	VPCMPEQW     Y9, y, y

// The bytes of two rows that are among 16 in zigzag order.
#define PICK(to, from, rows, y) \
	VBROADCASTI128 (64*to+16*rows)(R8), y \
	VPSHUFB        y, from, y

// func transform2AVX2(blocks *encBlock, samples *uint8, stride int, d *divisors, zigzag *[4][4][16]uint8)
TEXT ·transform2AVX2(SB), NOSPLIT, $0-40
	MOVQ blocks+0(FP), DI
	MOVQ samples+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ d+24(FP), BX
	MOVQ zigzag+32(FP), R8
	LOAD_SAMPLES(Y0)
	LOAD_SAMPLES(Y1)
	LOAD_SAMPLES(Y2)
	LOAD_SAMPLES(Y3)
	LOAD_SAMPLES(Y4)
	LOAD_SAMPLES(Y5)
	LOAD_SAMPLES(Y6)
	LOAD_SAMPLES(Y7)
	TRANSPOSE
	FDCT(fdctHalf1, 11, SCALE1)
	TRANSPOSE
	FDCT(fdctHalf2, 15, SCALE2)

	VPXOR Y9, Y9, Y9
	QUANTIZE(0, Y0, X0)
	QUANTIZE(1, Y1, X1)
	QUANTIZE(2, Y2, X2)
	QUANTIZE(3, Y3, X3)
	QUANTIZE(4, Y4, X4)
	QUANTIZE(5, Y5, X5)
	QUANTIZE(6, Y6, X6)
	QUANTIZE(7, Y7, X7)
	VPACKSSWB Y1, Y0, Y0
	VPACKSSWB Y3, Y2, Y1
	VPACKSSWB Y5, Y4, Y2
	VPACKSSWB Y7, Y6, Y3

	PICK(0, Y0, 0, Y4)
	PICK(0, Y1, 1, Y8)
	PICK(0, Y2, 2, Y9)
	VPOR Y8, Y4, Y4
	VPOR Y9, Y4, Y4
	PICK(1, Y0, 0, Y5)
	PICK(1, Y1, 1, Y8)
	PICK(1, Y2, 2, Y9)
	PICK(1, Y3, 3, Y10)
	VPOR Y8, Y5, Y5
	VPOR Y10, Y9, Y9
	VPOR Y9, Y5, Y5
	PICK(2, Y0, 0, Y6)
	PICK(2, Y1, 1, Y8)
	PICK(2, Y2, 2, Y9)
	PICK(2, Y3, 3, Y10)
	VPOR Y8, Y6, Y6
	VPOR Y10, Y9, Y9
	VPOR Y9, Y6, Y6
	PICK(3, Y1, 1, Y7)
	PICK(3, Y2, 2, Y8)
	PICK(3, Y3, 3, Y9)
	VPOR Y8, Y7, Y7
	VPOR Y9, Y7, Y7

	// Bits of the first block, and of the second.
	VPERM2I128 $0x20, Y5, Y4, Y8
	VPERM2I128 $0x31, Y5, Y4, Y4
	VPERM2I128 $0x20, Y7, Y6, Y9
	VPERM2I128 $0x31, Y7, Y6, Y6
	VPMOVMSKB Y8, AX
	VPMOVMSKB Y9, CX
	SHLQ $32, CX
	ORQ  CX, AX
	NOTQ AX
	MOVQ AX, encBlock_nonzero(DI)
	VPMOVMSKB Y4, AX
	VPMOVMSKB Y6, CX
	SHLQ $32, CX
	ORQ  CX, AX
	NOTQ AX
	MOVQ AX, (encBlock__size+encBlock_nonzero)(DI)
	VZEROUPPER
	RET
