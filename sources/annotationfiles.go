package sources

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/schema"
)

// annotationFiles is an opened source of images each of which has a file of annotations of its
// own, or none. They are read when the source is opened, for labels and a digest, and again
// with their image.
type annotationFiles struct {
	*files
	x     *schema.Table
	names []string // per sample; "": none
	texts []uint32 // per sample: bytes of that file
	parse func(sample int, data []byte, t *schema.Targets) error
	head  string // of digests: options that decide what targets are
}

// mostAnnotations is the size of a file of annotations beyond which it is refused.
const mostAnnotations = 256 << 20

// readAnnotations reads one file.
func readAnnotations(name string) ([]byte, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, mostAnnotations+1))
	if err != nil {
		return nil, errorf("cannot read: %w", cause(err))
	}
	if len(data) > mostAnnotations {
		return nil, errorf("it is larger than %d MiB: is it a file of annotations?", mostAnnotations>>20)
	}
	return data, nil
}

func annotationDigest(head string, data []byte) [16]byte {
	h := xxh3.New()
	_, _ = h.WriteString(head) // never fails
	_, _ = h.Write(data)
	return h.Sum128().Bytes()
}

// TargetBytes goes by the length of the text: it is there twice, and a number of some digits takes
// 16 bytes while its line is read, 8 as it is parsed and 8 in a polygon that is scaled.
func (d *annotationFiles) TargetBytes(sample int) int64 {
	const perObject, perByte = 128, 6
	t := d.x.Targets
	return perObject*(t.First[sample+1]-t.First[sample]) + perByte*int64(d.texts[sample])
}

// Targets reads the sample's annotations again.
func (d *annotationFiles) Targets(ctx context.Context, sample int, t *schema.Targets) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := d.names[sample]
	if name == "" {
		return d.parse(sample, nil, t)
	}
	data, err := readAnnotations(name)
	if err != nil {
		return d.errorf(sample, "its annotations %q: %w%s", name, err, advice(err))
	}
	if annotationDigest(d.head, data) != d.x.Targets.Digests[sample] {
		return d.errorf(sample, "its annotations %q have changed since the source was opened: start again", name)
	}
	return d.parse(sample, data, t)
}

// annotationList is the samples of such a source being listed.
type annotationList struct {
	find   finder
	faults faultCounts
	head   string
	rows   []annotatedFile
	taken  map[string]int // keys
	labels [][]int32      // per row
	absent int
}

// annotatedFile is an image with its annotations.
type annotatedFile struct {
	key    string
	size   int64
	time   blob.Times
	name   string // of the annotations
	text   uint32 // their bytes
	digest [16]byte
}

// add takes an image that key is of, found as the last file of find.
func (l *annotationList) add(key string, size int64, name string, data []byte, labels []int32) {
	if l.taken == nil {
		l.taken = map[string]int{}
	}
	if _, again := l.taken[key]; again {
		l.faults.add(faultText{"image", "annotations that were there before", "those that come first are taken: remove the others"}, "%q (%q)", key, name)
		return
	}
	l.taken[key] = len(l.rows)
	if size == missing {
		l.absent++
		l.faults.add(faultText{"image", "no file", missingMeans}, "%q (of %q)", key, name)
	}
	row := annotatedFile{key: key, size: size, time: l.find.time, name: name, text: uint32(len(data))}
	if name != "" {
		row.digest = annotationDigest(l.head, data)
	}
	l.rows, l.labels = append(l.rows, row), append(l.labels, labels)
}

// dataset makes the index.
func (l *annotationList) dataset(source, folder string, spec *schema.TargetSpec, warnings []string) *annotationFiles {
	order := make([]int, len(l.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(l.rows[a].key, l.rows[b].key) })
	t := &schema.TargetTable{Spec: spec, First: []int64{0}}
	x := &schema.Table{Targets: t}
	d := &annotationFiles{x: x, head: l.head}
	var times []blob.Times
	for _, i := range order {
		row := &l.rows[i]
		x.Keys, x.Sizes, times = append(x.Keys, row.key), append(x.Sizes, row.size), append(times, row.time)
		t.Labels = append(t.Labels, l.labels[i]...)
		t.First, t.Digests = append(t.First, int64(len(t.Labels))), append(t.Digests, row.digest)
		d.names, d.texts = append(d.names, row.name), append(d.texts, row.text)
	}
	d.files = newFiles(newOpened("sources: "+source, x, warnings), folder, times, l.find.found)
	return d
}

// imagesByStem are the image files of a folder by their names without extension, of several the
// first; nothing where the folder can't be read.
func imagesByStem(folder string) (map[string]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	stems := map[string]string{}
	for _, e := range entries {
		name := e.Name()
		stem, isImage := imageStem(name)
		if _, taken := stems[stem]; isImage && !taken && !e.IsDir() {
			stems[stem] = name
		}
	}
	return stems, nil
}

var errNoFolder = errors.New("there is no such folder")

// folderOf is a folder that exists.
func folderOf(name string) (string, error) {
	name = onDisk(name)
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return "", errorf("%q: %w", name, errNoFolder)
	}
	return name, nil
}

// imageStem is an image's name without its extension.
func imageStem(name string) (stem string, isImage bool) {
	if !decodes(name) || strings.HasPrefix(name, ".") {
		return "", false
	}
	return strings.TrimSuffix(name, filepath.Ext(name)), true
}
