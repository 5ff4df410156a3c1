package inflate

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// samples are data of many kinds: none, noise, runs, text, gradients.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	few := make([]byte, 200_000)
	for i := range few {
		few[i] = "abcdefgh"[min(r.IntN(8), r.IntN(8), r.IntN(8))]
	}
	slope := make([]byte, 250_000)
	for i := range slope {
		slope[i] = byte(i/3 + r.IntN(5)*r.IntN(2))
	}
	periods := make([]byte, 0, 200_000)
	for n := 1; len(periods) < 190_000; n = n%9 + 1 {
		periods = append(periods, bytes.Repeat(noise[n:2*n], 1+r.IntN(400)/n)...)
	}
	return map[string][]byte{
		"empty": {}, "one": {7}, "noise": noise, "few": few, "slope": slope, "periods": periods,
		"zeros": make([]byte, 400_000), "far": append(append(bytes.Clone(noise[:32768]), noise[:32768]...), noise[:100]...),
		"mixed": append(append(bytes.Clone(noise[:70_000]), few...), slope...),
	}
}

func deflate(t testing.TB, data []byte, level int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// all reads a stream in pieces of at most n bytes.
func all(r *Reader, n int) ([]byte, error) {
	var out []byte
	buf := make([]byte, n)
	for {
		k, err := r.Read(buf)
		out = append(out, buf[:k]...)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func TestEqualsCompressFlate(t *testing.T) {
	var r Reader
	for name, data := range samples() {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, 4, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly} {
			t.Run(fmt.Sprintf("%s/%d", name, level), func(t *testing.T) {
				r.Reset(append(deflate(t, data, level), "behind it"...))
				got, err := all(&r, 1+len(data)/3)
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%d bytes of %d, %v", len(got), len(data), err)
				}
			})
		}
	}
}

// Next gives pieces of any size, larger than the window too, and Only an end before the end.
func TestNext(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 6))
	var r Reader
	for name, data := range samples() {
		for i := range 10 {
			packed := deflate(t, data, []int{0, 1, 6, 9, -2}[i%5])
			r.Reset(packed)
			want := data
			if i%3 == 0 && len(data) > 0 {
				want = data[:rnd.IntN(len(data))]
				r.Only(len(want))
			}
			for at := 0; at < len(want); {
				n := min(1+rnd.IntN(1<<(4+rnd.IntN(15))), len(want)-at)
				p, err := r.Next(n)
				if err != nil || !bytes.Equal(p, want[at:at+n]) {
					t.Fatalf("%s: %d bytes of %d at %d: %v", name, len(p), n, at, err)
				}
				at += n
			}
			if i%3 == 0 {
				continue
			}
			if p, err := r.Next(1); len(p) > 0 || !errors.Is(err, io.EOF) {
				t.Errorf("%s: %d bytes behind the end, %v", name, len(p), err)
			}
		}
	}
	for _, n := range []int{1000, 70_000} { // it is cut in a piece
		data := samples()["noise"]
		r.Reset(deflate(t, data, 1)[:n+n/2])
		if _, err := r.Next(n); err != nil {
			t.Fatal(err)
		}
		if p, err := r.Next(n); !errors.Is(err, io.ErrUnexpectedEOF) || len(p) == 0 || !bytes.HasPrefix(data[n:], p) {
			t.Errorf("cut: %d bytes, %v", len(p), err)
		}
	}
}

func TestZlib(t *testing.T) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte("a stream"))
	_ = w.Close()
	var r Reader
	r.ResetZlib(b.Bytes())
	if got, err := all(&r, 3); err != nil || string(got) != "a stream" {
		t.Fatalf("%q, %v", got, err)
	}
	for n := range 5 { // a checksum that is cut isn't missed, a wrong one is seen
		cut := bytes.Clone(b.Bytes()[:b.Len()-n])
		r.ResetZlib(cut)
		if got, err := all(&r, 100); err != nil || string(got) != "a stream" {
			t.Errorf("without %d bytes: %q, %v", n, got, err)
		}
	}
	wrong := bytes.Clone(b.Bytes())
	wrong[len(wrong)-2] ^= 4
	r.ResetZlib(wrong)
	if got, err := all(&r, 100); !errors.Is(err, ErrDamaged) || string(got) != "a stream" {
		t.Errorf("a wrong checksum: %q, %v", got, err)
	}
	for _, bad := range [][]byte{{0x79, 0x9c}, {0x88, 0x1c}, {0x78, 0x9d}, {0x78, 0xbb}, {0x78}} {
		r.ResetZlib(append(bad, b.Bytes()[2:]...))
		if len(bad) == 1 {
			r.ResetZlib(bad)
		}
		if _, err := all(&r, 10); err == nil {
			t.Errorf("% x is taken for a header", bad)
		}
	}
}

