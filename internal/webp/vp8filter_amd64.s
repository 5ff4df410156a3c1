#include "go_asm.h"
#include "textflag.h"
#include "repeat_amd64.h"

// The loop filters, 16 samples of luma and 8 of each chroma at once: in the lower and the upper halves
// of registers. Y0 to Y7 are the samples across an edge, p3 p2 p1 p0 | q0 q1 q2 q3.

REPEAT(even, 0xfefefefefefefefe)
REPEAT(sign, 0x8080808080808080)
REPEAT(four, 0x0404040404040404)
REPEAT(three, 0x0303030303030303)
REPEAT(low5, 0x1f1f1f1f1f1f1f1f)
REPEAT(sixteen, 0x1010101010101010)
REPEAT(sixtyFour, 0x4040404040404040)
REPEAT(nine, 0x0900090009000900)
REPEAT(rounding, 0x003f003f003f003f)

#define DIFF(a, b, out, tmp) \
	VPSUBUSB a, b, out   \
	VPSUBUSB b, a, tmp   \
	VPOR     tmp, out, out

// X and Y are the distances of p0 and q0, and of p1 and q1: Y10 isn't 0 where they are above the limit.
#define STEEP(limit) \
	DIFF(Y3, Y4, Y10, Y11)       \
	VPADDUSB Y10, Y10, Y10       \
	DIFF(Y2, Y5, Y11, Y12)       \
	VPAND    even<>(SB), Y11, Y11 \
	VPSRLW   $1, Y11, Y11        \
	VPADDUSB Y11, Y10, Y10       \
	VPSUBUSB limit(DX), Y10, Y10

// Y8 is where samples are filtered, Y9 where both sides are flat. Y15 is 0.
#define MASKS(limit) \
	VPXOR    Y15, Y15, Y15    \
	DIFF(Y0, Y1, Y8, Y10)     \
	DIFF(Y1, Y2, Y10, Y11)    \
	VPMAXUB  Y10, Y8, Y8      \
	DIFF(Y2, Y3, Y9, Y11)     \
	DIFF(Y5, Y4, Y10, Y11)    \
	VPMAXUB  Y10, Y9, Y9      \
	VPMAXUB  Y9, Y8, Y8       \
	DIFF(Y6, Y5, Y10, Y11)    \
	VPMAXUB  Y10, Y8, Y8      \
	DIFF(Y7, Y6, Y10, Y11)    \
	VPMAXUB  Y10, Y8, Y8      \
	VPSUBUSB wideEdges_interior(DX), Y8, Y8 \
	VPSUBUSB wideEdges_variance(DX), Y9, Y9 \
	STEEP(limit)              \
	VPOR     Y10, Y8, Y8      \
	VPCMPEQB Y15, Y8, Y8      \
	VPCMPEQB Y15, Y9, Y9

// An eighth of signed bytes, rounded down.
#define EIGHTH(r) \
	VPXOR  sign<>(SB), r, r    \
	VPSRLW $3, r, r            \
	VPAND  low5<>(SB), r, r    \
	VPSUBB sixteen<>(SB), r, r

#define SIGNS2345 \
	VPXOR sign<>(SB), Y2, Y2 \
	VPXOR sign<>(SB), Y3, Y3 \
	VPXOR sign<>(SB), Y4, Y4 \
	VPXOR sign<>(SB), Y5, Y5

#define SIGNS16 \
	VPXOR sign<>(SB), Y1, Y1 \
	VPXOR sign<>(SB), Y6, Y6

// Adds three times q0-p0.
#define SLOPE(r, tmp) \
	VPSUBSB Y3, Y4, tmp \
	VPADDSB tmp, r, r   \
	VPADDSB tmp, r, r   \
	VPADDSB tmp, r, r

// Changes p0 and q0 by what r says.
#define TWO(r, tmp) \
	VPADDSB four<>(SB), r, tmp \
	EIGHTH(tmp)                \
	VPADDSB three<>(SB), r, r  \
	EIGHTH(r)                  \
	VPSUBSB tmp, Y4, Y4        \
	VPADDSB r, Y3, Y3

// Changes a sample on each side by an eighth of sixteenths in Y13 and Y14.
#define PAIR(p, q) \
	VPSRAW    $7, Y13, Y8 \
	VPSRAW    $7, Y14, Y9 \
	VPACKSSWB Y9, Y8, Y8  \
	VPADDSB   Y8, p, p    \
	VPSUBSB   Y8, q, q

