package preview

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/schema"
)

// overlay is the targets of a picture, drawn over it: objects in the units of its pixels, and
// the mask as a picture of colours.
type overlay struct {
	Width, Height int // of the picture that the coordinates belong to
	Text          string
	Objects       []drawnObject
	Mask          template.URL
	Classes       []shade // of the mask, those that are there
}

// shade is a class and its colour.
type shade struct{ Name, Color string }

// drawnObject is an object; coordinates are as SVG takes them.
type drawnObject struct {
	Name, Color, Tip    string
	X, Y, Width, Height string
	Crowd               bool
	NameX, NameY        string
	AtEdge              bool     // the name ends there, at the picture's edge
	Parts               []string // of the polygon: "x,y x,y ..."
	Points              []drawnPoint
}

type drawnPoint struct {
	X, Y, R, Name string
	Hidden        bool
}

// The longest sides of pictures on the page.
const (
	plainSide  = 180
	targetSide = 400 // of those with targets
)

// lettersWide is how many pixels of the page a picture is wide, about: letters and points are
// as large on small pictures as on large ones.
const lettersWide = 260

// newOverlay draws targets and a mask over a picture of that size, if there are any; nil if
// there are none.
func newOverlay(spec *schema.TargetSpec, t *schema.Targets, mask *schema.Picture, height, width int) (*overlay, error) {
	if !spec.Objects() && !spec.HasMask() {
		return nil, nil
	}
	if t != nil && t.Height > 0 && t.Width > 0 {
		height, width = t.Height, t.Width
	}
	unit := max(float64(width)/lettersWide, float64(height)/lettersWide) // pixels of the picture in one of the page
	o := &overlay{Width: width, Height: height, Text: number(11 * unit)}
	if t != nil {
		for i := range t.Objects {
			o.Objects = append(o.Objects, newDrawnObject(spec, &t.Objects[i], unit, float64(width)))
		}
	}
	if mask != nil && spec.HasMask() {
		var err error
		if o.Mask, err = coloured(mask); err != nil {
			return nil, err
		}
		o.Classes = shadesOf(spec, mask)
	}
	return o, nil
}

func newDrawnObject(spec *schema.TargetSpec, from *schema.Object, unit, edge float64) drawnObject {
	name := strconv.Itoa(int(from.Label))
	if l := int(from.Label); l >= 0 && l < len(spec.Classes) {
		name = spec.Classes[l]
	}
	x, y, right, bottom := float64(from.Box[0]), float64(from.Box[1]), float64(from.Box[2]), float64(from.Box[3])
	o := drawnObject{
		Name: name, Color: colorOf(int(from.Label)).hex(), Crowd: from.Crowd,
		X: number(x), Y: number(y), Width: number(right - x), Height: number(bottom - y),
		NameX: number(x + 2*unit), NameY: number(max(y, 0) + 10*unit),
		Tip: fmt.Sprintf("%s: %.1f %.1f %.1f %.1f", name, x, y, right, bottom),
	}
	if wide := 6.5 * unit * float64(utf8.RuneCountInString(name)); x+wide > edge {
		o.NameX, o.AtEdge = number(edge-2*unit), true
	}
	if from.ID != 0 {
		o.Tip += fmt.Sprintf(", id %d", from.ID)
	}
	if from.Crowd {
		o.Tip += ", crowd"
	}
	for _, part := range from.Polygon {
		var points []string
		for i := 0; i+1 < len(part); i += 2 {
			points = append(points, number(float64(part[i]))+","+number(float64(part[i+1])))
		}
		o.Parts = append(o.Parts, strings.Join(points, " "))
	}
	for k := 0; k+2 < len(from.Keypoints); k += 3 {
		v := from.Keypoints[k+2]
		if v == 0 {
			continue
		}
		p := drawnPoint{X: number(float64(from.Keypoints[k])), Y: number(float64(from.Keypoints[k+1])), R: number(2.5 * unit), Hidden: v == 1}
		if k/3 < len(spec.Keypoints) {
			p.Name = spec.Keypoints[k/3]
		}
		o.Points = append(o.Points, p)
	}
	return o
}

// number is a coordinate to a hundredth of a pixel.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// coloured is a mask in the colours of its classes, half transparent; what is ignored is grey.
func coloured(mask *schema.Picture) (template.URL, error) {
	small := max(float64(mask.Width), float64(mask.Height)) / targetSide
	height, width := mask.Height, mask.Width
	if small > 1 {
		height, width = max(int(float64(height)/small), 1), max(int(float64(width)/small), 1)
	}
	palette := make(color.Palette, 256)
	for class := range palette {
		c := colorOf(class)
		palette[class] = color.NRGBA{c[0], c[1], c[2], 150}
	}
	palette[schema.MaskIgnore] = color.NRGBA{128, 128, 128, 190}
	img := image.NewPaletted(image.Rect(0, 0, width, height), palette)
	for y := range height {
		for x := range width { // the nearest
			img.Pix[y*img.Stride+x] = mask.U8[(2*y+1)*mask.Height/(2*height)*mask.Width+(2*x+1)*mask.Width/(2*width)]
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes())), nil
}

// shadesOf lists the classes that a mask has, those with the most pixels first.
func shadesOf(spec *schema.TargetSpec, mask *schema.Picture) (list []shade) {
	const most = 8
	var counts [256]int
	for _, v := range mask.U8 {
		counts[v]++
	}
	var there []int
	for class, n := range counts {
		if n > 0 {
			there = append(there, class)
		}
	}
	slices.SortStableFunc(there, func(a, b int) int { return counts[b] - counts[a] })
	for i, class := range there {
		if i == most && len(there) > most+1 {
			return append(list, shade{fmt.Sprintf("%d more", len(there)-most), "transparent"})
		}
		s := shade{strconv.Itoa(class), colorOf(class).hex()}
		if class < len(spec.MaskClasses) {
			s.Name = spec.MaskClasses[class]
		}
		if class == int(schema.MaskIgnore) {
			s = shade{"ignored", rgb{128, 128, 128}.hex()}
		}
		list = append(list, s)
	}
	return list
}

type rgb [3]uint8

func (c rgb) hex() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// colorOf is a colour for a class: hues at the golden angle, so that neighbours differ, of
// two brightnesses.
func colorOf(class int) (c rgb) {
	hue, light := math.Mod(float64(class)*137.508+20, 360)/60, 1.0
	if class%2 == 1 {
		light = 0.78
	}
	for i, shift := range []float64{0, 4, 2} { // the hexagon of hues
		k := math.Mod(hue+shift, 6)
		c[i] = uint8(255 * light * (1 - 0.85*min(max(2-math.Abs(k-3), 0), 1)))
	}
	return c
}
