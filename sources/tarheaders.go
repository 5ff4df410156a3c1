package sources

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// This file reads the headers of a tar. archive/tar decides what a tar is, and reads
// whatever is rare; the headers that nearly all members have (ustar, GNU and PAX
// headers of files, folders and links) are read here, some ten times as fast.

// tarHeader is the header of a member.
type tarHeader struct {
	name, link string
	kind       byte  // tar.TypeReg and so on
	size       int64 // of the data
	sparse     bool  // its zeros are left out, so that size is not what it has in the tar
}

const tarBlock = 512

// tarReader reads the headers of a tar one after the other.
type tarReader struct {
	window
	at    int64 // of the next header
	slow  *tar.Reader
	under *io.SectionReader // of slow
	base  int64             // where under begins
}

// headers hands each header of a tar to take, with the offset of its data, and
// returns where reading ended.
func headers(ctx context.Context, file io.ReaderAt, size int64, take func(h tarHeader, at int64) error) (int64, error) {
	return newTarReader(ctx, file, size).headers(take)
}

func newTarReader(ctx context.Context, file io.ReaderAt, size int64) *tarReader {
	return &tarReader{window: window{ctx: ctx, file: file, size: size}}
}

func (r *tarReader) headers(take func(h tarHeader, at int64) error) (int64, error) {
	for last := ""; ; {
		h, at, err := r.next()
		switch {
		case r.ctx.Err() != nil:
			return 0, r.ctx.Err()
		case errors.Is(err, io.EOF):
			return at, nil
		case err != nil:
			return 0, tarError(r.file, err, last, at)
		}
		if err := take(h, at); err != nil {
			return 0, err
		}
		last = h.name
	}
}

// next returns the next header and the offset of its data; after an error, how far it
// read. At the end the error is io.EOF.
func (r *tarReader) next() (tarHeader, int64, error) {
	if r.slow == nil {
		if h, data, ok := r.quick(); ok {
			r.at = wholeBlocks(data + stored(h.kind, h.size))
			return h, data, nil
		}
		r.base = min(r.at, r.size)
		r.under = io.NewSectionReader(r.file, r.base, r.size-r.base)
		r.slow = tar.NewReader(cancelled{r.ctx, r.under})
	}
	// The reader reads whole blocks and seeks over data, so that after Next the
	// section is at the beginning of the member's data.
	h, err := r.slow.Next()
	at, _ := r.under.Seek(0, io.SeekCurrent) // never fails
	at += r.base
	if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // nothing is written anywhere
		return tarHeader{}, at, err
	}
	one := tarHeader{name: h.Name, link: h.Linkname, kind: h.Typeflag, size: h.Size, sparse: isSparse(h)}
	if !one.sparse { // only slow knows where a sparse member ends
		r.slow, r.at = nil, wholeBlocks(at+stored(one.kind, one.size))
	}
	return one, at, nil
}

func wholeBlocks(n int64) int64 { return (n + tarBlock - 1) / tarBlock * tarBlock }

// stored is the size of a member's data in the tar. A size that no tar has leads beyond
// its end.
func stored(kind byte, size int64) int64 {
	switch kind {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		return 0
	}
	return min(size, 1<<60)
}

func isSparse(h *tar.Header) bool {
	_, sparse := h.PAXRecords["GNU.sparse.major"]
	return sparse || h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.map"] != ""
}

// quick reads a header, with one extended header before it, if it is of the plain
// kind; if it isn't, or is damaged, archive/tar is to read it.
func (r *tarReader) quick() (h tarHeader, data int64, ok bool) {
	b := r.get(r.at, tarBlock)
	if len(b) < tarBlock {
		return h, 0, false
	}
	size, ok := plainBlock(b)
	if !ok {
		return h, 0, false
	}
	data = r.at + tarBlock
	kind, ext := b[156], extended{size: -1}
	const most = 1 << 14
	switch kind {
	case tar.TypeXHeader, tar.TypeGNULongName:
		if size > most {
			return h, 0, false
		}
		text := r.get(data, int(size))
		if int64(len(text)) < size {
			return h, 0, false
		}
		if kind == tar.TypeXHeader {
			ok = ext.parse(text)
		} else {
			ext.name = untilNUL(text)
		}
		data += wholeBlocks(size)
		if b = r.get(data, tarBlock); !ok || len(b) < tarBlock {
			return h, 0, false
		}
		if size, ok = plainBlock(b); !ok {
			return h, 0, false
		}
		data += tarBlock
		kind = b[156]
	}
	switch kind {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, 0:
	default:
		return h, 0, false
	}
	h = tarHeader{name: ext.name, link: ext.link, kind: kind, size: size}
	if h.name == "" {
		h.name = untilNUL(b[:100])
		if prefix := b[345:500]; prefix[0] != 0 && b[262] == 0 { // ustar; GNU has other fields there
			h.name = untilNUL(prefix) + "/" + h.name
		}
	}
	if h.link == "" {
		h.link = untilNUL(b[157:257])
	}
	if ext.size >= 0 {
		h.size = ext.size
	}
	if kind == 0 { // of before 1988
		h.kind = tar.TypeReg
		if strings.HasSuffix(h.name, "/") {
			h.kind = tar.TypeDir
		}
	}
	return h, data, true
}

