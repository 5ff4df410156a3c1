package webp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"runtime"
	"testing"
	"weak"
)

// part is a chunk of a file with its padding.
func part(kind string, body ...byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body)))
	return append(append(out, body...), make([]byte, len(body)%2)...)
}

func joined(parts ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(parts, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func le24(v int) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16)} }

func vp8x(width, height int, flags byte) []byte {
	return part("VP8X", bytes.Join([][]byte{{flags, 0, 0, 0}, le24(width - 1), le24(height - 1)}, nil)...)
}

func anmf(x, y, width, height int, parts ...[]byte) []byte {
	head := bytes.Join([][]byte{le24(x / 2), le24(y / 2), le24(width - 1), le24(height - 1), {100, 0, 0, 0}}, nil)
	return part("ANMF", append(head, bytes.Join(parts, nil)...)...)
}

// plain is a lossless picture of one colour.
func plain(width, height int, red, green, blue uint64) []byte {
	var w bitWriter
	w.put(0x2f, 8)
	w.put(uint64(width-1), 14)
	w.put(uint64(height-1), 14)
	w.put(0, 4+3)
	for _, v := range []uint64{green, red, blue, 255, 0} {
		w.put(1+4, 3) // one symbol of 8 bits
		w.put(v, 8)
	}
	return part("VP8L", w.bytes...)
}

