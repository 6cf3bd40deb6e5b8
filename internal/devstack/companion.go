package devstack

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Companion runs a program of our own beside the stack until it ends or ctx
// does; then it gets SIGTERM and ten seconds. It too does not outlive us.
func Companion(ctx context.Context, program string, args []string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = attributes(account{}, syscall.SIGTERM)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	// See child.go: the parent-death signal follows the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil // it was asked to end, and has
	}
	if err != nil {
		return fmt.Errorf("running %s: %w", program, err)
	}
	return nil
}
