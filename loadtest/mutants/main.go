// Command mutants shows that the load test can fail: it breaks the product in
// known ways, one at a time, and wants the load test to notice each by the
// invariant that is about it. The unbroken build must pass first.
//
//	go run ./loadtest/mutants [name …]
//
// Those whose names begin with proof- are tried with the proof (docs/proof.md) instead,
// all of them as "proof".
//
// A broken file reaches the build by go build -overlay, which replaces Go
// files and embedded ones alike, so the product has no hooks for it and no
// file of the checkout is touched. It exits with 0 if every mutant was
// noticed, 1 if not, 2 if it could not be tried.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := try(ctx, os.Args[1:], os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	case failed > 0:
		os.Exit(1)
	}
}

// try runs the unbroken build and the mutants of these names, all if there are
// none, and returns how many did not turn out as they must.
func try(ctx context.Context, names []string, out io.Writer) (failed int, err error) {
	chosen, err := choose(names)
	if err != nil {
		return 0, err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return 0, fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	l := lab{root: root, folder: folder, clean: filepath.Join(folder, "clean"), proof: chosen[0].inProof()}
	if err := l.prepare(ctx); err != nil {
		return 0, err
	}
	passed := 0
	for _, m := range append([]mutant{{name: "none", breaks: "the build as it is must pass"}}, chosen...) {
		began := time.Now()
		result, ok, err := l.examine(ctx, m)
		if err != nil {
			return failed, fmt.Errorf("mutant %s: %w", m.name, err)
		}
		word := "ok  "
		if ok {
			passed++
		} else {
			failed++
			word = "FAIL"
		}
		fmt.Fprintf(out, "%s  %-16s %-32s %s (%.0f s)\n", word, m.name, strings.Join(m.noticed, " or "), result, time.Since(began).Seconds())
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	return failed, nil
}

// choose finds mutants by their names. "proof" stands for all that are tried with it.
func choose(names []string) ([]mutant, error) {
	if len(names) == 0 {
		return mutants, nil
	}
	var chosen []mutant
	for _, name := range names {
		if name == "proof" {
			chosen = append(chosen, inProof...)
			continue
		}
		all := slices.Concat(mutants, inProof)
		i := slices.IndexFunc(all, func(m mutant) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no mutant %q", name)
		}
		chosen = append(chosen, all[i])
	}
	for _, m := range chosen {
		if m.inProof() != chosen[0].inProof() {
			return nil, fmt.Errorf("%s is tried with the proof and others with the load test: try them apart", m.name)
		}
	}
	return chosen, nil
}

func (m mutant) inProof() bool { return strings.HasPrefix(m.name, "proof-") }

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
