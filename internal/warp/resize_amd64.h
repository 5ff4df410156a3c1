// NEXT goes on with the block that begins at DX, up to the last that is whole, at CX; then,
// where more is left, with that.
#define NEXT(block, loop, done) \
	ADDQ $block, DX     \
	CMPQ DX, CX         \
	JLE  loop           \
	LEAQ block(CX), R8  \
	CMPQ DX, R8         \
	JGE  done           \
	MOVQ CX, DX         \
	JMP  loop

// DWORDS is four bytes to broadcast.
#define DWORDS(name, v) \
	DATA name<>+0(SB)/4, v    \
	GLOBL name<>(SB), RODATA|NOPTR, $4
