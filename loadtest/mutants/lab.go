package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ropeline/ropeline/loadtest"
)

// lab builds mutants and runs the load test on them.
type lab struct {
	root   string // of the module
	folder string // of its own
	clean  string // holds the unbroken programs
	proof  bool   // mutants are tried with the proof, else with the load test
}

// prepare builds the unbroken programs. The load test and the inventory check
// are always these: a mutant must not judge itself.
func (l lab) prepare(ctx context.Context) error {
	if err := os.Mkdir(l.clean, 0o755); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	if l.proof {
		return l.build(ctx, "test", "-c", "-o", filepath.Join(l.clean, "proof"), "./cmd/ropeline")
	}
	return l.build(ctx, "build", "-o", l.clean+"/", "./cmd/ropeline", "./cmd/ropeline-loadtest")
}

func (l lab) build(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = l.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	return nil
}

// examine runs one mutant (the unbroken build if it has no edits) and says how
// it went, and whether that is what must come of it.
func (l lab) examine(ctx context.Context, m mutant) (result string, ok bool, err error) {
	program := filepath.Join(l.clean, "ropeline")
	if l.proof {
		program = filepath.Join(l.clean, "proof")
	}
	if len(m.edits) > 0 {
		if program, err = l.breed(ctx, m); err != nil {
			return "", false, err
		}
	}
	code, report, log, err := l.run(ctx, m.name, program)
	if err != nil {
		return "", false, err
	}
	var broken []string
	for _, v := range report.Verdicts {
		if v.State == loadtest.Broken {
			broken = append(broken, v.Name)
		}
	}
	noticed := slices.ContainsFunc(m.noticed, func(name string) bool { return slices.Contains(broken, name) })
	switch {
	case code == 2:
		return "could not be run:\n" + log, false, nil
	case len(m.edits) == 0 && code == 0:
		return "passed", true, nil
	case len(m.edits) == 0:
		return "did not pass:\n" + log, false, nil
	case code == 1 && noticed:
		return "noticed: " + strings.Join(broken, ", ") + " broken", true, nil
	}
	return fmt.Sprintf("SURVIVED with seed %d: exit %d, broken: %v", report.Seed, code, broken), false, nil
}

// breed builds the mutant's program.
func (l lab) breed(ctx context.Context, m mutant) (string, error) {
	folder := filepath.Join(l.folder, m.name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	replace := map[string]string{}
	for i, e := range m.edits {
		text, err := e.apply(l.root)
		if err != nil {
			return "", err
		}
		changed := filepath.Join(folder, fmt.Sprintf("%d-%s", i, filepath.Base(e.file)))
		if err := os.WriteFile(changed, []byte(text), 0o644); err != nil {
			return "", fmt.Errorf("writing the mutated file: %w", err)
		}
		replace[filepath.Join(l.root, e.file)] = changed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	file := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	program := filepath.Join(folder, "ropeline")
	if l.proof { // the tests' program plays ropeline in it
		return program, l.build(ctx, "test", "-c", "-overlay", file, "-o", program, "./cmd/ropeline")
	}
	return program, l.build(ctx, "build", "-overlay", file, "-o", program, "./cmd/ropeline")
}

// apply returns the file with the edit made. A text that is not there exactly
// once is an error: a mutant that changes nothing would prove nothing.
func (e edit) apply(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, e.file))
	if err != nil {
		return "", fmt.Errorf("mutant does not apply: %w", err)
	}
	if n := strings.Count(string(text), e.old); n != 1 {
		return "", fmt.Errorf("mutant does not apply: %q is %d times in %s, not once", e.old, n, e.file)
	}
	return strings.Replace(string(text), e.old, e.new, 1), nil
}

// trial is the command that tries a program.
func (l lab) trial(ctx context.Context, name, program, stored string) *exec.Cmd {
	if l.proof {
		cmd := exec.CommandContext(ctx, filepath.Join(l.clean, "proof"), "-test.run", "TestASellOutThroughCutConnectionsLosesNothing", "-test.timeout", loadLimit.String())
		cmd.Dir = filepath.Join(l.root, "cmd", "ropeline")
		cmd.Env = append(os.Environ(), "ROPELINE_TEST_PROGRAM="+program, "ROPELINE_TEST_REPORT="+stored, "ROPELINE_TEST_PROOF=")
		return cmd
	}
	args := append(slices.Clone(load(name)), "--start", program, "--check-binary", filepath.Join(l.clean, "ropeline"), "--json", stored)
	return exec.CommandContext(ctx, filepath.Join(l.clean, "ropeline-loadtest"), args...)
}

// loadLimit bounds one run, its start and audit included.
const loadLimit = 10 * time.Minute

// run puts the mutant's profile on a private stack of program.
func (l lab) run(ctx context.Context, name, program string) (code int, report loadtest.Report, log string, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	stored := filepath.Join(l.folder, name+".json")
	cmd := l.trial(ctx, name, program, stored)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it stops its stack
	cmd.WaitDelay = time.Minute
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if exit, isExit := errors.AsType[*exec.ExitError](err); isExit && ctx.Err() == nil {
		code, err = exit.ExitCode(), nil
	}
	if err != nil {
		return 0, report, "", fmt.Errorf("running the load test: %w\n%s", err, out.Bytes())
	}
	if code == 2 {
		return code, report, out.String(), nil
	}
	text, err := os.ReadFile(stored)
	if err != nil {
		return 0, report, "", fmt.Errorf("reading the report: %w", err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return 0, report, "", fmt.Errorf("reading the report: %w", err)
	}
	return code, report, out.String(), nil
}
