//go:build !amd64

package smooth

const useAssembly = false

func widenAVX2(*int16, *uint8, int) {}

func lengthwiseAVX2(*int16, **int16, *int16, int, int) {}

func acrossAVX2(*uint8, **int16, *int16, int, int) {}

func sumTriplesAVX2(*uint16, *uint8, int) {}

func sharpenAVX2(*uint8, *uint16, *uint16, *uint16, float32, int) {}
