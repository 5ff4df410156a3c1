package sources

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listed is what headers says of a tar, as text; all of it is read by archive/tar where
// slow.
func listedHeaders(data []byte, slow bool) string {
	var b strings.Builder
	file := io.ReaderAt(bytes.NewReader(data))
	size := int64(len(data))
	take := func(h tarHeader, at int64) error {
		fmt.Fprintf(&b, "%q %q %c %d %v %d\n", h.name, h.link, h.kind, h.size, h.sparse, at)
		return nil
	}
	if !slow {
		at, err := headers(context.Background(), file, size, take)
		fmt.Fprint(&b, at, err)
		return b.String()
	}
	section := io.NewSectionReader(file, 0, size)
	r := tar.NewReader(section)
	for last := ""; ; {
		h, err := r.Next()
		at, _ := section.Seek(0, io.SeekCurrent)
		switch {
		case err == io.EOF:
			fmt.Fprint(&b, at, nil)
			return b.String()
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			fmt.Fprint(&b, 0, tarError(file, err, last, at))
			return b.String()
		}
		one := tarHeader{h.Name, h.Linkname, h.Typeflag, h.Size, isSparse(h)}
		if stored(one.kind, one.size) > size-at { // what every caller refuses
			fmt.Fprint(&b, "cut")
			return b.String()
		}
		_ = take(one, at)
		last = h.Name
	}
}

func compareHeaders(t *testing.T, data []byte) {
	t.Helper()
	want := listedHeaders(data, true)
	have := listedHeaders(data, false)
	if before, cut := strings.CutSuffix(want, "cut"); cut {
		if !strings.HasPrefix(have, before) {
			t.Errorf("headers says\n%s\narchive/tar until a member that is cut off\n%s", have, before)
		}
		return
	}
	if have != want {
		t.Errorf("headers says\n%s\narchive/tar\n%s", have, want)
	}
}

// oddTar is a tar of members of all kinds and formats, some of them damaged.
func oddTar(t testing.TB, r *rand.Rand) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for range r.IntN(12) {
		name := fmt.Sprintf("%s%d.jpg", strings.Repeat("d/", r.IntN(3)), r.IntN(9))
		if r.IntN(5) == 0 {
			name = strings.Repeat("long/", 10+r.IntN(60)) + "é.jpg"
		}
		h := &tar.Header{Name: name, Mode: 0o644, Typeflag: []byte{'0', '0', '0', '0', '5', '1', '2', '3', '6'}[r.IntN(9)],
			Format: []tar.Format{tar.FormatUSTAR, tar.FormatGNU, tar.FormatPAX, tar.FormatPAX, tar.FormatUnknown}[r.IntN(5)], ModTime: time.Unix(r.Int64N(1<<33), 0)}
		switch h.Typeflag {
		case '0':
			h.Size = int64([]int{0, 1, 511, 512, 513, 20000}[r.IntN(6)])
		case '1', '2':
			h.Linkname = []string{"x.jpg", strings.Repeat("to/", 50) + "y.jpg"}[r.IntN(2)]
		case '5':
			h.Name += "/"
		}
		if h.Format == tar.FormatPAX {
			h.ModTime = h.ModTime.Add(time.Duration(r.IntN(1e9)))
			if r.IntN(3) == 0 {
				h.PAXRecords = map[string]string{"X.note": "a", "SCHILY.xattr.user.x": "y"}
			}
		}
		if err := w.WriteHeader(h); err != nil {
			continue // this format has no such member
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHeadersEqualArchiveTar(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		data := oddTar(t, r)
		compareHeaders(t, data)
		for range r.IntN(3) {
			at := r.IntN(len(data))
			switch r.IntN(5) {
			case 0:
				data = data[:at]
			case 1: // a field, with the right sum
				block := data[at/512*512:][:min(512, len(data)-at/512*512)]
				block[at%len(block)] = byte(r.IntN(256))
				if len(block) == 512 {
					copy(block[148:], fmt.Sprintf("%06o\x00 ", checksum(block)))
				}
			default:
				data[at] ^= 1 << r.IntN(8)
			}
			if len(data) == 0 {
				break
			}
		}
		compareHeaders(t, data)
		if t.Failed() {
			t.FailNow()
		}
	}
}

func TestChecksum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		b := make([]byte, 512)
		for i := 0; i < len(b); i += 8 {
			binary.LittleEndian.PutUint64(b[i:], r.Uint64())
		}
		want := int64(8 * ' ')
		for i, c := range b {
			if i < 148 || i >= 156 {
				want += int64(c)
			}
		}
		if have := checksum(b); have != want {
			t.Fatalf("%d, want %d", have, want)
		}
	}
	if have, want := checksum(bytes.Repeat([]byte{255}, 512)), int64(504*255+8*' '); have != want {
		t.Errorf("%d, want %d", have, want)
	}
}

func FuzzHeaders(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		f.Add(oddTar(f, r))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// Damage nearly always shows in a sum; mend these, so that it gets further.
		compareHeaders(t, data)
		mended := bytes.Clone(data)
		for at := 0; at+512 <= len(mended); at += 512 {
			if block := mended[at : at+512]; string(block[257:262]) == "ustar" {
				copy(block[148:], fmt.Sprintf("%06o\x00 ", checksum(block)))
			}
		}
		compareHeaders(t, mended)
	})
}

func BenchmarkHeaders(b *testing.B) {
	for _, size := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			name := filepath.Join(b.TempDir(), "x.tar")
			file, err := os.Create(name)
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			const members = 2000
			w := tar.NewWriter(file)
			data := make([]byte, size)
			for i := range members {
				if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("class/%08d.jpg", i), Size: int64(size), Mode: 0o644, Format: tar.FormatPAX, ModTime: time.Unix(1e9, 5e8)}); err != nil {
					b.Fatal(err)
				}
				if _, err := w.Write(data); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			info, err := file.Stat()
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				n := 0
				if _, err := headers(context.Background(), file, info.Size(), func(tarHeader, int64) error { n++; return nil }); err != nil || n != members {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/member")
		})
	}
}
