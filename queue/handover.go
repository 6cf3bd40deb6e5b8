package queue

import (
	"context"
	_ "embed"
	"encoding/base32"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// A place moves to another device by a code that the device which holds it
// shows and the other one sends back. The exchange raises the place's
// generation: the newest copy of the ticket holds the place, older ones may
// only watch. Only places that ever moved have a generation in Redis. Tickets
// carry it too and the highest is believed, so a loss of Redis lets an older
// copy act only until the newest, or an edge that saw it, is heard of again.

// A Code is what is shown and typed: ten letters and digits, 50 random bits,
// without those that look alike.
type Code string

const (
	codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's: no I, L, O, U
	codeLength  = 10
	// mailLength is for codes that are good for hours, and are typed by nobody.
	mailLength = 2 * codeLength

	// CodeLife is how long a code can be used.
	CodeLife = 2 * time.Minute
	// codeKept is how long its record is kept, so that who comes late or twice
	// is told so.
	codeKept = 15 * time.Minute
)

var codeText = base32.NewEncoding(codeLetters).WithPadding(base32.NoPadding)

// NewCode makes a code from random.
func NewCode(random io.Reader) (Code, error) { return newCode(random, codeLength) }

// NewMailCode makes a code for a letter, of 100 random bits.
func NewMailCode(random io.Reader) (Code, error) { return newCode(random, mailLength) }

func newCode(random io.Reader, length int) (Code, error) {
	var raw [(mailLength*5 + 7) / 8]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("making a hand-over code: %w", err)
	}
	return Code(codeText.EncodeToString(raw[:])[:length]), nil
}

// ParseCode reads a code as people type it: in any case, with dashes and
// spaces, and with letters in place of the digits that look like them.
func ParseCode(typed string) (Code, error) {
	if len(typed) > 4*codeLength {
		return "", ErrCodeUnknown
	}
	code := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	if len(code) != codeLength && len(code) != mailLength || strings.Trim(code, codeLetters) != "" {
		return "", ErrCodeUnknown
	}
	return Code(code), nil
}

// String groups the letters for reading aloud.
func (c Code) String() string {
	if len(c) != codeLength {
		return string(c)
	}
	return string(c[:codeLength/2] + "-" + c[codeLength/2:])
}

// What may be wrong with moving a place.
var (
	ErrPlaceMoved = &ropeline.Error{Kind: ropeline.Conflict, Code: "place-moved",
		Detail: "This place was moved to another device. Here you can only watch it."}
	ErrCodeUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "handover-unknown",
		Detail: "There is no such code. Look for a typing mistake, or make a new code on the device that holds the place."}
	ErrCodeLate = &ropeline.Error{Kind: ropeline.Gone, Code: "handover-late",
		Detail: "This code was good for two minutes, which are over. Make a new one on the device that holds the place."}
	ErrCodeUsed = &ropeline.Error{Kind: ropeline.Gone, Code: "handover-used",
		Detail: "This code was used already. Make a new one on the device that holds the place."}
	ErrTurnCame = &ropeline.Error{Kind: ropeline.Conflict, Code: "handover-closed",
		Detail: "This place's turn has come: it stays on the device that holds it."}
	ErrOwnPlace = &ropeline.Error{Kind: ropeline.Conflict, Code: "place-held",
		Detail: "This device has a place of its own in this line. Leave it first, or keep it."}
)

//go:embed lua/generations.lua
var generationsSource string
var generationsScript = newScript("generations", generationsSource)

// Hold fails with ErrPlaceMoved if a newer copy of the ticket is known: whoever
// changes something about a place asks first. Between the two the place can
// move, but not once its turn has come; a leave then ends what has just moved.
func (s *Store) Hold(ctx context.Context, sale ropeline.SaleID, t Ticket) error {
	newest, err := s.raise(ctx, sale, []copied{{t.Place, t.Generation}})
	if err == nil && newest[0] > t.Generation {
		err = ErrPlaceMoved
	}
	return err
}

// copied is the generation of a place as somebody knows it.
type copied struct {
	place      ropeline.PlaceID
	generation int
}

// raise tells Redis of generations, and returns the highest known of each.
func (s *Store) raise(ctx context.Context, sale ropeline.SaleID, known []copied) ([]int, error) {
	args := make([]any, 0, 2*len(known))
	for _, k := range known {
		args = append(args, string(k.place), k.generation)
	}
	reply, err := s.runOn(ctx, sale, generationsScript, keysOf(sale, "generations"), args...)
	if err != nil {
		return nil, err
	}
	var r reader
	r.fields, _ = reply.([]any)
	newest := make([]int, len(known))
	for i := range newest {
		newest[i] = int(r.integer())
	}
	return newest, r.failed("generations")
}

//go:embed lua/offer_code.lua
var offerCodeSource string
var offerCodeScript = newScript("offer code", offerCodeSource)

