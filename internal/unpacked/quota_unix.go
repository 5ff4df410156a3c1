//go:build unix

package unpacked

import "syscall"

// errQuota is the error of a user who may have no more on a disk.
const errQuota = syscall.EDQUOT
