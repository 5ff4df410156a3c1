//go:build !unix

package sinks

const asIs = 0
