//go:build linux

package feed

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// client is what Python is in a session.
type client struct {
	t    *testing.T
	conn *net.UnixConn
	done chan error // what Serve returns
	ring []byte
	plan planHead
}

// connect starts a session over a socket of its own.
func connect(t *testing.T) *client {
	t.Helper()
	before := goleak.IgnoreCurrent()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	end := func(fd int) *net.UnixConn {
		f := os.NewFile(uintptr(fd), "")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		return c.(*net.UnixConn)
	}
	c := &client{t: t, conn: end(fds[0]), done: make(chan error, 1)}
	engine := end(fds[1])
	server := Server{
		Version: "test", Load: load, Planned: func(*flow.Plan) {},
		Report: func(p *flow.Plan) any { return p.Outline() },
		Explain: func(err error) (string, []Mistake) {
			var list []Mistake
			for _, e := range flatten(err) {
				list = append(list, Mistake{e.File, e.Line, e.Column, e.Msg})
			}
			return err.Error(), list
		},
	}
	go func() { c.done <- server.Serve(context.Background(), engine) }()
	t.Cleanup(func() {
		_ = c.conn.Close()
		select {
		case <-c.done:
		case <-time.After(10 * time.Second):
			t.Error("the session doesn't end")
		}
		goleak.VerifyNone(t, before)
		if c.ring != nil {
			_ = unix.Munmap(c.ring)
		}
	})
	return c
}

func flatten(err error) (list pipefile.Errors) {
	if e, ok := err.(pipefile.Errors); ok { //nolint:errorlint // nothing wraps it here
		return e
	}
	return nil
}

func load(ask *Open) (*flow.Pipeline, error) {
	var edits []pipefile.Edit
	for _, text := range ask.Set {
		e, err := pipefile.ParseEdit("set", text)
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	pipe, err := pipefile.Parse(ask.Pipeline.Name, []byte(ask.Pipeline.Text), ask.Pipeline.Folder, pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog}, edits...)
	if err != nil {
		return nil, err
	}
	pipe.Settings.Rank, pipe.Settings.World, pipe.Settings.LastRound = ask.Rank, ask.World, flow.LastRound(ask.LastRound)
	return pipe, nil
}

