// Package oidc lets people sign in with an account that they have elsewhere, by OpenID
// Connect: the code flow with PKCE, a state and a nonce.
//
// What a flow has to remember is with the browser, sealed, so that any core can end what
// another began. It is good for ten minutes; that it is good once is for who keeps what was
// used (Flow.State).
package oidc

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/ropeline/ropeline"
)

// Config is a provider, as it is written into the file of providers.
type Config struct {
	Name   string `json:"name"`  // in addresses: lower-case letters, digits and -
	Title  string `json:"title"` // on the button
	Issuer string `json:"issuer"`
	Client string `json:"client"`
	Secret string `json:"secret_file,omitempty"` // beside the file of providers; empty: the client has none
	// Emails says that whoever it calls the owner of an address is taken for that: their
	// account here is found by it, or made. Otherwise accounts are joined by who is signed in.
	Emails bool `json:"emails,omitempty"`
	// Second says that it asks everybody for a second factor: that counts as one of ours,
	// and ours is not asked for.
	Second bool `json:"second_factor,omitempty"`

	secret string
}

// Who is somebody of whom a provider says who they are.
type Who struct {
	Provider Config
	Issuer   string
	Subject  string // who they are there
	Email    string // theirs, as the provider says it has verified; empty if it does not
	Name     string
}

// Refusals.
var (
	ErrProvider = &ropeline.Error{Kind: ropeline.NotFound, Code: "sign-in-provider-unknown", Detail: "There is no such way to sign in."}
	ErrAway     = &ropeline.Error{Kind: ropeline.Unavailable, Code: "sign-in-provider-away", Detail: "The other side does not answer. Try again in a moment, or sign in with your password.", RetryAfter: 5 * time.Second}
	ErrFlow     = &ropeline.Error{Kind: ropeline.Invalid, Code: "sign-in-flow-over", Detail: "This was begun in another browser or tab, or too long ago. Begin again."}
	ErrRefused  = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "sign-in-refused", Detail: "The other side did not sign you in."}
	ErrToken    = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "sign-in-not-proven", Detail: "What the other side said of you does not hold. Begin again."}
)

// FlowLife is how long a flow may take.
const FlowLife = 10 * time.Minute

// Limits of what another server may answer, and how long it may take.
const (
	mostAnswer   = 1 << 20
	answerWithin = 10 * time.Second
)

// Providers are all of an installation. Each is asked for its addresses and keys when it is
// first needed, so that one that is away keeps nobody from starting.
type Providers struct {
	configs []Config
	aead    cipher.AEAD
	base    string
	client  *http.Client
	now     func() time.Time

	mu    sync.Mutex
	found map[string]*oidc.Provider // by name
}

// Load reads a file of providers, and the files of their secrets, which stand beside it. A
// file that is not there has none.
func Load(path string) ([]Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading sign-in providers: %w", err)
	}
	configs, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i, c := range configs {
		if c.Secret == "" {
			continue
		}
		secret, err := os.ReadFile(filepath.Join(filepath.Dir(path), c.Secret))
		if err != nil {
			return nil, fmt.Errorf("%s: provider %s: reading its secret: %w", path, c.Name, err)
		}
		if configs[i].secret = strings.TrimSpace(string(secret)); configs[i].secret == "" {
			return nil, fmt.Errorf("%s: provider %s: the file of its secret, %s, is empty", path, c.Name, c.Secret)
		}
	}
	return configs, nil
}

// parse reads a list of providers. A name that there is not is an error.
func parse(text []byte) (configs []Config, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&configs); err != nil {
		return nil, fmt.Errorf("a list of sign-in providers: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("a list of sign-in providers: there is more behind it")
	}
	for i, c := range configs {
		if err := c.validate(); err != nil {
			return nil, fmt.Errorf("provider %d (%q): %w", i+1, c.Name, err)
		}
		if slices.ContainsFunc(configs[:i], func(other Config) bool { return other.Name == c.Name || other.Issuer == c.Issuer }) {
			return nil, fmt.Errorf("provider %d (%q): its name or its issuer is there twice", i+1, c.Name)
		}
	}
	return configs, nil
}

