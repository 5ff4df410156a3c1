//go:build !amd64

package inflate

func haveAssembly() bool { return false }

// addFast does nothing here, and neither does codedFast.
func (*adler) addFast([]byte) int { return 0 }

func (r *Reader) codedFast(int, int) {}