func (c *client) send(k kind, id uint32, head any, body ...[]byte) {
	c.t.Helper()
	if err := writeMessage(c.conn, k, id, head, nil, body...); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads the next message but PROGRESS, and maps a ring that comes with it.
func (c *client) receive() *message {
	c.t.Helper()
	for {
		m, err := readMessage(withRights{c}, mostBody)
		if err != nil {
			c.t.Fatal(err)
		}
		if m.kind != kindProgress {
			return m
		}
	}
}

// withRights reads from a client's connection, and keeps a file that comes.
type withRights struct{ c *client }

func (r withRights) Read(b []byte) (int, error) {
	oob := make([]byte, 64)
	_ = r.c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, k, _, _, err := r.c.conn.ReadMsgUnix(b, oob)
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	if k > 0 {
		messages, err := unix.ParseSocketControlMessage(oob[:k])
		if err != nil {
			return n, err
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			return n, err
		}
		var stat unix.Stat_t
		if err := unix.Fstat(fds[0], &stat); err != nil {
			return n, err
		}
		if err := unix.Ftruncate(fds[0], stat.Size+4096); err == nil {
			r.c.t.Error("the ring isn't sealed against growing")
		}
		if err := unix.Ftruncate(fds[0], 0); err == nil {
			r.c.t.Error("the ring isn't sealed against shrinking")
		}
		if r.c.ring, err = unix.Mmap(fds[0], 0, int(stat.Size), unix.PROT_READ, unix.MAP_SHARED); err != nil {
			return n, err
		}
		_ = unix.Close(fds[0])
	}
	return n, err
}

// answer reads a message that has to be of a kind, into v.
func (c *client) answer(want kind, v any) *message {
	c.t.Helper()
	m := c.receive()
	if m.kind != want {
		c.t.Fatalf("a message of kind %d instead of %d: %s", m.kind, want, m.head)
	}
	if v != nil {
		if err := json.Unmarshal(m.head, v); err != nil {
			c.t.Fatal(err)
		}
	}
	return m
}

func (c *client) greet() {
	c.t.Helper()
	c.send(kindHello, 1, map[string]any{"protocol": Protocol, "version": "test"})
	c.answer(kindWelcome, nil)
}

// open greets, and opens a pipeline.
func (c *client) open(text string, more map[string]any) {
	c.t.Helper()
	c.greet()
	ask := map[string]any{"pipeline": map[string]string{"text": text, "name": "p.yaml"}, "transport": "pipe"}
	for k, v := range more {
		ask[k] = v
	}
	c.send(kindOpen, 2, ask)
	c.answer(kindPlan, &c.plan)
}

// got is a batch as the client has it.
type got struct {
	batchHead
	pixels []byte
	keys   string
}

// next reads a batch, or what ends the run: then the kind isn't kindBatch.
func (c *client) next() (*got, *message) {
	c.t.Helper()
	m := c.receive()
	if m.kind != kindBatch {
		return nil, m
	}
	b := &got{}
	if err := json.Unmarshal(m.head, &b.batchHead); err != nil {
		c.t.Fatal(err)
	}
	if b.Columns > 0 {
		r, err := ipc.NewReader(bytes.NewReader(m.body[:b.Columns]))
		if err != nil {
			c.t.Fatal(err)
		}
		defer r.Release()
		if !r.Next() || int(r.Record().NumRows()) != b.Rows {
			c.t.Fatalf("no record of %d rows", b.Rows)
		}
		b.keys = fmt.Sprint(r.Record().Column(0))
	}
	switch {
	case b.Slot >= 0:
		at := b.Slot * c.plan.SlotBytes
		b.pixels = c.ring[at : at+b.Image.Bytes]
	case b.Image != nil:
		b.pixels = m.body[b.Columns:]
	}
	return b, m
}

// all reads a run to its end, gives each batch back at once, and lists them as text.
func (c *client) all(id uint32, epochs int) (list []string) {
	c.t.Helper()
	c.send(kindRun, id, map[string]any{"epoch": 0, "batch": 0, "epochs": epochs})
	for n := int64(1); ; n++ {
		b, m := c.next()
		if b == nil {
			if m.kind != kindEnd {
				c.t.Fatalf("kind %d: %s", m.kind, m.head)
			}
			return list
		}
		list = append(list, b.text())
		free := []int{}
		if b.Slot >= 0 {
			free = append(free, b.Slot)
		}
		c.send(kindGive, id, map[string]any{"taken": n, "free": free})
	}
}

func (b *got) text() string {
	return fmt.Sprintf("%d/%d %v %v %s %x", b.Epoch, b.Number, b.Scale, b.Next, b.keys, b.pixels)
}

// pictures makes a folder of small PNG files of two classes.
func pictures(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		img := image.NewNRGBA(image.Rect(0, 0, 12+i%3, 10))
		for j := range img.Pix {
			img.Pix[j] = uint8(r.UintN(256))
		}
		for y := range 10 {
			for x := range 12 + i%3 {
				c := img.NRGBAAt(x, y)
				img.SetNRGBA(x, y, color.NRGBA{c.R, c.G, c.B, 255})
			}
		}
		var file bytes.Buffer
		if err := png.Encode(&file, img); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "ab"[i%2:i%2+1], fmt.Sprintf("%03d.png", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pipeline(dir string, list ...string) string {
	return fmt.Sprintf("version: 1\nsource: {folder: {path: %s}}\nstages:\n  - shuffle\n  - %s\n", dir, strings.Join(list, "\n  - "))
}

var stagesOf = map[string][]string{
	"float":   {"decode", "random_resized_crop: {size: 8}", "to_tensor", "batch: {size: 4}"},
	"uint8":   {"decode", "resize: {height: 8, width: 8}", "batch: {size: 4}"},
	"grey":    {"decode: {mode: gray}", "resize: {height: 8, width: 8}", "batch: {size: 4}"},
	"varying": {"decode", "flip"},
	"kept":    {"decode", "flip", "batch: {size: 4, sizes: keep}"},
	"padded":  {"decode", "flip", "batch: {size: 4, sizes: pad}"},
	"encoded": {"batch: {size: 4}"},
	"scales":  {"decode", "resize: {height: 8, width: 8}", "to_tensor", "batch: {size: 4}", "multiscale: {scales: [0.5, 1, 1.5]}"},
}

// What comes is what the plan's batches are, by the ring and by the socket.
func TestBatchesAreThePlans(t *testing.T) {
	dir := pictures(t, 22)
	for name, list := range stagesOf {
		for _, transport := range []string{"ring", "pipe"} {
			t.Run(name+" by "+transport, func(t *testing.T) {
				text := pipeline(dir, list...)
				want := direct(t, text)
				c := connect(t)
				c.open(text, map[string]any{"transport": transport})
				if fixed := !slices.Contains([]string{"varying", "kept", "padded", "encoded"}, name); (c.plan.Slots > 0) != (hasRing && fixed && transport == "ring") {
					t.Errorf("%d slots", c.plan.Slots)
				}
				for id := range uint32(2) {
					if got := c.all(5+id, 2); !slices.Equal(got, want) {
						t.Errorf("run %d: %d batches, and the plan has %d, or they differ", id, len(got), len(want))
					}
				}
				if int(c.plan.Batches)*2 != len(want) {
					t.Errorf("batches is %d, and %d came in 2 epochs", c.plan.Batches, len(want))
				}
			})
		}
	}
}

// direct lists the batches of a pipeline without a session.
func direct(t *testing.T, text string) (list []string) {
	t.Helper()
	pipe, err := load(&Open{Pipeline: Pipeline{Text: text, Name: "p.yaml"}, World: 1, LastRound: "drop"})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pipe.Plan(t.Context(), flow.Epochs(2))
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	for b, err := range plan.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		next := plan.StateAfter(b)
		g := &got{batchHead: batchHead{Epoch: b.Epoch, Number: b.Number, Scale: plan.Info().Variants[b.Variant].Scale, Next: [2]int64{int64(next.Epoch), next.Batch}}}
		if next.Epoch == 2 {
			g.Next = [2]int64{2, 0}
		}
		g.pixels = b.Uint8()
		if f := b.Float32(); f != nil {
			g.pixels = unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), 4*len(f))
		}
		g.keys = fmt.Sprint(b.Record.Column(0))
		list = append(list, g.text())
	}
	return list
}

