package visitor

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// joseTokens are what a login signs with the library that most of them use: npm's
// jose. Nothing of them was made by us.
type joseTokens struct {
	Now    int64             `json:"now"`
	Secret string            `json:"secret"`
	JWKS   json.RawMessage   `json:"jwks"`
	Tokens map[string]string `json:"tokens"`
}

func accounts(t *testing.T) (*Accounts, joseTokens) {
	t.Helper()
	text, err := os.ReadFile("testdata/jose.json")
	if err != nil {
		t.Fatal(err)
	}
	var made joseTokens
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	file := logins(t, map[string]string{"shop.jwks": string(made.JWKS), "old.secret": made.Secret + "\n",
		"accounts.json": `[{"issuer":"https://shop.example","keys":"shop.jwks"},{"issuer":"https://old-shop.example","secret":"old.secret"}]`})
	a, err := LoadAccounts(file, func() time.Time { return time.Unix(made.Now, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return a, made
}

// logins writes files and returns the path of accounts.json among them.
func logins(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "accounts.json")
}

func TestAForeignLoginSaysWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	a, made := accounts(t)
	sale := ropeline.Sale{ID: "demo"}
	for name, lane := range map[string]string{"valid": "", "lane": "members", "again": "members"} {
		join := wire.Join{Token: made.Tokens[name], Attempt: "0123456789abcdef"}
		who, attempt, err := a.Recognize(sale, join)
		if err != nil || who != "https://shop.example\ncustomer-4711" || attempt != join.Attempt || a.Lane(join) != lane {
			t.Errorf("%s: %q, %q, lane %q, %v", name, who, attempt, a.Lane(join), err)
		}
	}
	if who, _, err := a.Recognize(sale, wire.Join{Token: made.Tokens["secret"]}); err != nil || who != "https://old-shop.example\ncustomer-4711" {
		t.Errorf("by a secret: %q, %v", who, err)
	}
	for name, want := range map[string]error{
		"expired": ErrTokenExpired, "early": ErrTokenInvalid, "timeless": ErrTokenInvalid, "other_sale": ErrTokenForeign, "two_sales": ErrTokenForeign,
		"no_sale": ErrTokenForeign, "nobody": ErrTokenInvalid, "other_key": ErrTokenInvalid, "unknown_key": ErrTokenInvalid,
		"other_issuer": ErrTokenInvalid, "no_issuer": ErrTokenInvalid, "wrong_algorithm": ErrTokenInvalid, "ed_for_secret": ErrTokenInvalid,
	} {
		if _, _, err := a.Recognize(sale, wire.Join{Token: made.Tokens[name]}); made.Tokens[name] == "" || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	valid := made.Tokens["valid"]
	parts := strings.Split(valid, ".")
	for name, text := range map[string]string{
		"cut": valid[:len(valid)-2], "empty": ".", "huge": strings.Repeat("a", maxAccountToken+1),
		"unsigned":       base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"with a newline": valid + "\n",
	} {
		if _, _, err := a.Recognize(sale, wire.Join{Token: text}); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := a.Recognize(sale, wire.Join{}); !errors.Is(err, ErrTokenNeeded) {
		t.Errorf("none: %v", err)
	}
	if _, _, err := a.Recognize(sale, wire.Join{Token: valid, Attempt: "1"}); !errors.Is(err, ErrAttemptInvalid) {
		t.Errorf("a guessable try: %v", err)
	}
	// The clock of a login may be ahead of ours by a little.
	a.now = func() time.Time { return time.Unix(made.Now-20, 0) }
	if _, _, err := a.Recognize(sale, wire.Join{Token: valid}); err != nil {
		t.Errorf("issued 20 s ahead of our clock: %v", err)
	}
}

func TestDamagedLoginsAreNamed(t *testing.T) {
	t.Parallel()
	_, made := accounts(t)
	for name, list := range map[string]string{
		"not JSON": `[`, "an unknown field": `[{"issuer":"a","keys":"jwks","alg":"none"}]`, "no issuer": `[{"keys":"jwks"}]`,
		"both": `[{"issuer":"a","keys":"jwks","secret":"secret"}]`, "neither": `[{"issuer":"a"}]`,
		"twice": `[{"issuer":"a","keys":"jwks"},{"issuer":"a","secret":"secret"}]`, "a missing file": `[{"issuer":"a","keys":"nothing"}]`,
		"a short secret": `[{"issuer":"a","secret":"short"}]`,
	} {
		file := logins(t, map[string]string{"accounts.json": list, "jwks": string(made.JWKS), "secret": made.Secret, "short": "abcd"})
		if _, err := LoadAccounts(file, time.Now); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
	nobody, err := LoadAccounts(filepath.Join(t.TempDir(), "missing"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := nobody.Recognize(ropeline.Sale{ID: "demo"}, wire.Join{Token: made.Tokens["valid"]}); !errors.Is(err, ErrTokenInvalid) {
		t.Errorf("without any login: %v", err)
	}
}

func TestAnInvitationNamesALane(t *testing.T) {
	t.Parallel()
	i, v := inviter(t)
	text, err := i.Invite(Invitation{Sale: "demo", Invitee: "guest-7", Expires: time.Now().Add(time.Hour).Unix(), Lane: "guests"})
	if err != nil || v.Lane(wire.Join{Invitation: text}) != "guests" || v.Lane(wire.Join{Invitation: text + "x"}) != "" {
		t.Errorf("%q leads to %q, %v", text, v.Lane(wire.Join{Invitation: text}), err)
	}
}
