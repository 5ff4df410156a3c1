//go:build !amd64

package warp

func haveAssembly() bool { return false }

const withAssembly = false
