package gorgoniatrainer

import (
	"golang.org/x/sys/cpu"

	"github.com/sluicedata/sluice/trainer"
)

// useAssembly reports whether the processor has what kernels_amd64.s needs.
var useAssembly = haveAssembly()

func haveAssembly() bool { return cpu.X86.HasAVX2 }

//go:noescape
func convPoolAVX2(dst, dst2 *float32, arg, arg2 *uint8, x, w, bias *float32, pitch, phase, channels, n int)

//go:noescape
func gatherAVX2(sums, dy *float32, arg *uint8, n int, x *float32, offset *[5]int, step int, zeros *float32)

//go:noescape
func dot4AVX2(out, x, w *float32, stride, n int)

//go:noescape
func gemm4AVX2(c *float32, cStride int, a *float32, aStride int, b *float32, bStride, depth, n, add int)

//go:noescape
func gemm1AVX2(c, a, b *float32, bStride, depth, n, add int)

//go:noescape
func axpyAVX2(dst, x *float32, f float32, n int)

//go:noescape
func adamAVX2(param, gradient, mean, square *float32, k *trainer.AdamFactors, n int)

// The functions below check the lengths that the assembly relies on.

func convPool(dst, dst2 []float32, arg, arg2 []uint8, x, w []float32, bias *[2]float32, b block, n int) {
	if !useAssembly || n == 0 || n%8 != 0 {
		convPoolGo(dst, dst2, arg, arg2, x, w, bias, b, n)
		return
	}
	_, _, _, _ = dst[n-1], dst2[n-1], arg[n-1], arg2[n-1]
	_, _ = x[(4*b.channels-1)*b.phase+b.pitch+n], w[18*b.channels-1]
	convPoolAVX2(&dst[0], &dst2[0], &arg[0], &arg2[0], &x[0], &w[0], &bias[0], b.pitch, b.phase, b.channels, n)
}

var gatherZeros [gatherLanes]float32

func gather(sums *[gatherLanes]float32, g []float32, arg []uint8, x []float32, offset *[5]int, step int) {
	if !useAssembly || len(g) == 0 {
		gatherGo(sums, g, arg, x, offset, step)
		return
	}
	_, _ = arg[len(g)-1], x[(len(g)-1)*step+max(offset[0], offset[1], offset[2], offset[3])+gatherLanes-1]
	gatherAVX2(&sums[0], &g[0], &arg[0], len(g), &x[0], offset, step, &gatherZeros[0])
}

func dot4(out *[4]float32, x, w []float32, stride int) {
	if !useAssembly || len(x) == 0 || len(x)%16 != 0 {
		dot4Go(out, x, w, stride)
		return
	}
	_ = w[3*stride+len(x)-1]
	dot4AVX2(&out[0], &x[0], &w[0], stride, len(x))
}

func gemm(c []float32, cStride int, a []float32, aStride int, b []float32, bStride, rows, depth, n int, add bool) {
	if !useAssembly || rows == 0 || depth == 0 || n == 0 || n%16 != 0 {
		gemmGo(c, cStride, a, aStride, b, bStride, rows, depth, n, add)
		return
	}
	_, _, _ = c[(rows-1)*cStride+n-1], a[(rows-1)*aStride+depth-1], b[(depth-1)*bStride+n-1]
	more := 0
	if add {
		more = 1
	}
	m := 0
	for ; m+4 <= rows; m += 4 {
		gemm4AVX2(&c[m*cStride], cStride, &a[m*aStride], aStride, &b[0], bStride, depth, n, more)
	}
	for ; m < rows; m++ {
		gemm1AVX2(&c[m*cStride], &a[m*aStride], &b[0], bStride, depth, n, more)
	}
}

func axpy(dst, x []float32, f float32) {
	n := len(dst) &^ 7
	if !useAssembly || n == 0 {
		axpyGo(dst, x, f)
		return
	}
	_ = x[len(dst)-1]
	axpyAVX2(&dst[0], &x[0], f, n)
	axpyGo(dst[n:], x[n:], f)
}

func adam(param, gradient, mean, square []float32, k *trainer.AdamFactors) {
	n := len(param) &^ 7
	if !useAssembly || n == 0 {
		trainer.AdamKernel(param, gradient, mean, square, k)
		return
	}
	_, _, _ = gradient[len(param)-1], mean[len(param)-1], square[len(param)-1]
	adamAVX2(&param[0], &gradient[0], &mean[0], &square[0], k, n)
	trainer.AdamKernel(param[n:], gradient[n:], mean[n:], square[n:], k)
}