// Container that are read, and what of them; the verdicts are Pillow's (libwebp 1.6), but for those named so.
func TestContainer(t *testing.T) {
	l, other := plain(5, 3, 10, 20, 30), plain(5, 3, 1, 2, 3)
	lossy := lossies(t, "testdata/lossy.json")[0] // 1 x 9
	y := part("VP8 ", lossyChunk(lossy.Encoded)...)
	canvas := func(flags byte) []byte { return vp8x(5, 3, flags) }
	tall := func(flags byte) []byte { return vp8x(lossy.Width, lossy.Height, flags) }
	alpha, anim, strange := part("ALPH", 0, 1, 2), part("ANIM", 0, 0, 0, 0, 0, 0), part("ABCD", 1, 2, 3)
	frame := anmf(0, 0, 5, 3, l)
	cut := bytes.Clone(y) // its first partition, by as many bytes as the frame's header has
	rest := len(y) - 8 - len(y)%2
	cut[8], cut[9], cut[10] = cut[8]&31|byte(rest-5)<<5, byte((rest-5)>>3), byte((rest-5)>>11)
	odd := part("VP8L", append(l[8:len(l):len(l)], 0)...)
	resized := func(data []byte, by int) []byte {
		data = bytes.Clone(data)
		binary.LittleEndian.PutUint32(data[4:], binary.LittleEndian.Uint32(data[4:])+uint32(by))
		return data
	}
	relength := func(n uint32) []byte { // of the frame
		data := joined(vp8x(9, 9, 2), anim, frame)
		binary.LittleEndian.PutUint32(data[bytes.Index(data, []byte("ANMF"))+4:], n)
		return data
	}
	for name, c := range map[string]struct {
		data []byte
		want string // size and place; "": refused, "cut": ErrTruncated
	}{
		"lossless":                          {joined(l), "5x3 (0,0)-(5,3)"},
		"lossy":                             {joined(y), "1x9 (0,0)-(1,9)"},
		"garbage behind":                    {append(joined(l), 1, 2, 3), "5x3 (0,0)-(5,3)"},
		"garbage within":                    {resized(append(joined(l), 1, 2, 3), 3), ""},
		"a cut chunk within":                {resized(append(joined(l), "ABCD\xff\x00\x00\x00"...), 8), "cut"},
		"an unknown chunk behind":           {joined(l, strange), "5x3 (0,0)-(5,3)"},
		"an unknown chunk first":            {joined(strange, l), ""},
		"EXIF without VP8X":                 {joined(l, part("EXIF", 1)), "5x3 (0,0)-(5,3)"},
		"two pictures":                      {joined(l, y), "5x3 (0,0)-(5,3)"},
		"cut":                               {joined(l)[:len(joined(l))-1], "cut"},
		"header only":                       {joined(l)[:16], "cut"},
		"RIFF of 8 bytes":                   {resized(joined(l), 8-len(joined(l)[8:])), ""},
		"RIFF of 4 GB":                      {resized(joined(l), -9-len(joined(l)[8:])+8), ""},
		"no padding":                        {resized(joined(odd)[:len(joined(odd))-1], -1), "5x3 (0,0)-(5,3)"}, // libwebp's other reader
		"padding that RIFF doesn't count":   {resized(joined(odd), -1), "5x3 (0,0)-(5,3)"},                      // the same
		"VP8X":                              {joined(canvas(0), l), "5x3 (0,0)-(5,3)"},
		"VP8X, ICCP":                        {joined(canvas(32), part("ICCP", 1), l), "5x3 (0,0)-(5,3)"},
		"VP8X and two pictures":             {joined(canvas(0), l, y), ""},
		"VP8X twice":                        {joined(canvas(0), canvas(0), l), ""},
		"VP8X of another size":              {joined(vp8x(6, 3, 0), l), ""},
		"VP8X without picture":              {joined(canvas(0), strange), "cut"},
		"VP8X only":                         {joined(canvas(0)), ""},
		"VP8X too short":                    {joined(part("VP8X", canvas(0)[8:16]...), l), ""},
		"VP8X too long":                     {joined(part("VP8X", append(canvas(0)[8:], 1, 2)...), l), ""},
		"VP8X with unknown flags":           {joined(canvas(1), l), ""},
		"VP8X, an unknown chunk":            {joined(canvas(0), strange, l), "5x3 (0,0)-(5,3)"},
		"VP8X behind the picture":           {joined(l, canvas(0)), "5x3 (0,0)-(5,3)"},
		"VP8X, garbage within":              {resized(append(joined(canvas(0), l), 1, 2, 3), 3), ""},
		"a huge canvas":                     {joined(vp8x(1<<24, 1<<24, 0), l), ""},
		"alpha":                             {joined(tall(16), alpha, y), "1x9 (0,0)-(1,9)"}, // Pillow decodes it
		"alpha that isn't announced":        {joined(tall(0), alpha, y), "1x9 (0,0)-(1,9)"},
		"alpha without VP8X":                {joined(alpha, y), ""},
		"alpha behind":                      {joined(tall(16), y, alpha), ""},
		"alpha behind, not announced":       {joined(tall(0), y, alpha), "1x9 (0,0)-(1,9)"},
		"alpha twice":                       {joined(tall(16), alpha, alpha, y), ""},
		"alpha and lossless":                {joined(canvas(16), alpha, l), ""},
		"alpha, another chunk, the picture": {joined(tall(16), alpha, strange, y), ""},
		"alpha only":                        {joined(tall(16), alpha), "cut"},
		"an animation":                      {joined(vp8x(9, 9, 2), anim, anmf(2, 4, 5, 3, l)), "9x9 (2,4)-(7,7)"},
		"frame and its sides differ":        {joined(vp8x(9, 9, 2), anim, anmf(2, 4, 4, 3, l)), "9x9 (2,4)-(7,7)"},
		"a frame with alpha":                {joined(vp8x(9, 9, 18), anim, anmf(0, 0, 1, 9, alpha, y)), "9x9 (0,0)-(1,9)"},
		"no ANIM":                           {joined(vp8x(9, 9, 2), frame), ""},
		"ANIM twice":                        {joined(canvas(2), anim, anim, frame), "5x3 (0,0)-(5,3)"},
		"ANIM too short":                    {joined(canvas(2), part("ANIM", 1, 2, 3), frame), ""},
		"a frame that isn't announced":      {joined(vp8x(9, 9, 0), anim, frame), "cut"},
		"ANIM in a still picture":           {joined(canvas(0), anim, l), ""},
		"a frame behind a still picture":    {joined(canvas(0), l, frame), ""},
		"an animation without frame":        {joined(canvas(2), anim, l), ""},
		"a frame outside":                   {joined(canvas(2), anim, anmf(2, 0, 5, 3, l)), ""},
		"the second frame outside":          {joined(canvas(2), anim, frame, anmf(2, 0, 5, 3, l)), ""},
		"the second frame of other sides":   {joined(canvas(2), anim, frame, anmf(0, 0, 4, 3, other)), "5x3 (0,0)-(5,3)"},
		"the first frame's partition cut":   {joined(vp8x(9, 9, 2), anim, anmf(0, 0, 1, 9, cut)), "cut"},
		"the second frame's partition cut":  {joined(vp8x(9, 9, 2), anim, frame, anmf(0, 0, 1, 9, cut)), "9x9 (0,0)-(5,3)"},
		"the second frame too short":        {joined(canvas(2), anim, frame, part("ANMF", 1, 2, 3)), ""},
		"the first frame empty":             {joined(canvas(2), anim, anmf(0, 0, 5, 3), frame), "5x3 (0,0)-(5,3)"},
		"the first frame unknown":           {joined(canvas(2), anim, anmf(0, 0, 5, 3, strange), frame), "5x3 (0,0)-(5,3)"},
		"the first frame alpha only":        {joined(canvas(18), anim, anmf(0, 0, 5, 3, alpha), frame), ""},
		"alpha behind, in a frame":          {joined(vp8x(9, 9, 18), anim, anmf(0, 0, 1, 9, y, alpha)), ""},
		"alpha beside frames":               {joined(canvas(18), anim, frame, alpha), ""},
		"unknown, then the picture":         {joined(canvas(2), anim, anmf(0, 0, 5, 3, strange, l)), ""},
		"the picture, then unknown":         {joined(canvas(2), anim, anmf(0, 0, 5, 3, l, strange)), "5x3 (0,0)-(5,3)"},
		"two pictures in a frame":           {joined(vp8x(9, 9, 2), anim, anmf(0, 0, 5, 3, l, y)), ""},
		"a frame of no bytes":               {relength(0), ""},
		"a frame shorter than its picture":  {relength(20), ""},
		"a frame longer than the file":      {relength(1000), "cut"},
	} {
		f, err := Parse(c.data)
		got := fmt.Sprint(err)
		switch {
		case err == nil:
			got = fmt.Sprintf("%dx%d %v", f.Width, f.Height, f.Frame)
		case errors.Is(err, ErrTruncated):
			got = "cut"
		case c.want == "":
			continue
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Metadata count if they are announced; the first of each.
func TestMetadata(t *testing.T) {
	l := plain(5, 3, 1, 2, 3)
	exif, xmp := part("EXIF", 1), part("XMP ", 2)
	for flags := range byte(16) {
		f, err := Parse(joined(vp8x(5, 3, flags&12), exif, l, xmp, part("EXIF", 3), part("XMP ", 4)))
		if err != nil {
			t.Fatal(err)
		}
		if (len(f.EXIF) == 1 && f.EXIF[0] == 1) != (flags&8 != 0) || (len(f.XMP) == 1 && f.XMP[0] == 2) != (flags&4 != 0) {
			t.Errorf("%d: EXIF % x, XMP % x", flags, f.EXIF, f.XMP)
		}
	}
}

// A frame is at its place on a black canvas, in parts as in the whole.
func TestFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var d Decoder
	for range 40 {
		w, h := 1+r.IntN(20), 1+r.IntN(20)
		x, y := 2*r.IntN(9), 2*r.IntN(9)
		width, height := x+w+r.IntN(9), y+h+r.IntN(9)
		f, rgb, err := decodeFile(&d, joined(vp8x(width, height, 2), part("ANIM", 0, 0, 0, 0, 0, 0), anmf(x, y, w, h, plain(w, h, 10, 20, 30))))
		if err != nil {
			t.Fatal(err)
		}
		for i := range width * height {
			want := []byte{0, 0, 0}
			if image.Pt(i%width, i/width).In(image.Rect(x, y, x+w, y+h)) {
				want = []byte{10, 20, 30}
			}
			if !bytes.Equal(rgb[3*i:3*i+3], want) {
				t.Fatalf("%v of %dx%d: pixel %d is %v", f.Frame, height, width, i, rgb[3*i:3*i+3])
			}
		}
		for range 10 {
			checkPart(t, &d, f, rgb, randomPart(r, f), 0)
		}
	}
}

// A released decoder doesn't keep the file alive, decoded or refused.
func TestRelease(t *testing.T) {
	for i, c := range append(lossies(t, "testdata/lossy.json")[:8], lossies(t, "testdata/lossless.json")[:8]...) {
		for _, lost := range []int{0, len(c.Encoded) / 3} {
			var d Decoder
			file := func() weak.Pointer[byte] {
				data := bytes.Clone(c.Encoded)
				clear(data[len(data)-lost:])
				_, _, _ = decodeFile(&d, data)
				return weak.Make(&data[0])
			}()
			d.Release()
			runtime.GC()
			if file.Value() != nil {
				t.Errorf("file %d, without %d bytes: it is still there", i, lost)
			}
			runtime.KeepAlive(&d)
		}
	}
}

// The byte that makes a chunk's length even is data of the last partition, as libwebp takes it: by it alone this picture isn't cut.
func TestPaddingIsData(t *testing.T) {
	data := []byte("RIFF\x24\x00\x00\x00WEBPVP8 \x17\x00\x00\x00\x54\x01\x00\x9d\x01\x2a\x01\x00\x01\x00\x10\x28\x00\x25\xa4\x00\x04\x74\x00\x00\xfe\xdf\x56\x00")
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	have := make([]byte, 3)
	if err := d.Decode(t.Context(), f, image.Rect(0, 0, 1, 1), have); err != nil || [3]byte(have) != ([3]byte{127, 127, 127}) {
		t.Errorf("%v: % x", err, have)
	}
	data[4]-- // and without it
	if f, err = Parse(data[:len(data)-1]); err == nil {
		err = d.Decode(t.Context(), f, image.Rect(0, 0, 1, 1), have)
	}
	if !errors.Is(err, ErrTruncated) {
		t.Errorf("without padding: %v", err)
	}
}
