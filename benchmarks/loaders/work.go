package main

import (
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/image/draw"
)

// work is a set of files.
type work struct {
	files    string // the folder
	repeated string // a folder with as many files as a round has images: each file several times, linked
	images   int
}

const (
	largeFiles = 20
	largeSide  = 3000 // longer side, at least
)

// prepare makes the folders of one size of pictures.
func prepare(tmp, size string) (*work, error) {
	entries, err := os.ReadDir(*data)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s is empty", *data)
	}
	w := &work{files: filepath.Join(tmp, size), images: *images}
	make1 := copyFile
	switch size {
	case "photos":
	case "large":
		w.images, make1 = *largeImages, enlarge
		entries = entries[:min(len(entries), largeFiles)]
	default:
		return nil, fmt.Errorf("-sizes %s: photos or large", size)
	}
	w.images -= w.images % *batch
	if err := os.Mkdir(w.files, 0o777); err != nil {
		return nil, err
	}
	for i, e := range entries {
		if err := make1(filepath.Join(w.files, fmt.Sprintf("%05d.jpg", i)), filepath.Join(*data, e.Name())); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	w.repeated, err = repeat(w.files, w.files+"-repeated", w.images)
	return w, err
}

// repeat makes a folder of so many files, those of another one several times, linked, and returns its name.
func repeat(files, folder string, count int) (string, error) {
	entries, err := os.ReadDir(files)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		return "", err
	}
	for i := range count {
		name := entries[i%len(entries)].Name()
		if err := os.Link(filepath.Join(files, name), filepath.Join(folder, fmt.Sprintf("%05d%s", i, filepath.Ext(name)))); err != nil {
			return "", err
		}
	}
	return folder, nil
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o666)
}

// enlarge writes a picture of a camera's size: quality 90, and a little noise, for
// without it an enlarged picture takes far fewer bits than a photo of that size.
func enlarge(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	small, err := jpeg.Decode(in)
	if err != nil {
		return err
	}
	w, h := small.Bounds().Dx(), small.Bounds().Dy()
	scale := (largeSide + max(w, h) - 1) / max(w, h)
	large := image.NewRGBA(image.Rect(0, 0, w*scale, h*scale))
	draw.ApproxBiLinear.Scale(large, large.Rect, small, small.Bounds(), draw.Src, nil)
	random := rand.New(rand.NewPCG(1, uint64(w*h)))
	for i := 0; i < len(large.Pix); i += 4 {
		noise := random.IntN(9) - 4
		for c := range 3 {
			large.Pix[i+c] = uint8(min(max(int(large.Pix[i+c])+noise, 0), 255))
		}
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := jpeg.Encode(file, large, &jpeg.Options{Quality: 90}); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
