package coco

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// mostCategories is how many bytes the list of categories may have.
const mostCategories = 64 << 20

// Image is an element of the list images.
type Image struct {
	ID            int64
	HasID         bool
	File          string // file_name
	URL           string // coco_url, flickr_url and the like are not read
	Height, Width int    // 0: not known

	Negative, NotExhaustive       []int64 // LVIS's category ids
	HasNegative, HasNotExhaustive bool
}

// Category is an element of the list categories.
type Category struct {
	ID        int64
	Name      string
	Keypoints []string
}

// File is what an annotation file says of its classes.
type File struct {
	Categories     []Category
	CategoriesText []byte // the list, as it is written
	HasAnnotations bool
}

// Visitor takes what a file lists: first all images, then all annotations, whatever their order in
// the file. What they are given is used again.
type Visitor struct {
	Image      func(i *Image) error
	Annotation func(a *Annotation, at, length int64) error // its text is there in the file
}

// ErrNotCOCO is wrapped by the errors of files that are JSON and something else.
var ErrNotCOCO = errors.New("want COCO's object with the lists images, annotations and categories")

// Read reads a file of so many bytes as a stream. Errors say at which byte, and of which
// element.
func Read(ctx context.Context, in io.ReaderAt, size int64, v Visitor) (File, error) {
	r := &fileReader{ctx: ctx, visitor: v, in: in, size: size, block: blockBytes}
	err := r.read()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the file ends in the middle of its JSON, at byte %d: is it complete?", size)
	}
	return r.file, err
}

type fileReader struct {
	ctx     context.Context
	visitor Visitor
	in      io.ReaderAt
	size    int64
	block   int // bytes of the scanner's
	s       *scanner
	file    File
	seen    [3]bool // of the lists
	later   int64   // where the annotations are, which came before the images; 0: nowhere
	a       Annotation
	image   Image
}

const (
	ofImages = iota
	ofAnnotations
	ofCategories
)

var listNames = [...]string{"images", "annotations", "categories"}

func (r *fileReader) read() error {
	r.s = newScanner(io.NewSectionReader(r.in, 0, r.size), 0, r.block)
	c, err := r.s.peek()
	if err == nil && c == 0xef { // a byte order mark
		for range 3 {
			if _, err := r.s.next(); err != nil {
				return err
			}
		}
		c, err = r.s.peek()
	}
	switch {
	case err != nil && r.size == 0:
		return errors.New("the file is empty")
	case err != nil:
		return err
	case c == '[':
		return fmt.Errorf("it is a list, as detection results are: %w", ErrNotCOCO)
	}
	if err := r.s.object(r.member); err != nil {
		return err
	}
	if c, err := r.s.peek(); err == nil {
		return r.s.errorf("%q behind the end of the JSON", c)
	} else if !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if !r.seen[ofImages] {
		return fmt.Errorf("it has no list images: %w", ErrNotCOCO)
	}
	if r.later > 0 {
		r.s = newScanner(io.NewSectionReader(r.in, r.later, r.size-r.later), r.later, r.block)
		if err := r.annotations(); err != nil {
			return err
		}
	}
	r.file.HasAnnotations = r.seen[ofAnnotations]
	return nil
}

// member takes a value of the outermost object.
func (r *fileReader) member(key []byte) error {
	for i, name := range listNames {
		if string(key) != name {
			continue
		}
		if r.seen[i] {
			return r.s.errorf("a second list %s", name)
		}
		r.seen[i] = true
		switch {
		case i == ofImages:
			return r.images()
		case i == ofCategories:
			return r.categories()
		case !r.seen[ofImages]:
			if _, err := r.s.peek(); err != nil {
				return err
			}
			r.later = r.s.offset()
			return r.s.skip()
		}
		return r.annotations()
	}
	return r.s.skip()
}

