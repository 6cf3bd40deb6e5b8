package loadtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/ropeline/ropeline"
)

// Demo is the sale that a private stack is started with, as `ropeline dev
// --demo` reads it. Times are seconds, counted from when it is seeded.
type Demo struct {
	Sale           string `json:"sale"`
	Title          string `json:"title"`
	OpensIn        int    `json:"opens_in"`
	LobbyClose     int    `json:"lobby_close"` // before the opening
	Cap            int    `json:"cap"`
	Rate           int    `json:"rate"`
	ClaimWindow    int    `json:"claim_window"`
	TokenLife      int    `json:"token_life"`
	SessionMax     int    `json:"session_max"`
	Hold           int    `json:"hold"`
	HoldExtensions int    `json:"hold_extensions"`
	UnitsPerHold   int    `json:"units_per_hold"`
	Seats          int    `json:"seats"`
	General        int    `json:"general"`
	PartyMax       int    `json:"party_max"`
	SafetyNet      bool   `json:"safety_net,omitempty"` // open at once, without a lobby

	Gate    bool                 `json:"-"`                // the edge is told of a foreign shop
	Quiet   int                  `json:"quiet,omitempty"`  // sales beside, of which nobody wants much
	Visitor ropeline.VisitorRule `json:"visitor,omitzero"` // who may join
	Lanes   []ropeline.Lane      `json:"lanes,omitempty"`
	Bypass  []ropeline.Bypass    `json:"bypass,omitempty"`
}

// Access is how a running installation is reached, as `ropeline dev` writes it.
// For a foreign one only Edge must be known.
type Access struct {
	Edge     string `json:"edge"`
	Booking  string `json:"booking"`
	Redis    string `json:"redis"`
	Postgres string `json:"postgres"`
	Sale     string `json:"sale"`

	Admission string `json:"admission"` // and its staff's key
	StaffKey  string `json:"staff_key"`

	// The server processes of a private one.
	RedisPID    int `json:"redis_pid"`
	PostgresPID int `json:"postgres_pid"`
}

// Stack is a private installation: a child process `ropeline dev` on a folder
// of its own.
type Stack struct {
	Access
	program string
	folder  string // holds data, demo.json and the log
	log     *slog.Logger
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the child has been waited for
	edges   []*further
	gate    []string           // flags of an edge with a foreign shop
	login   ed25519.PrivateKey // of the seller, where the sale has lanes
}

// The folder's name is short: Unix sockets below it have at most 108 bytes.
const folderPattern = "rl-"

const (
	startLimit = 90 * time.Second // initdb, migration and seeding on a busy machine
	stopLimit  = 20 * time.Second
)

// StartStack starts program with the demo sale and waits until it is ready.
func StartStack(ctx context.Context, program string, demo Demo, log *slog.Logger) (*Stack, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", program, err)
	}
	folder, err := os.MkdirTemp("", folderPattern)
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	s := &Stack{program: program, folder: folder, log: log}
	if err := s.prepare(demo); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := s.Start(ctx, "127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) prepare(demo Demo) error {
	// Postgres runs as a user of its own when root starts it, and must be able
	// to walk through the folder.
	if err := os.Chmod(s.folder, 0o755); err != nil {
		return fmt.Errorf("opening the folder for Postgres: %w", err)
	}
	text, err := json.Marshal(demo)
	if err != nil {
		return fmt.Errorf("writing demo sale: %w", err)
	}
	if err := os.WriteFile(s.demo(), text, 0o644); err != nil {
		return fmt.Errorf("writing demo sale: %w", err)
	}
	if len(demo.Lanes) > 0 {
		if err := s.befriend(); err != nil {
			return err
		}
	}
	if !demo.Gate {
		return nil
	}
	routes, err := foreignRoutes(demo.Sale)
	if err != nil {
		return err
	}
	s.gate = []string{"--routes", filepath.Join(s.folder, "routes.yaml"), "--trusted-proxies", "127.0.0.1/32"}
	if err := os.WriteFile(s.gate[1], []byte(routes), 0o644); err != nil {
		return fmt.Errorf("writing routes: %w", err)
	}
	return nil
}

func (s *Stack) demo() string    { return filepath.Join(s.folder, "demo.json") }
func (s *Stack) data() string    { return filepath.Join(s.folder, "data") }
func (s *Stack) keys() string    { return filepath.Join(s.data(), "keys") }
func (s *Stack) logFile() string { return filepath.Join(s.folder, "log") }

