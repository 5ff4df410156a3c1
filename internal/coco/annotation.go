package coco

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/zeebo/xxh3"
)

// mostNumbers of one annotation.
const mostNumbers = 1 << 24

// Annotation is an object of the list annotations, as it is written there until Mend.
type Annotation struct {
	ID, Image, Category int64
	HasID, HasCategory  bool
	HasImage            bool

	Box       []float64 // x y width height; empty: there is none
	Area      float64   // 0: there is none
	Crowd     bool
	Keypoints []float64 // x y v of each

	Points  []float64 // of all parts of the polygon
	Ends    []int     // of each part in Points
	HasRLE  bool
	Counts  []uint32 // of an RLE that isn't compressed
	Text    []byte   // of one that is
	Size    []float64
	rle     RLE  // after Mend
	flat    bool // the polygon is a list of numbers
	strange bool // a number of Counts isn't a length
}

func (a *Annotation) reset() {
	*a = Annotation{Box: a.Box[:0], Keypoints: a.Keypoints[:0], Points: a.Points[:0], Ends: a.Ends[:0],
		Counts: a.Counts[:0], Text: a.Text[:0], Size: a.Size[:0]}
}

// ParseAnnotation reads the text of one annotation into a, whose memory it uses.
func ParseAnnotation(text []byte, a *Annotation) error {
	s := &scanner{buf: text}
	if err := a.read(s); err != nil {
		return err
	}
	if s.pos != len(s.buf) {
		return s.errorf("text behind an annotation")
	}
	return nil
}

func (a *Annotation) read(s *scanner) error {
	a.reset()
	return s.object(func(key []byte) (err error) {
		switch string(key) {
		case "id":
			a.ID, a.HasID, err = s.id("id")
		case "image_id":
			a.Image, a.HasImage, err = s.id("image_id")
		case "category_id":
			a.Category, a.HasCategory, err = s.id("category_id")
		case "bbox":
			a.Box, err = s.numbers("bbox", a.Box[:0])
		case "area":
			a.Area, err = s.optional("area")
		case "iscrowd":
			a.Crowd, err = s.flag("iscrowd")
		case "keypoints":
			a.Keypoints, err = s.numbers("keypoints", a.Keypoints[:0])
		case "segmentation":
			err = a.segmentation(s)
		default:
			err = s.skip()
		}
		return err
	})
}

// id takes a whole number; ok is false where it is null.
func (s *scanner) id(name string) (v int64, ok bool, err error) {
	c, err := s.peek()
	if err != nil {
		return 0, false, err
	}
	if c == 'n' {
		_, err := s.literal()
		return 0, false, err
	}
	if c == '"' {
		text, err := s.string(longestName)
		if err == nil {
			err = s.errorf("%s: want a whole number, have the text %q", name, cut(text, nil))
		}
		return 0, false, err
	}
	token, err := s.token()
	if err != nil {
		return 0, false, err
	}
	if isNumber(token) { // float64 doesn't have all of int64
		if v, err := strconv.ParseInt(string(token), 10, 64); err == nil {
			s.pos += len(token)
			return v, true, nil
		}
	}
	f, err := s.number()
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", name, err)
	}
	if f != math.Trunc(f) || !(math.Abs(f) <= 1<<53) {
		return 0, false, s.errorf("%s: want a whole number, have %v", name, f)
	}
	return int64(f), true, nil
}

