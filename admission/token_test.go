package admission_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
)

var issued = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

var claims = token.Claims{
	Sale: "demo", Place: "cGxhY2U", Session: "0197-sid",
	IssuedAt: issued, Expires: issued.Add(time.Minute), SessionEnds: issued.Add(30 * time.Minute),
}

func newSigner(t testing.TB) *admission.Signer {
	t.Helper()
	text, err := admission.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := admission.ParseSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, s *admission.Signer, c token.Claims) string {
	t.Helper()
	raw, err := s.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// verifier trusts the signer's keys as they are published, and asks at.
func verifier(t testing.TB, s *admission.Signer, at time.Time) *token.Verifier {
	t.Helper()
	doc, err := s.KeySet().JWKS()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(doc), `"d"`) {
		t.Fatal("the published key set contains a private key")
	}
	keys, err := token.ParseKeySet(doc)
	if err != nil {
		t.Fatal(err)
	}
	return token.NewVerifier(keys, func() time.Time { return at })
}

func TestATokenSaysWhatWasSigned(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	raw := sign(t, s, claims)
	got, err := verifier(t, s, issued).Verify(raw)
	if err != nil {
		t.Fatal(err)
	}
	got.IssuedAt, got.Expires, got.SessionEnds = got.IssuedAt.UTC(), got.Expires.UTC(), got.SessionEnds.UTC()
	if *got != claims {
		t.Errorf("read %+v, signed %+v", got, claims)
	}
	if again := sign(t, s, claims); again != raw {
		t.Error("the same claims gave another token: a repeated claim would make a second one")
	}
}

func TestATokenIsAcceptedUntilItsLeewayAndNoLonger(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	raw := sign(t, s, claims)
	last := claims.Expires.Add(ropeline.TokenLeeway)
	if _, err := verifier(t, s, last.Add(-time.Millisecond)).Verify(raw); err != nil {
		t.Errorf("just inside the leeway: %v", err)
	}
	if _, err := verifier(t, s, last).Verify(raw); !errors.Is(err, token.ErrExpired) {
		t.Errorf("at the end of the leeway: %v, want ErrExpired", err)
	}
	if ropeline.TokenMargin < ropeline.TokenLeeway+ropeline.ClockSkew {
		t.Error("a slot would be free while a slow clock still accepts its token")
	}
}

func TestForeignTokensOpenNothing(t *testing.T) {
	t.Parallel()
	s, stranger := newSigner(t), newSigner(t)
	v := verifier(t, s, issued)
	good := sign(t, s, claims)
	parts := strings.Split(good, ".")
	header := func(doc string) string { return base64.RawURLEncoding.EncodeToString([]byte(doc)) }
	kid := ""
	for kid = range s.KeySet() {
	}
	public := s.KeySet()[kid]
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	hmacWith := func(key []byte) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": token.Issuer, "aud": "demo", "sub": "p", "sid": "s",
			"iat": issued.Unix(), "exp": claims.Expires.Unix(), "end": claims.SessionEnds.Unix()})
		tok.Header["kid"] = kid
		raw, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	noSale, noSession, otherSale := claims, claims, claims
	noSale.Sale, noSession.Session = "", ""
	otherSale.Sale = "Not A Slug"
	for name, raw := range map[string]string{
		"alg none":              header(`{"alg":"none","typ":"JWT","kid":"`+kid+`"}`) + "." + parts[1] + ".",
		"alg none, signed":      header(`{"alg":"none","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2],
		"HS256 with public key": hmacWith(public),
		"HS256 with its DER":    hmacWith(der),
		"another signer":        sign(t, stranger, claims),
		"changed payload":       parts[0] + "." + header(`{"iss":"ropeline","sub":"me"}`) + "." + parts[2],
		"cut":                   good[:len(good)-4],
		"two parts":             parts[0] + "." + parts[1],
		"no sale":               sign(t, s, noSale),
		"no session":            sign(t, s, noSession),
		"sale is no slug":       sign(t, s, otherSale),
		"garbage":               "Bearer",
		"huge":                  strings.Repeat("a", 1<<16),
	} {
		if _, err := v.Verify(raw); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := v.Verify(""); !errors.Is(err, token.ErrMissing) {
		t.Errorf("no token: %v, want ErrMissing", err)
	}
}

func TestKeyFilesThatAreDamagedAreRefused(t *testing.T) {
	t.Parallel()
	good, err := admission.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	other, _ := admission.GenerateKey()
	words, others := strings.Fields(good), strings.Fields(other)
	for _, text := range []string{"", "hello", words[0] + " " + words[1], strings.Replace(good, "PRIVATE", "PUBLIC", 1),
		words[0] + " " + words[1] + " " + others[2], words[0] + " " + words[1] + " !!!"} {
		if _, err := admission.ParseSigner(text); err == nil {
			t.Errorf("accepted the key %q", text)
		}
	}
	for _, doc := range []string{"", "{}", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}`} {
		if _, err := token.ParseKeySet([]byte(doc)); err == nil {
			t.Errorf("accepted the key set %q", doc)
		}
	}
}

// sessions is a list of ended sessions, or blind.
type sessions struct {
	ended map[string]bool
	err   error
}

func (s sessions) Ended(sid string) (bool, error) { return s.ended[sid], s.err }

func TestAGateRefusesEndedSessionsAndClosesWhenBlind(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	v, raw := verifier(t, s, issued), sign(t, s, claims)
	if _, err := gate.New(v, sessions{}, nil).Check(raw); err != nil {
		t.Errorf("a good token: %v", err)
	}
	if _, err := gate.New(v, sessions{ended: map[string]bool{claims.Session: true}}, nil).Check(raw); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("an ended session: %v, want ErrRevoked", err)
	}
	blind := errors.New("blind")
	if _, err := gate.New(v, sessions{err: blind}, nil).Check(raw); !errors.Is(err, blind) {
		t.Errorf("a blind gate: %v, want it closed", err)
	}
	if _, err := gate.New(v, sessions{err: blind}, nil).Check("x"); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("a forged token at a blind gate: %v, want ErrInvalid", err)
	}
}

// FuzzOnlySignedTokensVerify: no text but the ones we signed is accepted, and
// an accepted one says exactly what was signed.
func FuzzOnlySignedTokensVerify(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	keys := token.KeySet{"k": key.Public().(ed25519.PublicKey)}
	tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": token.Issuer, "aud": []string{"demo"}, "sub": "p", "sid": "s",
		"iat": issued.Unix(), "exp": claims.Expires.Unix(), "end": claims.SessionEnds.Unix()})
	tok.Header["kid"] = "k"
	good, err := tok.SignedString(key)
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(good, ".")
	none, _ := json.Marshal(map[string]string{"alg": "none", "kid": "k"})
	for _, seed := range []string{good, "", "..", good + ".", good + "\n", good[:len(good)-1] + "B", good[:len(good)-9] + "\r\n" + good[len(good)-9:], parts[0] + ".." + parts[2],
		base64.RawURLEncoding.EncodeToString(none) + "." + parts[1] + "."} {
		f.Add(seed)
	}
	v := token.NewVerifier(keys, func() time.Time { return issued })
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := v.Verify(raw)
		if err == nil && raw != good {
			t.Fatalf("Verify(%q) accepted %+v", raw, got)
		}
		if err != nil && (raw == good || !errors.Is(err, token.ErrInvalid) && !errors.Is(err, token.ErrMissing)) {
			t.Fatalf("Verify(%q): %v", raw, err)
		}
	})
}
