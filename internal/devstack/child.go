package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// child is one server process. Its output goes to a file, not a pipe, so that
// it can still write when we are gone.
type child struct {
	name    string
	pid     int
	log     string
	done    chan struct{} // closed when the process has ended
	outcome error         // why it ended; read after done
}

// command says what to start and how the kernel shall end it with us.
type command struct {
	program string
	args    []string
	as      account
	log     string         // output file, truncated
	lock    *os.File       // inherited, see folder
	onDeath syscall.Signal // when we are killed
}

// start runs the command and returns once the process exists.
func start(c command) (*child, error) {
	out, err := os.OpenFile(c.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	cmd := exec.Command(c.program, c.args...)
	cmd.Stdout, cmd.Stderr = out, out
	// A clean environment: PGPORT, PGDATA and the like would reach into the private server.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{c.lock}
	cmd.SysProcAttr = attributes(c.as, c.onDeath)

	ch := &child{name: filepath.Base(c.program), log: c.log, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal follows the thread that forks, so this one must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = out.Close() // the child has its own descriptor
		if err != nil {
			started <- err
			return
		}
		ch.pid = cmd.Process.Pid
		started <- nil
		ch.outcome = cmd.Wait()
		close(ch.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.program, err)
	}
	return ch, nil
}

// run starts the command and waits for its end.
func run(ctx context.Context, c command) error {
	ch, err := start(c)
	if err != nil {
		return err
	}
	select {
	case <-ch.done:
	case <-ctx.Done():
		ch.kill()
		return ctx.Err()
	}
	if ch.outcome != nil {
		return ch.failure(ch.outcome)
	}
	return nil
}

// ready asks until ask succeeds, the child ends or the context does. Servers
// are up in 60 ms (Redis) to 500 ms (Postgres), so it asks every 10 ms.
func (ch *child) ready(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // Postgres may have a log to replay after a kill
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ch.done:
			return ch.failure(errors.New("it ended at once"))
		case <-ctx.Done():
			ch.kill()
			return ch.failure(errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// stop sends each signal in turn and gives the child so long to end after it.
func (ch *child) stop(grace time.Duration, signals ...syscall.Signal) error {
	for _, sig := range append(signals, syscall.SIGKILL) {
		select {
		case <-ch.done:
			return nil
		default:
		}
		_ = syscall.Kill(ch.pid, sig) // ESRCH: it has just ended, which done will say
		timer := time.NewTimer(grace)
		select {
		case <-ch.done:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
	return fmt.Errorf("%s (pid %d) does not end", ch.name, ch.pid)
}

func (ch *child) kill() { _ = ch.stop(10*time.Second, syscall.SIGKILL) }

// failure adds the end of the child's own output, which says what was wrong.
func (ch *child) failure(cause error) error {
	return fmt.Errorf("%s: %w; the end of its output:\n%s", ch.name, cause, tail(ch.log, 2000))
}

// tail reads the last bytes of a file, from the start of a line.
func tail(path string, limit int64) string {
	f, err := os.Open(path)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > limit {
		if _, err := f.Seek(-limit, io.SeekEnd); err != nil {
			return "(" + err.Error() + ")"
		}
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	if int64(len(text)) == limit {
		_, rest, _ := strings.Cut(string(text), "\n")
		return rest
	}
	return string(text)
}
