// Package gate decides whether a request may pass: it carries a good
// admission token, its session has not been ended early, and the sale has not
// been stopped. It is for any shop: Middleware puts it in front of a
// net/http handler, package fibergate in front of one of Fiber.
//
// The one hard idea: a slot may be given to the next fan before the old token
// expires only if every gate refuses the old token from then on. So a Gate
// asks Sessions on every request, whether or not the token was verified before,
// and an error of Sessions (it lost touch with Redis and is no longer sure)
// closes the gate too.
//
// A shop that shares no Redis with the line has no Sessions: its gate checks
// signatures and times by public keys alone (token.Remote). A session that ended
// early is known to it only when its token runs out, one token life later at most.
package gate

import (
	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
)

// Verifier checks a token's signature and times. token.Cache and
// token.Verifier are ones.
type Verifier interface {
	Verify(raw string) (*token.Claims, error)
}

// Sessions knows which sessions ended before their tokens expired.
// queue.Revocations are ones.
type Sessions interface {
	// Ended reports whether the session is over, or an error when that cannot
	// be told.
	Ended(session string) (bool, error)
}

// Modes knows how sales admit, as their SREs steer them: of the modes a gate
// hears of pass and stop. queue.Revocations are ones.
type Modes interface {
	Mode(sale ropeline.SaleID) ropeline.Mode
}

// ErrStopped means that staff have stopped the sale: nobody passes, token or
// not. Sessions go on.
var ErrStopped = &ropeline.Error{Kind: ropeline.Unavailable, Code: "sale-stopped", RetryAfter: stoppedFor,
	Detail: "This sale has been stopped for the moment. You keep your place; please try again soon."}

// ErrOtherSale means that the token is good, for another sale.
var ErrOtherSale = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "token-other-sale",
	Detail: "This admission token is for another sale: join the line of this one."}

// Gate admits holders of admission tokens. It is safe for concurrent use.
type Gate struct {
	verifier Verifier
	sessions Sessions
	modes    Modes
	rates    *rates // nil: no limit
}

// New returns a Gate. Where nobody can tell, sessions or modes are nil: every
// token then opens until it expires, in every mode.
func New(v Verifier, s Sessions, m Modes) *Gate { return &Gate{verifier: v, sessions: s, modes: m} }

// Check returns the claims of a token that opens the gate, of whichever sale it
// is, else the error to answer with. It counts the request (WithRate).
func (g *Gate) Check(raw string) (*token.Claims, error) {
	c, err := g.verifier.Verify(raw)
	if err == nil && g.Mode(c.Sale) == ropeline.ModeStop {
		err = ErrStopped
	}
	return g.goesOn(c, err)
}

// goesOn is what is asked of a token on every request, also of one that was verified
// before.
func (g *Gate) goesOn(c *token.Claims, err error) (*token.Claims, error) {
	if err == nil && g.sessions != nil {
		err = g.current(c.Session)
	}
	if err == nil && g.rates != nil {
		err = g.rates.take(c.Session)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (g *Gate) current(session string) error {
	ended, err := g.sessions.Ended(session)
	if err == nil && ended {
		err = token.ErrRevoked
	}
	return err
}

// Mode is how a sale admits, as far as this gate has heard: pass, stop, or
// anything else.
func (g *Gate) Mode(sale ropeline.SaleID) ropeline.Mode {
	if g.modes == nil {
		return ropeline.ModeRun
	}
	return g.modes.Mode(sale)
}

// Rule says what a gate in front of a shop lets through.
type Rule struct {
	// Sale is whose tokens open the gate. With "" those of every sale do, the
	// request names its own (token.SaleHeader), and the handler must compare the
	// token's sale with what it sells.
	Sale ropeline.SaleID

	// Pass lets requests without a token through while the sale's mode is pass:
	// the line stands open for everybody. The handler finds no Claims then. A shop
	// that counts by session should leave it off.
	Pass bool

	// Room is the address of the waiting room. A browser that opens a page without
	// a token is sent there; everything else gets a problem document. "" sends nobody.
	Room string
}

// Decide is Check of a request's token by a rule. Where the rule lets a request
// through without a token the claims are empty but for the sale.
func (g *Gate) Decide(r Rule, raw string) (*token.Claims, error) {
	if r.Sale == "" {
		return g.Check(raw)
	}
	mode := g.Mode(r.Sale)
	if mode == ropeline.ModeStop {
		return nil, ErrStopped
	}
	c, err := g.verifier.Verify(raw)
	if err == nil && c.Sale != r.Sale {
		err = ErrOtherSale
	}
	c, err = g.goesOn(c, err)
	if err != nil && r.Pass && mode == ropeline.ModePass {
		return &token.Claims{Sale: r.Sale}, nil // a bad token is no worse than none
	}
	return c, err
}
