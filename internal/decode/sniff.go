package decode

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// signatures are the beginnings of files that are met in image folders and are
// not decoded here.
var signatures = []struct{ prefix, name string }{
	{"II*\x00", "a TIFF image"},
	{"MM\x00*", "a TIFF image"},
	{"II+\x00", "a BigTIFF image"},
	{"MM\x00+", "a BigTIFF image"},
	{"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 image"},
	{"\xff\x4f\xff\x51", "a JPEG 2000 codestream"},
	{"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL image"},
	{"\xff\x0a", "a JPEG XL codestream"},
	{"8BPS", "a Photoshop document"},
	{"v/1\x01", "an OpenEXR image"},
	{"#?RADIANCE", "a Radiance HDR image"},
	{"P7\n", "a PAM image"},
	{"PF\n", "a PFM image"},
	{"Pf\n", "a PFM image"},
	{"qoif", "a QOI image"},
	{"\x00\x00\x01\x00", "an icon (ICO)"},
	{"\x8aMNG", "an MNG animation"},
	{"RIFF", "a RIFF file other than WebP (AVI or WAV)"},
	{"%PDF", "a PDF document"},
	{"PK\x03\x04", "a zip archive"},
	{"\x1f\x8b", "gzip data"},
	{"\x28\xb5\x2f\xfd", "zstd data"},
	{"BZh", "bzip2 data"},
	{"version https://git-lfs", "a Git LFS pointer (run git lfs pull)"},
	{"ARROW1", "an Arrow file"},
	{"PAR1", "a Parquet file"},
	{"\x93NUMPY", "a NumPy array"},
}

// isoBrands are the brands in the ftyp box of the ISO base media formats.
var isoBrands = []struct{ brands, name string }{
	{"avif avis", "an AVIF image"},
	{"heic heix heim heis hevc hevx mif1 msf1", "a HEIC/HEIF image"},
	{"crx ", "a Canon CR3 raw image"},
}

// looksLike says what bytes seem to be that are no supported image, for the
// error message.
func looksLike(data []byte) string {
	if len(data) == 0 {
		return "an empty file (0 bytes) is"
	}
	for _, s := range signatures {
		if bytes.HasPrefix(data, []byte(s.prefix)) {
			return s.name + " is"
		}
	}
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		brand := string(data[8:12])
		for _, b := range isoBrands {
			if strings.Contains(b.brands, brand) {
				return b.name + " is"
			}
		}
		return fmt.Sprintf("a media file of brand %q (MP4 or like it) is", brand)
	}
	head := data[:min(len(data), 512)]
	switch {
	case len(bytes.Trim(head, "\x00")) == 0:
		return "a file of zero bytes is"
	case isText(head):
		return textKind(head) + " is"
	}
	return fmt.Sprintf("an unknown format (%d bytes, beginning with % x) is", len(data), head[:min(len(head), 8)])
}

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

func textKind(head []byte) string {
	text := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(head), "\ufeff")))
	switch {
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"), strings.Contains(text, "<html"):
		return "an HTML page (a failed download?)"
	case strings.Contains(text, "<svg"):
		return "an SVG drawing"
	case strings.HasPrefix(text, "<?xml"), strings.HasPrefix(text, "<"):
		return "XML text"
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "JSON text"
	}
	return "plain text"
}
