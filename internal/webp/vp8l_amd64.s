#include "textflag.h"
#include "go_asm.h"

// Loads bits: R8 has them, R9 their count, SI is the next byte. Uses T.
#define FILL(T) \
	MOVQ  (SI), T      \
	SHLXQ R9, T, T     \
	ORQ   T, R8        \
	MOVQ  R9, T        \
	XORQ  $63, T       \
	SHRQ  $3, T        \
	ADDQ  T, SI        \
	ORQ   $56, R9

// Replaces the root's entry E of a word that is longer by the word's own. Uses T.
#define SECOND(TABLE, E, T) \
	SHRQ    $8, R8             \
	SUBQ    $8, R9             \
	MOVL    E, T               \
	SHLL    $1, T              \
	SHRL    $9, T              \
	MOVBLZX E, E               \
	SUBL    $8, E              \
	BZHIL   E, R8, E           \
	ADDL    E, T               \
	MOVL    (TABLE)(T*4), E

// The next word's entry is looked up before the bits behind it are loaded: there are at least 11 from
// the pixel before.
//
// func literalsBMI2(r *bitReader, codes *group, tables, pix *uint32, n int, cache *uint32, shift uint) (done int, symbol uint32)
TEXT ·literalsBMI2(SB), NOSPLIT, $24-68
	MOVQ r+0(FP), AX
	MOVQ bitReader_bits(AX), R8
	MOVQ bitReader_count(AX), R9
	MOVQ bitReader_data(AX), SI
	MOVQ bitReader_data+8(AX), R10
	LEAQ -16(SI)(R10*1), R10
	MOVQ R10, limit-8(SP)
	ADDQ bitReader_at(AX), SI
	MOVQ tables+16(FP), CX
	MOVQ codes+8(FP), AX
	MOVL group_tables+0(AX), BX
	LEAQ (CX)(BX*4), BX
	MOVL group_tables+4(AX), R12
	LEAQ (CX)(R12*4), R12
	MOVL group_tables+8(AX), R13
	LEAQ (CX)(R13*4), R13
	MOVL group_tables+12(AX), DX
	LEAQ (CX)(DX*4), DX
	MOVQ DX, alpha-16(SP)
	MOVL group_literal(AX), R14
	MOVQ pix+24(FP), DI
	MOVQ n+32(FP), R11
	LEAQ (DI)(R11*4), R11
	MOVQ cache+40(FP), R15
	MOVBLZX group_opaque(AX), CX
	MOVBLZX group_trivial(AX), DX
	MOVQ shift+48(FP), BP
	CMPQ SI, limit-8(SP)
	JA   end
	FILL(AX)
	TESTL DX, DX
	JNZ  green
	TESTL CX, CX
	JZ   coded

	// Alpha takes no bits.
opaque:
	CMPQ SI, limit-8(SP)
	JA   end
	MOVBLZX R8, AX
	FILL(DX)
	MOVL (BX)(AX*4), CX
	CMPL CX, $(256<<8)
	JAE  opaqueOther

opaqueRed:
	SHRXQ   CX, R8, R8
	MOVBLZX R8, DX
	MOVL    (R12)(DX*4), DX
	TESTL   DX, DX
	JS      opaqueLongRed

opaqueBlue:
	SHRXQ   DX, R8, R8
	MOVBLZX R8, AX
	MOVL    (R13)(AX*4), AX
	TESTL   AX, AX
	JS      opaqueLongBlue

opaqueAll:
	SHRXQ   AX, R8, R8
	MOVL    CX, R10
	ADDL    DX, R10
	ADDL    AX, R10
	MOVBLZX R10, R10
	SUBQ    R10, R9
	ANDL    $0xffffff00, CX
	ANDL    $0xffffff00, DX
	SHLL    $8, DX
	SHRL    $8, AX
	ORL     CX, AX
	ORL     DX, AX
	ORL     R14, AX

opaqueStore:
	MOVL    AX, (DI)
	ADDQ    $4, DI
	TESTQ   R15, R15
	JZ      opaqueNext
	IMUL3L  $0x1e35a7bd, AX, DX
	SHRXL   BP, DX, DX
	MOVL    AX, (R15)(DX*4)

opaqueNext:
	CMPQ DI, R11
	JB   opaque
	JMP  end

opaqueLongRed:
	SECOND(R12, DX, AX)
	JMP opaqueBlue

opaqueLongBlue:
	SECOND(R13, AX, R10)
	JMP opaqueAll

opaqueOther:
	TESTL CX, CX
	JNS   opaqueSymbol
	SECOND(BX, CX, AX)
	CMPL  CX, $(256<<8)
	JB    opaqueRed

