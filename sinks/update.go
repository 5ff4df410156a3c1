package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/schema"
)

// Intact parts that have to be rewritten stay until everything that replaces them is
// complete. An update writes its files under names that begin with .update-, each in
// the folder of the file that it will replace, and records them in a ledger of its own,
// whose first line is the plan's hash. When all are written, it will
//
//	write .update-manifest.json, which commits the update ·
//	remove the old manifests and ledgers · replace plan.json, if it differs ·
//	rename parts and lists · remove the update's ledgers ·
//	rename .update-manifest.json to manifest.json
//
// Before the first step the directory is the old data set, intact. After it the next
// run in the directory does the remaining steps, for which it needs no source.
//
// A shard updates its own parts and manifest. The whole directory's manifest is then
// turned into a ledger, so that the other shards' parts stay known.
const updatePrefix = ".update-"

// staged is the name that a file has until its update is committed.
func staged(name string) string {
	i := strings.LastIndexByte(name, '/') + 1
	return name[:i] + updatePrefix + name[i:]
}

const (
	stagedLedgers   = updatePrefix + ledgerPrefix
	stagedManifests = updatePrefix + "manifest"
)

// place is the name that this run gives to a finished file.
func (r *partsRun) place(name string) string {
	if r.staging {
		return staged(name)
	}
	return name
}

// updateHead is the first line of an update's ledger.
type updateHead struct {
	PlanHash string `json:"plan_hash"`
}

// stagedRecords are all files that updates to this plan have written, of any shard.
func stagedRecords(d *disk, l *Layout) ([]PartFile, error) {
	names, err := names(d.dir)
	if err != nil {
		return nil, err
	}
	var list []PartFile
	for _, name := range names {
		if !strings.HasPrefix(name, stagedLedgers) {
			continue
		}
		data, err := readSmall(d.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var head updateHead
		first, rest, _ := bytes.Cut(data, []byte{'\n'})
		if json.Unmarshal(first, &head) != nil || head.PlanHash != l.PlanHash {
			continue
		}
		for line := range bytes.Lines(rest) {
			var p PartFile
			if json.Unmarshal(line, &p) == nil && fits(p, l) {
				list = append(list, p)
			}
		}
	}
	return list, nil
}

// stage starts an update, or resumes one: what it has written already is kept, if the
// samples are still the same.
func (r *partsRun) stage(ctx context.Context) error {
	r.staging = true
	if r.shards == 1 {
		if err := dropOthers(r.disk, r.layout, updatePrefix); err != nil { // of an update to another plan
			return err
		}
	}
	list, err := stagedRecords(r.disk, r.layout)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(p PartFile) bool {
		part := r.layout.part(p.Epoch, p.FirstBatch)
		return !r.mine(part) || r.kept[part]
	})
	made, err := verified(ctx, r.encoding, r.disk.dir, list, staged)
	if err != nil {
		return err
	}
	lists := map[int][]sourceLine{}
	done := make([]bool, len(r.kept))
	for part := range r.kept {
		if r.kept[part] {
			continue
		}
		done[part] = true
		for v, name := range r.layout.files(part) {
			p, used, ok := withList(r.disk.dir, made[name], staged)
			if done[part] = done[part] && ok; v == 0 && p.Sources != nil {
				lists[part] = used
			}
			r.records[name] = p
		}
	}
	stale := map[int]bool{}
	if r.prints != nil {
		if _, stale, err = r.prints.differing(ctx, lists); err != nil {
			return err
		}
	}
	for part := range r.kept {
		switch {
		case r.kept[part]:
			continue
		case done[part] && !stale[part]:
			r.kept[part] = true
			continue
		}
		for _, name := range r.layout.files(part) {
			delete(r.records, name)
		}
		if err := removeStaged(r.disk, r.layout, part); err != nil {
			return err
		}
	}
	name := staged(ledgerName(r.shard, r.shards))
	if err := truncateLedger(r.disk, name); err != nil {
		return err
	}
	head := append(marshal(updateHead{r.layout.PlanHash}), '\n')
	if data, err := readSmall(r.disk.path(name)); err == nil && bytes.HasPrefix(data, head) {
		return nil
	}
	return r.disk.replace(name, head)
}

// removeStaged removes what an update wrote of a part.
func removeStaged(d *disk, l *Layout, part int) error {
	for _, name := range append(l.files(part), l.sourceListName(part)) {
		if !isThere(d.path(staged(name))) {
			continue
		}
		if err := d.remove(staged(name)); err != nil {
			return err
		}
	}
	if !l.Members {
		return nil
	}
	return d.removeMembers(l.files(part))
}

// unstage removes what there is of an update that isn't needed any more.
func (r *partsRun) unstage() error {
	if pending(r.disk.dir) == "" {
		return nil
	}
	for part := range r.layout.PartCount {
		if r.mine(part) {
			if err := removeStaged(r.disk, r.layout, part); err != nil {
				return err
			}
		}
	}
	return removeStagedLedgers(r.disk, shardName(r.shard, r.shards))
}

