//go:build !amd64

package decode

func (pick) fast([]byte, []byte) int { return 0 }

func (*rgbTable) fast([]byte, []byte) int { return 0 }
