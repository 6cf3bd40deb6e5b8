package loadtest

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// letters are what some fans of a presale bring when they join: invitations of the
// organizer's and tokens of the seller's login, and ones that are worth nothing. They
// are written as a stranger would from docs/visitors.md, without the product's code.
type letters struct {
	sale      ropeline.SaleID
	organizer ed25519.PrivateKey
	login     ed25519.PrivateKey
	forger    ed25519.PrivateKey
}

// letter says what a fan has.
type letter string

// The letters. Only the first two lead to a lane.
const (
	invited     letter = "invitation"
	signedIn    letter = "account"
	copied      letter = "copy"                // of somebody's invitation or token
	forged      letter = "forged invitation"   // signed with another key
	forgedToken letter = "forged token"        // the same
	overdue     letter = "token that is over"  // an hour ago
	foreignSale letter = "token of elsewhere"  // of another sale
	unsigned    letter = "token without a key" // alg none
	laneless    letter = "account, no lane"    // good, and leads nowhere in a sale that asks nobody for one
)

// letterOf is what fan n brings: of each twenty two have what is good, one a copy of
// one of them, and one what is not. The first of those are of the lobby.
func letterOf(n int) letter {
	wrong := []letter{forged, forgedToken, overdue, foreignSale, unsigned, laneless}
	switch n % 20 {
	case 7:
		return invited
	case 12:
		return signedIn
	case 13:
		return copied
	case 2:
		return wrong[n/20%len(wrong)]
	}
	return ""
}

// good reports whether the letter leads to a lane.
func (l letter) good() bool { return l == invited || l == signedIn }

// invitee is whom fan n says to be: copies name the one they were copied from.
func invitee(n int) string {
	if letterOf(n) == copied {
		n -= 1 + n/20%2*5 // a token, or an invitation
	}
	return fmt.Sprintf("guest-%d", n)
}

// The seller's login, as the edges are told of it.
const (
	loginIssuer = "https://shop.example"
	loginKID    = "login-1"
	loginKeys   = "shop.jwks"
)

// befriend makes the key of the seller's login and lets the stack's edges believe it.
func (s *Stack) befriend() error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("making the login's key: %w", err)
	}
	s.login = private
	if err := os.MkdirAll(s.keys(), 0o755); err != nil {
		return fmt.Errorf("telling edges of the login: %w", err)
	}
	for name, doc := range map[string]any{
		"accounts.json": []map[string]string{{"issuer": loginIssuer, "keys": loginKeys}},
		loginKeys: map[string]any{"keys": []map[string]string{{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": loginKID,
			"x": base64.RawURLEncoding.EncodeToString(public)}}},
	} {
		text, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("telling edges of the login: %w", err)
		}
		if err := os.WriteFile(filepath.Join(s.keys(), name), text, 0o644); err != nil {
			return fmt.Errorf("telling edges of the login: %w", err)
		}
	}
	return nil
}

// letters reads the organizer's key, which the stack has made.
func (s *Stack) letters() (*letters, error) {
	text, err := os.ReadFile(filepath.Join(s.keys(), "invite.key"))
	if err != nil {
		return nil, fmt.Errorf("reading the organizer's key: %w", err)
	}
	_, last, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	seed, err := base64.RawURLEncoding.DecodeString(last)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("reading the organizer's key: it is damaged")
	}
	_, forger, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a forger's key: %w", err)
	}
	return &letters{sale: ropeline.SaleID(s.Sale), organizer: ed25519.NewKeyFromSeed(seed), login: s.login, forger: forger}, nil
}

// write makes what fan n brings.
func (l *letters) write(n int, now time.Time) wire.Join {
	who, kind := invitee(n), letterOf(n)
	if kind == copied {
		kind = signedIn
		if n/20%2 == 1 {
			kind = invited
		}
	}
	switch kind {
	case invited:
		return wire.Join{Invitation: l.invitation(l.organizer, who, now)}
	case forged:
		return wire.Join{Invitation: l.invitation(l.forger, who, now)}
	}
	header := map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": loginKID}
	claims := map[string]any{"iss": loginIssuer, "aud": string(l.sale), "sub": who, "lane": laneCircle,
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	key := l.login
	switch kind {
	case forgedToken:
		key = l.forger
	case overdue:
		claims["iat"], claims["exp"] = now.Add(-2*time.Hour).Unix(), now.Add(-time.Hour).Unix()
	case foreignSale:
		claims["aud"] = "another-sale"
	case unsigned:
		return wire.Join{Token: part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(claims) + "."}
	case laneless:
		delete(claims, "lane")
	}
	return wire.Join{Token: signed(key, part(header)+"."+part(claims))}
}

func (l *letters) invitation(key ed25519.PrivateKey, who string, now time.Time) string {
	return signed(key, "invite1."+part(map[string]any{"sale": l.sale, "invitee": who, "exp": now.Add(time.Hour).Unix(), "lane": laneCircle}))
}

func signed(key ed25519.PrivateKey, text string) string {
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

// present joins with the letter that the fan has, and reports whether that brought a
// place. Who has none, or one that is not taken, joins as everybody.
func (f *fan) present(ctx context.Context) bool {
	p := f.hall.presale
	if p == nil || p.letters == nil || letterOf(f.h.Fan) == "" {
		return false
	}
	join := p.letters.write(f.h.Fan, time.Now())
	join.Attempt = fmt.Sprintf("letter-of-%016x", f.rng.Uint64())
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: f.place + "/place", body: join})
	f.h.Letter, f.h.Invitee, f.h.Presented = letterOf(f.h.Fan), invitee(f.h.Fan), a.Status
	return f.stands(a)
}

// judgeLanes looks where everybody stands: who had a right to a lane is in it,
// whoever had none is not, and one letter brought one place.
func judgeLanes(e Evidence) finding {
	if e.Codes == 0 {
		return unjudged("the sale has one lane")
	}
	var f finding
	by, refused := map[string][]int{}, map[string][]int{}
	kinds := map[letter]int{}
	for _, h := range e.Fans {
		f.facts++
		if h.Letter != "" {
			kinds[h.Letter]++
		}
		if h.Lane == laneMembers && h.Code == "" {
			f.breach("fan %d has no code and stands in %q", h.Fan, h.Lane)
		}
		switch may := h.Letter.good() || h.Letter == copied; {
		case h.Lane == laneCircle && !may:
			f.breach("fan %d with %q stands in %q", h.Fan, h.Letter, h.Lane)
		case h.Lane == laneCircle:
			by[h.Invitee] = append(by[h.Invitee], h.Fan)
		case h.Letter.good() && h.Presented < http.StatusInternalServerError && h.Presented != 0 && h.Presented != http.StatusTooManyRequests:
			refused[h.Invitee] = append(refused[h.Invitee], h.Presented)
		case h.Letter != "" && !may && (h.Presented < 400 || h.Presented >= 500):
			f.breach("a %s of fan %d was answered with %d", h.Letter, h.Fan, h.Presented)
		}
	}
	for who, fans := range by {
		if len(fans) > 1 {
			f.breach("fans %v are all %s", fans, who)
		}
	}
	for who, statuses := range refused {
		if len(by[who]) == 0 { // else somebody had been there with a copy
			f.breach("%s has a right to a lane and was answered with %v", who, statuses)
		}
	}
	f.seen = fmt.Sprintf("%d invited, %d signed in, %d copies, %d worth nothing; %d in their lane", kinds[invited], kinds[signedIn], kinds[copied],
		kinds[forged]+kinds[forgedToken]+kinds[overdue]+kinds[foreignSale]+kinds[unsigned]+kinds[laneless], len(by))
	return f
}
