package sources

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/phrase"
)

// shard is what is listed of a shard: its samples in the order of their names.
type shard struct {
	rows    []shardRow
	cells   []value // of the fields of each row
	notes   shardNotes
	indexed bool // listed by an index file, so that the headers of images aren't checked
}

// shardRow is a sample of a shard.
type shardRow struct {
	name         string // of its image; without one, the sample's
	stem         int    // the first bytes of name are the sample's name
	offset, size int64  // of the image; the size is missing without one
	image        int    // the extension's place
	has          uint64 // the set of the places of its members
	mask         place  // the size is missing without one
}

func (r *shardRow) sample() string { return r.name[:r.stem] }

// shardNotes is what warnings are made of.
type shardNotes struct {
	seen     []int               // of each wanted extension, how many members
	ignored  map[string]int      // members that aren't used, by extension
	top      map[string][]string // of each JSON extension, the names in its objects
	links    int
	apart    int // samples whose members don't stand together
	example  string
	warnings []string
}

// mostTop bounds the names that are kept.
const mostTop = 64

func newShardNotes() *shardNotes {
	return &shardNotes{ignored: map[string]int{}, top: map[string][]string{}}
}

// names keeps the names in an object.
func (n *shardNotes) names(ext string, names iter.Seq[string]) {
	for name := range names {
		if len(n.top[ext]) < mostTop && !slices.Contains(n.top[ext], name) {
			n.top[ext] = append(n.top[ext], name)
		}
	}
}

func (n *shardNotes) add(more *shardNotes) {
	if n.seen == nil {
		n.seen = make([]int, len(more.seen))
	}
	for i, seen := range more.seen {
		n.seen[i] += seen
	}
	for ext, count := range more.ignored {
		n.ignored[ext] += count
	}
	for ext, names := range more.top {
		n.names(ext, slices.Values(names))
	}
	if n.apart == 0 {
		n.example = more.example
	}
	n.apart += more.apart
	n.links += more.links
	n.warnings = append(n.warnings, more.warnings...)
}

func (n *shardNotes) ignoredCount() int {
	count := 0
	for _, c := range n.ignored {
		count += c
	}
	return count
}

// text lists the members that aren't used.
func (n *shardNotes) text() string {
	if len(n.ignored) == 0 {
		return ""
	}
	return fmt.Sprintf(" (other members: %s)", kinds(n.ignored))
}

// finish turns what was counted into warnings.
func (n *shardNotes) finish() {
	dangerous := map[string]int{}
	for ext, count := range n.ignored {
		if pickled[lastPart(ext)] {
			dangerous[ext] = count
		}
	}
	if len(dangerous) > 0 {
		n.warnings = append(n.warnings, fmt.Sprintf("passed over members that are pickles (%s): they run a program when they are read, so sluice reads none", kinds(dangerous)))
	}
	if n.links > 0 {
		n.warnings = append(n.warnings, fmt.Sprintf("passed over %s, as webdataset does: create the tar with tar --dereference if they belong to the data", phrase.Count(n.links, "link")))
	}
	if n.apart > 0 {
		n.warnings = append(n.warnings, sprintf("the members of %s, such as %q, do not stand together: here they are one sample each, but webdataset makes several of each; write the members of a sample one after the other", phrase.Count(n.apart, "sample"), n.example))
	}
}

// shardLister lists a shard, member by member.
type shardLister struct {
	*shard
	wanted wanted
	size   int64
	read   *tarReader // of headers and labels, which lie close to each other
	end    int64      // of the last member's data
	texts  map[string]string
	lost   map[string]bool
	problems
}

