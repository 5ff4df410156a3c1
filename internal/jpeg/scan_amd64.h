// The bit reader, for what decodes scans.

// The place of coefficients in zigzag order: zigzag of jpeg.go.
DATA places<>+0x00(SB)/8, $0x0a03020910080100
DATA places<>+0x08(SB)/8, $0x05040b1219201811
DATA places<>+0x10(SB)/8, $0x22293028211a130c
DATA places<>+0x18(SB)/8, $0x1c150e07060d141b
DATA places<>+0x20(SB)/8, $0x242b323938312a23
DATA places<>+0x28(SB)/8, $0x332c251e170f161d
DATA places<>+0x30(SB)/8, $0x2e271f262d343b3a
DATA places<>+0x38(SB)/8, $0x3f3e372f363d3c35
GLOBL places<>(SB), RODATA|NOPTR, $64

DATA low<>+0(SB)/8, $0x0101010101010101
GLOBL low<>(SB), RODATA|NOPTR, $8
DATA high<>+0(SB)/8, $0x8080808080808080
GLOBL high<>(SB), RODATA|NOPTR, $8

// The reader: SI the next byte, R14 the last place to read eight from, R9 acc, R10 n, at most
// 63, of which FILL and PASS_PAIR look at the lowest six bits only.
// As bits.fill; where that is not possible, to elsewhere. A byte of 0xff is one whose highest
// bit is lost when 1 is added to it.
#define FILL(elsewhere) \
	CMPQ   SI, R14        \
	JHI    elsewhere      \
	MOVQ   (SI), CX       \
	BSWAPQ CX             \
	MOVQ   CX, DX         \
	ADDQ   low<>(SB), DX  \
	ANDNQ  CX, DX, DX     \
	TESTQ  high<>(SB), DX \
	JNE    elsewhere      \
	SHRXQ  R10, CX, CX    \
	ORQ    CX, R9         \
	MOVL   R10, CX        \
	NOTL   CX             \
	ANDL   $63, CX        \
	SHRL   $3, CX         \
	ADDQ   CX, SI         \
	ORQ    $56, R10

// As bits.fillSlow, but that it goes elsewhere at a marker, and near the end.
#define FILL_BYTES(next, plain, end, elsewhere) \
	LEAQ  6(R14), R8       \
	ANDL  $63, R10         \
next:                      \
	CMPQ  R10, $56         \
	JHS   end              \
	CMPQ  SI, R8           \
	JHI   elsewhere        \
	MOVBLZX (SI), CX       \
	CMPL  CX, $0xff        \
	JNE   plain            \
	CMPB  1(SI), $0        \
	JNE   elsewhere        \
	INCQ  SI               \
plain:                     \
	INCQ  SI               \
	MOVL  $56, DX          \
	SUBQ  R10, DX          \
	SHLXQ DX, CX, CX       \
	ORQ   CX, R9           \
	ADDQ  $8, R10          \
	JMP   next             \
end:

// An entry's code in BX is passed, and then its size bits are taken to DX, extended.
#define PASS_CODE \
	SHLXQ   BX, R9, R9 \
	MOVBLZX BX, CX     \
	SUBQ    CX, R10

// A value whose first bit is 0 is minus what its bits inverted say.
#define TAKE_VALUE \
	MOVL  BX, CX       \
	SHRL  $8, CX       \
	ANDL  $15, CX      \
	MOVQ  R9, R8       \
	SARQ  $63, R8      \
	NOTQ  R8           \
	MOVQ  R9, DX       \
	XORQ  R8, DX       \
	NEGL  CX           \
	SHRXQ CX, DX, DX   \
	NEGL  CX           \
	XORL  R8, DX       \
	SUBL  R8, DX       \
	SHLXQ CX, R9, R9   \
	SUBQ  CX, R10

#define LOOKUP \
	MOVQ R9, BX                     \
	SHRQ $(64-const_lutBits), BX    \
	MOVL huffman_lut(R11)(BX*4), BX

// Without size and value an entry is the end of the block, 16 zeros, or no code.
#define NO_END(elsewhere) \
	MOVL  BX, CX    \
	SHRL  $12, CX   \
	CMPL  CX, $15   \
	JEQ   elsewhere \
	TESTL BX, BX    \
	JEQ   elsewhere

#define LOAD_READER \
	MOVQ b+0(FP), BX             \
	MOVQ bits_data(BX), SI       \
	MOVQ (bits_data+8)(BX), R14  \
	LEAQ -8(SI)(R14*1), R14      \
	ADDQ bits_pos(BX), SI        \
	MOVQ bits_acc(BX), R9        \
	MOVQ bits_n(BX), R10

#define STORE_READER \
	MOVQ b+0(FP), BX       \
	SUBQ bits_data(BX), SI \
	MOVQ SI, bits_pos(BX)  \
	MOVQ R9, bits_acc(BX)  \
	MOVQ R10, bits_n(BX)
