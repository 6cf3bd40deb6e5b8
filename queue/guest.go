package queue

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline"
)

// How long a place counts as present after its last sign of life, and how long
// one that was passed over, or missed its turn, may return to the front. Phones
// put sleeping pages away.
const (
	PresentAfterClose      = 30 * time.Second
	PresentAfterClosePhone = 120 * time.Second
	Grace                  = 3 * time.Minute
	GracePhone             = 10 * time.Minute
)

// GraceOf is how long a place may return.
func GraceOf(phone bool) time.Duration {
	if phone {
		return GracePhone
	}
	return Grace
}

func presentAfterClose(phone bool) time.Duration {
	if phone {
		return PresentAfterClosePhone
	}
	return PresentAfterClose
}

// guest is a place that this edge serves.
type guest struct {
	// What calm reads comes first: it is read of all guests every second, from
	// memory that is in no cache.
	links   []*Link   // its open sockets
	moved   *moved    // nil for a place that never moved to another device
	waits   string    // the epoch in which the place waits for its turn in the line; "" if it does not
	ordinal int64     // while it does
	marked  string    // the epoch in which Redis was told that it is present, "" for not
	kept    string    // the epoch in which it was told that it is here, being a comeback
	until   time.Time // present so long without a socket
	lane    uint8

	place      atomic.Pointer[Place] // the newest that is known
	asking     bool                  // a look is under way
	epoch      string                // of the place's ticket: where its score comes from
	phone      bool
	early      uint8 // polls since it was told when to come back
	dueAt      int64 // ms, when that is
	registered bool  // Redis was told of it with the settling line
}

// know makes p what is known of the place.
func (g *guest) know(p *Place) {
	g.place.Store(p)
	g.waits, g.ordinal = "", p.Ordinal
	if p.State == ropeline.PlaceWaiting && !p.Beside && !p.Back && p.Ordinal >= 0 {
		g.waits = p.Epoch
	}
}

// calm reports whether there is nothing to do for a guest: it waits in the order
// of its lane's epoch, where no line has come to, is here, and Redis knows.
func (g *guest) calm(lanes []laneView, now time.Time) bool {
	epoch, reached := lanes[g.lane].Epoch, lanes[g.lane].reached
	return g.waits == epoch && epoch != "" && g.ordinal >= reached && g.moved == nil && g.marked == epoch && g.kept == "" && g.present(now)
}

func (g *guest) present(now time.Time) bool {
	if g.moved == nil {
		return len(g.links) > 0 || now.Before(g.until)
	}
	// Whoever only watches cannot come in: the turn would be missed.
	return now.Before(g.moved.until) || slices.ContainsFunc(g.links, func(k *Link) bool { return g.holds(k.generation) })
}

// guests are the places that an edge serves, by sockets and by polls. The edge
// bounds its sockets; when there are most guests in all, whoever only polls is
// not taken in: such a place is answered from Redis and not present.
type guests struct {
	most int // static

	mu      sync.Mutex // guards what follows; held for microseconds, once a second for as long as it takes to look at all
	byPlace map[ropeline.PlaceID]*guest
	dirty   map[ropeline.PlaceID]bool // to be looked up
	left    map[ropeline.PlaceID]time.Time
	shape   shape                     // not known before the first View
	epochs  [ropeline.MaxLanes]string // the newest that was seen of each lane
}

// shared returns the one copy of an epoch's name: each place came with one of
// its own, which would be read, and missed in the processor's cache, whenever all
// guests are looked at. mu is held.
func (gs *guests) shared(lane uint8, epoch string) string {
	if epoch != gs.epochs[lane] && epoch != "" {
		gs.epochs[lane] = strings.Clone(epoch)
	}
	if epoch == "" {
		return ""
	}
	return gs.epochs[lane]
}

// guestsMost is more than a process serves with pollers that come every 20 s.
const guestsMost = 200_000

func newGuests(most int) guests {
	return guests{most: most, byPlace: map[ropeline.PlaceID]*guest{}, dirty: map[ropeline.PlaceID]bool{}, left: map[ropeline.PlaceID]time.Time{}}
}

// A Link is one socket of a place.
type Link struct {
	guest      *guest
	line       *Line
	notify     func(ropeline.PlaceState)
	generation int // of the ticket that it came with
}