// outerEdge
#define OUTER \
	MASKS(wideEdges_outer)       \
	SIGNS2345                    \
	SIGNS16                      \
	VPSUBSB    Y5, Y2, Y10       \
	SLOPE(Y10, Y11)              \
	VPAND      Y8, Y10, Y10      \
	VPANDN     Y10, Y9, Y12      \
	VPAND      Y9, Y10, Y10      \
	TWO(Y12, Y13)                \
	VPUNPCKLBW Y10, Y15, Y11     \
	VPUNPCKHBW Y10, Y15, Y12     \
	VPMULHW    nine<>(SB), Y11, Y11 \
	VPMULHW    nine<>(SB), Y12, Y12 \
	VPADDW     rounding<>(SB), Y11, Y13 \
	VPADDW     rounding<>(SB), Y12, Y14 \
	PAIR(Y1, Y6)                 \
	VPADDW     Y11, Y13, Y13     \
	VPADDW     Y12, Y14, Y14     \
	PAIR(Y2, Y5)                 \
	VPADDW     Y11, Y13, Y13     \
	VPADDW     Y12, Y14, Y14     \
	PAIR(Y3, Y4)                 \
	SIGNS2345                    \
	SIGNS16

// innerEdge
#define INNER \
	MASKS(wideEdges_inner)       \
	SIGNS2345                    \
	VPSUBSB Y5, Y2, Y10          \
	VPANDN  Y10, Y9, Y10         \
	SLOPE(Y10, Y11)              \
	VPAND   Y8, Y10, Y10         \
	TWO(Y10, Y11)                \
	VPXOR   sign<>(SB), Y11, Y11 \
	VPAVGB  Y15, Y11, Y11        \
	VPSUBB  sixtyFour<>(SB), Y11, Y11 \
	VPAND   Y9, Y11, Y11         \
	VPADDSB Y11, Y2, Y2          \
	VPSUBSB Y11, Y5, Y5          \
	SIGNS2345

// simpleEdge
#define SIMPLE(limit) \
	VPXOR    Y15, Y15, Y15       \
	STEEP(limit)                 \
	VPCMPEQB Y15, Y10, Y8        \
	SIGNS2345                    \
	VPSUBSB  Y5, Y2, Y10         \
	SLOPE(Y10, Y11)              \
	VPAND    Y8, Y10, Y10        \
	TWO(Y10, Y11)                \
	SIGNS2345

// Transposes 8x8 bytes in each 8 of Y0 to Y7.
#define TRANSPOSE \
	VPUNPCKLBW  Y1, Y0, Y8    \
	VPUNPCKHBW  Y1, Y0, Y9    \
	VPUNPCKLBW  Y3, Y2, Y10   \
	VPUNPCKHBW  Y3, Y2, Y11   \
	VPUNPCKLBW  Y5, Y4, Y12   \
	VPUNPCKHBW  Y5, Y4, Y13   \
	VPUNPCKLBW  Y7, Y6, Y14   \
	VPUNPCKHBW  Y7, Y6, Y15   \
	VPUNPCKLWD  Y10, Y8, Y0   \
	VPUNPCKHWD  Y10, Y8, Y1   \
	VPUNPCKLWD  Y14, Y12, Y2  \
	VPUNPCKHWD  Y14, Y12, Y3  \
	VPUNPCKLWD  Y11, Y9, Y4   \
	VPUNPCKHWD  Y11, Y9, Y5   \
	VPUNPCKLWD  Y15, Y13, Y6  \
	VPUNPCKHWD  Y15, Y13, Y7  \
	VPUNPCKLDQ  Y2, Y0, Y8    \
	VPUNPCKHDQ  Y2, Y0, Y9    \
	VPUNPCKLDQ  Y3, Y1, Y10   \
	VPUNPCKHDQ  Y3, Y1, Y11   \
	VPUNPCKLDQ  Y6, Y4, Y12   \
	VPUNPCKHDQ  Y6, Y4, Y13   \
	VPUNPCKLDQ  Y7, Y5, Y14   \
	VPUNPCKHDQ  Y7, Y5, Y15   \
	VPUNPCKLQDQ Y12, Y8, Y0   \
	VPUNPCKHQDQ Y12, Y8, Y1   \
	VPUNPCKLQDQ Y13, Y9, Y2   \
	VPUNPCKHQDQ Y13, Y9, Y3   \
	VPUNPCKLQDQ Y14, Y10, Y4  \
	VPUNPCKHQDQ Y14, Y10, Y5  \
	VPUNPCKLQDQ Y15, Y11, Y6  \
	VPUNPCKHQDQ Y15, Y11, Y7

// A row of eight samples: of luma, and of luma eight rows below (R10 is 8 rows).
#define GETROW(x) \
	VMOVQ   (SI), x                \
	VPINSRQ $1, (SI)(R10*1), x, x  \
	ADDQ    R8, SI