// each takes the elements of a list, and names them in errors.
func (r *fileReader) each(name string, do func() error) error {
	n := 0
	err := r.s.array(func() error {
		if n&0xfff == 0 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
		}
		err := do()
		if err == nil {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && r.ctx.Err() == nil {
		return fmt.Errorf("%s[%d]: %w", name, n, err)
	}
	return err
}

func (r *fileReader) annotations() error {
	return r.each("annotations", func() error {
		if _, err := r.s.peek(); err != nil {
			return err
		}
		at := r.s.offset()
		if err := r.a.read(r.s); err != nil {
			return err
		}
		return r.visitor.Annotation(&r.a, at, r.s.offset()-at)
	})
}

func (r *fileReader) images() error {
	return r.each("images", func() error {
		r.image = Image{}
		if err := r.image.read(r.s); err != nil {
			return err
		}
		if !r.image.HasID {
			return r.s.errorf("an image without id")
		}
		return r.visitor.Image(&r.image)
	})
}

func (i *Image) read(s *scanner) error {
	ids := func(name string) (list []int64, has bool, err error) {
		if c, err := s.peek(); err != nil || c == 'n' {
			if err == nil {
				_, err = s.literal()
			}
			return nil, false, err
		}
		err = s.array(func() error {
			v, _, err := s.id(name)
			list = append(list, v)
			return err
		})
		return list, true, err
	}
	return s.object(func(key []byte) (err error) {
		switch string(key) {
		case "id":
			i.ID, i.HasID, err = s.id("id")
		case "file_name":
			i.File, err = s.textOrNull("file_name")
		case "coco_url":
			i.URL, err = s.textOrNull("coco_url")
		case "height":
			i.Height, err = s.side("height")
		case "width":
			i.Width, err = s.side("width")
		case "neg_category_ids":
			i.Negative, i.HasNegative, err = ids("neg_category_ids")
		case "not_exhaustive_category_ids":
			i.NotExhaustive, i.HasNotExhaustive, err = ids("not_exhaustive_category_ids")
		default:
			err = s.skip()
		}
		return err
	})
}

func (s *scanner) textOrNull(name string) (string, error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return "", err
	case c == 'n':
		_, err := s.literal()
		return "", err
	case c != '"':
		return "", s.errorf("%s: want a text, have %q", name, c)
	}
	text, err := s.string(longestName)
	if err == nil && !utf8.Valid(text) {
		err = s.errorf("%s: %q is not UTF-8", name, cut(text, nil))
	}
	return string(text), err
}

// side takes a height or width; what cannot be one is 0, not known.
func (s *scanner) side(name string) (int, error) {
	v, err := s.optional(name)
	if err != nil || !(v >= 1 && v <= mostSide) {
		return 0, err
	}
	return int(v), nil
}

// categories keeps the text of the list, and reads it.
func (r *fileReader) categories() error {
	if _, err := r.s.peek(); err != nil {
		return err
	}
	at := r.s.offset()
	if err := r.s.skip(); err != nil {
		return err
	}
	n := r.s.offset() - at
	if n > mostCategories {
		return fmt.Errorf("categories: %d bytes, and %d are allowed", n, mostCategories)
	}
	text := make([]byte, n)
	if _, err := r.in.ReadAt(text, at); err != nil && err != io.EOF {
		return err
	}
	r.file.CategoriesText = text
	s := &scanner{buf: text, base: at}
	n = 0
	return s.array(func() error {
		c := Category{}
		has := false
		err := s.object(func(key []byte) (err error) {
			switch string(key) {
			case "id":
				c.ID, has, err = s.id("id")
			case "name":
				c.Name, err = s.textOrNull("name")
			case "keypoints":
				if next, err := s.peek(); err != nil || next == 'n' {
					return s.skip()
				}
				err = s.array(func() error {
					name, err := s.textOrNull("keypoints")
					c.Keypoints = append(c.Keypoints, name)
					return err
				})
			default:
				err = s.skip()
			}
			return err
		})
		if err == nil && !has {
			err = s.errorf("a category without id")
		}
		if err != nil {
			return fmt.Errorf("categories[%d]: %w", n, err)
		}
		n++
		r.file.Categories = append(r.file.Categories, c)
		return nil
	})
}