// A stream that is cut gives a beginning of the data and io.ErrUnexpectedEOF, and
// never a byte that isn't there.
func TestCut(t *testing.T) {
	var r Reader
	data := samples()["mixed"][60_000:140_000]
	for _, level := range []int{0, 1, 9, flate.HuffmanOnly} {
		whole := deflate(t, data, level)
		for n := 0; n < len(whole); n += 1 + n/50 {
			r.Reset(whole[:n])
			got, err := all(&r, 5000)
			if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(data, got) {
				t.Fatalf("level %d, %d of %d bytes: %d bytes, a beginning: %v, %v", level, n, len(whole), len(got), bytes.HasPrefix(data, got), err)
			}
		}
	}
}

// compare reads damaged data by both: where compress/flate gives data, so does Reader,
// and the other way round but for codes that only one of them takes.
func compare(t *testing.T, data []byte) {
	want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), 1<<22))
	var r Reader
	r.Reset(data)
	got := make([]byte, len(want))
	n, err := r.Read(got)
	switch {
	case wantErr == nil && (n < len(want) || !bytes.Equal(got, want)):
		t.Errorf("% x...: %d bytes, %v; compress/flate gives %d", data[:min(len(data), 40)], n, err, len(want))
	case !bytes.Equal(got[:n], want[:n]):
		t.Errorf("% x...: other bytes than compress/flate's", data[:min(len(data), 40)])
	}
}

func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, data := range samples() {
		if len(data) == 0 {
			continue
		}
		for i := range 300 {
			whole := deflate(t, data[:min(len(data), 5000)], []int{0, 1, 6, 9, -2}[i%5])
			for range 1 + r.IntN(3) {
				whole[r.IntN(len(whole))] ^= 1 << r.IntN(8)
			}
			compare(t, whole)
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// Whole, cut and damaged streams, in memory that ends with them: the same bytes and the same
// error with assembly and without. Codes are long and short, matches near, far and overlapping.
func TestCodedAssembly(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func() { useAssembly = true }()
	rnd := rand.New(rand.NewPCG(12, 13))
	skewed := make([]byte, 150_000) // of codes of up to 15 bits
	for i := range skewed {
		skewed[i] = byte(bits.TrailingZeros64(rnd.Uint64())*9 + rnd.IntN(9)*rnd.IntN(2))
	}
	kinds := samples()
	kinds["skewed"] = skewed
	var readers [2]Reader
	failed := 0
	for name, data := range kinds {
		for i := range 40 {
			at := rnd.IntN(1 + len(data)/2)
			whole := deflate(t, data[at:at+rnd.IntN(len(data)-at+1)], []int{1, 4, 6, 9, -2}[i%5])
			if i%2 == 1 {
				whole = whole[:rnd.IntN(len(whole)+1)]
			}
			packed := guard.Slice[uint8](t, len(whole))
			copy(packed, whole)
			for range i % 4 {
				if len(packed) > 0 {
					packed[rnd.IntN(len(packed))] ^= 1 << rnd.IntN(8)
				}
			}
			var out [2][]byte
			var errs [2]error
			for way := range 2 {
				useAssembly = way == 1
				readers[way].Reset(packed)
				out[way], errs[way] = all(&readers[way], 1<<16)
			}
			if !bytes.Equal(out[0], out[1]) || fmt.Sprint(errs[0]) != fmt.Sprint(errs[1]) {
				t.Fatalf("%s, case %d: %d bytes, %v; without assembly %d, %v; equal: %v", name, i, len(out[1]), errs[1], len(out[0]), errs[0], bytes.Equal(out[0], out[1]))
			}
			if errs[0] != nil {
				failed++
			}
		}
	}
	if failed < 100 {
		t.Errorf("only %d streams failed", failed)
	}
}

// FuzzInflate: equal to compress/flate where both read.
//
//	go test ./internal/inflate -fuzz FuzzInflate -fuzztime 3m
func FuzzInflate(f *testing.F) {
	for _, data := range samples() {
		for _, level := range []int{0, 1, 9, flate.HuffmanOnly} {
			f.Add(deflate(f, data[:min(len(data), 3000)], level))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { compare(t, data) })
}

func BenchmarkInflate(b *testing.B) {
	for name, data := range samples() {
		if len(data) < 1000 {
			continue
		}
		packed := deflate(b, data, 6)
		b.Run(name+"/own", func(b *testing.B) {
			var r Reader
			buf := make([]byte, 4096)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(packed)
				for {
					if _, err := r.Read(buf); err != nil {
						break
					}
				}
			}
		})
		b.Run(name+"/flate", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, _ = io.Copy(io.Discard, flate.NewReader(bytes.NewReader(packed)))
			}
		})
	}
}
