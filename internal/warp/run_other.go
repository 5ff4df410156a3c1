//go:build !amd64

package warp

import "github.com/sluicedata/sluice/internal/jpeg"

func pairChroma(mem *scratch, cb, cr *jpeg.Plane) chromaPairs {
	return chromaPairs{words: pairChromaGo(mem, cb, cr)}
}

func sampleYCC(dst []uint32, luma, chroma walk, pairs chromaPairs) {
	sampleYCCGo(dst, luma, chroma, pairs.words)
}

func lookUp(r, g, b []float32, table *[3][256]float32, colours []uint32) {
	lookUpGo(r, g, b, table, colours)
}

func addYCC(sums *[3][]uint32, luma, chroma walk, pairs chromaPairs) {
	addYCCGo(sums, luma, chroma, pairs.words)
}
