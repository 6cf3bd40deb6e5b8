package ticket_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/ropeline/ropeline/booking/ticket"
)

func TestCodesAreRandom(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 20 {
		code, err := ticket.DrawPrinted(rand.Reader)
		if err != nil || len(code) != 32 || seen[code] {
			t.Fatalf("code %q, %v", code, err)
		}
		seen[code] = true
	}
}

func TestNoRandomnessIsAnError(t *testing.T) {
	t.Parallel()
	if code, err := ticket.DrawPrinted(bytes.NewReader(make([]byte, 19))); err == nil {
		t.Errorf("code %q out of too few random bytes", code)
	}
}
