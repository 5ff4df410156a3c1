package png

import "golang.org/x/sys/cpu"

func haveAssembly() bool { return cpu.X86.HasAVX2 }

// The routines take n > 0 coded bytes, and read and write up to overrun bytes more.

//go:noescape
func upAVX2(row, coded, above *byte, n int)

// subAVX2 is subFilter for pixels of up to eight bytes, sub1AVX2 for those of one.
//
//go:noescape
func subAVX2(row, coded *byte, n, pixel int)

//go:noescape
func sub1AVX2(row, coded *byte, n int)

//go:noescape
func averageAVX2(row, coded, above *byte, n, pixel int)

//go:noescape
func paethAVX2(row, coded, above *byte, n, pixel int)

// paeth1AVX2 is paeth1, out of place.
//
//go:noescape
func paeth1AVX2(row, coded, above *byte, n int)

// unfilterFast is unfilter; false: it can't.
func unfilterFast(filter byte, row, coded, above []byte, pixel int) bool {
	n := len(coded)
	if !useAssembly || n == 0 || cap(coded) < n+overrun || pixel > 8 {
		return false
	}
	into, from := &row[rowLead : rowLead+n+overrun][0], &above[rowLead : rowLead+n+overrun][0]
	switch {
	case filter == upFilter:
		upAVX2(into, &coded[0], from, n)
	case filter == subFilter && pixel == 1:
		sub1AVX2(into, &coded[0], n)
	case filter == subFilter:
		subAVX2(into, &coded[0], n, pixel)
	case filter == averageFilter:
		averageAVX2(into, &coded[0], from, n, pixel)
	case filter == paethFilter && pixel == 1:
		paeth1AVX2(into, &coded[0], from, n)
	case filter == paethFilter:
		paethAVX2(into, &coded[0], from, n, pixel)
	default:
		return false
	}
	return true
}

// highAVX2 takes the first of each two of the first 64*n bytes of row.
//
//go:noescape
func highAVX2(high, row *byte, n int)

// takeHighFast is takeHigh of as many bytes as it returns.
func takeHighFast(high, row []byte) int {
	n := len(high) / 32
	if !useAssembly || n == 0 || len(row) < 64*n {
		return 0
	}
	highAVX2(&high[0], &row[0], n)
	return 32 * n
}
