package gorgoniatrainer

import (
	"fmt"
	"testing"
)

// BenchmarkStep is one step of the recipe on 32 images; testdata/peer.py does
// the same in PyTorch. -cpu 1 or -cpu 2 sets the workers (of a list, b.Loop
// measures the last twice).
func BenchmarkStep(b *testing.B) {
	for _, size := range []int{112, 224, 336} {
		for _, assembly := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/assembly=%t", size, assembly), func(b *testing.B) {
				useKernels(b, assembly)
				tr := newTrainer(b, testConfig("recipe", 56))
				batch := goldenRows(32, 1, [2]int{size, size}).batch(b)
				if _, err := tr.Step(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := tr.Step(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSmallCNN is one step of small_cnn on 64 images of 16x16.
func BenchmarkSmallCNN(b *testing.B) {
	tr := newTrainer(b, testConfig("small_cnn", 0))
	batch := goldenRows(64, 1, [2]int{16, 16}).batch(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tr.Step(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}
