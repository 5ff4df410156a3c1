package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Remedies.
const (
	convertIt = "convert it to PNG, WebP or JPEG"
	renderIt  = "render it to PNG"
	unpackIt  = "unpack it"
	framesOf  = "extract its frames as PNG or JPEG"
	developIt = "develop it to TIFF, PNG or JPEG"
	noImage   = "it is no image"
)

// signatures recognize other files that are found in image folders; at is the offset.
var signatures = []struct {
	at           int
	bytes        string
	name, remedy string
}{
	{0, "\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 image", convertIt},
	{0, "\xff\x4f\xff\x51", "a JPEG 2000 codestream", convertIt},
	{0, "\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL image", convertIt},
	{0, "\xff\x0a", "a JPEG XL codestream", convertIt},
	{0, "II\xbc\x01", "a JPEG XR image", convertIt},
	{0, "8BPS", "a Photoshop document (PSD)", "export it as PNG"},
	{0, "gimp xcf", "a GIMP document (XCF)", "export it as PNG"},
	{0, "v/1\x01", "an OpenEXR image", convertIt},
	{0, "#?RADIANCE", "a Radiance HDR image", convertIt},
	{0, "#?RGBE", "a Radiance HDR image", convertIt},
	{0, "P7\n", "a PAM image", convertIt},
	{0, "PF\n", "a PFM image", convertIt},
	{0, "Pf\n", "a PFM image", convertIt},
	{0, "qoif", "a QOI image", convertIt},
	{0, "FLIF", "a FLIF image", convertIt},
	{0, "BPG\xfb", "a BPG image", convertIt},
	{0, "DDS ", "a DirectDraw surface (DDS)", convertIt},
	{0, "\x00\x00\x01\x00", "an icon (ICO)", convertIt},
	{0, "\x00\x00\x02\x00\x01", "a cursor (CUR)", convertIt},
	{0, "icns", "an icon (ICNS)", convertIt},
	{0, "\x01\xda\x00", "an SGI image", convertIt},
	{0, "\x01\xda\x01", "an SGI image", convertIt},
	{0, "\x0a\x05\x01\x01", "a PCX image", convertIt},
	{0, "\x0a\x05\x01\x08", "a PCX image", convertIt},
	{0, "\x59\xa6\x6a\x95", "a Sun raster image", convertIt},
	{0, "SIMPLE  =", "a FITS image", convertIt},
	{0, "BLP0", "a Blizzard texture (BLP)", convertIt},
	{0, "BLP1", "a Blizzard texture (BLP)", convertIt},
	{0, "BLP2", "a Blizzard texture (BLP)", convertIt},
	{0, "DanM", "a Microsoft Paint image (MSP)", convertIt},
	{0, "LinS", "a Microsoft Paint image (MSP)", convertIt},
	{0, "Image type: ", "an IFUNC image (IM)", convertIt},
	{0, "Image size (x*y): ", "an IFUNC image (IM)", convertIt},
	{0, "/* XPM */", "an X pixmap (XPM)", convertIt},
	{0, "P7 332", "an XV thumbnail", convertIt},
	{0, "\xb1\x68\xde\x3a", "a fax of several PCX images (DCX)", convertIt},
	{0, "FTEX", "a texture (FTEX)", convertIt},
	{2048, "PCD_", "a Photo CD image (PCD)", convertIt},
	{0, "\x8aMNG", "an MNG animation", framesOf},
	{128, "DICM", "a DICOM image", convertIt},
	{0, "FUJIFILMCCD-RAW", "a Fujifilm raw photo (RAF)", developIt},
	{0, "IIRO", "an Olympus raw photo (ORF)", developIt},
	{0, "IIU\x00", "a Panasonic raw photo (RW2)", developIt},
	{8, "WEBP", "a WebP image without its RIFF header", "download it anew"},
	{8, "AVI ", "an AVI film", framesOf},
	{8, "WAVE", "a WAV sound", noImage},
	{0, "RIFF", "a RIFF file other than WebP", noImage},
	{0, "\x1a\x45\xdf\xa3", "a WebM or Matroska film", framesOf},
	{0, "FLV\x01", "a Flash film", framesOf},
	{0, "OggS", "an Ogg film or sound", framesOf},
	{0, "\x00\x00\x01\xba", "an MPEG film", framesOf},
	{0, "%PDF", "a PDF document", renderIt},
	{0, "%!PS", "a PostScript document (EPS)", renderIt},
	{0, "\xc5\xd0\xd3\xc6", "a PostScript document (EPS)", renderIt},
	{0, "AT&TFORM", "a DjVu document", renderIt},
	{0, "\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)", renderIt},
	{40, " EMF", "a Windows metafile (EMF)", renderIt},
	{0, "PK\x03\x04", "a zip archive", unpackIt},
	{0, "Rar!", "a RAR archive", unpackIt},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", unpackIt},
	{257, "ustar", "a tar archive", "unpack it, or read it by a source of tar files"},
	{0, "\x1f\x8b", "gzip data", unpackIt},
	{0, "\x28\xb5\x2f\xfd", "zstd data", unpackIt},
	{0, "BZh", "bzip2 data", unpackIt},
	{0, "\xfd7zXZ\x00", "xz data", unpackIt},
	{0, "version https://git-lfs", "a Git LFS pointer", "run git lfs pull"},
	{0, "ARROW1", "an Arrow file", noImage},
	{0, "PAR1", "a Parquet file", noImage},
	{0, "\x93NUMPY", "a NumPy array", convertIt},
	{0, "\x89HDF", "an HDF5 file", convertIt},
}