// A loop that keeps everything gets batches by the message when the slots are out, is told once,
// and keeps what it has; given back in any order, slots are used again.
func TestKeptBatches(t *testing.T) {
	if !hasRing {
		t.Skip("there is no ring on this system")
	}
	text := pipeline(pictures(t, 22), stagesOf["uint8"]...)
	want := direct(t, text)[:6]
	c := connect(t)
	c.open(text, map[string]any{"transport": "ring", "slots": 4})
	c.send(kindRun, 9, map[string]any{"epoch": 0, "batch": 0, "epochs": 40})
	warned, inline := 0, 0
	r := rand.New(rand.NewPCG(5, 6))
	kept := map[int]*got{} // by slot
	sums := map[int]string{}
	for n := int64(1); ; {
		b, m := c.next()
		if m.kind == kindWarn {
			warned++
			continue
		}
		if b == nil {
			break
		}
		if n <= 6 && b.text() != want[n-1] {
			t.Errorf("batch %d is another", n)
		}
		if b.Slot < 0 {
			inline++
		} else {
			if kept[b.Slot] != nil {
				t.Fatalf("slot %d is used while it is kept", b.Slot)
			}
			kept[b.Slot], sums[b.Slot] = b, b.text()
		}
		for slot, k := range kept {
			if k.text() != sums[slot] {
				t.Fatalf("batch %d/%d has changed while it was kept", k.Epoch, k.Number)
			}
		}
		free := []int{}
		for slot := range kept {
			if n > 12 && r.IntN(3) == 0 {
				free = append(free, slot)
				delete(kept, slot)
			}
		}
		c.send(kindGive, 9, map[string]any{"taken": n, "free": free})
		n++
	}
	if warned != 1 || inline < 8 || inline > 200 {
		t.Errorf("%d warnings, %d batches by the message", warned, inline)
	}
}

