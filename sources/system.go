package sources

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/phrase"
)

// systemFolders are folders that operating systems and programs create among people's
// files: thumbnails, trash, snapshots, what a disk check recovered. In lower case.
var systemFolders = map[string]bool{
	"@eadir": true, "#recycle": true, "#snapshot": true, "@tmp": true, // Synology
	"@recycle": true, "@recently-snapshot": true, "@__thumb": true, // QNAP
	"$recycle.bin": true, "$extend": true, "system volume information": true, // Windows
	"__macosx": true, "network trash folder": true, "temporary items": true, "thevolumesettingsfolder": true, // macOS
	"lost+found": true, "lost.dir": true, "found.000": true, // file systems
	"__pycache__": true,
}

// isSystem reports the name of such a folder.
func isSystem(name string) bool { return systemFolders[strings.ToLower(name)] }

// isIgnored reports a folder that is ignored as a whole: hidden, or a system's.
func isIgnored(name string) bool { return isDot(name) || isSystem(name) }

// ignoredPart is the path up to the first part that is ignored; empty if there is
// none.
func ignoredPart(name string) string {
	if name == "." { // the top
		return ""
	}
	at := 0
	for part := range strings.SplitSeq(name, "/") {
		at += len(part)
		if isIgnored(part) {
			return name[:at]
		}
		at++
	}
	return ""
}

// warnSystem names the systems' folders that were ignored.
func (l *listing) warnSystem() {
	if len(l.system) == 0 {
		return
	}
	n := 0
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(l.system)) {
		n += l.system[name]
		texts = append(texts, sprintf("%q", name))
	}
	l.warnf("ignored %s of thumbnails, trash and the like: %s", phrase.Count(n, "folder"), shorten(texts, len(texts)))
}
