package sockets

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RoleVariable names the environment variable that makes the bench's program
// one of the processes that are measured.
const RoleVariable = "ROPELINE_BENCH_ROLE"

// Play is the whole life of such a process: it reads its order from in, says
// what it has to say to out, and ends when in does.
func Play(ctx context.Context, role string, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	var o order
	if !lines.Scan() {
		return errors.New("no order came")
	}
	if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
		return fmt.Errorf("reading the order: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	play := map[string]func(context.Context, order, <-chan string, io.Writer) error{
		"edge": playEdge, "plain": playPlain, "raw": playRaw, "fans": playFans,
	}[role]
	if play == nil {
		return fmt.Errorf("there is no role %q", role)
	}
	commands := make(chan string)
	go func() {
		defer stop()
		defer close(commands)
		for lines.Scan() {
			select {
			case commands <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return play(ctx, o, commands, out)
}

// order is what a process is to do.
type order struct {
	Redis   string // of an edge
	Sockets int    // that a server takes, or fans open
	Address string // that fans open them at
	Path    string // of the WebSocket
	Tickets string // file of their tickets, one a line; "" where none is needed
	From    int    // the line of the first
}

// child is a process of a role.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

// start makes a process; it ends when in is closed, or ctx ends.
func start(ctx context.Context, role string, o order) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self), lines: make(chan string, 1<<16)}
	c.cmd.Env = append(os.Environ(), RoleVariable+"="+role)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a process: %w", err)
	}
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	text, err := json.Marshal(o)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, c.say(string(text))
}

func (c *child) say(line string) error {
	_, err := io.WriteString(c.in, line+"\n")
	return err
}

// hear waits for a line that begins with a word and returns the fields behind
// it; other lines go to others, if there is any.
func (c *child) hear(ctx context.Context, word string, others func(string)) ([]string, error) {
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				return nil, fmt.Errorf("the process ended before it said %q", word)
			}
			if fields := strings.Fields(line); len(fields) > 0 && fields[0] == word {
				return fields[1:], nil
			}
			if others != nil {
				others(line)
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %q: %w", word, ctx.Err())
		}
	}
}

// numbers is hear for a line of integers.
func (c *child) numbers(ctx context.Context, word string, others func(string)) ([]int64, error) {
	fields, err := c.hear(ctx, word, others)
	if err != nil {
		return nil, err
	}
	all := make([]int64, len(fields))
	for i, f := range fields {
		if all[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Close ends the process and waits for it.
func (c *child) Close() error {
	_ = c.in.Close()
	for range c.lines {
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("a process ended with: %w", err)
	}
	return nil
}

// rss is the resident memory of the process in bytes.
func (c *child) rss() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0, err
	}
	return float64(resident * os.Getpagesize()), nil
}

// cpu is the processor time that the process has used.
func (c *child) cpu() (time.Duration, error) { return cpuOf(c.cmd.Process.Pid) }

// checkRoom says before a run what it would fail of in its middle.
func checkRoom(sockets int) error {
	if runtime.GOOS != "linux" {
		return errors.New("sockets are measured on Linux only")
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if need := uint64(sockets + 500); limit.Cur < need {
		return fmt.Errorf("%d sockets in one process need a descriptor limit of %d, it is %d", sockets, need, limit.Cur)
	}
	return nil
}
