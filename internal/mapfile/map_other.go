//go:build !unix

package mapfile

import (
	"io"
	"os"
)

func mapped(f *os.File, size int) ([]byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(f, data)
	return data, err
}

func unmap([]byte) error { return nil }