// Place returns what is known of the place now.
func (k *Link) Place() Place { return k.guest.place.Load().SeenBy(Ticket{Generation: k.generation}) }

// Close ends the link. The place stays present for a while.
func (k *Link) Close() {
	k.line.guests.unlink(k, k.line.store.time())
}

// Attend adds a socket of a place, of which p is known. notify is called with
// the place's state whenever the place has changed; it must not block.
func (l *Line) Attend(t Ticket, p Place, phone bool, notify func(ropeline.PlaceState)) *Link {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	g := l.guests.admit(t, p, phone)
	k := &Link{guest: g, line: l, notify: notify, generation: t.Generation}
	g.links = append(g.links, k)
	return k
}

// Known returns what this edge knows of a place that it serves, which is as new
// as what Find would tell but for a moment.
func (l *Line) Known(id ropeline.PlaceID) (Place, bool) {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	g := l.guests.byPlace[id]
	if g == nil || l.guests.dirty[id] || g.asking {
		return Place{}, false
	}
	return *g.place.Load(), true
}

// Changed notes that a place was changed through this edge: what is known of it
// is looked up again.
func (l *Line) Changed(id ropeline.PlaceID) {
	if l.guests.suspect(id) {
		l.awake()
	}
}

// Left notes that a place was given up through this edge, so that it is not put
// back if Redis loses the line.
func (l *Line) Left(id ropeline.PlaceID) {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	if len(l.guests.left) < leftMost {
		l.guests.left[id] = l.store.time()
	}
}

// leftMost bounds the places remembered as left; what is beyond it a loss of
// Redis may bring back.
const leftMost = 100_000

// welcome finds or makes a guest, nil if there are too many. mu is held.
func (gs *guests) welcome(t Ticket, p Place, phone bool) *guest {
	if len(gs.byPlace) >= gs.most && gs.byPlace[p.ID] == nil {
		return nil
	}
	return gs.admit(t, p, phone)
}

// admit finds or makes a guest. mu is held.
func (gs *guests) admit(t Ticket, p Place, phone bool) *guest {
	g, lane := gs.byPlace[p.ID], uint8(gs.shape.laneOf(p.ID))
	p.Visitor, p.Epoch = t.Visitor, gs.shared(lane, p.Epoch)
	if g == nil {
		g = &guest{lane: lane, epoch: gs.shared(lane, t.Epoch)}
		if p.New {
			g.marked = p.Epoch // the script that joined it has told
		}
		gs.byPlace[p.ID] = g
		fresh := p
		g.hears(p.Generation, true, &fresh)
		g.know(&fresh)
	} else if !gs.dirty[p.ID] {
		// What the caller has just found may be older than what came since: look again.
		if known := g.place.Load(); known.State != p.State || known.Ordinal != p.Ordinal || known.Party != p.Party {
			gs.dirty[p.ID] = true
		}
	}
	// A friend who has just joined may be here before the look that tells of it,
	// and must not be taken for one who left.
	if known := *g.place.Load(); known.Party.Seat(t) == 0 && p.Party.Seat(t) > 0 {
		gs.dirty[p.ID] = true
		known.Party = p.Party
		g.adopt(known)
	}
	g.phone = phone
	if known := *g.place.Load(); g.hears(t.Generation, false, &known) {
		g.adopt(known)
	}
	return g
}

// here notes that a copy of a place's ticket counts as here until then. mu is
// held.
func (g *guest) here(generation int, until time.Time) {
	if until.After(g.until) {
		g.until = until
	}
	if g.moved != nil && g.holds(generation) && until.After(g.moved.until) {
		g.moved.until = until
	}
}

func (gs *guests) unlink(k *Link, now time.Time) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := k.guest
	kept := g.links[:0]
	for _, other := range g.links {
		if other != k {
			kept = append(kept, other)
		}
	}
	if len(kept) == 0 {
		kept = nil
	}
	g.links = kept
	g.here(k.generation, now.Add(presentAfterClose(g.phone)))
}

// suspect marks a place to be looked up and reports whether it is served here.
func (gs *guests) suspect(id ropeline.PlaceID) bool {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.byPlace[id] == nil {
		return false
	}
	gs.dirty[id] = true
	return true
}

func (gs *guests) suspectAll() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for id := range gs.byPlace {
		gs.dirty[id] = true
	}
}

