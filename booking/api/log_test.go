package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// logbook is a log that a test reads.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Whose request it was that was refused, and which, is found by names that are
// nobody's secrets; what is a secret is not there.
func TestTheLogNamesPlaceAndSession(t *testing.T) {
	t.Parallel()
	book := &logbook{}
	c := startLogging(t, slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug})))
	claims := c.claims()
	raw := c.sign(claims, jwt.SigningMethodEdDSA, c.key)
	if a := c.do(http.MethodPost, "/api/v1/holds", raw, `{"performance":"none"}`, "X-Request-Id", "edge-7"); a.Status < 400 || a.Status >= 500 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	// The guard refuses before any handler.
	if a := c.do(http.MethodPost, "/api/v1/holds", "x.y.z", `{}`, "X-Request-Id", "edge-8"); a.Status != http.StatusUnauthorized {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	text := book.String()
	for _, want := range []string{"request refused", "request=edge-7", "sale=" + string(claims.Sale), "place=" + string(claims.Place), "session=" + claims.Session, "problem=urn:ropeline:problem:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not tell %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, raw) || strings.Contains(text, "x.y.z") {
		t.Error("a token is in the log")
	}
}