// listShard lists a tar, or what an index file says of it.
func listShard(ctx context.Context, o blob.Object, want wanted, useIndex bool) (*shard, error) {
	file := blob.ReaderAt(ctx, o)
	begin := func() *shardLister {
		notes := newShardNotes()
		notes.seen = make([]int, len(want.extensions))
		return &shardLister{shard: &shard{notes: *notes}, wanted: want, size: o.Size(), texts: map[string]string{},
			read: newTarReader(ctx, file, o.Size()), lost: map[string]bool{}}
	}
	why := ""
	if useIndex {
		members, name, err := readShardIndex(ctx, o)
		if err == nil && members != nil {
			l := begin()
			if err = l.byIndex(members); err == nil {
				l.indexed = true
				return l.finish()
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			why = sprintf("ignored the index file %q: %w: make it again, or remove it", name, err)
		}
	}
	l := begin()
	at, err := l.read.headers(l.header)
	if err != nil {
		return nil, err
	}
	m := members{listing: newListing(""), size: o.Size(), end: l.end}
	if err := m.checkEnd(ctx, file, at); err != nil {
		return nil, err
	}
	for _, text := range m.warnings {
		l.notes.warnings = append(l.notes.warnings, sprintf("%q: %s", o.Name(), text))
	}
	if why != "" {
		l.notes.warnings = append(l.notes.warnings, why)
	}
	return l.finish()
}

// header takes a member.
func (l *shardLister) header(h tarHeader, at int64) error {
	l.end = at
	switch h.kind {
	case tar.TypeLink, tar.TypeSymlink:
		if _, ok := l.slot(cleanKey(h.name)); ok {
			l.notes.links++
		}
		return nil
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
	default:
		return nil
	}
	if !h.sparse {
		if h.size > l.size-at {
			return errorf("the tar is truncated in the member %q: it needs %d bytes from byte %d, and there are %d: create or copy it again",
				h.name, h.size, at, l.size-at)
		}
		l.end = at + h.size
	}
	l.member(h, at)
	return nil
}

// slot is the place of a member's extension. Those that aren't wanted are counted.
func (l *shardLister) slot(name string) (slot int, ok bool) {
	if part, _, _ := strings.Cut(name, "/"); len(part) >= 4 && strings.HasPrefix(part, "__") && strings.HasSuffix(part, "__") {
		return 0, false // what webdataset keeps for itself
	}
	if part := ignoredPart(name); part != "" {
		if !l.lost[part] && len(l.lost) < 1<<16 {
			l.lost[part] = true
			l.notes.ignored["hidden or of the system"]++
		}
		return 0, false
	}
	ext := memberExtension(name)
	slot, ok = l.wanted.slots[ext]
	switch {
	case ok:
	case ext == "":
		l.notes.ignored["without extension"]++
	case len(l.notes.ignored) > 1<<12:
		l.notes.ignored["of other extensions"]++
	default:
		l.notes.ignored["."+ext]++
	}
	return slot, ok
}

// memberExtension is what follows the first dot of a member's name, in lower case.
func memberExtension(name string) string {
	_, ext, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ".")
	return strings.ToLower(ext)
}

func (l *shardLister) member(h tarHeader, at int64) {
	name := cleanKey(h.name)
	slot, ok := l.slot(name)
	if !ok {
		return
	}
	switch {
	case !utf8.ValidString(name):
		l.addf("byte %d: the name of the member %q is not UTF-8: rename it", at, name)
		return
	case len(name) > longestKey-256:
		l.addf("byte %d: the name of the member %q has %d bytes, and a key may have %d: shorten it", at, name, len(name), longestKey-256)
		return
	case h.sparse:
		l.addf("byte %d: the member %q is stored as a sparse file, with its zeros left out: create the tar without --sparse", at, name)
		return
	}
	l.notes.seen[slot]++
	stem := len(stem(name))
	last := len(l.rows) - 1
	if last < 0 || l.rows[last].sample() != name[:stem] {
		l.rows = append(l.rows, shardRow{name: name[:stem], stem: stem, size: missing, mask: place{size: missing}, image: len(l.wanted.extensions)})
		l.cells = slices.Grow(l.cells, len(l.wanted.fields))[:len(l.cells)+len(l.wanted.fields)]
		last++
	}
	r := &l.rows[last]
	if r.has&(1<<slot) != 0 {
		l.doubled(name, at)
		return
	}
	r.has |= 1 << slot
	if slot < l.wanted.images && slot < r.image {
		r.name, r.offset, r.size, r.image = name, at, h.size, slot
	}
	if slot == l.wanted.mask {
		r.mask = place{at, h.size}
	}
	if fields := l.wanted.of[slot]; len(fields) > 0 {
		if err := l.values(fields, l.cells[last*len(l.wanted.fields):], h, at); err != nil {
			l.addf("byte %d: the member %q %w", at, name, err)
		}
	}
}

func (l *shardLister) doubled(name string, at int64) {
	l.addf("byte %d: the member %q is there twice (letter case of extensions doesn't matter): remove or rename one", at, name)
}

// longestMember bounds members that hold labels, in bytes.
const longestMember = 16 << 20