// A run that is stopped ends, whatever is on its way; the next begins where it is told to.
func TestStop(t *testing.T) {
	text := pipeline(pictures(t, 22), stagesOf["float"]...)
	want := direct(t, text)
	c := connect(t)
	c.open(text, map[string]any{"transport": "ring"})
	for round := range 20 {
		id, at := uint32(10+round), round%6
		c.send(kindRun, id, map[string]any{"epoch": 0, "batch": at, "epochs": 0})
		sent := 0
		var free []int
		for range round % 4 {
			b, _ := c.next()
			if b.text() != want[at+sent] {
				t.Fatalf("round %d: another batch", round)
			}
			sent++
			if b.Slot >= 0 {
				free = append(free, b.Slot)
			}
			c.send(kindGive, id, map[string]any{"taken": sent, "free": []int{}})
		}
		c.send(kindRun, 999, map[string]any{"epoch": 0, "batch": 0})
		c.send(kindStop, id, map[string]any{})
		refused := false
		for {
			b, m := c.next()
			if b != nil {
				if b.Slot >= 0 {
					free = append(free, b.Slot)
				}
				continue
			}
			if m.kind == kindError && m.id == 999 {
				refused = true
				continue
			}
			if m.kind != kindEnd || !strings.Contains(string(m.head), `"stopped":true`) || m.id != id {
				t.Fatalf("kind %d: %s", m.kind, m.head)
			}
			break
		}
		if !refused {
			t.Error("a second run beside the first wasn't refused")
		}
		c.send(kindGive, id, map[string]any{"taken": 0, "free": append([]int{}, free...)})
	}
}

// A loop that leaves with batches unread resets the connection, which is its end as any other.
func TestLeftUnread(t *testing.T) {
	c := connect(t)
	c.open(pipeline(pictures(t, 22), stagesOf["float"]...), map[string]any{"transport": "pipe"})
	c.send(kindRun, 7, map[string]any{"epoch": 0, "batch": 0, "epochs": 0})
	if b, _ := c.next(); b == nil {
		t.Fatal("no batch")
	}
	if _, err := io.ReadFull(c.conn, make([]byte, 1)); err != nil { // another is on its way
		t.Fatal(err)
	}
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	err := <-c.done
	c.done <- nil // for connect's cleanup
	if err != nil {
		t.Errorf("left: %v", err)
	}
}

func TestFailures(t *testing.T) {
	dir := pictures(t, 8)
	good := pipeline(dir, stagesOf["uint8"]...)
	t.Run("mistakes of a pipeline", func(t *testing.T) {
		c := connect(t)
		c.greet()
		c.send(kindOpen, 2, map[string]any{"pipeline": map[string]string{"text": "version: 1\nsource: {folder: {path: x}}\nstages: [decode, rotate: {degrees: wide}, turn]\n", "name": "p.yaml"}})
		var f failure
		c.answer(kindError, &f)
		if f.Kind != failPipeline || len(f.Mistakes) != 2 || f.Mistakes[0].Line != 3 {
			t.Errorf("%+v", f)
		}
	})
	t.Run("a broken image", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(dir, "a", "999.png"), []byte("\x89PNG\r\n\x1a\nnothing"), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(filepath.Join(dir, "a", "999.png"))
		c := connect(t)
		c.open(good, nil)
		c.send(kindRun, 5, map[string]any{"epoch": 0, "batch": 0, "epochs": 1})
		for n := 1; ; n++ {
			b, m := c.next()
			if b != nil {
				c.send(kindGive, 5, map[string]any{"taken": n, "free": []int{}})
				continue
			}
			var f failure
			if err := json.Unmarshal(m.head, &f); err != nil || m.kind != kindError || m.id != 5 {
				t.Fatalf("kind %d: %s", m.kind, m.head)
			}
			if f.Kind != failSample || f.Key != "a/999.png" || f.Stage != "decode" || f.Cause == "" {
				t.Errorf("%+v", f)
			}
			break
		}
		c.send(kindCheck, 6, map[string]any{"state": c.plan.State}) // the session goes on
		c.answer(kindResult, nil)
	})
}

