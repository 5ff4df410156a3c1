// Command longtail trains on two long-tailed data sets with `sluice train`, and
// prints what became of the rare classes as Markdown. README.md holds results.
//
//	go run ./benchmarks/longtail -data DIR [-only signs|cifar] [-seeds 3] [-o DIR]
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicedata/sluice/trainer"
)

//go:embed *.yaml
var files embed.FS

// bench works in a folder that holds the files of this one, the binary and a
// link to the data.
type bench struct {
	dir   string
	seeds int
}

// arm is one way to train.
type arm struct {
	name, pipeline, trainer string
	runs                    []report // one per seed
	seconds                 float64  // of all runs' processes
}

// report is what is read of the JSON report of `sluice train`.
type report struct {
	Tasks           trainer.Metrics
	Train           struct{ Steps int }
	Bottleneck      string
	ImagesPerSecond float64 `json:"images_per_second"`
}

func main() {
	data := flag.String("data", "", "folder that holds signs/signs.tar and cifar10-lt/{train,test}.tar")
	only := flag.String("only", "", "signs or cifar (default both)")
	seeds := flag.Int("seeds", 3, "runs of each arm")
	dir := flag.String("o", "", "new folder for lists and runs (default a temporary one, removed at the end)")
	flag.Parse()
	if *data == "" || flag.NArg() > 0 || *seeds < 1 || *only != "" && *only != "signs" && *only != "cifar" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, bench{*dir, *seeds}, *data, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "longtail:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b bench, data, only string) (err error) {
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "longtail-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.dir)
	} else if err := os.Mkdir(b.dir, 0o777); err != nil {
		return err
	}
	err = b.prepare(ctx, data)
	if only != "cifar" && err == nil {
		err = b.signs(ctx)
	}
	if only != "signs" && err == nil {
		err = b.cifar(ctx)
	}
	return err
}

func (b bench) at(name string) string { return filepath.Join(b.dir, name) }

// prepare copies the files, links the data and builds sluice.
func (b bench) prepare(ctx context.Context, data string) error {
	data, err := filepath.Abs(data)
	err = errors.Join(err, os.CopyFS(b.dir, files), os.Symlink(data, b.at("data")))
	build := exec.CommandContext(ctx, "go", "build", "-o", b.at("sluice"), "github.com/sluicedata/sluice/cmd/sluice")
	build.Stderr = os.Stderr
	return errors.Join(err, build.Run())
}

// train runs all arms with one seed after the other: a busy hour slows all alike.
func (b bench) train(ctx context.Context, arms []arm) error {
	for n := range b.seeds * len(arms) {
		if err := arms[n%len(arms)].train(ctx, b, n/len(arms)+1); err != nil {
			return err
		}
	}
	return nil
}

func (a *arm) train(ctx context.Context, b bench, seed int) error {
	run := fmt.Sprintf("%s, seed %d", a.name, seed)
	text, err := files.ReadFile(a.trainer)
	text = bytes.Replace(text, []byte("\nseed: 1\n"), fmt.Appendf(nil, "\nseed: %d\n", seed), 1) // of the weights
	if err = errors.Join(err, os.WriteFile(b.at("trainer.yaml"), text, 0o666)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.at("sluice"), "train", b.at(a.pipeline), "--json", "--seed", fmt.Sprint(seed),
		"--trainer", b.at("trainer.yaml"), "-o", b.at("runs/"+run))
	cmd.Stderr = os.Stderr
	begin := time.Now()
	stdout, err := cmd.Output()
	seconds := time.Since(begin).Seconds()
	var r report
	if err == nil {
		err = json.Unmarshal(stdout, &r)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", run, err)
	}
	a.runs, a.seconds = append(a.runs, r), a.seconds+seconds
	fmt.Fprintf(os.Stderr, "%s: %.1f s, %.0f images/s; %s\n", run, seconds, r.ImagesPerSecond, r.Bottleneck)
	return nil
}

// cifar: rebalancing and augmentation lift the rare classes together.
func (b bench) cifar(ctx context.Context) error {
	arms := []arm{
		{name: "plain", pipeline: "cifar-plain.yaml", trainer: "cifar-trainer.yaml"},
		{name: "class balanced only", pipeline: "cifar-balanced.yaml", trainer: "cifar-trainer.yaml"},
		{name: "augmentation only", pipeline: "cifar-augmented.yaml", trainer: "cifar-trainer.yaml"},
		{name: "both", pipeline: "cifar-both.yaml", trainer: "cifar-trainer.yaml"},
		{name: "balanced softmax only", pipeline: "cifar-plain.yaml", trainer: "cifar-trainer-balanced-softmax.yaml"},
	}
	if err := b.train(ctx, arms); err != nil {
		return err
	}
	table(arms, "class")
	plain, both := arms[0], arms[3]
	fmt.Printf("\nThe rarest third gains %s points from plain to both; these %d runs took %.0f s.\n",
		values("%+.1f", rarest, "class", both, plain), 2*b.seeds, plain.seconds+both.seconds)
	return nil
}

