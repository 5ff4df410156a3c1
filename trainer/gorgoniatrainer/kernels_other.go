//go:build !amd64

package gorgoniatrainer

import "github.com/sluicedata/sluice/trainer"

var useAssembly = haveAssembly() // for the tests

func haveAssembly() bool { return false }

func convPool(dst, dst2 []float32, arg, arg2 []uint8, x, w []float32, bias *[2]float32, b block, n int) {
	convPoolGo(dst, dst2, arg, arg2, x, w, bias, b, n)
}

func gather(sums *[gatherLanes]float32, g []float32, arg []uint8, x []float32, offset *[5]int, step int) {
	gatherGo(sums, g, arg, x, offset, step)
}

func dot4(out *[4]float32, x, w []float32, stride int) { dot4Go(out, x, w, stride) }

func gemm(c []float32, cStride int, a []float32, aStride int, b []float32, bStride, rows, depth, n int, add bool) {
	gemmGo(c, cStride, a, aStride, b, bStride, rows, depth, n, add)
}

func axpy(dst, x []float32, f float32) { axpyGo(dst, x, f) }

func adam(param, gradient, mean, square []float32, k *trainer.AdamFactors) {
	trainer.AdamKernel(param, gradient, mean, square, k)
}
