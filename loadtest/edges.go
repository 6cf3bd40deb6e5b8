package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// further is an edge of a private stack beside the one that its program runs.
type further struct {
	url   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has been waited for
}

// StartEdges starts further edges, each a process of its own, on the stack's
// servers and keys.
func (s *Stack) StartEdges(ctx context.Context, n int) error {
	for range n {
		if err := s.startEdge(ctx); err != nil {
			return fmt.Errorf("starting a further edge: %w", err)
		}
	}
	return nil
}

func (s *Stack) startEdge(ctx context.Context) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the stack's log: %w", err)
	}
	defer out.Close()
	e := &further{url: "http://" + address, ended: make(chan struct{})}
	e.cmd = exec.Command(s.program, "edge", "--redis", s.Redis, "--keys", s.keys(),
		"--listen", address, "--private-listen", "off", "--booking", s.Booking, "--ops", s.Admission, "--joins-limit=-1", "--requests-limit=-1", "--address-limit=-1")
	e.cmd.Stdout, e.cmd.Stderr, e.cmd.Env = out, out, cleanEnvironment()
	e.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go e.attend(started)
	if err := <-started; err != nil {
		return err
	}
	s.edges = append(s.edges, e)
	return e.await(ctx)
}

// attend is Stack.attend for an edge.
func (e *further) attend(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(e.ended)
	err := e.cmd.Start()
	started <- err
	if err == nil {
		_ = e.cmd.Wait()
	}
}

// await waits until the edge is ready.
func (e *further) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"/readyz", nil)
		if err != nil {
			return err
		}
		req.Close = true
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		look := time.NewTimer(50 * time.Millisecond)
		select {
		case <-look.C:
		case <-e.ended:
			return fmt.Errorf("it ended while starting: %s", e.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// freeAddress is one that nobody listened on just now.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}

// Edges are the base URLs of all edges.
func (s *Stack) Edges() []string {
	urls := []string{s.Edge}
	for _, e := range s.edges {
		urls = append(urls, e.url)
	}
	return urls
}

// KillEdge ends the edge that was started last, without a chance to tidy up.
func (s *Stack) KillEdge() error {
	if len(s.edges) == 0 {
		return errors.New("killing an edge: there is no further one")
	}
	e := s.edges[len(s.edges)-1]
	s.edges = s.edges[:len(s.edges)-1]
	return e.kill()
}

func (e *further) kill() error {
	if err := e.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing an edge: %w", err)
	}
	<-e.ended
	return nil
}

// stopEdges ends the edges that are left; their data is not theirs.
func (s *Stack) stopEdges() (err error) {
	for _, e := range s.edges {
		err = errors.Join(err, e.kill())
	}
	s.edges = nil
	return err
}

// Flush makes the stack's Redis forget everything.
func (s *Stack) Flush() error { return s.tell("FLUSHALL\r\n", true) }

// LoseRedis deletes the append-only file and lets the server end as in a crash
// and start anew, so that it comes back with nothing, as another server.
func (s *Stack) LoseRedis() error {
	if err := os.RemoveAll(filepath.Join(s.data(), "redis", "appendonlydir")); err != nil {
		return fmt.Errorf("deleting the append-only file: %w", err)
	}
	return s.tell("DEBUG CRASH-AND-RECOVER\r\n", false)
}

// tell says one command to the stack's Redis.
func (s *Stack) tell(command string, answers bool) error {
	conn, err := net.DialTimeout("unix", pathOf(s.Redis), patience)
	if err != nil {
		return fmt.Errorf("connecting to Redis: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("connecting to Redis: %w", err)
	}
	if _, err := conn.Write([]byte(command)); err != nil {
		return fmt.Errorf("telling Redis %q: %w", command, err)
	}
	reply := make([]byte, 256)
	n, err := conn.Read(reply)
	switch {
	case answers && (err != nil || reply[0] != '+'):
		return fmt.Errorf("telling Redis %q: %q, %v", command, reply[:n], err)
	case !answers && err == nil: // it refused; else the connection ends with the server
		return fmt.Errorf("telling Redis %q: %q", command, reply[:n])
	}
	return nil
}