// removeStagedLedgers ends a shard's update; "": all of them.
func removeStagedLedgers(d *disk, shard string) error {
	return d.removeFiles(func(name string) bool {
		return strings.HasPrefix(name, stagedLedgers) && (shard == "" || name == stagedLedgers+"-"+shard+".jsonl")
	})
}

// decided is the manifest of a committed update of a whole directory; nil if there is
// none.
func decided(ctx context.Context, dir string) (*Manifest, error) {
	path := filepath.Join(dir, staged(manifestName))
	if !isThere(path) {
		return nil, nil
	}
	m, err := readStagedManifest(ctx, path)
	if errors.Is(err, fs.ErrNotExist) { // another process has just finished it
		return nil, nil
	}
	return m, err
}

// readStagedManifest reads the manifest of an update, whose names are checked against its
// plan.
func readStagedManifest(ctx context.Context, path string) (*Manifest, error) {
	if isLink(path) {
		return nil, fmt.Errorf("%s is a symlink: remove it", path)
	}
	m, err := readManifest(ctx, path)
	if err == nil && slices.ContainsFunc(m.Parts, func(p PartFile) bool { return !fits(p, &m.Layout) }) {
		err = fmt.Errorf("%s: damaged: a part in it isn't one of its plan", path)
	}
	return m, err
}

// recover completes committed updates.
func (r *partsRun) recover(ctx context.Context) error {
	names, err := names(r.disk.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, stagedManifests) {
			continue
		}
		target := strings.TrimPrefix(name, updatePrefix)
		if r.shards > 1 && target != shardManifest(r.shard, r.shards) {
			if strings.HasSuffix(target, fmt.Sprintf("-of-%d.json", r.shards)) {
				continue // that shard's own
			}
			return fmt.Errorf("an update of %s was interrupted while its files were being renamed (%s): run it once without --shard, which completes that", r.disk.dir, name)
		}
		m, err := readStagedManifest(ctx, r.disk.path(name))
		if err != nil {
			return err
		}
		if err := swap(ctx, r.disk, m, target); err != nil {
			return err
		}
	}
	return nil
}

// swap completes a committed update, from wherever it was interrupted. target is the
// manifest's final name.
func swap(ctx context.Context, d *disk, m *Manifest, target string) error {
	if err := forget(ctx, d, m, target); err != nil {
		return err
	}
	memberFolders, err := dropMembers(d, m, target == manifestName)
	if err != nil {
		return err
	}
	if target == manifestName {
		if err := d.replace(planName, document(&m.Layout)); err != nil {
			return err
		}
		if err := dropOthers(d, &m.Layout, ""); err != nil {
			return err
		}
	}
	for _, p := range m.Parts {
		if err := d.unstageMembers(p.Name); err != nil {
			return err
		}
		names := []string{p.Name}
		if p.Sources != nil {
			names = append(names, p.Sources.Name)
		}
		for _, name := range names {
			if isThere(d.path(staged(name))) {
				if err := d.rename(staged(name), name); err != nil {
					return err
				}
			}
		}
	}
	folders := append(m.folders(), memberFolders...)
	if isThere(d.path(sourcesFolder)) {
		folders = append(folders, sourcesFolder)
	}
	for _, folder := range folders {
		if err := d.syncFolder(folder); err != nil {
			return err
		}
	}
	if target == manifestName {
		if err := summarize(d, &m.Layout); err != nil {
			return err
		}
	}
	if err := removeStagedLedgers(d, shardOf(target)); err != nil {
		return err
	}
	if err := d.rename(staged(target), target); err != nil {
		return err
	}
	return d.syncFolder(".")
}

// replaceParts commits an update and carries it out.
func replaceParts(d *disk, m *Manifest, target string) error {
	if err := d.replace(staged(target), document(m)); err != nil {
		return err
	}
	return swap(context.Background(), d, m, target)
}