func (c Config) validate() error {
	issuer, err := url.Parse(c.Issuer)
	switch {
	case !isName(c.Name):
		return errors.New("name: want 1 to 40 lower-case letters, digits and -")
	case strings.TrimSpace(c.Title) == "" || len(c.Title) > 60:
		return errors.New("title: want 1 to 60 characters for the button")
	case c.Client == "":
		return errors.New("client: want the id that the provider knows us by")
	case err != nil || issuer.Host == "" || issuer.Scheme != "https" && (issuer.Scheme != "http" || !isHere(issuer.Hostname())) || len(c.Issuer) > 500:
		return fmt.Errorf("issuer: want an https address, and not %q", c.Issuer)
	case c.Secret != "" && !filepath.IsLocal(c.Secret):
		return errors.New("secret_file: want a file beside this one")
	}
	return nil
}

// New returns providers whose flows come back to an address of ours, as
// https://tickets.example, and are sealed with a key of 32 bytes or more. Now is the clock.
func New(configs []Config, base string, secret []byte, now func() time.Time) (*Providers, error) {
	if len(secret) < 32 {
		return nil, errors.New("the key of sign-in flows has less than 32 bytes")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "ropeline sign-in flows", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of sign-in flows: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the key of sign-in flows: %w", err)
	}
	p := &Providers{configs: configs, base: strings.TrimSuffix(base, "/"), now: now, found: map[string]*oidc.Provider{}}
	p.client = &http.Client{Transport: bounded{http.DefaultTransport}, Timeout: answerWithin}
	p.aead, err = cipher.NewGCM(block)
	return p, err
}

func isName(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isHere reports whether a host is this machine, where no TLS is needed.
func isHere(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// All are the providers, without their secrets.
func (p *Providers) All() []Config {
	all := slices.Clone(p.configs)
	for i := range all {
		all[i].secret = ""
	}
	return all
}

// Named is what a provider of an issuer is called on its button; empty if there is none.
func (p *Providers) Named(issuer string) string {
	for _, c := range p.configs {
		if c.Issuer == issuer {
			return c.Title
		}
	}
	return ""
}

// bounded cuts answers that have no end: the library reads them whole.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, mostAnswer), answer.Body}
	}
	return answer, err
}

// Flow is what a browser keeps while somebody is on the other side.
type Flow struct {
	Name     string `json:"n"` // of the provider
	State    string `json:"s"` // comes back once: whoever may see it twice keeps it
	Nonce    string `json:"o"`
	Verifier string `json:"v"`
	Next     string `json:"x"`           // the path of ours that follows
	Person   string `json:"p,omitempty"` // the account that is to be joined; empty: somebody signs in
	Ends     int64  `json:"e"`           // s
}

// Begin returns where to send somebody who wants to sign in at a provider, or to join an
// account (person) with theirs there, and come to a path of ours then; and what their
// browser keeps until they are back.
func (p *Providers) Begin(ctx context.Context, name, next, person string) (address, kept string, err error) {
	config, o, err := p.at(ctx, name)
	if err != nil {
		return "", "", err
	}
	f := Flow{Name: name, State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(),
		Next: local(next), Person: person, Ends: p.now().Add(FlowLife).Unix()}
	if kept, err = p.seal(f); err != nil {
		return "", "", err
	}
	return p.oauth(config, o).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), kept, nil
}

// local is a path of ours, the first page for anything else: nobody is sent elsewhere by
// what stood in a link.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 500 {
		return "/"
	}
	return next
}

// Back finds the flow of somebody who comes back from a provider, by what their browser
// kept and the state that the provider has added to the address.
func (p *Providers) Back(name, kept, state string) (Flow, error) {
	f, err := p.open(kept)
	if err != nil || f.Name != name || p.now().Unix() >= f.Ends || subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 {
		return Flow{}, ErrFlow
	}
	return f, nil
}

