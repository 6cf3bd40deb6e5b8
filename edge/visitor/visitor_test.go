package visitor

import (
	"bytes"
	"crypto/rand"
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

func browserSale(work int) ropeline.Sale {
	return ropeline.Sale{ID: "demo", Visitor: ropeline.VisitorRule{Kind: ropeline.VisitorBrowser, Work: work, PerNetwork: 1}}
}

func challenge(t testing.TB, b *Browsers, sale ropeline.Sale, browser string) Challenge {
	t.Helper()
	c, err := b.Challenge(sale, browser)
	if err != nil {
		t.Fatal(err)
	}
	return c.(Challenge)
}

func solved(t testing.TB, c Challenge) string {
	t.Helper()
	p, err := Solve(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProofIsTheBrowsersThatAskedForIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)
	b := NewBrowsers("secret", rand.Reader, func() time.Time { return now })
	sale := browserSale(20)
	mine, yours := solved(t, challenge(t, b, sale, "mine")), solved(t, challenge(t, b, sale, "yours"))
	again := solved(t, challenge(t, b, sale, "mine"))
	type known struct{ who, attempt string }
	recognize := func(proof string) known {
		who, attempt, err := b.Recognize(sale, wire.Join{Proof: proof})
		if err != nil || who == "" || attempt == "" {
			t.Fatalf("%q, %q, %v", who, attempt, err)
		}
		return known{who, attempt}
	}
	if first, second := recognize(mine), recognize(mine); first != second {
		t.Error("the same proof is another attempt")
	}
	if a, c := recognize(mine), recognize(again); a.who != c.who || a.attempt == c.attempt {
		t.Errorf("two proofs of one browser: %v and %v", a, c)
	}
	if recognize(mine).who == recognize(yours).who {
		t.Error("two browsers are one visitor")
	}
	other := sale
	other.ID = "other"
	if _, _, err := b.Recognize(other, wire.Join{Proof: mine}); !errors.Is(err, ErrProofInvalid) {
		t.Errorf("in another sale: %v", err)
	}
	if _, _, err := NewBrowsers("another", rand.Reader, b.now).Recognize(sale, wire.Join{Proof: mine}); !errors.Is(err, ErrProofInvalid) {
		t.Errorf("under another secret: %v", err)
	}
	now = now.Add(ProofLife)
	if _, _, err := b.Recognize(sale, wire.Join{Proof: mine}); !errors.Is(err, ErrProofExpired) {
		t.Errorf("later: %v", err)
	}
}

// Each field of a challenge is signed, and the key cannot be guessed from it.
func TestAChangedProofDoesNotHold(t *testing.T) {
	t.Parallel()
	b, sale := NewBrowsers("secret", rand.Reader, time.Now), browserSale(5)
	c := challenge(t, b, sale, "mine")
	valid := solved(t, c)
	for name, change := range map[string]func(*proof){
		"no work":             func(p *proof) { p.Solution.DerivedKey = "" },
		"the prefix as key":   func(p *proof) { p.Solution.DerivedKey = p.Challenge.Parameters.KeyPrefix },
		"another key":         func(p *proof) { p.Solution.DerivedKey = strings.Repeat("00", keyLength) },
		"a later expiry":      func(p *proof) { p.Challenge.Parameters.ExpiresAt++ },
		"another browser":     func(p *proof) { p.Challenge.Parameters.Data.Browser = NameOf("yours") },
		"another sale":        func(p *proof) { p.Challenge.Parameters.Data.Sale = "other" },
		"another nonce":       func(p *proof) { p.Challenge.Parameters.Nonce = strings.Repeat("0", 32) },
		"less work":           func(p *proof) { p.Challenge.Parameters.Cost = 1 },
		"a key of one's own":  func(p *proof) { p.Challenge.Parameters.KeySignature = mac(nil, "") },
		"no signature":        func(p *proof) { p.Challenge.Signature = "" },
		"another's signature": func(p *proof) { p.Challenge.Signature = challenge(t, b, sale, "yours").Signature },
	} {
		p, err := readProof(valid)
		if err != nil {
			t.Fatal(err)
		}
		change(&p)
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Recognize(sale, wire.Join{Proof: base64.StdEncoding.EncodeToString(text)}); !errors.Is(err, ErrProofInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := b.Recognize(sale, wire.Join{}); !errors.Is(err, ErrProofNeeded) {
		t.Errorf("without a proof: %v", err)
	}
}

// The golden files are read by the tests of the pages, too: altcha-lib, which is
// not ours, and the pages' own worker solve and check the same challenge.
// altcha.json holds a challenge and the proof that altcha-lib made for it.
func TestAltchaLibAndWeAgree(t *testing.T) {
	t.Parallel()
	b := NewBrowsers("a secret for tests", rand.Reader, func() time.Time { return time.Unix(4_000_000_000, 0) })
	name := filepath.Join("testdata", "altcha.json")
	var golden struct {
		Secrets struct {
			Challenges, Keys string
		} `json:"secrets"`
		Challenge Challenge `json:"challenge"`
		Proof     string    `json:"proof"`
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &golden); err != nil {
		t.Fatal(err)
	}
	if golden.Secrets.Challenges != string(b.challenges) || golden.Secrets.Keys != string(b.keys) {
		t.Errorf("the secrets are %s and %s", b.challenges, b.keys)
	}
	who, attempt, err := b.Recognize(browserSale(200), wire.Join{Proof: golden.Proof})
	if err != nil || who != golden.Challenge.Parameters.Data.Browser || attempt != golden.Challenge.Parameters.Nonce {
		t.Errorf("altcha-lib's proof: %q, %q, %v", who, attempt, err)
	}
	ours, err := readProof(solved(t, golden.Challenge))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := readProof(golden.Proof)
	if err != nil {
		t.Fatal(err)
	}
	if ours.Solution.DerivedKey != theirs.Solution.DerivedKey || ours.Solution.Counter != theirs.Solution.Counter {
		t.Errorf("we find %+v, altcha-lib %+v", ours.Solution, theirs.Solution)
	}
}

func FuzzProof(f *testing.F) {
	b, sale := NewBrowsers("secret", rand.Reader, time.Now), browserSale(3)
	valid := solved(f, challenge(f, b, sale, "mine"))
	for _, seed := range []string{valid, valid[:40], "", "e30=", "bnVsbA==", base64.StdEncoding.EncodeToString([]byte(`{"challenge":{},"solution":{"counter":-1}}`))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// Each of the fuzzer's processes has made a challenge of its own.
		who, attempt, err := b.Recognize(sale, wire.Join{Proof: text})
		if err == nil && (who != NameOf("mine") || len(attempt) != 32) {
			t.Errorf("%q is taken for a proof of %q", text, who)
		}
	})
}

func inviter(t testing.TB) (*Inviter, *Invitations) {
	t.Helper()
	private, public, err := GenerateInviter()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, content := range map[string]string{"key": private, "pub": "# an organizer\n\n" + public} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i, err := LoadInviter(filepath.Join(folder, "key"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := LoadInvitations(filepath.Join(folder, "pub"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return i, v
}

func TestAnInvitationHoldsForItsSaleAndTime(t *testing.T) {
	t.Parallel()
	i, v := inviter(t)
	stranger, _ := inviter(t)
	sale, later := ropeline.Sale{ID: "demo"}, time.Now().Add(time.Hour)
	invite := func(by *Inviter, to ropeline.SaleID, expires time.Time) string {
		text, err := by.Invite(Invitation{Sale: to, Invitee: "guest-7", Expires: expires.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	valid := invite(i, "demo", later)
	who, attempt, err := v.Recognize(sale, wire.Join{Invitation: valid, Attempt: "0123456789abcdef"})
	if err != nil || who != "guest-7" || attempt != "0123456789abcdef" {
		t.Errorf("a valid one: %q, %q, %v", who, attempt, err)
	}
	for name, c := range map[string]struct {
		join wire.Join
		want error
	}{
		"none":             {wire.Join{}, ErrInvitationNeeded},
		"cut":              {wire.Join{Invitation: valid[:len(valid)-2]}, ErrInvitationInvalid},
		"changed":          {wire.Join{Invitation: strings.Replace(valid, ".", ".A", 1)}, ErrInvitationInvalid},
		"by somebody else": {wire.Join{Invitation: invite(stranger, "demo", later)}, ErrInvitationInvalid},
		"another format":   {wire.Join{Invitation: "x" + valid}, ErrInvitationInvalid},
		"huge":             {wire.Join{Invitation: strings.Repeat("a.", 9000)}, ErrInvitationInvalid},
		"another sale":     {wire.Join{Invitation: invite(i, "other", later)}, ErrInvitationForeign},
		"expired":          {wire.Join{Invitation: invite(i, "demo", time.Now().Add(-time.Second))}, ErrInvitationExpired},
		"a guessable try":  {wire.Join{Invitation: valid, Attempt: "1"}, ErrAttemptInvalid},
	} {
		if _, _, err := v.Recognize(sale, c.join); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := i.Invite(Invitation{Sale: "demo", Invitee: "two words", Expires: later.Unix()}); err == nil {
		t.Error("somebody with a space is invited")
	}
	nobody, err := LoadInvitations(filepath.Join(t.TempDir(), "missing"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := nobody.Recognize(sale, wire.Join{Invitation: valid}); !errors.Is(err, ErrInvitationInvalid) {
		t.Errorf("without any key: %v", err)
	}
}

func TestDamagedInvitationKeysAreNamed(t *testing.T) {
	t.Parallel()
	private, public, err := GenerateInviter()
	if err != nil {
		t.Fatal(err)
	}
	load := func(content string) error {
		file := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadInvitations(file, time.Now)
		return err
	}
	if err := load(public); err != nil {
		t.Error(err)
	}
	for name, content := range map[string]string{
		"the private one": private, "cut": public[:40], "too many": string(bytes.Repeat([]byte(public), maxInvitationKeys+1)),
	} {
		if err := load(content); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}

func FuzzInvitation(f *testing.F) {
	i, v := inviter(f)
	valid, err := i.Invite(Invitation{Sale: "demo", Invitee: "guest", Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{valid, valid[:50], "", "invite1..", "invite1.e30.AA", strings.Repeat(".", 99)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if who, _, err := v.Recognize(ropeline.Sale{ID: "demo"}, wire.Join{Invitation: text}); err == nil && text != valid {
			t.Errorf("%q invites %q", text, who)
		}
	})
}
