package sources

import (
	"context"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/descriptors"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// This file finds the masks of images.

// template is where masks are, by the keys of their images.
type template struct {
	parts []string       // placeholders with their braces, and what is between
	is    *regexp.Regexp // of masks, of any image
}

// placeholder is what a template may hold.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// parseTemplate reads "masks/{stem}.png".
func parseTemplate(text string) (template, error) {
	var t template
	images := "(?i:" + strings.ReplaceAll(strings.Join(decode.Extensions(), "|"), ".", `\.`) + ")"
	of := map[string]string{"{stem}": "[^/]+", "{name}": "[^/]+" + images, "{dir}": ".+", "{key}": ".+" + images}
	clean := path.Clean(text)
	expression, end := "", 0
	take := func(part string) {
		if part == "" {
			return
		}
		t.parts = append(t.parts, part)
		expression += regexp.QuoteMeta(part)
	}
	for _, at := range placeholder.FindAllStringIndex(clean, -1) {
		take(clean[end:at[0]])
		name := clean[at[0]:at[1]]
		end = at[1]
		if of[name] == "" {
			return t, errorf("%q: there is no placeholder %s, only {stem}, {name}, {dir} and {key}", text, name)
		}
		if name == "{dir}" && strings.HasPrefix(clean[end:], "/") { // which is empty for images at the top
			end++
			t.parts = append(t.parts, "{dir}/")
			expression += "(?:.+/)?"
			continue
		}
		t.parts = append(t.parts, name)
		expression += of[name]
	}
	take(clean[end:])
	switch {
	case text == "":
		return t, nil
	case !strings.Contains(clean, "{stem}") && !strings.Contains(clean, "{name}") && !strings.Contains(clean, "{key}"):
		return t, errorf("%q is the same file for many images: use {stem}, {name} or {key}, as in masks/{stem}.png", text)
	case !decodes(clean) && !strings.HasSuffix(clean, "{name}") && !strings.HasSuffix(clean, "{key}"):
		return t, errorf("%q does not end as images do: masks are PNG files", text)
	}
	t.is = regexp.MustCompile("^(?:" + expression + ")$")
	return t, nil
}

// of is the path of an image's mask.
func (t *template) of(key string) string {
	dir, name := path.Split(key)
	var b strings.Builder
	for _, part := range t.parts {
		switch part {
		case "{stem}":
			b.WriteString(strings.TrimSuffix(name, path.Ext(name)))
		case "{name}":
			b.WriteString(name)
		case "{dir}/":
			b.WriteString(dir)
		case "{dir}":
			b.WriteString(strings.TrimSuffix(dir, "/"))
		case "{key}":
			b.WriteString(key)
		default:
			b.WriteString(part)
		}
	}
	return path.Clean(b.String())
}

// maskPlace is where a listed mask is.
type maskPlace struct {
	size int64
	at   int64      // in an archive
	time blob.Times // of a file
}

// takesMask reports whether a file that is listed is a mask, and keeps where it is.
func (l *listing) takesMask(key string, p maskPlace) bool {
	if l.masks == nil || !l.masks.is.MatchString(key) {
		return false
	}
	l.maskAt[key] = p
	return true
}

// withMasks prepares a listing for masks.
func (l *listing) withMasks(m Masks) {
	if m.given() {
		t, _ := parseTemplate(m.Path) // checked
		l.masks, l.maskAt = &t, map[string]maskPlace{}
	}
}

// dropMaskFolders removes folders that hold masks and no images: they are no classes.
func (l *listing) dropMaskFolders() {
	if len(l.maskAt) == 0 {
		return
	}
	of := func(keys func(func(string) bool)) map[string]bool {
		dirs := map[string]bool{}
		for key := range keys {
			for dir := path.Dir(key); dir != "." && !dirs[dir]; dir = path.Dir(dir) {
				dirs[dir] = true
			}
		}
		return dirs
	}
	masks, images := of(maps.Keys(l.maskAt)), of(slices.Values(l.keys))
	l.folders = slices.DeleteFunc(l.folders, func(dir string) bool { return masks[dir] && !images[dir] })
}

// maskFinder finds the masks of samples.
type maskFinder struct {
	Masks
	template
	found map[string]maskPlace // those that were listed; nil: only the disk knows
}

func (m Masks) finder() maskFinder {
	t, _ := parseTemplate(m.Path) // checked
	return maskFinder{Masks: m, template: t}
}

func (f *maskFinder) finish(x schema.Index, places []maskPlace, t *sampleTargets) (warnings []string, err error) {
	return finishMasks(f.MaskNumbers, x, places, func(sample int) string { return f.of(x.Key(sample)) }, f.found, t,
		"path is relative to the folder of the data, and images and masks have the same names but for what path says")
}

// finishMasks makes masks of the places of all samples' masks. found are all masks that there
// are, nil where nobody knows.
func finishMasks(n MaskNumbers, x schema.Index, places []maskPlace, name func(sample int) string, found map[string]maskPlace, t *sampleTargets, remedy string) (warnings []string, err error) {
	m := &maskFiles{numbers: n.numbers(), sizes: make([]int64, len(places)), name: name}
	if err := errors.Join(n.spec(t.spec), t.setFrame(n.Annotations)); err != nil {
		return nil, err
	}
	absent, there, example := 0, 0, 0
	used := map[string]bool{}
	for sample, p := range places {
		m.sizes[sample] = p.size
		if x.Size(sample) == missing {
			continue
		}
		if found != nil {
			used[name(sample)] = true
		}
		if there++; p.size == missing {
			if absent++; absent == 1 {
				example = sample
			}
		}
	}
	switch {
	case absent == there && there > 0:
		return nil, errorf("masks: no image has its mask, such as %q for %q: %s", m.name(example), x.Key(example), remedy)
	case absent > 0:
		warnings = append(warnings, sprintf("%d of %s no mask, such as %q, which would be %q: add them, or remove the images; until then on_error decides about their rows",
			absent, phrase.Count(there, "image")+have(there), x.Key(example), m.name(example)))
	}
	left := slices.Sorted(maps.Keys(found))
	left = slices.DeleteFunc(left, func(name string) bool { return used[name] })
	if len(left) > 0 {
		warnings = append(warnings, sprintf("%s to no image, such as %q", phrase.Count(len(left), "mask")+belong(len(left)), left[0]))
	}
	t.masks = m
	return warnings, nil
}

func belong(n int) string {
	if n == 1 {
		return " belongs"
	}
	return " belong"
}

// list lists the masks of a folder's images that its listing didn't come by: outside of the
// folder, or where the listing was kept. It looks into the folders that have images' masks.
func (f *maskFinder) list(d *files, file func(name string) string) {
	if f.found == nil || len(f.found) > 0 {
		return
	}
	listed := map[string]bool{}
	for sample := range d.index.Len() {
		dir := path.Dir(f.of(d.index.Key(sample)))
		if listed[dir] {
			continue
		}
		listed[dir] = true
		entries, _ := os.ReadDir(file(dir)) // of one that isn't there no mask is found
		for _, e := range entries {
			if name := path.Join(dir, e.Name()); !e.IsDir() && f.is.MatchString(name) {
				f.found[name] = maskPlace{}
			}
		}
	}
}

// beside finds masks on the disk, relative to the folder of files.
func (f *maskFinder) beside(ctx context.Context, d *files, t *sampleTargets) (warnings []string, err error) {
	places := make([]maskPlace, d.index.Len())
	under := func(name string) string {
		if name = filepath.FromSlash(name); filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(d.folder, name)
	}
	file := func(sample int) string { return under(f.of(d.index.Key(sample))) }
	f.list(d, under)
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	workers := 2 * runtime.GOMAXPROCS(0)
	for w := range workers {
		all.Go(func() {
			for i := w; i < len(places) && ctx.Err() == nil && failed.Load() == nil; i += workers {
				info, err := os.Stat(file(i))
				switch {
				case err != nil && gone(err):
					places[i].size = missing
				case err != nil:
					err = errorf("masks: cannot read %q: %w", file(i), cause(err))
					failed.CompareAndSwap(nil, &err)
				case !info.Mode().IsRegular():
					err = errorf("masks: %q is not a regular file", file(i))
					failed.CompareAndSwap(nil, &err)
				default:
					places[i] = maskPlace{size: info.Size(), time: blob.TimesOf(info)}
				}
			}
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	if warnings, err = f.finish(d.index, places, t); err != nil {
		return nil, err
	}
	t.masks.times = func(sample int) blob.Times { return places[sample].time }
	t.masks.read = func(ctx context.Context, sample int, size int64) (data []byte, err error) {
		release, err := descriptors.Hold(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		err = descriptors.Retry(ctx, func() error {
			data, err = d.readOnce(file(sample), size, places[sample].time, nil)
			return err
		})
		return data, err
	}
	return warnings, nil
}

// listed finds masks among those that were listed in an archive.
func (f *maskFinder) listed(x schema.Index, t *sampleTargets) (places []maskPlace, warnings []string, err error) {
	places = make([]maskPlace, x.Len())
	for sample := range places {
		p, ok := f.found[f.of(x.Key(sample))]
		if !ok {
			p.size = missing
		}
		places[sample] = p
	}
	warnings, err = f.finish(x, places, t)
	return places, warnings, err
}
