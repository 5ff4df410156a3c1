//go:build !unix

package unpacked

import "syscall"

// errQuota is the error of a full disk in Windows.
const errQuota = syscall.Errno(112)
