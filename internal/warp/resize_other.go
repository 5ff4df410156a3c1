//go:build !amd64

package warp

import (
	"image"

	"github.com/sluicedata/sluice/internal/planar"
)

func resizePlaneFast([]int16, *planar.Plane, image.Rectangle, *kernel, *scratch) bool { return false }

func resizeRowsFast([]uint8, *Source, image.Rectangle, *kernel, *scratch, bool) bool {
	return false
}

func blendPlaneRowsFast(_, _ []int16, _ *kernel, _ int) bool { return false }

func blendRowsFast(_, _ []uint8, _ int, _ *kernel, _ int) bool { return false }

func (*planeRows) blendFast(_, _, _ []uint8, _ int) bool { return false }

func convertPlanesFast(_, _, _ []uint8, _, _, _ []int16) bool { return false }

func interleaveFast(_, _, _, _ []uint8) bool { return false }

func (l *line255) valuesFast([]float32, []uint8) bool { return false }

func (*fourTriangles) weigh(float64, []float64, []int32, int, int) { panic("warp: no assembly") }