// isoBrands are the brands in the ftyp box of the ISO base media formats.
var isoBrands = []struct{ brands, name, remedy string }{
	{"avif avis", "an AVIF image", convertIt},
	{"heic heix heim heis hevc hevx mif1 msf1", "a HEIC/HEIF image", convertIt},
	{"crx ", "a Canon raw photo (CR3)", developIt},
	{"qt  ", "a QuickTime film", framesOf},
}

// looksLike is what an unsupported file seems to be, and what to do about it, for the error
// message.
func looksLike(data []byte) (name, remedy string) {
	if len(data) == 0 {
		return "an empty file (0 bytes)", "copy or download it anew"
	}
	for _, s := range signatures {
		if len(data) >= s.at && bytes.HasPrefix(data[s.at:], []byte(s.bytes)) {
			return s.name, s.remedy
		}
	}
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		return isoKind(data)
	}
	head := data[:min(len(data), 512)]
	switch {
	case len(bytes.Trim(head, "\x00")) == 0:
		return "a file of zero bytes", "copy or download it anew"
	case isTGA(data):
		return "a TGA image", convertIt
	case isDIB(data):
		return "a bitmap without its file header (DIB)", convertIt
	case isText(head):
		return textKind(head)
	}
	return fmt.Sprintf("an unknown format (%d bytes, beginning with % x)", len(data), head[:min(len(head), 8)]), convertIt
}

// isoKind looks at the major brand, then at compatible ones; "mif1" and "msf1", which HEIC
// and AVIF share, come last.
func isoKind(data []byte) (name, remedy string) {
	size := min(int(binary.BigEndian.Uint32(data)), len(data), 256)
	brands := []string{string(data[8:12])}
	for at := 16; at+4 <= size; at += 4 {
		brands = append(brands, string(data[at:at+4]))
	}
	for _, generic := range []bool{false, true} {
		for _, brand := range brands {
			for _, b := range isoBrands {
				if strings.Contains(b.brands, brand) && (generic || brand != "mif1" && brand != "msf1") {
					return b.name, b.remedy
				}
			}
		}
	}
	return fmt.Sprintf("a media file of brand %q (MP4 or like it)", brands[0]), framesOf
}

// isTGA recognizes Truevision's format, which has no signature at the front, by its footer
// or by a header with only valid fields.
func isTGA(data []byte) bool {
	if bytes.HasSuffix(data, []byte("TRUEVISION-XFILE.\x00")) {
		return true
	}
	if len(data) < 18 {
		return false
	}
	mapped, kind, depth := data[1], data[2], data[16]
	switch {
	case mapped > 1 || mapped == 1 != (kind == 1 || kind == 9), !strings.ContainsRune("\x01\x02\x03\x09\x0a\x0b", rune(kind)):
		return false
	case mapped == 1 && !strings.ContainsRune("\x0f\x10\x18\x20", rune(data[7])):
		return false
	case data[12]|data[13] == 0 || data[14]|data[15] == 0:
		return false
	}
	return strings.ContainsRune("\x01\x08\x0f\x10\x18\x20", rune(depth)) && data[17]&0xc0 == 0
}

// isDIB recognizes a BMP file without its first 14 bytes, by its header's length, its one
// plane and its number of bits.
func isDIB(data []byte) bool {
	if len(data) < 16 || data[1]|data[2]|data[3] != 0 {
		return false
	}
	planes := data[12:16]
	switch data[0] {
	case 12:
		planes = data[8:12] // sides have 2 bytes
	case 40, 52, 56, 64, 108, 124:
	default:
		return false
	}
	return planes[0] == 1 && planes[1] == 0 && strings.ContainsRune("\x01\x02\x04\x08\x10\x18\x20", rune(planes[2])) && planes[3] == 0
}

// xbm is the beginning of an X bitmap: C code, possibly after a comment.
var xbm = regexp.MustCompile(`^(?s:/\*.*?\*/\s*)?#define\s+\w*width\s+[0-9]`)

// isText reports whether bytes are printable UTF-8, up to a last character
// that the excerpt may have cut.
func isText(head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return len(head) < utf8.UTFMax && !utf8.FullRune(head)
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' {
			return false
		}
		head = head[n:]
	}
	return true
}

func textKind(head []byte) (name, remedy string) {
	text := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(head), "\ufeff")))
	switch {
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"), strings.Contains(text, "<html"):
		return "an HTML page", "a failed download? download it anew"
	case strings.Contains(text, "<svg"):
		return "an SVG drawing", renderIt
	case strings.HasPrefix(text, "<?xml"), strings.HasPrefix(text, "<"):
		return "XML text", "a failed download? download it anew"
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "JSON text", "a failed download? download it anew"
	case xbm.MatchString(text):
		return "an X bitmap (XBM)", convertIt
	}
	return "plain text", noImage
}
