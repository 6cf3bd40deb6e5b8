package loadtest

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// TestAProgramThatIsNotThere: Close came before the attendant was through with
// its failed start, and asked a process that never was to stop (a panic, once
// in some hundred tries).
func TestAProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "ropeline")
	for range 200 {
		_, err := StartStack(t.Context(), nowhere, Demo{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "starting "+nowhere) {
			t.Fatalf("it says %v, want that %s could not be started", err, nowhere)
		}
	}
}