// values reads the fields that are in a member.
func (l *shardLister) values(fields []int, cells []value, h tarHeader, at int64) error {
	if h.size > longestMember {
		return fmt.Errorf("has %d bytes, and one with labels may have %d", h.size, longestMember)
	}
	data := l.read.get(at, int(h.size))
	if int64(len(data)) < h.size {
		return errors.New("cannot be read: check the disk or the network file system that it is on")
	}
	var object any
	for _, f := range fields {
		field := l.wanted.fields[f]
		if field.path == nil {
			text, err := l.text(data)
			if err != nil {
				return err
			}
			cells[f] = value{text: text, quoted: !strings.HasPrefix(field.extension, "cls")}
			continue
		}
		if len(data) == 0 {
			continue
		}
		var err error
		if object == nil {
			if object, err = jsonMember(data); err != nil {
				return err
			}
			if names, ok := object.(map[string]any); ok {
				l.notes.names(field.extension, maps.Keys(names))
			}
		}
		read := field.in
		if f >= l.wanted.targets {
			read = field.any
		}
		if cells[f], err = read(object); err != nil {
			return err
		}
		cells[f].text = l.intern(cells[f].text)
	}
	return nil
}

// text is a member's text; equal ones are one string.
func (l *shardLister) text(data []byte) (string, error) {
	if text, ok := l.texts[string(data)]; ok {
		return text, nil
	}
	text, err := textValue(data)
	if err == nil && len(l.texts) < 1<<16 {
		l.texts[string(data)] = text
	}
	return text, err
}

func (l *shardLister) intern(text string) string {
	if known, ok := l.texts[text]; ok {
		return known
	}
	if len(l.texts) < 1<<16 {
		l.texts[text] = text
	}
	return text
}

// finish joins what belongs to one sample and sorts the samples.
func (l *shardLister) finish() (*shard, error) {
	l.join()
	if len(l.list) > 0 {
		errs := l.list
		if l.more > 0 {
			errs = append(errs, fmt.Errorf("and %s more like these", phrase.Count(l.more, "problem")))
		}
		return nil, errors.Join(errs...)
	}
	l.sort(func(a, b *shardRow) int { return strings.Compare(a.name, b.name) })
	l.notes.finish()
	return l.shard, nil
}

// join makes one sample of rows of one name, of which there are several where the members
// don't stand together.
func (l *shardLister) join() {
	byName := func(a, b *shardRow) int { return strings.Compare(a.sample(), b.sample()) }
	l.sort(byName)
	width, n := len(l.wanted.fields), 0
	for i := range l.rows {
		r := &l.rows[i]
		if n == 0 || l.rows[n-1].sample() != r.sample() {
			l.rows[n] = *r
			copy(l.cells[n*width:(n+1)*width], l.cells[i*width:(i+1)*width])
			n++
			continue
		}
		into := &l.rows[n-1]
		if into.has&r.has != 0 {
			l.addf("two samples have the name %q, at bytes %d and %d: give each its own", r.sample(), into.offset, r.offset)
			continue
		}
		if l.notes.example != r.sample() {
			l.notes.apart++
		}
		l.notes.example = r.sample()
		for _, slot := range bits(r.has) {
			for _, f := range l.wanted.of[slot] {
				l.cells[(n-1)*width+f] = l.cells[i*width+f]
			}
		}
		into.has |= r.has
		if r.mask.size != missing {
			into.mask = r.mask
		}
		if r.image < into.image {
			into.name, into.offset, into.size, into.image = r.name, r.offset, r.size, r.image
		}
	}
	l.rows, l.cells = l.rows[:n], l.cells[:n*width]
}

func bits(set uint64) (list []int) {
	for i := range mostWanted {
		if set&(1<<i) != 0 {
			list = append(list, i)
		}
	}
	return list
}

// sort orders the rows, and their cells; nearly always they are in order.
func (s *shard) sort(compare func(a, b *shardRow) int) {
	sorted := true
	for i := 1; i < len(s.rows) && sorted; i++ {
		sorted = compare(&s.rows[i-1], &s.rows[i]) <= 0
	}
	if sorted {
		return
	}
	order := make([]int32, len(s.rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return compare(&s.rows[a], &s.rows[b]) })
	width := len(s.cells) / len(s.rows)
	cells := make([]value, 0, len(s.cells))
	for _, from := range order {
		cells = append(cells, s.cells[int(from)*width:][:width]...)
	}
	s.rows, s.cells = permuted(s.rows, order), cells
}

// keys are the samples' keys, which lie one after the other in memory.
func (s *shard) keys(prefix string) []string {
	size := 0
	for i := range s.rows {
		size += len(prefix) + len(s.rows[i].name)
	}
	var b strings.Builder
	b.Grow(size)
	for i := range s.rows {
		b.WriteString(prefix)
		b.WriteString(s.rows[i].name)
	}
	all, keys := b.String(), make([]string, len(s.rows))
	for i := range s.rows {
		n := len(prefix) + len(s.rows[i].name)
		keys[i], all = all[:n], all[n:]
	}
	return keys
}
