package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Server says how a session reads pipelines and tells of them: the same as the commands do.
type Server struct {
	Version string
	Load    func(*Open) (*flow.Pipeline, error) // the pipeline that Python asks for, with its settings
	Report  func(*flow.Plan) any                // what `sluice plan --json` prints
	Explain func(error) (text string, mistakes []Mistake)
	Planned func(*flow.Plan) // called once, before anything is made
}

// Open asks for a pipeline. What is left at zero is the file's, or the default.
type Open struct {
	Pipeline  Pipeline `json:"pipeline"`
	Set       []string `json:"set"`
	Without   []string `json:"without"`
	Use       string   `json:"use"`
	Seed      *uint64  `json:"seed"`
	Epochs    int      `json:"epochs"` // that there will be; 0: as the pipeline says
	Workers   int      `json:"workers"`
	Readers   int      `json:"readers"`
	Budget    int64    `json:"budget"`
	Params    bool     `json:"params"`
	OnError   string   `json:"on_error"`
	MaxBad    string   `json:"max_bad"`
	BadTo     string   `json:"quarantine"`
	Exec      string   `json:"exec"`
	Fuse      string   `json:"fuse"`
	Scale     *float64 `json:"scale"` // deliver this one of a multi-scale pipeline; null: all that it picks
	Rank      int      `json:"rank"`
	World     int      `json:"world"`
	LastRound string   `json:"last_round"`
	Transport string   `json:"transport"` // ring or pipe; "": ring where there can be one
	Slots     int      `json:"slots"`     // of the ring; 0: as many as a loop needs

	StagesOnly bool `json:"-"` // read no source: it isn't opened
}

// Pipeline is a pipeline file, or its text.
type Pipeline struct {
	File   string `json:"file"`
	Text   string `json:"text"`
	Name   string `json:"name"`   // of the text, in errors
	Folder string `json:"folder"` // of relative paths in the text
}

// reply answers a request: a head, and a body, after which sent is called.
type reply struct {
	kind   kind // kindResult if 0
	head   any
	body   [][]byte
	rights []byte // a file that goes with it
	sent   func() // nil: nothing
}

// requests are those that are answered once, at any time, also beside a run.
var requests = map[kind]func(*session, context.Context, *message) (*reply, error){
	kindOpen:   (*session).open,
	kindCheck:  (*session).check,
	kindLabels: (*session).labels,
	kindDraws:  (*session).draws,
	kindStages: (*session).stages,
	kindApply:  (*session).apply,
	kindLedger: (*session).ledger,
}

// session is a connection with what was opened on it.
type session struct {
	Server
	conn *net.UnixConn

	writing sync.Mutex // a message at a time
	lost    error      // of writing: nothing is written any more

	greeted bool // of serve alone

	mu       sync.Mutex
	opened   *opened // nil: nothing yet
	opening  bool
	applying *applying           // in place of opened
	order    stages.Order        // of a sampler; nil: none yet
	runs     map[uint32]*running // the one that has not ended
	newest   *running            // the one that was begun last; nil: none yet
	held     held

	blocks sync.Pool      // *[]byte: answers with draws that have been sent
	wait   sync.WaitGroup // for requests and runs
}

// Serve answers what comes over the connection until it is closed, which is how a session
// ends. An error is a broken connection, or a message that isn't one.
func (s Server) Serve(ctx context.Context, conn *net.UnixConn) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	me := &session{Server: s, conn: conn, runs: map[uint32]*running{}, held: held{batches: map[int]*schema.Batch{}}}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err := me.serve(ctx)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	cancel(errClosed)
	me.end()
	return err
}

var errClosed = errors.New("feed: Python has closed the connection")

// mostRequest bounds a request's body: a picture, or the labels of a sampler.
const mostRequest = 16 << 30

func (s *session) serve(ctx context.Context) error {
	for {
		m, err := readMessage(s.conn, mostRequest)
		switch {
		case hasLeft(err):
			return nil
		case err != nil:
			_ = s.sendError(0, err)
			return err
		}
		if err := s.take(ctx, m); hasLeft(err) {
			return nil
		} else if err != nil {
			_ = s.sendError(m.id, err)
			return err
		}
	}
}

// hasLeft reports whether Python has closed the connection, with batches unread or before it
// was answered.
func hasLeft(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// take acts on a message. Its error ends the session: one of a request is an answer.
func (s *session) take(ctx context.Context, m *message) error {
	if !s.greeted && m.kind != kindHello {
		return broken("its kind is %d before a greeting", m.kind)
	}
	switch m.kind {
	case kindHello:
		return s.hello(m)
	case kindGive:
		return s.give(m)
	case kindStop:
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.runs[m.id]; r != nil { // else it has ended by itself
			r.cancel(errStopped)
		}
		return nil
	case kindRun:
		return s.begin(ctx, m)
	}
	answer, ok := requests[m.kind]
	if !ok {
		return broken("its kind is %d", m.kind)
	}
	s.wait.Go(func() {
		var r *reply
		err := guarded(func() (err error) {
			r, err = answer(s, ctx, m)
			return err
		})
		if err != nil {
			_ = s.sendError(m.id, err)
			return
		}
		if r.kind == 0 {
			r.kind = kindResult
		}
		_ = s.sendWith(r.rights, r.kind, m.id, r.head, r.body...)
		if r.sent != nil {
			r.sent()
		}
	})
	return nil
}

// guarded makes an error of a panic: of the request, not of the process.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("feed: panic: %v", p)
		}
	}()
	return do()
}

// hello compares protocols.
func (s *session) hello(m *message) error {
	var h struct {
		Protocol int    `json:"protocol"`
		Version  string `json:"version"`
	}
	if err := m.into(&h); err != nil {
		return err
	}
	if h.Protocol != Protocol {
		return &failure{Kind: failEngine, Message: fmt.Sprintf("sluicedata %s speaks protocol %d and this engine (%s) %d: install both of the same release", h.Version, h.Protocol, s.Version, Protocol)}
	}
	s.greeted = true
	return s.send(kindWelcome, m.id, map[string]any{"protocol": Protocol, "version": s.Version, "memfd": hasRing})
}

// send writes a message whole.
func (s *session) send(k kind, id uint32, head any, body ...[]byte) error {
	return s.sendWith(nil, k, id, head, body...)
}

func (s *session) sendWith(rights []byte, k kind, id uint32, head any, body ...[]byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.lost == nil {
		s.lost = writeMessage(s.conn, k, id, head, rights, body...)
	}
	return s.lost
}

// end waits for what is under way, but not for a file that has stalled.
func (s *session) end() {
	_ = s.conn.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.wait.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if o := s.opened; o != nil {
			_ = o.plan.Close()
			s.held.drop()
			o.slots.ring.free()
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

// UntilOrphaned ends a context when the process that started this one has gone: a fork of
// it may keep the connection open.
func UntilOrphaned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for os.Getppid() == parent {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		cancel(ErrOrphaned)
	}()
	return ctx, func() { cancel(nil) }
}

// ErrOrphaned is why a session ends whose Python is gone.
var ErrOrphaned = errors.New("feed: the process that started the engine has ended")

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}
