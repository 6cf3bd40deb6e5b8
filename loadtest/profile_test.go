package loadtest

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// perform runs a profile on a stack of its own and wants its promises kept.
func perform(t *testing.T, profile Profile) (*Report, *Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	path := filepath.Join(t.TempDir(), "ropeline")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "../cmd/ropeline").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	stack, err := StartStack(ctx, path, profile.Demo, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Errorf("stopping the stack: %v", err)
		}
	})
	report, err := Run(ctx, Options{Profile: profile, Seed: rand.Uint64(), Access: stack.Access, Check: path, Stack: stack, Log: log})
	if err != nil {
		t.Fatalf("%v; the stack's log ends:\n%s", err, stack.Tail())
	}
	var text bytes.Buffer
	if err := report.Text(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	if !report.Passed {
		t.Errorf("a promise was not kept; seed %d", report.Seed)
	}
	return report, stack
}

// find returns a profile with fewer fans.
func find(t *testing.T, name string, fans int) Profile {
	t.Helper()
	profile, err := FindProfile(name)
	if err != nil {
		t.Fatal(err)
	}
	return profile.WithFans(fans)
}

// The small versions of two profiles; the others take minutes, and are run by
// make loadtest PROFILE=name.

func TestEverybodyOfTheLobbyFindsTheDrawRight(t *testing.T) {
	t.Parallel()
	profile := find(t, "lobby", 150)
	profile.Demo.OpensIn = 10
	perform(t, profile)
}

func TestALineOutlivesARedisThatForgets(t *testing.T) {
	t.Parallel()
	profile := find(t, "redis-loss", 150)
	report, _ := perform(t, profile)
	if report.Steps != len(profile.Steps) {
		t.Errorf("%d of %d losses happened", report.Steps, len(profile.Steps))
	}
}