func TestStates(t *testing.T) {
	text := pipeline(pictures(t, 22), stagesOf["uint8"]...)
	var state flow.State
	t.Run("of the plan", func(t *testing.T) {
		c := connect(t)
		c.open(text, nil)
		state = c.plan.State
		state.Epoch, state.Batch = 3, 2
		c.send(kindCheck, 3, map[string]any{"state": state})
		var at struct{ Epoch, Batch int }
		c.answer(kindResult, &at)
		if at.Epoch != 3 || at.Batch != 2 {
			t.Errorf("%+v", at)
		}
	})
	other := connect(t)
	other.open(strings.Replace(text, "height: 8", "height: 9", 1), nil)
	for id, k := range []kind{kindCheck, kindRun} {
		ask := map[string]any{"state": state}
		if k == kindRun {
			ask["epoch"], ask["batch"] = 3, 2
		}
		other.send(k, uint32(20+id), ask)
		var f failure
		other.answer(kindError, &f)
		if f.Kind != failState || !strings.Contains(f.Message, "resize") {
			t.Errorf("%+v", f)
		}
	}
}

// What isn't a message, or names what there isn't, ends the session with an error that
// says so; nothing hangs.
func TestBrokenMessages(t *testing.T) {
	hello := header(kindHello, 1, []byte(`{"protocol":1,"version":"t"}`), 0)
	change := func(at int, b byte) []byte {
		h := bytes.Clone(hello)
		h[at] = b
		return h
	}
	future := bytes.Clone(hello)
	binary.LittleEndian.PutUint16(future[4:], 2)
	for name, data := range map[string][]byte{
		"magic": change(0, 'x'), "checksum": change(25, hello[25]+1), "version": future, "zero": change(28, 1), "body": change(22, 0xff),
		"head": change(15, 0xff), "cut off": hello[:20], "within": hello[:40], "kind": append(bytes.Clone(hello), header(77, 2, []byte("{}"), 0)...),
		"no greeting": header(kindOpen, 2, []byte("{}"), 0), "no JSON": append(bytes.Clone(hello), header(kindGive, 2, []byte("{"), 0)...),
		"slot": append(bytes.Clone(hello), header(kindGive, 2, []byte(`{"taken":0,"free":[3]}`), 0)...),
		"skew": header(kindHello, 1, []byte(`{"protocol":2,"version":"t"}`), 0),
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t)
			if _, err := c.conn.Write(data); err != nil {
				t.Fatal(err)
			}
			_ = c.conn.CloseWrite()
			select {
			case err := <-c.done:
				if err == nil {
					t.Error("no error")
				}
				c.done <- err
			case <-time.After(10 * time.Second):
				t.Fatal("the session goes on")
			}
			last := &message{}
			for {
				m, err := readMessage(withRights{c}, mostBody)
				if err != nil {
					break
				}
				last = m
			}
			if last.kind != kindError {
				t.Errorf("the last message is of kind %d: %s", last.kind, last.head)
			}
		})
	}
}

