package decode

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"io"
)

// notes is the metadata of a file that may say which way up the picture is. It is looked
// up in the order of Pillow's ImageOps.exif_transpose: EXIF, else ImageMagick's raw
// profile "exif"; if neither has the tag, tiff:Orientation of the XMP packet.
// In addition to Pillow, the raw profiles "APP1" (older ImageMagick: EXIF or XMP) and
// "xmp" come last, and XMP may write the attribute with blanks and single quotes.
type notes struct {
	exif []byte
	raw  [3]textChunk // PNG only: raw profiles "exif", "APP1" and "xmp"
	text textChunk    // PNG only: text of the key XML:com.adobe.xmp
	xmp  []byte
}

// rawProfiles are the keys of notes.raw.
var rawProfiles = [3]string{"Raw profile type exif", "Raw profile type APP1", "Raw profile type xmp"}

const xmpKey = "XML:com.adobe.xmp"

// textChunk is a text of a PNG file, not yet inflated.
type textChunk struct {
	body     []byte
	deflated bool
}

// orientation is 1..8; 1 if there is none.
func (n *notes) orientation() int {
	exif := n.exif
	if exif == nil {
		exif = n.raw[0].profile()
	}
	if o := exifOrientation(exif); o != 0 {
		return o
	}
	xmp := n.xmp
	if n.text.body != nil {
		xmp = n.text.inflated()
	}
	if o := xmpOrientation(xmp); o != 0 {
		return o
	}
	for i := 1; i < len(n.raw); i++ {
		block := n.raw[i].profile()
		if o := max(exifOrientation(block), xmpOrientation(block)); o != 0 {
			return o
		}
	}
	return 1
}

// xmpOrientation finds tiff:Orientation="6" or <tiff:Orientation>6 in an XMP packet: 1..8, or 0.
// A value that is no orientation counts as 1.
func xmpOrientation(xmp []byte) int {
	for {
		_, rest, found := bytes.Cut(xmp, []byte("tiff:Orientation"))
		if !found {
			return 0
		}
		xmp = rest
		rest = bytes.TrimLeft(rest, " \t\r\n")
		switch {
		case len(rest) > 0 && rest[0] == '>':
			rest = rest[1:]
		case len(rest) > 0 && rest[0] == '=':
			rest = bytes.TrimLeft(rest[1:], " \t\r\n")
			if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
				continue
			}
			rest = rest[1:]
		default:
			continue
		}
		if len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
			if rest[0] >= '1' && rest[0] <= '8' {
				return int(rest[0] - '0')
			}
			return 1
		}
	}
}

// pngChunk keeps the metadata of a chunk: eXIf, tEXt, zTXt or iTXt. Of several the last
// counts. Nothing is inflated yet, so that many chunks cost little.
func (n *notes) pngChunk(kind string, body []byte) {
	if kind == "eXIf" {
		n.exif = body
		return
	}
	key, value, _ := bytes.Cut(body, []byte{0})
	var to *textChunk
	switch k := string(key); {
	case len(key) > len(rawProfiles[0]): // avoids copying a long body
		return
	case k == xmpKey:
		to = &n.text
	case k == rawProfiles[0]:
		to = &n.raw[0]
	case k == rawProfiles[1]:
		to = &n.raw[1]
	case k == rawProfiles[2]:
		to = &n.raw[2]
	default:
		return
	}
	switch kind {
	case "tEXt":
		*to = textChunk{body: value}
	case "zTXt":
		if len(value) > 1 && value[0] == 0 {
			*to = textChunk{body: value[1:], deflated: true}
		}
	case "iTXt": // compression flag, method, language, translated key, text
		if len(value) < 2 || value[0] != 0 && value[1] != 0 {
			return
		}
		if parts := bytes.SplitN(value[2:], []byte{0}, 3); len(parts) == 3 {
			*to = textChunk{body: parts[2], deflated: value[0] != 0}
		}
	}
}

// maxText is how many bytes a text is inflated to at most: Pillow's MAX_TEXT_CHUNK.
const maxText = 1 << 20

// inflated is the text; nil if it is damaged or longer than maxText.
func (c textChunk) inflated() []byte {
	if !c.deflated {
		return c.body
	}
	r, err := zlib.NewReader(bytes.NewReader(c.body))
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil || len(text) > maxText {
		return nil
	}
	return text
}

// profile is the contents of a raw profile: a line break, its name, its length, then lines
// of hexadecimal digits.
func (c textChunk) profile() []byte {
	if c.body == nil {
		return nil
	}
	lines := bytes.SplitN(c.inflated(), []byte("\n"), 4)
	if len(lines) < 4 {
		return nil
	}
	digits := bytes.Map(func(r rune) rune {
		if isSpace(byte(r)) {
			return -1
		}
		return r
	}, lines[3])
	block := make([]byte, len(digits)/2)
	n, _ := hex.Decode(block, digits) // up to what is none
	return block[:n]
}
