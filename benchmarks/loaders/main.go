// Command loaders measures sluice beside other image loaders: the same files,
// the same work, the same processors, in turn.
//
//	go run ./benchmarks/loaders -data DIR [-python /usr/bin/python3,VENV/bin/python]
//	go run ./benchmarks/loaders -data DIR [-python ...] -formats all
//
// Run it at the top of the repository. DIR holds JPEG files and nothing else. For
// each recipe, size of picture and number of workers every contestant is started
// once, as a process that waits; in each round each makes the same number of
// images, one after the other, and another one begins each round. A first round
// warms up. README.md says what the contestants are; results go to results.md and
// results.svg in the folder -o. With -formats the files are first written anew in other
// formats (formats.go), and results go to formats.md.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
)

var (
	data        = flag.String("data", "", "folder of JPEG files")
	python      = flag.String("python", "/usr/bin/python3", "Pythons, separated by commas; a peer runs in the first that has it")
	rounds      = flag.Int("rounds", 5, "rounds that count")
	workers     = flag.String("workers", "1,2", "numbers of workers")
	own         = flag.String("own", "sluice,sluice-plain,sluice-first,sluice-exact", "variants of sluice; the first is what all others are compared with")
	names       = flag.String("peers", "opencv,opencv-composed,pillow,tensors,albumentations,dali,dali-composed,spdl,grain,ffcv,timm", "peers to measure; peers.py has them")
	recipes     = flag.String("recipes", "recipe,rrc,center,decode", "what to do with each picture")
	sizes       = flag.String("sizes", "photos,large", "photos: the files as they are; large: 20 of them, enlarged")
	batch       = flag.Int("batch", 64, "images of a batch")
	images      = flag.Int("images", 1024, "images of a round")
	largeImages = flag.Int("large-images", 128, "the same with large pictures")
	out         = flag.String("o", "benchmarks/loaders", "folder for results.md and results.svg")
	outName     = flag.String("name", "results", "their names")
	wait        = flag.Duration("wait", 10*time.Second, "how long to wait, before each measurement, for other programs to leave the processors alone")
	formats     = flag.String("formats", "", "other formats in which the files are written anew, or all; they take the place of -sizes")
	child       = flag.Bool("child", false, "be sluice's side; the command starts itself so")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "loaders:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *child {
		return sluice(ctx, flag.Args())
	}
	if *data == "" || *rounds < 1 || *batch < 1 || *images < *batch || *largeImages < *batch {
		return fmt.Errorf("-data DIR is needed, -rounds is at least 1, -images and -large-images at least as many as -batch: %d", *batch)
	}
	if _, err := os.Stat(script); err != nil {
		return fmt.Errorf("run it at the top of the repository: %w", err)
	}
	if err := os.MkdirAll(*out, 0o777); err != nil { // before anything is measured
		return fmt.Errorf("-o: %w", err)
	}
	tmp, err := os.MkdirTemp("", "sluice-loaders-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if *formats != "" {
		return contest(ctx, tmp)
	}
	var groups []*group
	for _, size := range strings.Split(*sizes, ",") {
		work, err := prepare(tmp, size)
		if err != nil {
			return err
		}
		for _, recipe := range strings.Split(*recipes, ",") {
			for _, text := range strings.Split(*workers, ",") {
				n, err := strconv.Atoi(text)
				if err != nil || n < 1 {
					return fmt.Errorf("-workers %s: numbers from 1", *workers)
				}
				g := &group{size: size, recipe: recipe, workers: n, work: work}
				if err := g.measure(ctx); err != nil {
					return err
				}
				groups = append(groups, g)
				// Written after each group, so that a run broken off has results.
				if err := errors.Join(
					write(filepath.Join(*out, *outName+".md"), func(w io.Writer) { table(w, groups) }),
					write(filepath.Join(*out, *outName+".svg"), func(w io.Writer) { plot(w, groups) })); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func write(name string, content func(io.Writer)) error {
	var b strings.Builder
	content(&b)
	return os.WriteFile(name, []byte(b.String()), 0o666)
}

const script = "benchmarks/loaders/peers.py"

// group is what is compared: one recipe on pictures of one size, with a number
// of workers.
type group struct {
	size, recipe string
	workers      int
	work         *work
	list         []*contestant // sluice first
	missing      []string      // peers that could not be measured, and why
	others       []float64     // processors that other programs used before each measurement
}

// contestant is who takes part in a group.
type contestant struct {
	*process
	name     string
	versions map[string]any
	looks    looks     // of its images, with one worker
	speeds   []float64 // images per second, by round
	cpu      []float64 // milliseconds of the processors per image, all its processes together
}

// process makes images when told to.
type process struct {
	cmd    *exec.Cmd // nil: it has ended
	stdin  io.WriteCloser
	lines  *bufio.Scanner
	stderr strings.Builder
}

// python3 remembers in which Python a peer is to be had; "": in none.
var python3 = map[string]string{}

// measure starts the contestants and has them work in turn.
func (g *group) measure(ctx context.Context) error {
	defer func() {
		for _, c := range g.list {
			c.stop()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := func(dir string) []string {
		return []string{g.recipe, strconv.Itoa(g.workers), strconv.Itoa(g.work.images), dir, strconv.Itoa(*batch)}
	}
	for _, name := range strings.Split(*own, ",") {
		if name == "sluice-first" && g.recipe == "decode" || name == "sluice-exact" && g.recipe != "recipe" {
			continue
		}
		c := &contestant{name: name, process: new(process)}
		env := []string{"GOMAXPROCS=" + strconv.Itoa(g.workers)}
		if name == "sluice-plain" {
			env = append(env, "GODEBUG=cpu.avx2=off") // no assembly
		}
		var err error
		if c.versions, err = c.start(ctx, append([]string{self, "-child", name}, args(g.work.repeated)...), env...); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		g.list = append(g.list, c)
	}
	for _, name := range strings.Split(*names, ",") {
		if err := g.startPeer(ctx, name, args(g.work.files)); err != nil && !strings.HasSuffix(err.Error(), "has no "+g.recipe) {
			g.missing = append(g.missing, fmt.Sprintf("%s: %v", name, err))
		}
	}
	return g.play(ctx)
}

// play has the contestants work in turn, and leaves those in the list that did so in all rounds.
func (g *group) play(ctx context.Context) error {
	for round := range *rounds + 1 {
		for i := range g.list {
			c := g.list[(i+round)%len(g.list)]
			if c.cmd == nil { // it failed
				continue
			}
			others, busy := math.NaN(), ""
			if *wait > 0 {
				others = machine.WaitForQuiet(ctx, *wait, 0.2)
				busy = fmt.Sprintf(" (others used %.2f processors before)", others)
			}
			f, err := c.round()
			if err == nil && round == 0 && g.workers == 1 && g.recipe != "decode" && *formats == "" {
				err = c.ask("look", &c.looks)
			}
			if err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				g.missing = append(g.missing, fmt.Sprintf("%s: %v", c.name, err))
				c.stop()
				continue
			}
			if round > 0 {
				c.speeds, c.cpu = append(c.speeds, f.speed), append(c.cpu, f.cpu)
				if !math.IsNaN(others) {
					g.others = append(g.others, others)
				}
			}
			fmt.Fprintf(os.Stderr, "%s, %s, %d workers, round %d of %d: %s %.0f images/s, %.2f ms of the processors each%s\n",
				g.size, g.recipe, g.workers, round, *rounds, c.name, f.speed, f.cpu, busy)
		}
	}
	g.list = slices.DeleteFunc(g.list, func(c *contestant) bool { return len(c.speeds) < *rounds })
	if len(g.list) == 0 || !strings.HasPrefix(g.list[0].name, "sluice") {
		return errors.New("sluice itself failed: " + strings.Join(g.missing, "; "))
	}
	return nil
}

// startPeer tries the Pythons in turn.
func (g *group) startPeer(ctx context.Context, name string, args []string) error {
	list := strings.Split(*python, ",")
	if known := python3[name]; known != "" {
		list = []string{known}
	}
	var err error
	for _, interpreter := range list {
		c := &contestant{name: name, process: new(process)}
		if c.versions, err = c.start(ctx, append([]string{interpreter, script, name}, args...)); err == nil {
			python3[name] = interpreter
			g.list = append(g.list, c)
			return nil
		}
	}
	return err
}

// start runs the program and waits until it is ready; versions are those of its libraries.
func (c *process) start(ctx context.Context, program []string, env ...string) (versions map[string]any, err error) {
	c.cmd = exec.CommandContext(ctx, program[0], program[1:]...)
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stderr = &c.stderr
	c.cmd.WaitDelay = 5 * time.Second
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.lines = bufio.NewScanner(stdout)
	if err := c.cmd.Start(); err != nil {
		c.cmd = nil
		return nil, err
	}
	var ready struct {
		Versions map[string]any `json:"versions"`
	}
	if err := c.answer(&ready); err != nil {
		c.stop()
		return nil, c.why(err)
	}
	return ready.Versions, nil
}

// answer reads one line of JSON.
func (c *process) answer(v any) error {
	if !c.lines.Scan() {
		return cmp.Or(c.lines.Err(), io.ErrUnexpectedEOF)
	}
	return json.Unmarshal(c.lines.Bytes(), v)
}

// why is the last line that the program has written to stderr.
func (c *process) why(err error) error {
	lines := strings.Split(strings.TrimSpace(c.stderr.String()), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return errors.New(last)
	}
	return err
}

// figures are those of a round.
type figures struct{ speed, cpu float64 }

// most is how long a round may take.
const most = 3 * time.Minute

// round has it make its images.
func (c *process) round() (f figures, err error) {
	process := c.cmd.Process
	before := machine.TreeSeconds(process.Pid)
	var r struct{ Images, Seconds, Made float64 }
	if err := c.ask("go", &r); err != nil {
		return f, err
	}
	return figures{r.Images / r.Seconds, 1000 * (machine.TreeSeconds(process.Pid) - before) / r.Made}, nil
}

// ask sends a line and reads the answer; after an error it has stopped the process.
func (c *process) ask(line string, answer any) error {
	if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
		return c.why(err)
	}
	process := c.cmd.Process
	late := time.AfterFunc(most, func() { _ = process.Kill() })
	err := c.answer(answer)
	if !late.Stop() {
		err = fmt.Errorf("no end of a round after %v", most)
	}
	if err != nil {
		c.stop()
		return c.why(err)
	}
	return nil
}

// stop ends the process.
func (c *process) stop() {
	if c.cmd == nil {
		return
	}
	_ = c.stdin.Close()
	ended := make(chan struct{})
	go func() { _ = c.cmd.Wait(); close(ended) }() // its status says nothing more
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = c.cmd.Process.Kill()
		<-ended
	}
	c.cmd = nil
}