// FuzzMessages: any bytes end the session or are answered.
func FuzzMessages(f *testing.F) {
	f.Add(header(kindHello, 1, []byte(`{"protocol":1,"version":"t"}`), 0))
	f.Add(append(header(kindHello, 1, []byte(`{"protocol":1}`), 0), header(kindOpen, 2, []byte(`{"pipeline":{"text":"x"}}`), 3)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		for {
			m, err := readMessage(r, 1<<20)
			if err != nil {
				return
			}
			again, err := readMessage(bytes.NewReader(append(header(m.kind, m.id, m.head, uint64(len(m.body))), m.body...)), 1<<20)
			if err != nil || !bytes.Equal(again.head, m.head) || !bytes.Equal(again.body, m.body) || again.kind != m.kind || again.id != m.id {
				t.Fatalf("%+v becomes %+v (%v)", m, again, err)
			}
		}
	})
}

// Slots are given once each, whatever the order in which they come back; blocks that don't
// fit are of the heap.
func TestSlots(t *testing.T) {
	if !hasRing {
		t.Skip("there is no ring on this system")
	}
	ring, err := newRing(3 * 4096)
	if err != nil {
		t.Fatal(err)
	}
	s := newSlots(ring, 3, 4096)
	r := rand.New(rand.NewPCG(3, 4))
	var have [][]byte
	for range 10_000 {
		if len(have) > 0 && r.IntN(2) == 0 {
			i := r.IntN(len(have))
			s.Free(have[i])
			have = slices.Delete(have, i, i+1)
			continue
		}
		b := s.Allocate(1 + r.IntN(5000))
		if at := s.of(b); at >= 0 && (len(b) > 4096 || slices.ContainsFunc(have, func(o []byte) bool { return s.of(o) == at })) {
			t.Fatalf("slot %d is given twice, or is too small for %d bytes", at, len(b))
		}
		if have = append(have, s.Reallocate(r.IntN(len(b))+1, b)); len(have) > 8 {
			s.Free(have[0])
			have = have[1:]
		}
	}
	for _, b := range have {
		s.Free(b)
	}
	if len(s.free) != 3 {
		t.Errorf("%d slots are free", len(s.free))
	}
}

// FuzzSession: whatever comes behind a greeting and a plan, the session answers or ends,
// and ends when the connection does.
func FuzzSession(f *testing.F) {
	for _, m := range []struct {
		kind kind
		head string
	}{
		{kindRun, `{"epoch":0,"batch":0,"epochs":2}`}, {kindRun, `{"epoch":-1,"batch":1e9}`}, {kindStop, `{}`}, {kindGive, `{"taken":1,"free":[0]}`}, {kindGive, `{"taken":-1,"free":[-1,99]}`},
		{kindCheck, `{"state":{}}`}, {kindApply, `{"images":[{"bytes":2,"shape":[1,1,3]}]}`}, {kindLabels, `{"target":"balanced","samples":3}`}, {kindDraws, `{"epoch":1,"first":-3,"step":0,"count":1000000000000}`},
		{kindHello, `{"protocol":1}`}, {kindOpen, `{"pipeline":{"text":"version: 1"}}`},
	} {
		f.Add(append(header(m.kind, 5, []byte(m.head), 4), 1, 0, 0, 0))
	}
	dir := f.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o755); err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 9, 9))); err != nil {
		f.Fatal(err)
	}
	for i := range 9 {
		if err := os.WriteFile(filepath.Join(dir, "a", fmt.Sprintf("%d.png", i)), file.Bytes(), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	text := pipeline(dir, stagesOf["uint8"]...)
	f.Fuzz(func(t *testing.T, data []byte) {
		c := connect(t)
		c.open(text, map[string]any{"transport": "ring", "slots": 4})
		if _, err := c.conn.Write(data); err != nil {
			return
		}
		_ = c.conn.CloseWrite()
		for {
			if _, err := readMessage(withRights{c}, mostBody); err != nil {
				return // connect's cleanup waits for the end
			}
		}
	})
}