// offer takes in an offer, without a look. Of a place that more is known of already,
// the news is late, or of an offer to somebody who left while it was made and that is
// about to be taken back: then it takes a look.
func (gs *guests) offer(id ropeline.PlaceID, o Offer) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.byPlace[id]
	if g == nil {
		return
	}
	p := *g.place.Load()
	switch p.State {
	case ropeline.PlaceCollected, ropeline.PlaceWaiting, ropeline.PlacePassed, ropeline.PlaceExpired:
	default:
		gs.dirty[id] = true
		return
	}
	p.State, p.Offer, p.Back, p.MissedAt = ropeline.PlaceOffered, &o, false, time.Time{}
	g.adopt(p)
}

// adopt makes p what is known and tells the sockets. mu is held.
func (g *guest) adopt(p Place) {
	g.know(&p)
	g.registered = false // a settling line must hear of the change, too
	for _, k := range g.links {
		k.notify(p.State)
	}
}

// take returns up to most places to be looked up.
func (gs *guests) take(most int) []ropeline.PlaceID {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	var ids []ropeline.PlaceID
	for id := range gs.dirty {
		if len(ids) == most {
			break
		}
		delete(gs.dirty, id)
		if g := gs.byPlace[id]; g != nil {
			g.asking = true
			ids = append(ids, id)
		}
	}
	return ids
}

// found takes in what was looked up.
func (gs *guests) found(places []Place) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, p := range places {
		g := gs.byPlace[p.ID]
		if g == nil {
			continue
		}
		if g.asking = false; gs.dirty[p.ID] { // changed again since
			continue
		}
		old := g.place.Load()
		p.Epoch = gs.shared(g.lane, p.Epoch)
		g.hears(p.Generation, true, &p)
		if p.State == "" {
			p = *old
			p.State = ropeline.PlaceLeft // given up in another tab, or in the lobby
		}
		p.Visitor = old.Visitor
		if p.Score == "" {
			p.Score = old.Score
		}
		if p.Epoch != "" && p.Score != "" {
			g.epoch = p.Epoch
		}
		g.adopt(p)
	}
}

// sweep marks whoever must be looked up because of the time or the cursor, and
// forgets guests that went long ago. It reports whether any of the places has
// moved to another device.
func (gs *guests) sweep(v *View, now time.Time) (moved bool) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for id, g := range gs.byPlace {
		if g.calm(v.lanes, now) {
			continue
		}
		moved = moved || g.moved != nil
		p := g.place.Load()
		if g.gone(now) {
			delete(gs.byPlace, id)
			delete(gs.dirty, id)
			continue
		}
		if outdated(v, p) || overdue(v, p) || ended(v, p) {
			gs.dirty[id] = true
		}
	}
	for id, at := range gs.left {
		if now.Sub(at) > GracePhone+time.Hour {
			delete(gs.left, id)
		}
	}
	return moved
}

// gone reports whether nobody has been here with a place for so long that it
// need not be remembered: its presence has been taken back, and a loss of Redis
// would find it by its ticket.
func (g *guest) gone(now time.Time) bool {
	return len(g.links) == 0 && g.marked == "" && now.Sub(g.until) > time.Minute
}

// outdated reports whether the view knows another order than the one in which
// the place's ordinal holds.
func outdated(v *View, p *Place) bool {
	switch p.State {
	case ropeline.PlaceCollected:
		return v.Drawn
	case ropeline.PlaceWaiting, ropeline.PlacePassed:
		return p.Epoch != v.StandIn(p.ID).Epoch
	}
	return false
}

// overdue reports whether the line has passed a place without a word of an
// offer having come here: it was passed over, or the message is lost.
func overdue(v *View, p *Place) bool {
	return p.State == ropeline.PlaceWaiting && !p.Beside && !p.Back && p.Ordinal >= 0 && !outdated(v, p) && p.Ordinal < v.standOf(p.ID).Cursor
}

// ended reports whether a state is over that ends by itself, which nobody
// announces: an offer that is not claimed, a session whose last token nobody
// accepts any more.
func ended(v *View, p *Place) bool {
	switch {
	case p.State == ropeline.PlaceOffered && p.Offer != nil:
		return !v.Now.Before(p.Offer.ClaimBy)
	case p.State == ropeline.PlaceActive && p.Session != nil:
		return v.Now.After(p.Session.ExpiresAt.Add(ropeline.TokenMargin))
	}
	return false
}
