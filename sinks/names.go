package sinks

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/schema"
)

// rowNames names the files that rows become. It is a function of the plan: a row's name
// is made of its key, if each sample is drawn at most once and no two keys of the source
// have the same name; otherwise also of the epoch and the position, as in cat_1-e0-p000012.
type rowNames struct {
	plain bool                                // the key is enough
	make  func(key string, task int32) string // without an extension
	width int                                 // digits of a position
}

// newRowNames looks at every key of the run's source once. name makes a name of a key and
// of its label in a task, -1: of none; fold says that names which differ in case alone are the same.
func newRowNames(run *schema.Run, task int, fold bool, name func(key string, label int32) string) *rowNames {
	n := &rowNames{make: name, width: max(6, len(fmt.Sprint(max(0, run.RowsPerEpoch-1))))}
	if run.Samples == nil || !run.DrawnOnce() {
		return n
	}
	index := run.Samples.Index()
	seen := make(map[fingerprint.Print]struct{}, index.Len())
	for sample := range index.Len() {
		label := schema.Unknown
		if task >= 0 {
			label = index.Label(task, sample)
		}
		text := name(index.Key(sample), label)
		if fold {
			text = strings.ToLower(text)
		}
		print := fingerprint.Of([]byte(text))
		if _, twice := seen[print]; twice {
			return n
		}
		seen[print] = struct{}{}
	}
	n.plain = true
	return n
}

// of is the name of a row.
func (n *rowNames) of(b *schema.Batch, row int, label int32) string {
	name := n.make(b.Key(row), label)
	if n.plain {
		return name
	}
	return fmt.Sprintf("%s-e%d-p%0*d", name, b.Epoch, n.width, b.Positions()[row])
}

// longestName is how many bytes of a key a name keeps: file systems take 255.
const longestName = 180

// legalName is a text as a file name, without slashes, that Linux, macOS and Windows take
// and list: what they don't take becomes an underscore.
func legalName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || !unicode.IsPrint(r) || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, text)
	if len(name) > longestName {
		cut := longestName
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + "-" + fingerprint.Of([]byte(text)).String()[:16]
	}
	if trimmed := strings.TrimRight(name, ". "); trimmed != name {
		name = trimmed + strings.Repeat("_", len(name)-len(trimmed))
	}
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	if name == "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, " ") || reservedName(strings.TrimSpace(base)) {
		name = "_" + name
	}
	return name
}

// reservedName reports whether Windows keeps a name for a device.
func reservedName(base string) bool {
	switch base {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	return len(base) == 4 && (base[:3] == "com" || base[:3] == "lpt") && base[3] >= '0' && base[3] <= '9'
}

// stem is a key without the extension of its last element.
func stem(key string) string {
	if ext := path.Ext(key); len(ext) < len(path.Base(key)) {
		return strings.TrimSuffix(key, ext)
	}
	return key
}
