//go:build !amd64

package decode

func haveAssembly() bool { return false }

func convertYCC(dst []uint8, rows *[4][]uint8) { convertYCCGo(dst, rows) }
func upsampleH2(dst, src []uint8)              { upsampleH2Go(dst, src) }
func upsampleH2V2(dst, near, far []uint8)      { upsampleH2V2Go(dst, near, far) }
