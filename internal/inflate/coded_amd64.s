#include "go_asm.h"
#include "textflag.h"

// The symbols of a block. BX holds the next bits, CX (its low six bits) how many; SI is the next byte of the
// data and R8 the last at which there are enough, DI the end of what was decoded and R9 its limit, R10 and R11 the tables
// of literals and distances, R12 the first byte that a match may take. AX is the entry at hand.

// At least 56 bits.
#define REFILL \
	MOVQ  (SI), DX   \
	SHLXQ CX, DX, DX \
	ORQ   DX, BX     \
	MOVL  CX, DX     \
	NOTL  DX         \
	SHRL  $3, DX     \
	ANDL  $7, DX     \
	ADDQ  DX, SI     \
	ORL   $56, CX

#define TAKE \
	SHRXQ AX, BX, BX \
	SUBL  AX, CX

#define LOOKUP \
	MOVL BX, DX               \
	ANDL $2047, DX            \
	MOVL (R10)(DX*4), AX

// Up to three literals; what is written behind them is written again.
#define LITERALS \
	MOVL AX, DX   \
	SHRL $8, DX   \
	MOVL DX, (DI) \
	MOVL AX, DX   \
	SHRL $6, DX   \
	ANDL $3, DX   \
	ADDQ DX, DI

// The value of a length or a distance with its extra bits, and what is left of the bits.
#define VALUE(reg) \
	MOVL  AX, DX       \
	SHRL  $8, DX       \
	BZHIQ AX, BX, reg  \
	SHRXQ DX, reg, reg \
	MOVL  AX, DX       \
	SHRL  $14, DX      \
	ADDQ  DX, reg      \
	TAKE

// The entry in the second table that AX links to; index is what follows the first's bits.
#define LINKED(table, size) \
	MOVL  AX, R13            \
	SHRL  $8, R13            \
	ANDL  $15, R13           \
	MOVQ  BX, DX             \
	SHRQ  $size, DX          \
	BZHIQ R13, DX, DX        \
	SHRL  $14, AX            \
	ADDQ  DX, AX             \
	MOVL  (table)(AX*4), AX

// func codedAVX2(r *Reader, limit, first int, patterns *repeats)
TEXT ·codedAVX2(SB), NOSPLIT, $16-32
	MOVQ r+0(FP), R13
	MOVQ Reader_in(R13), SI
	MOVQ (Reader_in+8)(R13), R8
	LEAQ -16(SI)(R8*1), R8
	ADDQ Reader_pos(R13), SI
	MOVQ Reader_bits(R13), BX
	MOVQ Reader_have(R13), CX
	MOVQ Reader_out(R13), DI
	MOVQ limit+8(FP), R9
	ADDQ DI, R9
	MOVQ first+16(FP), R12
	ADDQ DI, R12
	ADDQ Reader_end(R13), DI
	LEAQ (Reader_code+tables_literals)(R13), R10
	LEAQ (Reader_code+tables_distances)(R13), R11
	CMPQ DI, R9
	JAE  done
	CMPQ SI, R8
	JA   done
	REFILL
	LOOKUP

next:
	TESTL $0xc0, AX
	JZ    other
	TAKE
	LITERALS
	LOOKUP
	TESTL $0xc0, AX
	JZ    other
	TAKE
	LITERALS
	LOOKUP
	TESTL $0xc0, AX
	JZ    other
	TAKE
	LITERALS
	LOOKUP
	TESTL $0xc0, AX
	JZ    other

fourth:
	// At least 12 bits are left, so that the look-up doesn't wait for more.
	TAKE
	LITERALS
	CMPQ DI, R9
	JAE  done
	CMPQ SI, R8
	JA   done
	LOOKUP
	REFILL
	JMP  next

other:
	// There may be as few as 23 bits, and so much data that 8 bytes can be read.
	REFILL
	TESTL $0x20, AX
	JNZ   special

match:
	MOVQ BX, bits-8(SP)
	MOVQ CX, have-16(SP)
	VALUE(R13)           // the length
	MOVL BX, DX
	ANDL $511, DX
	MOVL (R11)(DX*4), AX
	TESTL $0x20, AX
	JNZ  far

distance:
	VALUE(R14)
	MOVQ DI, R15
	SUBQ R14, R15 // where it begins
	CMPQ R15, R12
	JB   back
	CMPQ SI, R8
	JA   last
	REFILL
	LOOKUP
	CMPQ R14, $32
	JB   near

	VMOVDQU (R15), Y0
	VMOVDQU Y0, (DI)
	CMPQ    R13, $32
	JA      long
	ADDQ    R13, DI
	CMPQ    DI, R9
	JB      next
	JMP     done

long:
	ADDQ DI, R13 // its end

more:
	ADDQ    $32, R15
	ADDQ    $32, DI
	VMOVDQU (R15), Y0
	VMOVDQU Y0, (DI)
	LEAQ    32(DI), DX
	CMPQ    DX, R13
	JB      more
	MOVQ    R13, DI
	CMPQ    DI, R9
	JB      next
	JMP     done

near:
	ADDQ DI, R13
	CMPQ R14, $1
	JE   run
	CMPQ R14, $16
	JAE  halves

	// 16 bytes of the pattern, and as many of them as are whole patterns at a time.
	MOVQ    patterns+24(FP), DX
	VMOVDQU (R15), X0
	MOVBQZX repeats_whole(DX)(R14*1), R15
	SHLQ    $4, R14
	VPSHUFB (DX)(R14*1), X0, X0

repeated:
	VMOVDQU X0, (DI)
	ADDQ    R15, DI
	CMPQ    DI, R13
	JB      repeated
	MOVQ    R13, DI
	CMPQ    DI, R9
	JB      next
	JMP     done

halves:
	VMOVDQU (R15), X0
	VMOVDQU X0, (DI)
	ADDQ    $16, R15
	ADDQ    $16, DI
	CMPQ    DI, R13
	JB      halves
	MOVQ    R13, DI
	CMPQ    DI, R9
	JB      next
	JMP     done

run:
	VPBROADCASTB (R15), Y0

fill:
	VMOVDQU Y0, (DI)
	ADDQ    $32, DI
	CMPQ    DI, R13
	JB      fill
	MOVQ    R13, DI
	CMPQ    DI, R9
	JB      next
	JMP     done

special:
	TESTL $0x10, AX
	JZ    done
	LINKED(R10, 11)
	TESTL $0xc0, AX
	JNZ   fourth
	TESTL $0x20, AX
	JZ    match
	JMP   done

far:
	TESTL $0x10, AX
	JZ    back
	MOVQ  R13, R14
	LINKED(R11, 9)
	MOVQ  R14, R13
	TESTL $0x20, AX
	JZ    distance
	JMP   back

last:
	// Few data are left: this match is made again.
back:
	MOVQ bits-8(SP), BX
	MOVQ have-16(SP), CX

done:
	MOVQ r+0(FP), R13
	SUBQ Reader_in(R13), SI
	MOVQ SI, Reader_pos(R13)
	MOVQ BX, Reader_bits(R13)
	ANDL $63, CX
	MOVQ CX, Reader_have(R13)
	SUBQ Reader_out(R13), DI
	MOVQ DI, Reader_end(R13)
	VZEROUPPER
	RET
