package sockets

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ropeline/ropeline/internal/bench"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(RoleVariable); role != "" { // one of the processes that are measured
		if err := Play(context.Background(), role, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestTheBenchStillMeasures(t *testing.T) {
	t.Parallel()
	for _, part := range append(Parts(), Viewers()) {
		t.Run(part.Name, func(t *testing.T) {
			t.Parallel()
			scale := 0.01
			if part.Asked {
				scale = 0.002
			}
			rows, err := part.Measure(t.Context(), bench.Plan{Runs: 1, Scale: scale}, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				t.Error("nothing was measured")
			}
			for _, r := range rows {
				if r.Value <= 0 || r.Target == "" || r.Reference != "" && r.ReferenceValue <= 0 {
					t.Errorf("not measured: %+v", r)
				}
			}
		})
	}
}