// Start starts the program on the folder's data, listening where told, and
// waits until it says that it is ready.
func (s *Stack) Start(ctx context.Context, listen string) error {
	out, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the stack's log: %w", err)
	}
	defer out.Close()
	// A killed stack leaves its file behind; it must not be taken for the new one's.
	if err := os.Remove(s.ready()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the old dev.json: %w", err)
	}
	s.Access = Access{} // its process ids may soon be somebody else's
	s.cmd = exec.Command(s.program, "dev", "--data", s.data(), "--listen", listen, "--demo", s.demo())
	s.cmd.Args = append(s.cmd.Args, s.gate...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Env = out, out, cleanEnvironment()
	s.cmd.SysProcAttr = attributes()
	s.ended = make(chan struct{})
	started := make(chan error)
	go s.attend(started)
	if err := <-started; err != nil {
		<-s.ended // or Close would look for a process that never was
		return fmt.Errorf("starting %s: %w", s.program, err)
	}
	return s.await(ctx)
}

// attend starts the child and waits for it, on one thread: the kernel stops the
// child when the thread that started it ends, so that nothing runs on if this
// process is killed (only the folder stays then).
func (s *Stack) attend(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.ended)
	err := s.cmd.Start()
	started <- err
	if err == nil {
		_ = s.cmd.Wait() // how it ended is told by ProcessState
	}
}

func (s *Stack) ready() string { return filepath.Join(s.data(), "dev.json") }

// await waits for dev.json.
func (s *Stack) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		text, err := os.ReadFile(s.ready())
		if err == nil && json.Unmarshal(text, &s.Access) == nil && s.Edge != "" {
			return nil
		}
		select {
		case <-look.C:
		case <-s.ended:
			return fmt.Errorf("the stack ended while starting (%s); its log ends:\n%s", s.cmd.ProcessState, s.Tail())
		case <-ctx.Done():
			return fmt.Errorf("waiting for the stack: %w; its log ends:\n%s", ctx.Err(), s.Tail())
		}
	}
}

// Kill ends every process of the stack without a chance to tidy up, and waits
// until the program is gone. The servers come first: the kernel would stop them
// in good order when it sees the program end, and neither would have anything
// to recover. Postgres's own children end when they notice; the next start
// waits for them.
func (s *Stack) Kill() error {
	for _, pid := range []int{s.RedisPID, s.PostgresPID} {
		if pid <= 0 { // would be a whole process group
			return fmt.Errorf("killing the stack: dev.json names no server process to kill: %d", pid)
		}
		server, err := os.FindProcess(pid)
		if err != nil {
			return fmt.Errorf("finding process %d: %w", pid, err)
		}
		if err := server.Kill(); err != nil { // also if it has ended before
			return fmt.Errorf("killing process %d: %w", pid, err)
		}
	}
	return s.killProgram()
}

// killProgram ends the program and waits for it; its servers are stopped by
// the kernel.
func (s *Stack) killProgram() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("killing the stack: %w", err)
	}
	<-s.ended
	return nil
}

// Close stops the stack and removes its folder. It is an error if the stack
// does not stop by itself when asked to.
func (s *Stack) Close() error {
	err := errors.Join(s.stopEdges(), s.stop())
	return errors.Join(err, os.RemoveAll(s.folder))
}

func (s *Stack) stop() error {
	if s.cmd == nil || s.ended == nil {
		return nil
	}
	select {
	case <-s.ended:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping the stack: %w", err)
	}
	late := time.NewTimer(stopLimit)
	defer late.Stop()
	select {
	case <-s.ended:
		return nil
	case <-late.C:
		s.log.Warn("the stack does not stop, killing it", "log", s.Tail())
		return errors.Join(fmt.Errorf("the stack did not stop within %v", stopLimit), s.killProgram())
	}
}

// tail is how much of the log is shown when something goes wrong.
const tail = 4 << 10

// Tail is the end of the stack's log.
func (s *Stack) Tail() string {
	f, err := os.Open(s.logFile())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := f.Seek(-tail, io.SeekEnd); err != nil { // shorter than that
		_, _ = f.Seek(0, io.SeekStart)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}

// pathOf is the path of a unix:// URL.
func pathOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	return u.Path
}

// hostOf is the host and port of a base URL.
func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	return u.Host
}
