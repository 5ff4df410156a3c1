//go:build !amd64

package png

func haveAssembly() bool { return false }

func unfilterFast(byte, []byte, []byte, []byte, int) bool { return false }