func untilNUL(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// plainBlock checks a block as a ustar or GNU header whose numbers are plain, and returns the
// size in it.
func plainBlock(b []byte) (size int64, ok bool) {
	switch string(b[257:265]) {
	case "ustar\x0000":
		if string(b[508:512]) == "tar\x00" { // star
			return 0, false
		}
	case "ustar  \x00":
		if b[345] != 0 || b[357] != 0 { // times that old versions of Go garbled
			return 0, false
		}
	default:
		return 0, false
	}
	sum, ok := octal(b[148:156])
	if !ok || sum != checksum(b) {
		return 0, false
	}
	for _, field := range [...][2]int{{100, 108}, {108, 116}, {116, 124}, {136, 148}, {329, 337}, {337, 345}} { // mode, owner, group, time, device
		if _, ok := octal(b[field[0]:field[1]]); !ok {
			return 0, false
		}
	}
	return octal(b[124:136])
}

// octal reads digits between spaces and zero bytes.
func octal(b []byte) (n int64, ok bool) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == 0) {
		i++
	}
	for i < len(b) && b[i] >= '0' && b[i] <= '7' {
		n = n<<3 | int64(b[i]-'0')
		i++
	}
	for ; i < len(b); i++ {
		if b[i] != ' ' && b[i] != 0 {
			return 0, false
		}
	}
	return n, true
}

// checksum is the sum of a block's bytes, those of the checksum itself being spaces.
func checksum(b []byte) int64 {
	const odd = 0x00ff00ff00ff00ff
	var sum uint64 // four sums of 16 bits, each below 128 * 255
	for i := 0; i < tarBlock; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		sum += x&odd + x>>8&odd
	}
	n := int64(sum&0xffff + sum>>16&0xffff + sum>>32&0xffff + sum>>48)
	for _, c := range b[148:156] {
		n += ' ' - int64(c)
	}
	return n
}

// extended is what an extended header says of the next member; a size of -1 is none.
type extended struct {
	name, link string
	size       int64
}

// parse reads PAX records; ok is false where there is anything unusual in them.
func (e *extended) parse(b []byte) (ok bool) {
	for len(b) > 0 {
		n, i := 0, 0
		for i < len(b) && i < 6 && b[i] >= '0' && b[i] <= '9' {
			n = n*10 + int(b[i]-'0')
			i++
		}
		if i == 0 || n < 5 || n > len(b) || n <= i+1 || b[i] != ' ' || b[n-1] != '\n' {
			return false
		}
		key, value, found := bytes.Cut(b[i+1:n-1], []byte("="))
		if !found || bytes.IndexByte(value, 0) >= 0 {
			return false
		}
		b = b[n:]
		switch string(key) {
		case "path":
			e.name = string(value)
		case "linkpath":
			e.link = string(value)
		case "size":
			if e.size, ok = decimal(value); !ok {
				return false
			}
		case "uid", "gid":
			if _, ok := decimal(value); !ok {
				return false
			}
		case "mtime", "atime", "ctime":
			seconds, fraction, _ := bytes.Cut(value, []byte("."))
			if _, ok := decimal(seconds); !ok || len(bytes.Trim(fraction, "0123456789")) > 0 {
				return false
			}
		case "uname", "gname":
		default:
			return false
		}
	}
	return true
}

func decimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// window is a part of a file in memory. Where members are small it is read in large
// pieces; where they are large, only as much as headers and labels are likely to have.
type window struct {
	ctx   context.Context
	file  io.ReaderAt
	size  int64
	buf   []byte
	begin int64 // of buf in the file
	last  int64 // where bytes were last wanted
}

// get returns n bytes at an offset, fewer at the end of the file or where reading
// fails. They are valid until the next call.
func (w *window) get(at int64, n int) []byte {
	far := at > w.last+1<<14 || at < w.last
	w.last = at + int64(n)
	if at < w.begin || at+int64(n) > w.begin+int64(len(w.buf)) {
		want := 1 << 18
		if far {
			want = 1 << 12
		}
		want = int(max(0, min(int64(max(want, n)), w.size-at)))
		if cap(w.buf) < want {
			w.buf = make([]byte, max(want, 1<<18))
		}
		if w.ctx.Err() != nil {
			want = 0
		}
		have, _ := w.file.ReadAt(w.buf[:want], at) // archive/tar meets the error again
		w.begin, w.buf = at, w.buf[:have]
	}
	return w.buf[at-w.begin:][:min(int64(n), w.begin+int64(len(w.buf))-at)]
}