// optional takes a number, 0 where it is null.
func (s *scanner) optional(name string) (float64, error) {
	c, err := s.peek()
	if err != nil {
		return 0, err
	}
	if c == 'n' {
		_, err := s.literal()
		return 0, err
	}
	v, err := s.number()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// flag takes true, false or a number.
func (s *scanner) flag(name string) (bool, error) {
	c, err := s.peek()
	if err != nil {
		return false, err
	}
	if c == 't' || c == 'f' {
		c, err := s.literal()
		return c == 't', err
	}
	v, err := s.optional(name)
	return v != 0, err
}

// numbers appends the numbers of a list, none where it is null.
func (s *scanner) numbers(name string, list []float64) ([]float64, error) {
	c, err := s.peek()
	if err != nil {
		return list, err
	}
	if c == 'n' {
		_, err := s.literal()
		return list, err
	}
	err = s.array(func() error {
		v, err := s.number()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(list) == mostNumbers {
			return s.errorf("%s: more than %d numbers", name, mostNumbers)
		}
		list = append(list, v)
		return nil
	})
	return list, err
}

// segmentation takes a list of polygons, one polygon, or an RLE.
func (a *Annotation) segmentation(s *scanner) error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case c == '{':
		return a.readRLE(s)
	case c == 'n':
		_, err := s.literal()
		return err
	}
	err = s.array(func() error {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c != '[' {
			v, err := s.number()
			if err != nil {
				return fmt.Errorf("segmentation: %w", err)
			}
			if len(a.Points) == mostNumbers {
				return s.errorf("segmentation: more than %d numbers", mostNumbers)
			}
			a.flat = true
			a.Points = append(a.Points, v)
			return nil
		}
		if a.Points, err = s.numbers("segmentation", a.Points); err != nil {
			return err
		}
		a.Ends = append(a.Ends, len(a.Points))
		return nil
	})
	if a.flat {
		a.Ends = append(a.Ends[:0], len(a.Points))
	}
	return err
}

func (a *Annotation) readRLE(s *scanner) error {
	a.HasRLE = true
	return s.object(func(key []byte) error {
		switch string(key) {
		case "size":
			var err error
			a.Size, err = s.numbers("size", a.Size[:0])
			return err
		case "counts":
			c, err := s.peek()
			if err != nil {
				return err
			}
			if c == '"' {
				text, err := s.string(longestText)
				a.Text = append(a.Text[:0], text...)
				return err
			}
			return s.array(func() error {
				v, err := s.number()
				if err != nil {
					return fmt.Errorf("counts: %w", err)
				}
				if len(a.Counts) == mostNumbers {
					return s.errorf("counts: more than %d numbers", mostNumbers)
				}
				if v < 0 || v > mostPixels || v != math.Trunc(v) {
					a.strange, v = true, 0
				}
				a.Counts = append(a.Counts, uint32(v))
				return nil
			})
		}
		return s.skip()
	})
}

// Digest is of all that an annotation holds, whatever the form of its numbers and the order
// of its keys. It is taken before Mend. buf is used again.
func (a *Annotation) Digest(buf []byte) (digest [16]byte, _ []byte) {
	le := binary.LittleEndian
	floats := func(list []float64) {
		buf = le.AppendUint64(buf, uint64(len(list)))
		for _, v := range list {
			buf = le.AppendUint64(buf, math.Float64bits(v))
		}
	}
	buf = buf[:0]
	flags := uint64(0)
	for i, is := range []bool{a.Crowd, a.HasRLE, a.strange, a.HasID, a.flat} {
		if is {
			flags |= 1 << i
		}
	}
	buf = le.AppendUint64(buf, flags)
	buf = le.AppendUint64(buf, uint64(a.ID))
	buf = le.AppendUint64(buf, uint64(a.Category))
	buf = le.AppendUint64(buf, math.Float64bits(a.Area))
	floats(a.Box)
	floats(a.Keypoints)
	floats(a.Size)
	floats(a.Points)
	buf = le.AppendUint64(buf, uint64(len(a.Ends)))
	for _, end := range a.Ends {
		buf = le.AppendUint64(buf, uint64(end))
	}
	buf = le.AppendUint64(buf, uint64(len(a.Counts)))
	for _, c := range a.Counts {
		buf = le.AppendUint32(buf, c)
	}
	buf = append(buf, a.Text...)
	return xxh3.Hash128(buf).Bytes(), buf
}
