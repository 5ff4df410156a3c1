//go:build !unix

package main

import "os"

func peakBytes(*os.ProcessState) float64 { return 0 }

func cpuSeconds() float64 { return 0 }
