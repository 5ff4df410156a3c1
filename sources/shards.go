package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
)

// Shards names the files of a WebDataset: paths, or patterns with braces, as webdataset and
// shells expand them, and wildcards.
//
// In pipeline files, a pattern or a list of these:
//
//	shards: train-{000..099}.tar
//	shards: [a/*.tar, "b-{0..9}.tar"]
type Shards []string

// SetOption reads a pattern or a list of these.
func (s *Shards) SetOption(v any) error {
	switch v := v.(type) {
	case string:
		*s = Shards{v}
		return nil
	case []any:
		*s = make(Shards, len(v))
		for i, item := range v {
			text, ok := item.(string)
			if !ok {
				return fmt.Errorf("item %d: want a file or a pattern, have %s", i+1, options.Have(item))
			}
			(*s)[i] = text
		}
		return nil
	}
	return fmt.Errorf("want a file, a pattern such as train-{000..099}.tar, or a list of these, have %s", options.Have(v))
}

// OptionSchema describes the file form.
func (Shards) OptionSchema() map[string]any {
	one := map[string]any{"type": "string", "minLength": 1}
	return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "minItems": 1, "items": one}}}
}

// MarshalJSON writes the form that SetOption reads.
func (s Shards) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return json.Marshal(s[0])
	}
	return json.Marshal([]string(s))
}

// RelativeTo makes relative paths relative to a folder.
func (s *Shards) RelativeTo(folder string) {
	for i, name := range *s {
		if name != "" && !filepath.IsAbs(name) && !options.IsURL(name) && !isCommand(name) {
			(*s)[i] = filepath.Join(folder, name)
		}
	}
}

// isCommand reports what webdataset would run as a command of the shell.
func isCommand(name string) bool { return strings.HasPrefix(strings.TrimSpace(name), "pipe:") }

func (s Shards) check() error {
	var p problems
	if len(s) == 0 {
		p.addf("shards: is missing: give the shards, such as train-{000..099}.tar")
	}
	for i, name := range s {
		where := "shards"
		if len(s) > 1 {
			where = fmt.Sprintf("shards: item %d", i+1)
		}
		switch {
		case name == "":
			p.addf("%s: is empty", where)
		case isCommand(name):
			p.addf("%s: %q is a command, and sluice runs none: give the files", where, name)
		case options.IsURL(name) || strings.HasPrefix(name, "file:"):
			p.addf("%s: %q is a URL: download it first, and give the path of the files", where, name)
		case strings.Contains(name, "::"):
			p.addf("%s: %q holds several names: write a list", where, name)
		default:
			if _, err := expandBraces(name); err != nil {
				p.addf("%s: %q: %w", where, name, err)
			}
		}
	}
	return errors.Join(p.list...)
}

// files are the shards that are there, in the order of their keys. One that is named and
// isn't there is an error, and so is one that is named twice.
func (s Shards) files(ctx context.Context) ([]string, error) {
	var names []string
	var p problems
	for _, pattern := range s {
		expanded, err := expandBraces(pattern)
		if err != nil {
			return nil, errorf("shards: %q: %w", pattern, err)
		}
		var gone []string
		for _, name := range expanded {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			info, err := os.Stat(name)
			if err == nil && info.IsDir() {
				p.addf("%q is a folder: give the shards in it, such as %q", name, filepath.Join(name, "*.tar"))
				continue
			}
			if err == nil || !strings.ContainsAny(name, "*?[") {
				if err != nil {
					gone = append(gone, name)
				}
				names = append(names, onDisk(name))
				continue
			}
			found, err := filepath.Glob(name)
			if err != nil {
				return nil, errorf("shards: %q: %w", name, err)
			}
			found = slices.DeleteFunc(found, func(name string) bool { return isDot(filepath.Base(name)) })
			if len(found) == 0 {
				p.addf("shards: no file matches %q", name)
			}
			names = append(names, found...)
		}
		switch {
		case len(gone) == 1:
			p.addf("shards: there is no file %q", gone[0])
		case len(gone) > 1:
			p.addf("shards: %d of the %d files of %q are not there: %s", len(gone), len(expanded), pattern, some(gone))
		}
	}
	if a, b := sameFile(names); a != "" {
		p.addf("shards: %q and %q are the same file", a, b)
	}
	if err := errors.Join(p.list...); err != nil {
		return nil, err
	}
	begins := prefixes(names)
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(begins[a]+"/", begins[b]+"/") })
	sorted := make([]string, len(names))
	for i, from := range order {
		sorted[i] = names[from]
	}
	return sorted, nil
}

