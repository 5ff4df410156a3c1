package sinks

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// However a part's bytes come, the file has them in their order, and the hash is theirs.
func TestPartFile(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	var want []byte
	name := filepath.Join(t.TempDir(), "part")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	p := &partFile{file: f, hash: sha256.New()}
	for _, n := range []int{0, 1, hashApart - 1, hashApart, 3, 2*writeAhead + 5, hashApart + 1, 17} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		want = append(want, b...)
		if wrote, err := p.Write(b); err != nil || wrote != n {
			t.Fatalf("%d of %d bytes: %v", wrote, n, err)
		}
		clear(b) // it isn't kept
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(name)
	if sum := sha256.Sum256(want); err != nil || !bytes.Equal(have, want) || !bytes.Equal(p.hash.Sum(nil), sum[:]) {
		t.Errorf("%d of %d bytes, or their hash, are others (%v)", len(have), len(want), err)
	}
	if _, err := p.Write(make([]byte, hashApart)); err == nil {
		t.Error("writing to a closed file succeeds")
	}
}
