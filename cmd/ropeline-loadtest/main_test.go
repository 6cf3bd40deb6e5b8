package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandLines holds what each command line prints and its exit code. Runs
// against real servers are tested in package loadtest.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "ropeline")
	for _, c := range []struct {
		args string
		code int
		says string // on either output
	}{
		{"--list", 0, "default      2,000 fans for 400 units\n"},
		{"--help", 0, "Usage: ropeline-loadtest [flags]"},
		{"--profile no-such", 2, `there is no profile "no-such"; there are: default, mutant, sell-out, crash, lobby, surge, flaky-phones, mutant-wait, mutant-party, any-shop, safety-net, presale, many-sales, slow-core, redis-loss`},
		{"--fans many", 2, "hint: ropeline-loadtest --help"},
		{"--casual", 2, "--casual needs --target"},
		{"--profile crash --target http://127.0.0.1:1", 2, "only a private stack is killed"},
		{"--target http://127.0.0.1:1 --fans 1", 2, "fetching /api/v1/sales/demo: status 0"},
		{"--start " + nowhere, 2, "starting " + nowhere},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if code := execute(t.Context(), strings.Fields(c.args), &out, &out); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("it says %q, want %q in it", out.String(), c.says)
			}
		})
	}
}
