package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
)

// encoding is how -formats writes photos anew; encode.py does it.
type encoding struct {
	name, title string
	aims        []aim
}

// aim is how many times as many images sluice is meant to make as a peer, by processor time with one worker.
type aim struct {
	recipe, peer string
	least        float64
}

var (
	progressiveAims = []aim{{"decode", "opencv", 1.3}, {"rrc", "opencv", 2}}
	pngAims         = []aim{{"decode", "opencv", 1.5}}
	webpAims        = []aim{{"decode", "pillow", 1}}
	otherAims       = []aim{{"decode", "opencv", 1}, {"decode", "pillow", 1}}
)

var encodings = []encoding{
	{"jpeg-420-75", "progressive JPEG, 4:2:0, quality 75", progressiveAims},
	{"jpeg-420-90", "progressive JPEG, 4:2:0, quality 90", progressiveAims},
	{"jpeg-444-75", "progressive JPEG, 4:4:4, quality 75", progressiveAims},
	{"jpeg-444-90", "progressive JPEG, 4:4:4, quality 90", progressiveAims},
	{"png", "PNG, RGB", pngAims},
	{"png-mask", "PNG, masks of 21 classes in a palette", pngAims},
	{"png-16", "PNG, RGB of 16 bits", pngAims},
	{"webp", "WebP, lossy, quality 80", webpAims},
	{"webp-lossless", "WebP, lossless", webpAims},
	{"webp-alpha", "WebP, lossy with alpha", webpAims},
	{"gif", "GIF", otherAims},
	{"bmp", "BMP", otherAims},
	{"ppm", "PPM", nil},
	{"tiff", "TIFF, LZW", nil},
}

// usual are the peers that are measured in each format; the others have few, and share a column.
var usual = []string{"opencv", "pillow", "tensors", "dali"}

const (
	formatPeers   = "opencv,pillow,tensors,dali,imagecodecs,simplejpeg,turbojpeg,libwebp,pyspng,vips"
	formatRecipes = "decode,rrc,center"
)

// encoded is what encode.py tells.
type encoded struct {
	Versions map[string]any     `json:"versions"`
	Sizes    map[string]float64 `json:"sizes"` // bytes a file
}

// contest measures each format. A contestant is a process for all of them, which is told what to do next: starting it and
// loading its libraries takes longer than a round.
func contest(ctx context.Context, tmp string) error {
	wanted := encodings
	if *formats != "all" {
		wanted = nil
		for _, name := range strings.Split(*formats, ",") {
			i := slices.IndexFunc(encodings, func(e encoding) bool { return e.name == name })
			if i < 0 {
				return fmt.Errorf("-formats %s: no format %q; all, or some of %s", *formats, name, strings.Join(namesOf(encodings), ","))
			}
			wanted = append(wanted, encodings[i])
		}
	}
	about, err := encode(ctx, tmp, namesOf(wanted))
	if err != nil {
		return fmt.Errorf("encode.py: %w", err)
	}
	r := &record{wanted: wanted, absent: map[string]string{}, about: about, begin: time.Now(), busy: machine.BusySeconds(), used: machine.TreeSeconds(os.Getpid())}
	for _, text := range strings.Split(*workers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-workers %s: numbers from 1", *workers)
		}
		if err := r.with(ctx, tmp, n); err != nil {
			return err
		}
	}
	return nil
}

func namesOf(list []encoding) (names []string) {
	for _, e := range list {
		names = append(names, e.name)
	}
	return names
}

// encode writes the files: as many photos as a round has images, or as there are.
func encode(ctx context.Context, tmp string, names []string) (about encoded, err error) {
	for _, interpreter := range strings.Split(*python, ",") {
		var stderr strings.Builder
		args := append([]string{filepath.Join(filepath.Dir(script), "encode.py"), *data, tmp, strconv.Itoa(*images)}, names...)
		command := exec.CommandContext(ctx, interpreter, args...)
		command.Stderr = &stderr
		output, failed := command.Output()
		if failed == nil {
			return about, json.Unmarshal(output, &about)
		}
		err = (&process{stderr: stderr}).why(failed)
		for _, name := range names { // what it has written before it failed
			if gone := os.RemoveAll(filepath.Join(tmp, name)); gone != nil {
				return about, gone
			}
		}
	}
	return about, err
}

