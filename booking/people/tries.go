package people

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/tries"
)

// What may be tried how often. Wrong passwords are counted for an account, whether or not
// there is one, for the address they come from, which finds who sprays one password over
// many accounts, and for both together, so that one guesser is stopped long before the
// owner is.
var (
	ofPair      = tries.Limit{Most: 5, Window: 15 * time.Minute}
	ofAccount   = tries.Limit{Most: 30, Window: 15 * time.Minute}
	ofAddress   = tries.Limit{Most: 30, Window: 15 * time.Minute}
	ownPassword = tries.Limit{Most: 5, Window: 15 * time.Minute} // of who is signed in
	ofSecond    = tries.Limit{Most: 10, Window: 15 * time.Minute}
	lettersTo   = tries.Limit{Most: 5, Window: time.Hour}        // one address
	asksFrom    = tries.Limit{Most: 20, Window: time.Hour}       // one address, of the network
	invitesOf   = tries.Limit{Most: 200, Window: 24 * time.Hour} // one organization
)

// count is a limit and whom it is counted for.
type count struct {
	tries.Limit
	what, who string
}

// key is where something is counted. Nobody reads in Redis whom it is about.
func (s *Store) key(what, who string) string {
	return "ropeline:people:tries:" + what + ":" + base64.RawURLEncoding.EncodeToString(s.keys.emailMAC(what + "\x00" + who)[:16])
}

// network is an IPv4 address or the /64 of an IPv6 one, which is what one subscriber gets.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.String()
	}
	return a.String()
}

// tried looks at something that may be wrong, if it was not tried too often: then it fails
// with ErrTries. It is counted before it is looked at, and taken back unless it was wrong.
func (s *Store) tried(ctx context.Context, look func(context.Context) error, counts ...count) error {
	var taken []count
	back := func() {
		for _, c := range taken {
			c.Back(context.WithoutCancel(ctx), s.rdb, s.key(c.what, c.who))
		}
	}
	for _, c := range counts {
		wait, err := c.Take(ctx, s.rdb, s.key(c.what, c.who))
		if err != nil {
			back()
			return ropeline.ErrStoreAway.Because(fmt.Errorf("trying: %w", err))
		}
		if wait > 0 {
			back()
			return tooOften(wait)
		}
		taken = append(taken, c)
	}
	err := look(ctx)
	if !errors.Is(err, ErrSignIn) && !errors.Is(err, ErrWrong) && !errors.Is(err, ErrSecond) {
		back()
	}
	return away("trying", err)
}

// ask counts what makes letters be written, by the address that wants it.
func (s *Store) ask(ctx context.Context, from netip.Addr) error {
	if !from.IsValid() {
		return nil
	}
	wait, err := asksFrom.Take(ctx, s.rdb, s.key("asks", network(from)))
	if err != nil {
		return ropeline.ErrStoreAway.Because(err)
	}
	if wait > 0 {
		return tooOften(wait)
	}
	return nil
}

func tooOften(wait time.Duration) error {
	e := *ErrTries
	e.RetryAfter = wait
	return &e
}
