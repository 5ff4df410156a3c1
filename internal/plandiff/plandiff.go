// Package plandiff says in words how two plans differ, for the errors of whatever
// compares plan hashes:
//
//	seed 1 -> 2
//	stage rotate: degrees 30 -> 45
//	stage 3 crop was removed
package plandiff

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Change is one difference.
type Change struct {
	Of   string // the setting, such as "seed" or "source"; "stages" for those of all stages
	Text string // "seed 1 -> 2"
}

// Texts are the changes' texts.
func Texts(list []Change) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.Text)
	}
	return out
}

// Plans compares the canonical forms of two plans (flow.Plan.Canonical): the settings
// in the order of their names, then the stages in theirs. What follows from another
// difference (the number of rows from the source's) is left out. Text that isn't a
// canonical form is compared as a value.
func Plans(before, after []byte) []Change {
	a, okA := parse(before).(map[string]any)
	b, okB := parse(after).(map[string]any)
	if !okA || !okB {
		if bytes.Equal(before, after) {
			return nil
		}
		return Values("pipeline", parse(before), parse(after))
	}
	var list, derived []Change
	for _, key := range keys(a, b) {
		switch key {
		case "stages":
		case "batch_size", "epoch_rows":
			derived = append(derived, Values(key, a[key], b[key])...)
		default:
			list = append(list, setting(key, a[key], b[key])...)
		}
	}
	list = append(list, stages(stageList(a["stages"]), stageList(b["stages"]))...)
	if len(list) == 0 {
		return derived
	}
	return list
}

// setting compares a key of the top. Some people have never written.
func setting(key string, a, b any) []Change {
	list := Values(key, a, b)
	if len(list) == 0 {
		return nil
	}
	values := strings.TrimPrefix(list[0].Text, key+" ")
	switch key {
	case "params":
		if a == true {
			return []Change{{key, list[0].Text + ": give --params"}}
		}
	case "source":
		return []Change{{key, "source: keys, sizes, labels or other columns of its samples, or the numbers of their classes"}}
	case "version":
		return []Change{{key, "version of the plan's canonical form " + values + ": another version of sluice"}}
	case "params_revision":
		if a == nil || b == nil {
			return nil // the column isn't there in both: "params" says it
		}
		return []Change{{key, "revision of the params column " + values + ": another version of sluice"}}
	case "decoder", "exec_revision":
		what := map[string]string{"decoder": "the decoder", "exec_revision": "the executor"}[key]
		return []Change{{key, "revision of " + what + " " + values + ": another version of sluice"}}
	}
	return list
}

// stage is one of a canonical form's.
type stage struct {
	name, id string
	version  any
	options  map[string]any
	label    string // rotate, rotate_2, or rotate (id tilt)
	number   int    // from 1
}

func stageList(v any) (list []stage) {
	items, _ := v.([]any)
	count := map[string]int{}
	for i, item := range items {
		m, _ := item.(map[string]any)
		s := stage{version: m["version"], number: i + 1}
		s.name, _ = m["name"].(string)
		s.id, _ = m["id"].(string)
		s.options, _ = m["options"].(map[string]any)
		count[s.name]++
		s.label = s.name
		if id, own := strings.CutPrefix(s.id, "id:"); own {
			s.label += " (id " + id + ")"
		} else if n := count[s.name]; n > 1 {
			s.label += "_" + strconv.Itoa(n)
		}
		list = append(list, s)
	}
	return list
}

func (s stage) equal(o stage) bool { return len(s.changes(o)) == 0 }

// changes are those between two stages of one name.
func (s stage) changes(o stage) (list []Change) {
	for _, key := range keys(s.options, o.options) {
		list = append(list, Values(key, s.options[key], o.options[key])...)
	}
	if text(s.version) != text(o.version) {
		list = append(list, Change{"version", fmt.Sprintf("version %s -> %s: another version of sluice makes other rows with it", text(s.version), text(o.version))})
	}
	ownS, ownO := strings.HasPrefix(s.id, "id:"), strings.HasPrefix(o.id, "id:")
	if (ownS || ownO) && s.id != o.id {
		list = append(list, Values("id", ownID(s.id), ownID(o.id))...)
	}
	return list
}

func ownID(id string) any {
	if own, ok := strings.CutPrefix(id, "id:"); ok {
		return own
	}
	return nil
}

