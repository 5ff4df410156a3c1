#include "textflag.h"
#include "go_asm.h"

// func expandBMI2(d *Decoder, limit int)
//
//	AX, R13  the string before: about and bytes    BX  the table
//	SI, R8   the next code, and the end of the codes
//	DI, R10  the next byte of out, and limit       R11  next    R12  previous
TEXT ·expandBMI2(SB), NOSPLIT, $0-16
	MOVQ d+0(FP), R9
	MOVQ limit+8(FP), R10
	LEAQ Decoder_strings(R9), BX
	MOVQ Decoder_out(R9), DX
	MOVQ Decoder_end(R9), DI
	ADDQ DX, DI
	ADDQ DX, R10
	MOVQ Decoder_at(R9), SI
	MOVQ Decoder_size(R9), R8
	LEAQ Decoder_codes(R9), DX
	LEAQ (DX)(SI*2), SI
	LEAQ (DX)(R8*2), R8
	MOVQ Decoder_next(R9), R11
	MOVQ Decoder_previous(R9), R12
	MOVQ R12, DX
	SHLQ $4, DX
	MOVQ piece_bytes(BX)(DX*1), R13
	MOVQ piece_about(BX)(DX*1), AX

code:
	CMPQ SI, R8
	JAE done
	CMPQ DI, R10
	JAE done
	MOVWLZX (SI), DX
	CMPQ DX, R11
	JHI done
	ADDQ $2, SI

	// The string that is made: in R14 where it is, in CX 8 times the number of bytes in R13, or 0
	// where its last byte is in a piece of its own.
	MOVQ R11, R14
	SHLQ $4, R14
	SHLQ $24, R12
	MOVL AX, CX
	ANDL $0xffffff, CX
	ORQ CX, R12
	XORL R15, R15
	MOVL AX, CX
	ANDL $7, CX
	CMOVQEQ R15, R13
	CMOVQEQ R12, AX
	SHLL $3, CX
	INCQ AX
	MOVQ AX, piece_about(BX)(R14*1)
	MOVQ DX, R12
	SHLQ $4, DX
	MOVQ piece_about(BX)(DX*1), AX // perhaps what was just made
	MOVL AX, R15
	SHRL $16, R15
	MOVBLZX R15, R15
	SHLXQ CX, R15, R15
	ORQ R15, R13
	MOVQ R13, piece_bytes(BX)(R14*1)
	MOVQ piece_bytes(BX)(DX*1), R13
	MOVWLZX AX, CX
	CMPL CX, $8
	JHI long
	MOVQ R13, (DI)

written:
	ADDQ CX, DI
	CMPQ R11, $const_full
	ADCQ $0, R11
	JMP code

long:
	// Pieces from the last one back.
	LEAQ -1(CX), DX
	ANDQ $~7, DX
	LEAQ (DI)(DX*1), R14
	MOVQ AX, DX
	MOVQ R13, (R14)

back:
	SHRQ $24, DX
	SHLQ $4, DX
	MOVQ piece_bytes(BX)(DX*1), R15
	MOVQ piece_about(BX)(DX*1), DX
	SUBQ $8, R14
	MOVQ R15, (R14)
	CMPQ R14, DI
	JHI back
	JMP written

done:
	LEAQ Decoder_codes(R9), DX
	SUBQ DX, SI
	SHRQ $1, SI
	MOVQ SI, Decoder_at(R9)
	SUBQ Decoder_out(R9), DI
	MOVQ DI, Decoder_end(R9)
	MOVQ R11, Decoder_next(R9)
	MOVQ R12, Decoder_previous(R9)
	RET
