package sources

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/blob"
)

// This file reads index files of shards, which say where members are, so that the headers
// of a shard needn't be read one after the other. The format is that of DALI's wds2idx,
// version 1.2: a line "v1.2 N", then N lines of a sample each, of four words per member:
// extension, offset of its data, size and name. Other tools' files of the same names
// (Energon's .tar.idx holds no names, wids's .index counts samples) are passed over.
//
// Nothing in an index file is trusted: the header of each member whose bytes are used is
// compared with it, that of a label when it is listed, that of an image when it is
// first read.

type indexedMember struct {
	name         string
	offset, size int64
}

// mostIndex bounds an index file, in bytes.
const mostIndex = 1 << 30

// readShardIndex reads the index file of a shard: next to it, with .idx or .index instead of
// what follows the first dot of its name, or of .tar, or behind its whole name. Without one
// members are nil, and so is the error.
func readShardIndex(ctx context.Context, o blob.Object) (members []indexedMember, name string, err error) {
	if extension(o.Name()) != ".tar" {
		return nil, "", nil
	}
	dir, base := filepath.Split(o.Name())
	first, _, _ := strings.Cut(base[1:], ".")
	tried := map[string]bool{}
	for _, stem := range []string{dir + base[:1] + first, strings.TrimSuffix(o.Name(), filepath.Ext(base)), o.Name()} {
		for _, ext := range []string{".idx", ".index"} {
			name := stem + ext
			if tried[name] {
				continue
			}
			tried[name] = true
			info, err := os.Stat(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, name, fmt.Errorf("cannot be read: %w", cause(err))
			}
			if !info.Mode().IsRegular() || info.Size() > mostIndex {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, name, fmt.Errorf("cannot be read: %w", cause(err))
			}
			if !bytes.HasPrefix(text, []byte("v")) {
				continue // another tool's
			}
			if shard, err := os.Stat(o.Name()); err == nil && shard.ModTime().After(info.ModTime()) {
				return nil, name, errors.New("the shard was written after it")
			}
			members, err := parseShardIndex(ctx, text, o.Size())
			return members, name, err
		}
	}
	return nil, "", nil
}

// parseShardIndex reads the text of an index file of a shard of a size.
func parseShardIndex(ctx context.Context, text []byte, size int64) ([]indexedMember, error) {
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	version, count, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	if string(version) != "v1.2" {
		return nil, errorf("line 1: it is of version %q, and only v1.2 holds the names of members", version)
	}
	samples, err := strconv.Atoi(string(count))
	if err != nil {
		return nil, errorf("line 1: %q is not a number of samples", count)
	}
	members := make([]indexedMember, 0, min(int64(len(rest)/20), size/tarBlock))
	n, end := 1, int64(0)
	for len(rest) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		n++
		for words := line; len(words) > 0; {
			var word [4][]byte
			for i := range word {
				var found bool
				word[i], words, found = bytes.Cut(words, []byte(" "))
				if !found && i < 3 {
					return nil, fmt.Errorf("line %d: it is cut off, or has a name with a space", n)
				}
			}
			offset, ok1 := decimal(word[1])
			length, ok2 := decimal(word[2])
			name := string(word[3])
			if !ok1 || !ok2 || !strings.HasSuffix(name, "."+string(word[0])) {
				return nil, errorf("line %d: want extension, offset, size and name of each member, have %q", n, bytes.Join(word[:], []byte(" ")))
			}
			if offset%tarBlock != 0 || offset < end+tarBlock || length > size-offset {
				return nil, errorf("line %d: %q is not where it says, at byte %d: there are %d bytes", n, name, offset, size)
			}
			end = wholeBlocks(offset + length)
			members = append(members, indexedMember{name, offset, length})
		}
	}
	if n-1 != samples {
		return nil, fmt.Errorf("it has %d samples, and says that it has %d", n-1, samples)
	}
	return members, nil
}

// byIndex lists what an index file says. An error means that it does not fit.
func (l *shardLister) byIndex(members []indexedMember) error {
	end := int64(0)
	for i, m := range members {
		name := cleanKey(m.name)
		slot, ok := l.wanted.slots[memberExtension(name)]
		if labels := ok && len(l.wanted.of[slot]) > 0; labels || i == 0 || i == len(members)-1 {
			if err := fits(l.read.get(m.offset-tarBlock, tarBlock), name, m.size); err != nil {
				return err
			}
		}
		end = wholeBlocks(m.offset + m.size)
		l.member(tarHeader{name: m.name, kind: tar.TypeReg, size: m.size}, m.offset)
	}
	if next := l.read.get(end, tarBlock); len(bytes.Trim(next, "\x00")) > 0 {
		return fmt.Errorf("the shard goes on after the last member that it has, at byte %d", end)
	}
	return nil
}

// fits compares a header with what an index file says. The name in it is cut where it is long
// or isn't ASCII: an extended header has the whole.
func fits(block []byte, name string, size int64) error {
	if len(block) == tarBlock {
		have, ok := plainBlock(block)
		in := untilNUL(block[:100])
		if prefix := block[345:500]; ok && prefix[0] != 0 && block[262] == 0 {
			in = untilNUL(prefix) + "/" + in
		}
		if ok && have == size && (cleanKey(in) == name || len(name) >= 100 || !isASCII(name)) {
			return nil
		}
	}
	return errorf("the header of %q is not where it says", name)
}

// indexedShards reads shards of which some were listed by index files: the header of each
// image is checked when it is first read.
type indexedShards struct {
	ranges
	indexed []int // of each shard, how long the part of its keys before the member's name is; 0: listed without
}

func (d *indexedShards) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	at := d.archive[sample]
	if d.indexed[at] > 0 && d.index.Size(sample) != missing && ctx.Err() == nil && d.prints[sample].Load() == 0 {
		block := make([]byte, tarBlock)
		name := d.index.Key(sample)[d.indexed[at]:]
		err := d.archives[at].ReadRange(ctx, block, d.offsets[sample]-tarBlock)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, d.errorf(sample, "cannot read the shard %q at byte %d: %w%s", d.archives[at].Name(), d.offsets[sample]-tarBlock, cause(err), advice(err))
		}
		if fits(block, name, d.index.Size(sample)) != nil {
			d.forget()
			return nil, d.errorf(sample, "the index file of %q is not of this shard: at byte %d there is no header of this member: make it again, remove it, or write index: none", d.archives[at].Name(), d.offsets[sample]-tarBlock)
		}
	}
	return d.ranges.Read(ctx, sample, buf)
}