// mostShards bounds what a pattern expands to.
const mostShards = 1 << 20

// expandBraces expands braces as shells do: {a,b}, {000..099}, {0..9..3}, {a..f}, nested
// too. A backslash before a brace or comma takes its meaning away.
func expandBraces(pattern string) ([]string, error) {
	out, rest, err := braces(pattern, false)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, errors.New("a closing brace without an opening one: write \\} for the character")
	}
	return out, nil
}

// braces expands a pattern to its end or, inside of braces, to the next comma or closing
// brace of these, with which the rest begins.
func braces(pattern string, inside bool) (out []string, rest string, err error) {
	out = []string{""}
	text := func(s string) {
		for i := range out {
			out[i] += s
		}
	}
	for pattern != "" {
		switch c := pattern[0]; {
		case c == '\\' && filepath.Separator == '/' && len(pattern) > 1 && strings.IndexByte(`{},\`, pattern[1]) >= 0:
			text(pattern[1:2])
			pattern = pattern[2:]
		case c == '}' && !inside:
			return nil, pattern, nil
		case inside && (c == '}' || c == ','):
			return out, pattern, nil
		case c == '{':
			items, after, err := alternatives(pattern[1:])
			if err != nil {
				return nil, "", err
			}
			if len(items)*len(out) > mostShards {
				return nil, "", fmt.Errorf("stands for more than %d names", mostShards)
			}
			all := make([]string, 0, len(items)*len(out))
			for _, before := range out {
				for _, item := range items {
					all = append(all, before+item)
				}
			}
			out, pattern = all, after
		default:
			n := strings.IndexAny(pattern[1:], `\{},`) + 1
			if n == 0 {
				n = len(pattern)
			}
			text(pattern[:n])
			pattern = pattern[n:]
		}
	}
	if inside {
		return nil, "", errors.New("an opening brace without a closing one: write \\{ for the character")
	}
	return out, "", nil
}

// alternatives are what the braces stand for inside of which a pattern begins, and what
// follows them.
func alternatives(pattern string) (items []string, rest string, err error) {
	if end := strings.IndexByte(pattern, '}'); end >= 0 {
		if items, ok, err := span(pattern[:end]); ok || err != nil {
			return items, pattern[end+1:], err
		}
	}
	n := 0
	for {
		some, after, err := braces(pattern, true)
		if err != nil {
			return nil, "", err
		}
		if items = append(items, some...); len(items) > mostShards {
			return nil, "", fmt.Errorf("stands for more than %d names", mostShards)
		}
		n++
		if after[0] == ',' {
			pattern = after[1:]
			continue
		}
		if n == 1 { // {a} is no choice
			for i := range items {
				items[i] = "{" + items[i] + "}"
			}
		}
		return items, after[1:], nil
	}
}

// span is a range of numbers or letters, with a step or without.
func span(text string) (items []string, ok bool, err error) {
	ends := strings.Split(text, "..")
	if len(ends) != 2 && len(ends) != 3 {
		return nil, false, nil
	}
	step := int64(1)
	if len(ends) == 3 {
		if step, err = strconv.ParseInt(ends[2], 10, 32); err != nil {
			return nil, false, nil
		}
		step = max(step, -step, 1)
	}
	letter := func(s string) bool { return len(s) == 1 && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z') }
	from, err1 := strconv.ParseInt(ends[0], 10, 62)
	to, err2 := strconv.ParseInt(ends[1], 10, 62)
	width, letters := 0, false
	switch {
	case err1 == nil && err2 == nil && !strings.Contains(text, "+"):
		for _, end := range ends[:2] {
			if digits := strings.TrimPrefix(end, "-"); len(digits) > 1 && digits[0] == '0' {
				width = max(len(ends[0]), len(ends[1]))
			}
		}
	case letter(ends[0]) && letter(ends[1]) && (ends[0][0]^ends[1][0])&0x20 == 0:
		from, to, letters = int64(ends[0][0]), int64(ends[1][0]), true
	default:
		return nil, false, nil
	}
	if (max(from, to)-min(from, to))/step >= mostShards {
		return nil, false, fmt.Errorf("{%s} stands for more than %d names", text, mostShards)
	}
	if from > to {
		step = -step
	}
	for n := from; step > 0 && n <= to || step < 0 && n >= to; n += step {
		if letters {
			items = append(items, string(rune(n)))
		} else {
			items = append(items, fmt.Sprintf("%0*d", width, n))
		}
	}
	return items, true, nil
}