opaqueSymbol:
	SHRXQ   CX, R8, R8
	MOVBLZX CX, DX
	SUBQ    DX, R9
	SHRL    $8, CX
	SUBL    $const_cached, CX
	JB      copy
	MOVL    (R15)(CX*4), AX
	JMP     opaqueStore

	// All of green, red, blue and alpha take bits.
coded:
	CMPQ SI, limit-8(SP)
	JA   end
	MOVBLZX R8, AX
	FILL(DX)
	MOVL (BX)(AX*4), CX
	CMPL CX, $(256<<8)
	JAE  codedOther

codedRed:
	SHRXQ   CX, R8, R8
	MOVBLZX R8, DX
	MOVL    (R12)(DX*4), DX
	TESTL   DX, DX
	JS      codedLongRed

codedBlue:
	SHRXQ   DX, R8, R8
	MOVBLZX R8, AX
	MOVL    (R13)(AX*4), AX
	TESTL   AX, AX
	JS      codedLongBlue

codedAlpha:
	SHRXQ   AX, R8, R8
	MOVL    CX, R10
	ADDL    DX, R10
	ADDL    AX, R10
	MOVBLZX R10, R10
	SUBQ    R10, R9
	ANDL    $0xffffff00, CX
	ANDL    $0xffffff00, DX
	SHLL    $8, DX
	SHRL    $8, AX
	ORL     CX, AX
	ORL     DX, AX
	MOVQ    alpha-16(SP), CX
	MOVBLZX R8, DX
	FILL(R10)
	MOVL    (CX)(DX*4), DX
	TESTL   DX, DX
	JS      codedLongAlpha

codedAll:
	SHRXQ   DX, R8, R8
	MOVBLZX DX, R10
	SUBQ    R10, R9
	SHRL    $8, DX
	SHLL    $24, DX
	ORL     DX, AX

codedStore:
	MOVL    AX, (DI)
	ADDQ    $4, DI
	TESTQ   R15, R15
	JZ      codedNext
	IMUL3L  $0x1e35a7bd, AX, DX
	SHRXL   BP, DX, DX
	MOVL    AX, (R15)(DX*4)

codedNext:
	CMPQ DI, R11
	JB   coded
	JMP  end

codedLongRed:
	SECOND(R12, DX, AX)
	JMP codedBlue

codedLongBlue:
	SECOND(R13, AX, R10)
	JMP codedAlpha

codedLongAlpha:
	SECOND(CX, DX, R10)
	JMP codedAll

codedOther:
	TESTL CX, CX
	JNS   codedSymbol
	SECOND(BX, CX, AX)
	CMPL  CX, $(256<<8)
	JB    codedRed

codedSymbol:
	SHRXQ   CX, R8, R8
	MOVBLZX CX, DX
	SUBQ    DX, R9
	SHRL    $8, CX
	SUBL    $const_cached, CX
	JB      copy
	MOVL    (R15)(CX*4), AX
	JMP     codedStore

	// Only green takes bits.
green:
	CMPQ SI, limit-8(SP)
	JA   end
	MOVBLZX R8, AX
	FILL(DX)
	MOVL (BX)(AX*4), CX
	CMPL CX, $(256<<8)
	JAE  greenOther

greenAll:
	SHRXQ   CX, R8, R8
	MOVBLZX CX, DX
	SUBQ    DX, R9
	ANDL    $0xffffff00, CX
	MOVL    CX, AX
	ORL     R14, AX

greenStore:
	MOVL    AX, (DI)
	ADDQ    $4, DI
	TESTQ   R15, R15
	JZ      greenNext
	IMUL3L  $0x1e35a7bd, AX, DX
	SHRXL   BP, DX, DX
	MOVL    AX, (R15)(DX*4)

greenNext:
	CMPQ DI, R11
	JB   green
	JMP  end

greenOther:
	TESTL CX, CX
	JNS   greenSymbol
	SECOND(BX, CX, AX)
	CMPL  CX, $(256<<8)
	JB    greenAll

greenSymbol:
	SHRXQ   CX, R8, R8
	MOVBLZX CX, DX
	SUBQ    DX, R9
	SHRL    $8, CX
	SUBL    $const_cached, CX
	JB      copy
	MOVL    (R15)(CX*4), AX
	JMP     greenStore

end:
	MOVL $-const_cached, CX

copy:
	ADDL $const_cached, CX
	MOVL CX, symbol+64(FP)
	SUBQ pix+24(FP), DI
	SHRQ $2, DI
	MOVQ DI, done+56(FP)
	MOVQ r+0(FP), AX
	MOVQ R8, bitReader_bits(AX)
	MOVQ R9, bitReader_count(AX)
	SUBQ bitReader_data(AX), SI
	MOVQ SI, bitReader_at(AX)
	RET