#define PUTROW(x) \
	VMOVQ   x, (SI)              \
	VPEXTRQ $1, x, (SI)(R10*1)   \
	ADDQ    R8, SI

// The same, and rows of both chromas.
#define GETROWS(x, y) \
	GETROW(x)                    \
	VMOVQ       (DI), X8         \
	VPINSRQ     $1, (BX), X8, X8 \
	VINSERTI128 $1, X8, y, y     \
	ADDQ        R9, DI           \
	ADDQ        R9, BX

#define PUTROWS(x, y) \
	PUTROW(x)                    \
	VEXTRACTI128 $1, y, X8       \
	VMOVQ        X8, (DI)        \
	VPEXTRQ      $1, X8, (BX)    \
	ADDQ         R9, DI          \
	ADDQ         R9, BX

#define GETCOLUMNS \
	GETROW(X0) \
	GETROW(X1) \
	GETROW(X2) \
	GETROW(X3) \
	GETROW(X4) \
	GETROW(X5) \
	GETROW(X6) \
	GETROW(X7) \
	SUBQ R10, SI \
	TRANSPOSE

#define PUTCOLUMNS \
	TRANSPOSE  \
	PUTROW(X0) \
	PUTROW(X1) \
	PUTROW(X2) \
	PUTROW(X3) \
	PUTROW(X4) \
	PUTROW(X5) \
	PUTROW(X6) \
	PUTROW(X7) \
	SUBQ R10, SI

#define GETALLCOLUMNS \
	GETROWS(X0, Y0) \
	GETROWS(X1, Y1) \
	GETROWS(X2, Y2) \
	GETROWS(X3, Y3) \
	GETROWS(X4, Y4) \
	GETROWS(X5, Y5) \
	GETROWS(X6, Y6) \
	GETROWS(X7, Y7) \
	SUBQ R10, SI \
	SUBQ R11, DI \
	SUBQ R11, BX \
	TRANSPOSE

#define PUTALLCOLUMNS \
	TRANSPOSE       \
	PUTROWS(X0, Y0) \
	PUTROWS(X1, Y1) \
	PUTROWS(X2, Y2) \
	PUTROWS(X3, Y3) \
	PUTROWS(X4, Y4) \
	PUTROWS(X5, Y5) \
	PUTROWS(X6, Y6) \
	PUTROWS(X7, Y7) \
	SUBQ R10, SI \
	SUBQ R11, DI \
	SUBQ R11, BX

// Sixteen samples of a row.
#define GETLINE(x) \
	VMOVDQU (SI), x \
	ADDQ    R8, SI

#define PUTLINE(x) \
	VMOVDQU x, (SI) \
	ADDQ    R8, SI

#define GETLINES(x, y) \
	GETLINE(x)                   \
	VMOVQ       (DI), X8         \
	VPINSRQ     $1, (BX), X8, X8 \
	VINSERTI128 $1, X8, y, y     \
	ADDQ        R9, DI           \
	ADDQ        R9, BX

#define PUTLINES(x, y) \
	PUTLINE(x)                   \
	VEXTRACTI128 $1, y, X8       \
	VMOVQ        X8, (DI)        \
	VPEXTRQ      $1, X8, (BX)    \
	ADDQ         R9, DI          \
	ADDQ         R9, BX

#define GETALLLINES \
	GETLINES(X0, Y0) \
	GETLINES(X1, Y1) \
	GETLINES(X2, Y2) \
	GETLINES(X3, Y3) \
	GETLINES(X4, Y4) \
	GETLINES(X5, Y5) \
	GETLINES(X6, Y6) \
	GETLINES(X7, Y7)

#define GETSOMELINES \
	GETLINE(X0) \
	GETLINE(X1) \
	GETLINE(X2) \
	GETLINE(X3) \
	GETLINE(X4) \
	GETLINE(X5) \
	GETLINE(X6) \
	GETLINE(X7)

// func filterAVX2(luma, cb, cr *uint8, strideLuma, strideChroma int, e *wideEdges, left, inner, upper bool)
TEXT ·filterAVX2(SB), NOSPLIT, $0-51
	MOVQ luma+0(FP), SI
	MOVQ cb+8(FP), DI
	MOVQ cr+16(FP), BX
	MOVQ strideLuma+24(FP), R8
	MOVQ strideChroma+32(FP), R9
	MOVQ e+40(FP), DX
	LEAQ (R8*8), R10
	LEAQ (R9*8), R11
	CMPB left+48(FP), $0
	JEQ  columns
	SUBQ $4, SI
	SUBQ $4, DI
	SUBQ $4, BX
	GETALLCOLUMNS
	OUTER
	PUTALLCOLUMNS
	ADDQ $4, SI
	ADDQ $4, DI
	ADDQ $4, BX

