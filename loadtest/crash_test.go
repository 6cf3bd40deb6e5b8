package loadtest

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestNothingThatWasConfirmedIsLostInACrash kills the whole stack in the middle
// of a small run, starts it again on the same data, and lets the fans go on.
func TestNothingThatWasConfirmedIsLostInACrash(t *testing.T) {
	profile, err := FindProfile("crash")
	if err != nil {
		t.Fatal(err)
	}
	profile = profile.WithFans(90)
	profile.Demo.Cap = 20
	// A payment that the crash cut off leaves its hold to the fan for minutes.
	// The profile waits for that, this test does not.
	profile.Settle = 5 * time.Second

	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	program := filepath.Join(t.TempDir(), "ropeline")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "../cmd/ropeline").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	stack, err := StartStack(ctx, program, profile.Demo, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stack.Close(); err != nil {
			t.Errorf("stopping the stack: %v", err)
		}
	}()
	report, err := Run(ctx, Options{Profile: profile, Seed: rand.Uint64(), Access: stack.Access, Check: program, Stack: stack, Log: log})
	if err != nil {
		t.Fatalf("%v; the stack's log ends:\n%s", err, stack.Tail())
	}
	var text bytes.Buffer
	if err := report.Text(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	if !report.Passed {
		t.Error("a promise was not kept across the crash")
	}
	// It has truncated its log at the start.
	if text, err := os.ReadFile(filepath.Join(stack.data(), "postgres.log")); err != nil || !bytes.Contains(text, []byte("automatic recovery in progress")) {
		t.Errorf("Postgres had nothing to recover: it was not killed (%v):\n%s", err, text)
	}
	if o := report.Outage; o == nil || o.Orders == 0 || o.Waiting == 0 || o.Kept == 0 {
		t.Errorf("the crash met no orders or no waiting fans, or no place was kept: %+v", o)
	}
}
