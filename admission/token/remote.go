package token

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// RemoteConfig says where a Remote finds its keys. Zero values of all but the
// URL mean their defaults.
type RemoteConfig struct {
	URL string // https://tickets.example/.well-known/jwks.json

	// Refresh is how long a set is used before it is fetched again: a minute. A
	// new key is published for longer than that before anything is signed with it.
	Refresh time.Duration
	// Timeout of one fetch: 5 s.
	Timeout time.Duration
	// MaxStale is how long the last good set is used while no newer one can be
	// fetched: a day. Then tokens are refused with ErrKeysAway, since a key that
	// was taken back in that time would not be known of.
	MaxStale time.Duration

	Client *http.Client // one that follows no redirect
	Log    *slog.Logger
	Now    func() time.Time
}

// Remote are the keys at a JWKS address, which any service can follow that knows
// nothing else of us. While the address does not answer, or answers nonsense, the
// last good set is used. Run fetches; who checks a token never waits for it.
type Remote struct {
	config RemoteConfig
	last   atomic.Pointer[fetched]
	ready  chan struct{} // closed after the first good set
	wanted chan struct{} // holds one: a token names a key that is not known
}

type fetched struct {
	keys KeySet
	at   time.Time
}

// remoteMost bounds a key set: a set of 100 keys is 14 KB.
const remoteMost = 64 << 10

// remoteGap is the least time between two fetches, whatever tokens people bring.
const remoteGap = 5 * time.Second

// NewRemote returns a Remote that knows no key until Run has fetched some. It
// fails if the URL is not one of http or https.
func NewRemote(c RemoteConfig) (*Remote, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("following keys: %q is not the address of a key set", c.URL)
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&c.Refresh, time.Minute}, {&c.Timeout, 5 * time.Second}, {&c.MaxStale, 24 * time.Hour}} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	if c.Client == nil {
		c.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Remote{config: c, ready: make(chan struct{}), wanted: make(chan struct{}, 1)}, nil
}

// Ready is closed when there are keys to check tokens with.
func (r *Remote) Ready() <-chan struct{} { return r.ready }

// Key finds a key. One that is not known is looked for soon, at most every 5 s.
func (r *Remote) Key(id string) (ed25519.PublicKey, error) {
	last := r.last.Load()
	if last == nil || r.config.Now().Sub(last.at) > r.config.MaxStale {
		return nil, ErrKeysAway
	}
	key, err := last.keys.Key(id)
	if err != nil {
		select {
		case r.wanted <- struct{}{}:
		default: // it is asked for already
		}
	}
	return key, err
}

// Run follows the key set until ctx ends.
func (r *Remote) Run(ctx context.Context) error {
	for {
		wait := r.config.Refresh
		if err := r.fetch(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			r.config.Log.Warn("following keys", "url", r.config.URL, "err", err)
			wait = min(wait, remoteGap)
		}
		if !pause(ctx, min(wait, remoteGap), nil) || !pause(ctx, wait-min(wait, remoteGap), r.wanted) {
			return nil
		}
	}
}

// pause waits for so long, or for early; it reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-early:
	}
	return ctx.Err() == nil
}

func (r *Remote) fetch(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.config.URL, http.NoBody)
	if err != nil {
		return err
	}
	at := r.config.Now() // not when the answer came
	resp, err := r.config.Client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", resp.Status)
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, remoteMost+1))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(doc) > remoteMost {
		return errors.New("the key set is too large")
	}
	keys, err := ParseKeySet(doc)
	if err != nil {
		return err
	}
	if r.last.Swap(&fetched{keys, at}) == nil {
		close(r.ready)
	}
	return nil
}