// record is what a contest has measured so far.
type record struct {
	wanted     []encoding
	about      encoded
	groups     []*group
	absent     map[string]string // peers that can't be had, and why
	begin      time.Time
	busy, used float64 // processor seconds, of everything and of this, when it began
}

// with measures everything with so many workers.
func (r *record) with(ctx context.Context, tmp string, workers int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var all []*contestant
	defer func() {
		for _, c := range all {
			c.stop()
		}
	}()
	count := *images - *images%*batch
	args := []string{"", strconv.Itoa(workers), strconv.Itoa(count), "", strconv.Itoa(*batch)}
	for _, name := range strings.Split(given("own", "sluice"), ",") {
		c := &contestant{name: name, process: new(process)}
		env := []string{"GOMAXPROCS=" + strconv.Itoa(workers)}
		if name == "sluice-plain" {
			env = append(env, "GODEBUG=cpu.avx2=off")
		}
		if c.versions, err = c.start(ctx, append([]string{self, "-child", name}, args...), env...); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	starting := &group{}
	for _, name := range strings.Split(given("peers", formatPeers), ",") {
		if err := starting.startPeer(ctx, name, args); err != nil {
			r.absent[name] = err.Error()
		}
	}
	all = append(all, starting.list...)
	for _, e := range r.wanted {
		files := filepath.Join(tmp, e.name)
		repeated, err := repeat(files, fmt.Sprintf("%s-%d", files, workers), count)
		if err != nil {
			return err
		}
		for _, recipe := range strings.Split(given("recipes", formatRecipes), ",") {
			g := &group{size: e.name, recipe: recipe, workers: workers, work: &work{files: files, repeated: repeated, images: count}}
			if err := g.among(all, r.absent); err != nil {
				return err
			}
			if err := g.play(ctx); err != nil {
				return err
			}
			for _, text := range g.missing { // it failed while it worked
				name, why, _ := strings.Cut(text, ": ")
				r.absent[name] = fmt.Sprintf("%s, %s: %s", e.name, recipe, why)
			}
			r.groups = append(r.groups, g)
			// Written after each group, so that a run broken off has results.
			if err := write(filepath.Join(*out, given("name", "formats")+".md"), r.page); err != nil {
				return err
			}
		}
	}
	return nil
}

// among has those take part that can; absent gets why others can't, beyond not having the format or the recipe.
func (g *group) among(all []*contestant, absent map[string]string) error {
	for _, c := range all {
		if c.cmd == nil { // it has failed before
			continue
		}
		folder := g.work.files
		if strings.HasPrefix(c.name, "sluice") {
			folder = g.work.repeated
		}
		var answer struct {
			Versions map[string]any
			Missing  string
		}
		if err := c.ask(fmt.Sprintf("use %s %s %s", g.recipe, g.size, folder), &answer); err != nil {
			answer.Missing = err.Error()
		}
		if answer.Missing != "" {
			if !strings.Contains(answer.Missing, " has no ") {
				absent[c.name] = fmt.Sprintf("%s, %s: %s", g.size, g.recipe, answer.Missing)
			}
			continue
		}
		if len(answer.Versions) > 0 {
			c.versions = answer.Versions
		}
		g.list = append(g.list, &contestant{name: c.name, process: c.process, versions: c.versions})
	}
	return nil
}

// page writes the results as Markdown.
func (r *record) page(w io.Writer) {
	versions := map[string]any{}
	maps.Copy(versions, r.about.Versions)
	var peers []string
	for _, g := range r.groups {
		for _, c := range g.list {
			maps.Copy(versions, c.versions)
			if !slices.Contains(peers, c.name) {
				peers = append(peers, c.name)
			}
		}
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		texts = append(texts, fmt.Sprintf("%s %v", name, versions[name]))
	}
	fmt.Fprintf(w, "<!-- written by go run ./benchmarks/loaders -formats -->\n# Formats\n\n%s, %s, %d processors, %s; %s.\n",
		time.Now().Format(time.DateOnly), machine.Processor(), runtime.NumCPU(), runtime.Version(), strings.Join(texts, ", "))
	seconds := time.Since(r.begin).Seconds()
	others := machine.BusySeconds() - r.busy - (machine.TreeSeconds(os.Getpid()) - r.used)
	fmt.Fprintf(w, "%d rounds of %d images, in batches of %d; other programs used %.1f processors meanwhile.\n\n", *rounds, *images-*images%*batch, *batch, max(others/seconds, 0))
	fmt.Fprint(w, `    go run ./benchmarks/loaders -data DIR -python PYTHON -formats `+*formats+flagsGiven()+"\n\n")
	fmt.Fprint(w, `Images per second of processor time, the median of the rounds; sluice with its least and largest. In brackets how many times as many sluice makes: the
median of the ratios within each round, the least and the largest. With two workers it is per processor second, too. An empty cell: it doesn't read the format, or has no such recipe.

Aims, with one worker: progressive JPEG 1.3 times OpenCV's images whole and twice in rrc; PNG 1.5 times OpenCV's; WebP as many as Pillow's; GIF and BMP as many as both.
`)
	r.aims(w)
	for _, recipe := range strings.Split(formatRecipes, ",") {
		for _, workers := range strings.Split(*workers, ",") {
			r.table(w, recipe, workers)
		}
	}
	if len(r.absent) > 0 {
		fmt.Fprint(w, "\nNot measured:\n\n")
		for _, name := range slices.Sorted(maps.Keys(r.absent)) {
			fmt.Fprintf(w, "- %s: %s\n", name, r.absent[name])
		}
	}
}

// aims writes which aims are reached.
func (r *record) aims(w io.Writer) {
	fmt.Fprint(w, "\n| aim | recipe | sluice / it, at least | measured | |\n|---|---|---|---|---|\n")
	for _, e := range r.wanted {
		for _, a := range e.aims {
			for _, g := range r.groups {
				i := slices.IndexFunc(g.list, func(c *contestant) bool { return c.name == a.peer })
				if g.size != e.name || g.recipe != a.recipe || g.workers != 1 || i < 0 {
					continue
				}
				_, cpu := g.ratios(g.list[i])
				verdict := "**missed**"
				if m, _, _ := spread(cpu); m >= a.least {
					verdict = "reached"
				}
				fmt.Fprintf(w, "| %s | %s | %.1f x %s | %s | %s |\n", e.title, a.recipe, a.least, a.peer, ratioText(cpu), verdict)
			}
		}
	}
}

// table writes that of a recipe with so many workers.
func (r *record) table(w io.Writer, recipe, workers string) {
	header := fmt.Sprintf("\n## %s; workers: %s\n\n| | KB a file | sluice | %s | others |\n|---|--:|---|%s---|\n", titles[recipe], workers, strings.Join(usual, " | "), strings.Repeat("---|", len(usual)))
	for _, e := range r.wanted {
		i := slices.IndexFunc(r.groups, func(g *group) bool {
			return g.size == e.name && g.recipe == recipe && strconv.Itoa(g.workers) == workers
		})
		if i < 0 {
			continue
		}
		g := r.groups[i]
		cells := make([]string, len(usual))
		var others []string
		for _, c := range g.list[1:] {
			_, cpu := g.ratios(c)
			cell := fmt.Sprintf("%.0f [%s]", 1000/median(c.cpu), ratioText(cpu))
			if k := slices.Index(usual, c.name); k >= 0 {
				cells[k] = cell
			} else {
				others = append(others, c.name+" "+cell)
			}
		}
		own := g.list[0].cpu
		fmt.Fprintf(w, "%s| %s | %.0f | %.0f (%.0f...%.0f) | %s | %s |\n", header, e.title, r.about.Sizes[e.name]/1000,
			1000/median(own), 1000/slices.Max(own), 1000/slices.Min(own), strings.Join(cells, " | "), strings.Join(others, "; "))
		header = ""
	}
}

// given is a flag's value where the command line has it.
func given(name, otherwise string) string {
	flag.Visit(func(f *flag.Flag) {
		if f.Name == name {
			otherwise = f.Value.String()
		}
	})
	return otherwise
}

// flagsGiven are those of the command line that say what is measured.
func flagsGiven() (text string) {
	flag.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"data", "python", "formats", "o", "name"}, f.Name) {
			text += fmt.Sprintf(" -%s %s", f.Name, f.Value)
		}
	})
	return text
}

func median(values []float64) float64 {
	m, _, _ := spread(values)
	return m
}
