package api

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// Whose request it was that was refused, and which, is found by names that are
// nobody's secrets; what is a secret is not there.
func TestTheLogNamesPlaceAndSession(t *testing.T) {
	t.Parallel()
	book := &devtest.Logbook{}
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