// Who tells who somebody is, by the flow and the code with which they come back.
func (p *Providers) Who(ctx context.Context, f Flow, code string) (w Who, err error) {
	if code == "" {
		return w, ErrRefused
	}
	config, o, err := p.at(ctx, f.Name)
	if err != nil {
		return w, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := p.oauth(config, o).Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response.StatusCode < http.StatusInternalServerError {
			return w, ErrToken.Because(err)
		}
		return w, ErrAway.Because(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := o.Verifier(&oidc.Config{ClientID: config.Client, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return w, ErrToken.Because(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return w, ErrToken.Because(errors.New("the token has another nonce"))
	}
	return p.who(ctx, config, o, tokens, id)
}

// who reads what is said of somebody, in the token or, where that says little, elsewhere.
func (p *Providers) who(ctx context.Context, c Config, o *oidc.Provider, tokens *oauth2.Token, id *oidc.IDToken) (w Who, err error) {
	var said claims
	if err := id.Claims(&said); err != nil {
		return w, ErrToken.Because(err)
	}
	if said.Email == "" && o.UserInfoEndpoint() != "" {
		info, err := o.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return w, ErrAway.Because(err)
		}
		if info.Subject != id.Subject { // it may be of somebody else: OpenID Connect Core, 5.3.2
			return w, ErrToken
		}
		if err := info.Claims(&said); err != nil {
			return w, ErrToken.Because(err)
		}
	}
	w = Who{Provider: c, Issuer: id.Issuer, Subject: id.Subject, Name: said.Name}
	w.Provider.secret = ""
	if said.Verified {
		w.Email = said.Email
	}
	return w, nil
}

// claims are what is said of somebody.
type claims struct {
	Email    string `json:"email"`
	Verified yes    `json:"email_verified"`
	Name     string `json:"name"`
}

// yes is a truth that some providers write as a text.
type yes bool

func (y *yes) UnmarshalJSON(b []byte) error {
	*y = string(b) == "true" || string(b) == `"true"`
	return nil
}

func (p *Providers) oauth(c Config, o *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: c.Client, ClientSecret: c.secret, Endpoint: o.Endpoint(),
		RedirectURL: p.base + "/api/v1/accounts/providers/" + c.Name + "/back", Scopes: []string{oidc.ScopeOpenID, "email", "profile"}}
}

// at finds a provider, and asks it for its addresses if that was not done yet. Two that
// ask at the same time do it twice, and that does no harm.
func (p *Providers) at(ctx context.Context, name string) (Config, *oidc.Provider, error) {
	i := slices.IndexFunc(p.configs, func(c Config) bool { return c.Name == name })
	if i < 0 {
		return Config{}, nil, ErrProvider
	}
	p.mu.Lock()
	o := p.found[name]
	p.mu.Unlock()
	if o != nil {
		return p.configs[i], o, nil
	}
	o, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.configs[i].Issuer)
	if err != nil {
		return Config{}, nil, ErrAway.Because(err)
	}
	p.mu.Lock()
	p.found[name] = o
	p.mu.Unlock()
	return p.configs[i], o, nil
}

func (p *Providers) seal(f Flow) (string, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("keeping a sign-in flow: %w", err)
	}
	nonce := make([]byte, p.aead.NonceSize(), p.aead.NonceSize()+len(text)+p.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("keeping a sign-in flow: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(p.aead.Seal(nonce, nonce, text, nil)), nil
}

func (p *Providers) open(kept string) (f Flow, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(kept)
	if err != nil || len(raw) < p.aead.NonceSize() {
		return f, ErrFlow
	}
	text, err := p.aead.Open(nil, raw[:p.aead.NonceSize()], raw[p.aead.NonceSize():], nil)
	if err != nil {
		return f, ErrFlow
	}
	return f, json.Unmarshal(text, &f)
}
