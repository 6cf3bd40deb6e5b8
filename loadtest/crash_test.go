package loadtest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNothingThatWasConfirmedIsLostInACrash kills the whole stack in the middle
// of a small run, starts it again on the same data, and lets the fans go on.
func TestNothingThatWasConfirmedIsLostInACrash(t *testing.T) {
	t.Parallel()
	profile := find(t, "crash", 90)
	profile.Demo.Cap = 20
	// A payment that the crash cut off leaves its hold to the fan for minutes.
	// The profile waits for that, this test does not.
	profile.Settle = 5 * time.Second

	report, stack := perform(t, profile)
	// It has truncated its log at the start.
	if text, err := os.ReadFile(filepath.Join(stack.data(), "postgres.log")); err != nil || !bytes.Contains(text, []byte("automatic recovery in progress")) {
		t.Errorf("Postgres had nothing to recover: it was not killed (%v):\n%s", err, text)
	}
	if o := report.Outage; o == nil || o.Orders == 0 || o.Waiting == 0 || o.Kept == 0 {
		t.Errorf("the crash met no orders or no waiting fans, or no place was kept: %+v", o)
	}
}