// signs: two tasks are learnt at once; one with half of its labels suffers
// little, and the other one doesn't.
func (b bench) signs(ctx context.Context) error {
	arms := []arm{
		{name: "all labels", pipeline: "signs-all.yaml", trainer: "signs-trainer.yaml"},
		{name: "half of shape hidden", pipeline: "signs-half-shape.yaml", trainer: "signs-trainer.yaml"},
		{name: "half of type hidden", pipeline: "signs-half-type.yaml", trainer: "signs-trainer.yaml"},
	}
	err := b.unpackSigns()
	if err == nil {
		err = b.train(ctx, arms)
	}
	if err != nil {
		return err
	}
	for _, task := range []string{"shape", "type"} {
		table(arms, task)
		fmt.Println()
		for _, hidden := range arms[1:] {
			fmt.Printf("- %s: balanced accuracy of %s changes by %s points\n", hidden.name, task, values("%+.1f", balanced, task, hidden, arms[0]))
		}
	}
	return nil
}

// unpackSigns writes the images below signs/, and three lists of them: all.csv,
// and half-shape.csv and half-type.csv without that label for half of the
// physical signs. A hash of the sign decides which half; the split, by another
// hash of it, is the same for all lists.
func (b bench) unpackSigns() error {
	f, err := os.Open(b.at("data/signs/signs.tar"))
	if err != nil {
		return err
	}
	defer f.Close()
	lists := map[string]string{}
	r := tar.NewReader(f)
	member, err := r.Next()
	for ; err == nil; member, err = r.Next() {
		parts := strings.Split(member.Name, "/")
		if len(parts) < 3 || !strings.HasSuffix(member.Name, ".png") || !filepath.IsLocal(member.Name) {
			continue
		}
		parts = parts[len(parts)-3:] // shape, type, file
		key := strings.Join(parts, "/")
		data, err := io.ReadAll(r)
		err = errors.Join(err, os.MkdirAll(b.at("signs/"+parts[0]+"/"+parts[1]), 0o777), os.WriteFile(b.at("signs/"+key), data, 0o666))
		if err != nil {
			return err
		}
		shape, kind := parts[0], parts[1]
		lists["all"] += key + "," + shape + "," + kind + "\n"
		sign, _, _ := strings.Cut(key, "_")
		if sha256.Sum256([]byte("hidden " + sign))[0]%2 == 0 {
			lists["half-shape"] += key + ",," + kind + "\n"
			lists["half-type"] += key + "," + shape + ",\n"
		} else {
			lists["half-shape"] += key + "," + shape + "," + kind + "\n"
			lists["half-type"] += key + "," + shape + "," + kind + "\n"
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	for name, rows := range lists {
		err = errors.Join(err, os.WriteFile(b.at("signs/"+name+".csv"), []byte("path,shape,type\n"+rows), 0o666))
	}
	return err
}

func balanced(m trainer.TaskMetrics) trainer.Share { return m.BalancedAccuracy }
func rarest(m trainer.TaskMetrics) trainer.Share   { return m.Rarest }

// values are the mean over the seeds, in bold, and each seed's, in percent; with
// a second arm, what it has less.
func values(format string, figure func(trainer.TaskMetrics) trainer.Share, task string, a arm, less ...arm) string {
	sum, each := 0.0, make([]string, len(a.runs))
	for i, r := range a.runs {
		v := 100 * float64(figure(r.Tasks[task]))
		for _, l := range less {
			v -= 100 * float64(figure(l.runs[i].Tasks[task]))
		}
		sum, each[i] = sum+v, fmt.Sprintf(format, v)
	}
	return fmt.Sprintf("**"+format+"** (%s)", sum/float64(len(a.runs)), strings.Join(each, " "))
}

func table(arms []arm, task string) {
	fmt.Printf("\n| %s, recall in %% | all classes (balanced accuracy) | rarest third | steps | seconds a run |\n|---|---|---|---|---|\n", task)
	fmt.Printf("| always the commonest class | %.1f | 0.0 | | |\n", 100/float64(len(arms[0].runs[0].Tasks[task].Count)))
	for _, a := range arms {
		fmt.Printf("| %s | %s | %s | %d | %.0f |\n", a.name, values("%.1f", balanced, task, a), values("%.1f", rarest, task, a),
			a.runs[0].Train.Steps, a.seconds/float64(len(a.runs)))
	}
}
