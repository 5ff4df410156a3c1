package decode

import "github.com/sluicedata/sluice/internal/jpeg"

// The tables of libjpeg-turbo's YCbCr -> RGB conversion (jdcolor.c,
// build_ycc_rgb_table): fixed point with 16 bits, one half added where the
// result is shifted. crG and cbG are added before their shift.
var crR, cbB, crG, cbG = yccTables()

const yccBits = 16

// libjpeg's FIX(x) = round(x * 2^16) for the constants of JFIF.
const (
	fix1_40200 = 91881
	fix1_77200 = 116130
	fix0_71414 = 46802
	fix0_34414 = 22554
)

func yccTables() (crR, cbB, crG, cbG [256]int32) {
	const half = 1 << (yccBits - 1)
	for i := range int32(256) {
		x := i - 128
		crR[i] = (fix1_40200*x + half) >> yccBits
		cbB[i] = (fix1_77200*x + half) >> yccBits
		crG[i] = -fix0_71414 * x
		cbG[i] = -fix0_34414*x + half
	}
	return crR, cbB, crG, cbG
}

// clamp is libjpeg's range_limit.
func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return uint8(v)
}

// yccToRGB converts one pixel.
func yccToRGB(y, cb, cr uint8) (r, g, b uint8) {
	l := int32(y)
	return clamp(l + crR[cr]), clamp(l + (cbG[cb]+crG[cr])>>yccBits), clamp(l + cbB[cb])
}

// rowConverter chooses the conversion of a row of components to RGB. The
// colour space is found as libjpeg does (jdapimin.c, default_decompress_parms):
// JFIF means YCbCr, else Adobe's transform decides, else the component ids.
func rowConverter(h *jpeg.Header) func(dst []uint8, rows *[4][]uint8) {
	switch {
	case len(h.Components()) == 1:
		return convertGrey
	case len(h.Components()) == 4 && (!h.Adobe || h.AdobeTransform == 0):
		return convertCMYK
	case len(h.Components()) == 4:
		return convertYCCK
	case isRGB(h):
		return convertRGB
	}
	return convertYCC
}

func isRGB(h *jpeg.Header) bool {
	switch {
	case h.JFIF:
		return false
	case h.Adobe:
		return h.AdobeTransform == 0
	}
	c := h.Components()
	return c[0].ID == 'R' && c[1].ID == 'G' && c[2].ID == 'B'
}

func convertGrey(dst []uint8, rows *[4][]uint8) {
	for x, v := range rows[0][:len(dst)/3] {
		dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
	}
}

func convertRGB(dst []uint8, rows *[4][]uint8) {
	for x := range len(dst) / 3 {
		dst[3*x], dst[3*x+1], dst[3*x+2] = rows[0][x], rows[1][x], rows[2][x]
	}
}

// useAssembly is a variable so that tests can compare assembly with plain Go.
var useAssembly = haveAssembly()

func convertYCCGo(dst []uint8, rows *[4][]uint8) {
	n := len(dst) / 3
	ys, cbs, crs := rows[0][:n], rows[1][:n], rows[2][:n]
	for x, y := range ys {
		d := dst[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = yccToRGB(y, cbs[x], crs[x])
	}
}

// convertCMYK reads inverted CMYK, as Adobe's programs write it (255 is no ink). So does
// Pillow with every four-component JPEG file, with and without an Adobe marker.
func convertCMYK(dst []uint8, rows *[4][]uint8) {
	for x := range len(dst) / 3 {
		k := rows[3][x]
		for c := range 3 {
			dst[3*x+c] = inkToLight(255-rows[c][x], k)
		}
	}
}

// convertYCCK: libjpeg makes CMY as 255 - RGB and passes K on (ycck_cmyk_convert);
// then the inversion of convertCMYK follows.
func convertYCCK(dst []uint8, rows *[4][]uint8) {
	for x := range len(dst) / 3 {
		k := rows[3][x]
		r, g, b := yccToRGB(rows[0][x], rows[1][x], rows[2][x])
		dst[3*x], dst[3*x+1], dst[3*x+2] = inkToLight(r, k), inkToLight(g, k), inkToLight(b, k)
	}
}

// inkToLight is Pillow's cmyk2rgb (Convert.c): the paper's light nk less what
// the ink takes of it, with MULDIV255's rounding. nk is 255 - K.
func inkToLight(ink, nk uint8) uint8 {
	t := int32(ink)*int32(nk) + 128
	return clamp(int32(nk) - (t>>8+t)>>8)
}
