package decode

import "golang.org/x/sys/cpu"

func haveAssembly() bool { return cpu.X86.HasAVX2 }

//go:noescape
func convertYCCAVX2(dst, luma, cb, cr *uint8, n int)

//go:noescape
func upsampleH2V2AVX2(dst, near, far *uint8, n int)

//go:noescape
func upsampleH2AVX2(dst, src *uint8, n int)

// The functions below check the lengths that the assembly relies on.

func convertYCC(dst []uint8, rows *[4][]uint8) {
	n := len(dst) / 3
	if !useAssembly || n < 16 {
		convertYCCGo(dst, rows)
		return
	}
	_, _, _ = rows[0][n-1], rows[1][n-1], rows[2][n-1]
	convertYCCAVX2(&dst[0], &rows[0][0], &rows[1][0], &rows[2][0], n)
}

// fewest is the samples from which on a row that is too short for the assembly is copied to where it
// has room: those of pictures of 32 x 32.
const fewest = 8

func upsampleH2(dst, src []uint8) {
	n := min(len(src)-2, len(dst)/2)
	if !useAssembly || n < fewest {
		upsampleH2Go(dst, src)
		return
	}
	if n < 16 {
		var in [18]uint8
		var out [32]uint8
		copy(in[:], src[:n+2])
		upsampleH2AVX2(&out[0], &in[1], 16)
		copy(dst, out[:2*n])
		return
	}
	upsampleH2AVX2(&dst[0], &src[1], n)
}

func upsampleH2V2(dst, near, far []uint8) {
	n := min(len(near)-2, len(dst)/2)
	if !useAssembly || n < fewest {
		upsampleH2V2Go(dst, near, far)
		return
	}
	if n < 16 {
		var in [2][18]uint8
		var out [32]uint8
		copy(in[0][:], near[:n+2])
		copy(in[1][:], far[:n+2])
		upsampleH2V2AVX2(&out[0], &in[0][1], &in[1][1], 16)
		copy(dst, out[:2*n])
		return
	}
	_ = far[n+1]
	upsampleH2V2AVX2(&dst[0], &near[1], &far[1], n)
}
