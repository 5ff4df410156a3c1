// Package fingerprint is what tells the bytes of one sample from those of another.
package fingerprint

import (
	"encoding/hex"
	"fmt"

	"github.com/zeebo/xxh3"
)

// Print is the XXH3-128 of a sample's encoded bytes, as xxhsum writes it.
type Print [16]byte

// Of is the print of bytes.
func Of(data []byte) Print { return xxh3.Hash128(data).Bytes() }

func (p Print) String() string { return hex.EncodeToString(p[:]) }

// Parse reads what String writes.
func Parse(text string) (p Print, err error) {
	if len(text) != hex.EncodedLen(len(p)) {
		return p, fmt.Errorf("%q is no fingerprint: want %d hexadecimal digits", text, hex.EncodedLen(len(p)))
	}
	_, err = hex.Decode(p[:], []byte(text))
	return p, err
}