// dropOthers removes parts and lists, with names that begin with prefix, that a layout
// doesn't have: with another number of rows there is another number of parts.
func dropOthers(d *disk, l *Layout, prefix string) error {
	own := map[string]bool{}
	for part := range l.PartCount {
		for _, name := range append(l.files(part), l.sourceListName(part)) {
			own[name] = true
		}
	}
	for _, folder := range append(l.folders(), l.sourcesFolder()) {
		entries, err := os.ReadDir(d.path(folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain("read", "", d.path(folder), err)
		}
		for _, e := range entries {
			name, ok := strings.CutPrefix(e.Name(), prefix)
			if !ok || !strings.HasPrefix(name, "part-") || own[join(folder, name)] {
				continue
			}
			if i := strings.LastIndexByte(name, '-'); l.Members && prefix != "" && filepath.Ext(name) == "" && !own[join(folder, name[:i]+l.ext())] {
				if err := d.remove(join(folder, e.Name())); err != nil {
					return err
				}
				continue
			}
			if ext := filepath.Ext(name); ext != l.ext() && ext != ".xxh128" {
				continue
			}
			if err := d.remove(join(folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// shardOf is the 0-of-4 in a manifest's name; "" for the whole directory's.
func shardOf(manifest string) string {
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(manifest, ".json"), "manifest"), "-")
}

// forget removes the records of the parts that an update is about to replace.
func forget(ctx context.Context, d *disk, m *Manifest, target string) error {
	if target == manifestName {
		return d.removeFiles(func(name string) bool { return isManifest(name) || isLedger(name) })
	}
	if err := d.removeFiles(func(name string) bool {
		return name == target || name == ledgerPrefix+"-"+shardOf(target)+".jsonl"
	}); err != nil {
		return err
	}
	if whole, err := readManifest(ctx, d.path(manifestName)); err == nil {
		if err := noteWhole(d, whole); err != nil {
			return err
		}
	}
	return d.removeFiles(func(name string) bool { return name == manifestName })
}

// noteWhole writes the lines of a manifest to the ledger of the whole directory.
func noteWhole(d *disk, m *Manifest) error {
	var lines []byte
	for _, p := range m.Parts {
		lines = append(append(lines, marshal(p)...), '\n')
	}
	if old, err := readSmall(d.path(ledgerName(0, 1))); err == nil && !bytes.HasPrefix(old, lines) {
		lines = append(lines, old...)
	}
	return d.replace(ledgerName(0, 1), lines)
}

const brokenOff = "an update of it was interrupted while its files were being renamed: run the same materialize command again, which completes that"

// pending describes an update that isn't complete; "" if there is none.
func pending(dir string) string {
	names, err := names(dir)
	if err != nil {
		return ""
	}
	begun := false
	for _, name := range names {
		if strings.HasPrefix(name, stagedManifests) {
			return brokenOff
		}
		begun = begun || strings.HasPrefix(name, stagedLedgers)
	}
	if !begun {
		return ""
	}
	return "an update of it was started and isn't finished: this is the old data set; run materialize with --update again to resume it, or without, once the source is as it was, to discard it"
}

// AfterFailedUpdate says what a directory holds after a run with Update has failed; ""
// if no update was started in it.
func AfterFailedUpdate(dir string) string {
	what := pending(dir)
	if what == "" || what == brokenOff {
		return what
	}
	return fmt.Sprintf("%s is unchanged: the old parts are still there, with the new ones made so far beside them; run the same command again to resume", dir)
}

// checkKinds refuses anything but regular files under the names that this package
// reserves.
func checkKinds(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return explain("read", "", dir, err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, lockName) && !isLedger(name) && !strings.HasPrefix(name, updatePrefix) || e.Type().IsRegular() {
			continue
		}
		if e.Type()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symlink: remove it", filepath.Join(dir, name))
		}
		return fmt.Errorf("%s is %s, not a file: remove it", filepath.Join(dir, name), kindOf(e.Type()))
	}
	if info, err := os.Stat(filepath.Join(dir, sourcesFolder)); err == nil && !info.IsDir() {
		return fmt.Errorf("%s isn't a directory: remove it", filepath.Join(dir, sourcesFolder))
	}
	return nil
}

// otherSource is for a directory whose plan differs only in the source's keys, sizes,
// labels and other columns. The plan's hash is in every part, so an update rewrites all
// of them.
func (r *partsRun) otherSource(ctx context.Context, there *Layout) error {
	dir := r.disk.dir
	if r.update && r.shards == 1 {
		r.replan = true
		return nil
	}
	known, err := records(ctx, dir, there)
	if err != nil {
		return err
	}
	lists := map[int][]sourceLine{}
	for _, candidates := range known {
		for _, p := range candidates {
			if p.Sources == nil {
				continue
			}
			if list, problem := readSourceList(dir, p.Sources, final); problem == nil {
				lists[there.part(p.Epoch, p.FirstBatch)] = list
			}
		}
	}
	r.prints.load(r.disk.path(stampsName(r.shard, r.shards)))
	keys, _, err := r.prints.differing(ctx, lists)
	if err != nil {
		return err
	}
	what := ""
	if len(keys) > 0 {
		what = fmt.Sprintf(": %s changed since: %s", have(len(keys), "sample"), some(keys))
	}
	for _, text := range schema.ClassChanges(there.Tasks, r.layout.Tasks) {
		what += ". " + text
	}
	remedy := "Restore the old source, choose another directory, or add --update, which makes every part again, as each holds the plan hash"
	if r.shards > 1 {
		remedy = "Restore the old source, or choose another directory"
	}
	return fmt.Errorf("%s was made of other data (plan_hash %s -> %s: keys, sizes, labels or other columns of the source differ)%s. %s",
		dir, shorten(there.PlanHash), shorten(r.layout.PlanHash), what, remedy)
}
