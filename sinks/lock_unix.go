//go:build unix

package sinks

import "syscall"

// asIs opens what has a name itself: a link isn't followed, a pipe not waited for.
const asIs = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