// stages compares two lists of stages: the alignment with the fewest changes.
func stages(a, b []stage) (list []Change) {
	add := func(format string, args ...any) {
		list = append(list, Change{"stages", fmt.Sprintf(format, args...)})
	}
	pairs, removed, added := align(a, b)
	for _, p := range pairs {
		for _, c := range a[p[0]].changes(b[p[1]]) {
			add("stage %s: %s", b[p[1]].label, c.Text)
		}
	}
	for _, i := range removed {
		to := slices.IndexFunc(added, func(j int) bool { return a[i].name == b[j].name && a[i].equal(b[j]) })
		if to < 0 {
			add("stage %d %s was removed", a[i].number, a[i].label)
			continue
		}
		add("stage %d %s is number %d now", a[i].number, a[i].label, b[added[to]].number)
		added = slices.Delete(added, to, to+1)
	}
	for _, j := range added {
		add("stage %d %s was added", b[j].number, b[j].label)
	}
	return list
}

// align pairs stages of one name, in order, so that removals, additions and pairs that
// differ are as few as possible.
func align(a, b []stage) (pairs [][2]int, removed, added []int) {
	cost := make([][]int, len(a)+1) // of what is left from i and j on
	for i := len(a); i >= 0; i-- {
		cost[i] = make([]int, len(b)+1)
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a):
				cost[i][j] = 2 * (len(b) - j)
			case j == len(b):
				cost[i][j] = 2 * (len(a) - i)
			default:
				cost[i][j] = 2 + min(cost[i+1][j], cost[i][j+1])
				if a[i].name == b[j].name {
					cost[i][j] = min(cost[i][j], pairCost(a[i], b[j])+cost[i+1][j+1])
				}
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i].name == b[j].name && cost[i][j] == pairCost(a[i], b[j])+cost[i+1][j+1]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case cost[i][j] == 2+cost[i+1][j]:
			removed = append(removed, i)
			i++
		default:
			added = append(added, j)
			j++
		}
	}
	for ; i < len(a); i++ {
		removed = append(removed, i)
	}
	for ; j < len(b); j++ {
		added = append(added, j)
	}
	return pairs, removed, added
}

func pairCost(a, b stage) int {
	if a.equal(b) {
		return 0
	}
	return 3 // less than to remove one and to add another
}

// Values compares what JSON holds, member by member: maps, and lists of one length.
// Each change is of the path to it, below at.
func Values(at string, before, after any) (list []Change) {
	if text(before) == text(after) {
		return nil
	}
	mapA, okA := before.(map[string]any)
	mapB, okB := after.(map[string]any)
	if okA && okB {
		for _, key := range keys(mapA, mapB) {
			list = append(list, Values(below(at, key), mapA[key], mapB[key])...)
		}
		return list
	}
	listA, okA := before.([]any)
	listB, okB := after.([]any)
	if okA && okB && len(listA) == len(listB) && slices.ContainsFunc(slices.Concat(listA, listB), isMap) {
		for i := range listA {
			list = append(list, Values(below(at, strconv.Itoa(i+1)), listA[i], listB[i])...)
		}
		return list
	}
	return []Change{{at, strings.TrimPrefix(at+" ", " ") + shown(before) + " -> " + shown(after)}}
}

// JSON is Values of two texts; one that isn't JSON is compared as text.
func JSON(at string, before, after []byte) []Change {
	return Values(at, parse(before), parse(after))
}

func below(at, key string) string { return strings.TrimPrefix(at+"."+key, ".") }

func isMap(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// parse keeps numbers as they are written.
func parse(data []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&v) != nil || d.More() {
		return string(data)
	}
	return v
}

func keys(a, b map[string]any) []string {
	both := maps.Clone(a)
	if both == nil {
		both = map[string]any{}
	}
	maps.Copy(both, b)
	return slices.Sorted(maps.Keys(both))
}

func text(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

var plainText = regexp.MustCompile(`^[A-Za-z0-9_./:-]+$`)

// shown is a value as a pipeline file has it: text without quotes where these aren't
// needed, 30 for the range [-30, 30].
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case string:
		if plainText.MatchString(v) {
			return shorten(v)
		}
	case []any:
		if len(v) == 2 {
			low, okL := v[0].(json.Number)
			high, okH := v[1].(json.Number)
			if okL && okH && low.String() == "-"+high.String() {
				return high.String()
			}
		}
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = shown(item)
		}
		return shorten("[" + strings.Join(items, ", ") + "]")
	}
	return shorten(text(v))
}

// shorten leaves out the middle of what is long.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most/2]) + " ... " + string(r[len(r)-most/2+5:])
	}
	return s
}

// Most is how many changes Lines names.
const Most = 6

// Lines joins the first changes, each on a line of its own, indented.
func Lines(list []string) string {
	if n := len(list) - Most; n > 0 {
		list = append(slices.Clone(list[:Most]), fmt.Sprintf("and %d more", n))
	}
	return cmp.Or(strings.Join(list, "\n  "), "nothing that this version of sluice knows")
}
