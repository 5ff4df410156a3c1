//go:build unix

package sinks

import "syscall"

// asIs opens a name without following symlinks or waiting for pipes.
const asIs = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
