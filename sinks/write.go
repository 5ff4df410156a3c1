package sinks

import (
	"hash"
	"os"
)

// partFile is a part's file being written: bytes are hashed while they are written, and the
// system is asked to write them to the disk soon, so that the sync at the end has little
// left to wait for.
type partFile struct {
	file      *os.File
	hash      hash.Hash
	at, asked int64 // written; and told to the system
}

const (
	hashApart  = 256 << 10 // what is shorter isn't worth a goroutine
	writeAhead = 8 << 20   // of bytes that the system is told of at once
)

func (p *partFile) Write(b []byte) (n int, err error) {
	if len(b) < hashApart {
		n, err = p.file.Write(b)
		p.hash.Write(b[:n])
	} else {
		hashed := make(chan struct{})
		go func() {
			defer close(hashed)
			p.hash.Write(b)
		}()
		n, err = p.file.Write(b) // where it fails the part has no hash
		<-hashed
	}
	p.at += int64(n)
	if p.at-p.asked >= writeAhead {
		startWriting(p.file, p.asked, p.at-p.asked)
		p.asked = p.at
	}
	return n, err
}