// OfferCode makes code the one that moves the place of this ticket; an earlier
// one is worth nothing any more. It fails with ErrPlaceMoved, ErrTurnCame or
// ErrPartyShared.
func (s *Store) OfferCode(ctx context.Context, sale ropeline.SaleID, t Ticket, code Code) (until time.Time, err error) {
	return s.offerCode(ctx, sale, t, code, "handover-of:", CodeLife, codeKept)
}

// MailCode makes code the one of a letter that carries the place of this ticket, for so
// long: an earlier letter's is worth nothing any more, and so is this one once the place
// has moved by another. It fails as OfferCode does.
func (s *Store) MailCode(ctx context.Context, sale ropeline.SaleID, t Ticket, code Code, life time.Duration) error {
	_, err := s.offerCode(ctx, sale, t, code, "mailed-of:", life, life)
	return err
}

func (s *Store) offerCode(ctx context.Context, sale ropeline.SaleID, t Ticket, code Code, of string, life, kept time.Duration) (until time.Time, err error) {
	text, err := s.SignTicket(t)
	if err != nil {
		return time.Time{}, err
	}
	keys := keysOf(sale, "handover:"+string(code), of+string(t.Place), "generations", "numbers", "parties")
	reply, err := s.runOn(ctx, sale, offerCodeScript, keys, string(t.Place), t.Generation, text, string(code),
		life.Milliseconds(), kept.Milliseconds(), key(sale, "handover:"))
	if err != nil {
		return time.Time{}, err
	}
	ms, _ := reply.(int64)
	return milli(ms), nil
}

//go:embed lua/exchange.lua
var exchangeSource string
var exchangeScript = newScript("exchange", exchangeSource)

// Exchange gives the ticket of a code's place to the device that brings the
// code, and makes it the newest. device names that device by a random text of
// its own, so that it may ask again if the answer was lost ("" for not: a code
// works once); own is a living place that it has already. Exchange fails with
// ErrCodeUnknown, ErrCodeLate, ErrCodeUsed, ErrTurnCame, ErrOwnPlace or
// ErrPartyShared.
func (s *Store) Exchange(ctx context.Context, sale ropeline.SaleID, code Code, device string, own ropeline.PlaceID) (Ticket, error) {
	reply, err := s.runOn(ctx, sale, exchangeScript, keysOf(sale, "handover:"+string(code), "generations", "numbers", "parties"), device, string(own))
	if err != nil {
		return Ticket{}, err
	}
	var r reader
	r.fields, _ = reply.([]any)
	text, generation := r.text(), int(r.integer())
	if err := r.failed("exchange"); err != nil {
		return Ticket{}, err
	}
	t, err := s.ReadTicket(sale, text)
	if err != nil {
		return Ticket{}, err
	}
	t.Generation = generation
	s.announce(ctx, sale, t.Place)
	return t, nil
}

// SeenBy is the place as the holder of this ticket sees it.
func (p Place) SeenBy(t Ticket) Place {
	p.Elsewhere = t.Generation < p.Generation
	return p
}

// moved is what an edge knows of a guest's place that has moved.
type moved struct {
	generation int       // the newest known
	told       bool      // Redis knows it
	until      time.Time // its holder is present so long without a socket
}

// hears takes in a generation that a ticket carries or, with stored, Redis
// knows, and brings p up to it. It reports whether it was news.
func (g *guest) hears(generation int, stored bool, p *Place) (news bool) {
	if g.moved == nil && generation > 0 {
		g.moved = &moved{}
	}
	if g.moved == nil {
		return false
	}
	if news = generation > g.moved.generation; news {
		*g.moved = moved{generation: generation}
	}
	if stored {
		g.moved.told = generation == g.moved.generation
	}
	p.Generation = g.moved.generation
	return news
}

// holds reports whether a copy of this generation holds the place, as far as
// this edge knows.
func (g *guest) holds(generation int) bool { return g.moved == nil || generation >= g.moved.generation }

// untold lists the generations that Redis does not know, or has lost.
func (gs *guests) untold(most int) []copied {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	var all []copied
	for id, g := range gs.byPlace {
		if g.moved != nil && !g.moved.told && len(all) < most {
			all = append(all, copied{id, g.moved.generation})
		}
	}
	return all
}

// vouch tells Redis of generations that it does not know.
func (l *Line) vouch(ctx context.Context) error {
	known := l.guests.untold(lookMost)
	if len(known) == 0 {
		return nil
	}
	newest, err := l.store.raise(ctx, l.sale, known)
	if err != nil {
		return err
	}
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	for i, k := range known {
		if g := l.guests.byPlace[k.place]; g != nil {
			p := *g.place.Load()
			if g.hears(newest[i], true, &p); p != *g.place.Load() {
				g.adopt(p)
			}
		}
	}
	return nil
}