columns:
	CMPB inner+49(FP), $0
	JEQ  upper
	GETALLCOLUMNS
	INNER
	PUTALLCOLUMNS
	ADDQ $4, SI
	GETCOLUMNS
	INNER
	PUTCOLUMNS
	ADDQ $4, SI
	GETCOLUMNS
	INNER
	PUTCOLUMNS
	SUBQ $8, SI

upper:
	CMPB upper+50(FP), $0
	JEQ  lines
	SHRQ $1, R10
	SHRQ $1, R11
	SUBQ R10, SI
	SUBQ R11, DI
	SUBQ R11, BX
	GETALLLINES
	SUBQ R10, SI // to the second line: 7 lines up
	SUBQ R11, DI
	SUBQ R11, BX
	LEAQ (R8)(R8*2), AX
	LEAQ (R9)(R9*2), CX
	SUBQ AX, SI
	SUBQ CX, DI
	SUBQ CX, BX
	OUTER
	PUTLINES(X1, Y1)
	PUTLINES(X2, Y2)
	PUTLINES(X3, Y3)
	PUTLINES(X4, Y4)
	PUTLINES(X5, Y5)
	PUTLINES(X6, Y6)
	LEAQ (R8)(R8*2), AX
	LEAQ (R9)(R9*2), CX
	SUBQ AX, SI
	SUBQ CX, DI
	SUBQ CX, BX
	ADDQ R10, R10
	ADDQ R11, R11

lines:
	CMPB inner+49(FP), $0
	JEQ  done
	GETALLLINES
	LEAQ (R8)(R8*2), AX
	LEAQ (R9)(R9*2), CX
	LEAQ (AX)(AX*1), AX
	LEAQ (CX)(CX*1), CX
	SUBQ AX, SI
	SUBQ CX, DI
	SUBQ CX, BX
	INNER
	PUTLINES(X2, Y2)
	PUTLINES(X3, Y3)
	PUTLINES(X4, Y4)
	PUTLINES(X5, Y5)

	// The last four lines of one edge's samples, and those from here on: the edge four below it.
	MOVQ $2, CX

line:
	SHLQ $1, R8
	SUBQ R8, SI
	SHRQ $1, R8
	GETSOMELINES
	LEAQ (R8)(R8*2), AX
	LEAQ (AX)(AX*1), AX
	SUBQ AX, SI
	INNER
	PUTLINE(X2)
	PUTLINE(X3)
	PUTLINE(X4)
	PUTLINE(X5)
	DECQ CX
	JNE  line

done:
	VZEROUPPER
	RET

// func filterSimplyAVX2(luma *uint8, stride int, e *wideEdges, left, inner, upper bool)
TEXT ·filterSimplyAVX2(SB), NOSPLIT, $0-27
	MOVQ luma+0(FP), SI
	MOVQ stride+8(FP), R8
	MOVQ e+16(FP), DX
	LEAQ (R8*8), R10
	CMPB left+24(FP), $0
	JEQ  columns
	SUBQ $4, SI
	GETCOLUMNS
	SIMPLE(wideEdges_outer)
	PUTCOLUMNS
	ADDQ $4, SI

columns:
	CMPB inner+25(FP), $0
	JEQ  upper
	MOVQ $3, CX

column:
	GETCOLUMNS
	SIMPLE(wideEdges_inner)
	PUTCOLUMNS
	ADDQ $4, SI
	DECQ CX
	JNE  column
	SUBQ $12, SI

upper:
	CMPB upper+26(FP), $0
	JEQ  lines
	SUBQ R8, SI
	SUBQ R8, SI
	GETLINE(X2)
	GETLINE(X3)
	GETLINE(X4)
	GETLINE(X5)
	SIMPLE(wideEdges_outer)
	LEAQ (R8)(R8*2), AX
	SUBQ AX, SI
	PUTLINE(X3)
	PUTLINE(X4)
	SUBQ R8, SI

lines:
	CMPB inner+25(FP), $0
	JEQ  done
	MOVQ $3, CX

line:
	LEAQ (SI)(R8*2), SI
	GETLINE(X2)
	GETLINE(X3)
	GETLINE(X4)
	GETLINE(X5)
	SIMPLE(wideEdges_inner)
	LEAQ (R8)(R8*2), AX
	SUBQ AX, SI
	PUTLINE(X3)
	PUTLINE(X4)
	SUBQ R8, SI
	DECQ CX
	JNE  line

done:
	VZEROUPPER
	RET
