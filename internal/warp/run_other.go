//go:build !amd64

package warp

import "github.com/sluicedata/sluice/internal/planar"

func pairChroma(mem *scratch, cb, cr *planar.Plane) chromaPairs {
	return chromaPairs{words: pairChromaGo(mem, cb, cr)}
}

func sampleYCC(dst *[3][]uint8, luma, chroma walk, pairs chromaPairs) {
	sampleYCCGo(dst, luma, chroma, pairs.words)
}

func addYCC(sums *[3][]uint32, luma, chroma walk, pairs chromaPairs) {
	addYCCGo(sums, luma, chroma, pairs.words)
}

func means(row *[3][]uint8, sums *[3][]uint32, columns, n int) { meansGo(row, sums, columns, n) }
