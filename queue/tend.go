package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ropeline/ropeline"
)

const (
	tendInterval = time.Second
	lookMost     = 500  // places looked up in one call: 5 ms of Redis
	attendMost   = 2000 // ordinals told in one call: 1 ms
)

// tend looks after the guests until ctx ends: it looks them up when they may
// have changed and, every second, tells Redis who is here.
func (l *Line) tend(ctx context.Context) {
	select {
	case <-l.ready:
	case <-ctx.Done():
		return
	}
	every := time.NewTicker(tendInterval)
	defer every.Stop()
	complained := time.Time{}
	for {
		if err := l.round(ctx); err != nil && ctx.Err() == nil {
			if now := time.Now(); now.Sub(complained) > 5*time.Second {
				complained = now
				l.log.Warn("looking after the places of this edge", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-l.kick:
		}
	}
}

// round is one look after everything.
func (l *Line) round(ctx context.Context) error {
	moved := l.guests.sweep(l.View(), l.store.time())
	err := l.look(ctx)
	if err == nil && moved {
		err = l.vouch(ctx)
	}
	if err == nil {
		err = l.attend(ctx)
	}
	switch {
	case errors.Is(err, errEpoch):
		return l.snapshot(ctx)
	case errors.Is(err, ErrSettling):
		l.missing(err)
		return l.putBack(ctx)
	case err != nil:
		return err
	}
	l.settled = false
	if l.View().Settling || l.View().Away {
		return l.snapshot(ctx)
	}
	return l.remember(ctx)
}

// look looks up who may have changed.
func (l *Line) look(ctx context.Context) error {
	for {
		ids := l.guests.take(lookMost)
		if len(ids) == 0 {
			return nil
		}
		places, err := l.store.FindAll(ctx, l.sale, ids)
		if err != nil {
			l.guests.putOff(ids)
			return err
		}
		for i, p := range places {
			if p.State != "" {
				continue
			}
			if places[i], err = l.lookAgain(ctx, p.ID); err != nil {
				l.guests.putOff(ids)
				return err
			}
		}
		if err := l.remind(ctx, places); err != nil {
			l.guests.putOff(ids)
			return err
		}
		l.guests.found(places)
	}
}

// remind puts back the turns that this edge knows of and the store does not,
// and looks them up again: the server of the sale's capacity may have lost its
// last second while the line did not, or the line has settled before this edge
// came to tell.
func (l *Line) remind(ctx context.Context, places []Place) error {
	turns, at := l.guests.forgotten(places)
	if len(turns) == 0 {
		return nil
	}
	if err := l.store.Reinstate(ctx, l.sale, turns); err != nil {
		return err
	}
	ids := make([]ropeline.PlaceID, len(turns))
	for i, p := range turns {
		ids[i] = p.ID
	}
	found, err := l.store.FindAll(ctx, l.sale, ids)
	for i, p := range found {
		places[at[i]] = p
	}
	return err
}

// forgotten returns the turns that guests are known to have had, and the store
// does not know, and where among the places they are. A turn never vanishes by
// itself.
func (gs *guests) forgotten(places []Place) (turns []Place, at []int) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for i, p := range places {
		g := gs.byPlace[p.ID]
		if g == nil {
			continue
		}
		known := g.place.Load()
		if known.Offer != nil && known.State != ropeline.PlaceLeft && (p.Offer == nil || known.Session != nil && p.Session == nil && p.State == ropeline.PlaceOffered) {
			turns, at = append(turns, *known), append(at, i)
		}
	}
	return turns, at
}

// lookAgain puts a place back that the line lost and that nobody else put back,
// and looks it up; it is unknown if it may not come back.
func (l *Line) lookAgain(ctx context.Context, id ropeline.PlaceID) (Place, error) {
	t := l.guests.ticket(id)
	if t.Score == "" && l.View().Drawn {
		t.Score = l.charter.lobbyScore(id)
	}
	p, err := l.store.Present(ctx, l.sale, t)
	if errors.Is(err, ErrPlaceUnknown) {
		return Place{ID: id}, nil
	}
	if err == nil && t.Party != "" {
		if err = l.store.recallParties(ctx, l.sale, []Place{{ID: id, Party: t.Party}}); err == nil {
			p, err = l.store.Find(ctx, l.sale, id)
		}
	}
	return p, err
}

// attend tells Redis that this edge lives, who of its guests has come and gone,
// and who is back that was passed over.
func (l *Line) attend(ctx context.Context) error {
	v := l.View()
	stands, sh := v.stands(), v.shape
	came, went, back, away, kept := l.guests.changes(v, l.store.time())
	comers := byLine(came, sh, func(t told) ropeline.PlaceID { return t.place })
	goers := byLine(went, sh, func(t told) ropeline.PlaceID { return t.place })
	returners := byLine(back, sh, func(r returning) ropeline.PlaceID { return r.place })
	err := onEach(linesOf(l.sale, len(stands)), func(line lineID) error {
		return l.attendLine(ctx, line, v, comers[line.number], goers[line.number], returners[line.number])
	})
	if err != nil {
		return err
	}
	for _, r := range back {
		l.guests.keeping([]ropeline.PlaceID{r.place}, v)
	}
	if len(kept) > 0 {
		if err := l.store.keepBack(ctx, l.sale, kept); err != nil {
			return err
		}
		l.guests.keeping(kept, v)
	}
	if len(away) > 0 {
		if err := l.store.away(ctx, l.sale, away); err != nil {
			return err
		}
		l.guests.keeping(away, nil)
	}
	if len(back)+len(away) == 0 {
		return nil
	}
	for _, r := range back {
		away = append(away, r.place)
	}
	l.guests.putOff(away)
	return l.look(ctx)
}

// attendLine tells one line.
func (l *Line) attendLine(ctx context.Context, line lineID, v *View, came, went []told, back []returning) error {
	epoch, lane := v.stands()[line.number].Epoch, v.lanes[line.number/v.shape.shards].Epoch
	for {
		n, m := min(len(came), attendMost), min(len(went), attendMost)
		last := n == len(came) && m == len(went)
		var returned []returning
		if last {
			returned = back
		}
		if err := l.store.attend(ctx, line, epoch, last, came[:n], went[:m], returned); err != nil {
			return err
		}
		l.guests.marked(came[:n], lane)
		l.guests.marked(went[:m], "")
		if came, went = came[n:], went[m:]; last {
			return nil
		}
	}
}

// told is one ordinal that Redis is to be told of.
type told struct {
	place   ropeline.PlaceID
	ordinal int64
}

// returning is a place that was passed over and is here again.
type returning struct {
	place ropeline.PlaceID
	grace time.Duration
}

// returnMost bounds the returns of one call.
const returnMost = 500

// changes lists what Redis must be told.
func (gs *guests) changes(v *View, now time.Time) (came, went []told, back []returning, away, kept []ropeline.PlaceID) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for id, g := range gs.byPlace {
		if g.calm(v.lanes, now) {
			continue
		}
		p, here, epoch := g.place.Load(), g.present(now), v.lanes[g.lane].Epoch
		if p.Epoch != epoch || epoch == "" {
			continue
		}
		switch {
		case p.State == ropeline.PlaceWaiting && p.Back:
			if !here {
				away = append(away, id)
			} else if g.kept != epoch {
				kept = append(kept, id)
			}
		case p.State == ropeline.PlaceWaiting && !p.Beside && p.Ordinal >= 0:
			if here && g.marked != epoch {
				came = append(came, told{id, p.Ordinal})
			}
		case p.State == ropeline.PlacePassed && here && len(back) < returnMost:
			if !p.MissedAt.IsZero() && v.Now.Sub(p.MissedAt) < GraceOf(g.phone) {
				back = append(back, returning{id, GraceOf(g.phone)})
			}
		}
		if g.kept == epoch && !p.Back {
			away = append(away, id) // it had its turn
		}
		if !here && g.marked != "" {
			// In a new epoch, too: it may be that of another line of the sale.
			if p.Ordinal >= 0 {
				went = append(went, told{id, p.Ordinal})
			} else {
				g.marked = ""
			}
		}
	}
	return came, went, back, away, kept
}

// keeping notes for which comebacks Redis was told that they are here, as of this
// view; nil for that they are not.
func (gs *guests) keeping(ids []ropeline.PlaceID, v *View) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, id := range ids {
		if g := gs.byPlace[id]; g != nil {
			if g.kept = ""; v != nil {
				g.kept = v.lanes[g.lane].Epoch
			}
		}
	}
}

// marked notes what Redis was told.
func (gs *guests) marked(all []told, epoch string) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, t := range all {
		if g := gs.byPlace[t.place]; g != nil {
			g.marked = epoch
		}
	}
}

// putOff marks places to be looked up later.
func (gs *guests) putOff(ids []ropeline.PlaceID) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, id := range ids {
		if g := gs.byPlace[id]; g != nil {
			g.asking, gs.dirty[id] = false, true
		}
	}
}

// ticket returns what the ticket of a guest's place says of its order.
func (gs *guests) ticket(id ropeline.PlaceID) Ticket {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	t := Ticket{Place: id}
	if g := gs.byPlace[id]; g != nil {
		p := g.place.Load()
		t.Score, t.Party, t.Epoch = p.Score, p.Party, g.epoch
	}
	return t
}

// Recall takes in a place by its ticket while the line cannot be asked or has
// lost it: it is registered while the line settles, or put back afterwards.
func (l *Line) Recall(t Ticket, phone bool) Place {
	p := Place{ID: t.Place, State: ropeline.PlaceWaiting, Epoch: t.Epoch, Ordinal: -1, Score: t.Score, Party: t.party()}
	if v := l.View(); v != nil && !v.Drawn {
		p.State = ropeline.PlaceCollected
	}
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	g := l.guests.welcome(t, p, phone)
	if g == nil {
		return p
	}
	l.guests.dirty[t.Place] = true
	if known := *g.place.Load(); known.Party.Seat(t) == 0 { // another member came with an older ticket
		known.Party = Party(string(known.Party) + " " + t.tag())
		g.adopt(known)
	}
	return *g.place.Load()
}

// putBack gives a line that was lost what this edge remembers: the sale's
// settings if they are gone, its guests' places, and their turns.
func (l *Line) putBack(ctx context.Context) error {
	v := l.View()
	if err := l.store.restore(ctx, l.sale, l.charter, v.State); err != nil {
		return err
	}
	if err := l.store.recallUses(ctx, l.sale); err != nil {
		return err
	}
	if !l.settled {
		l.guests.unregister()
		l.settled = true
	}
	places, left, turns := l.guests.memories(v)
	for chunk := range slices.Chunk(parties(places), lookMost) {
		if err := l.store.recallParties(ctx, l.sale, chunk); err != nil {
			return err
		}
	}
	// First the turns: a line that settles too early must not offer them again.
	for chunk := range slices.Chunk(turns, lookMost) {
		if err := l.store.Reinstate(ctx, l.sale, chunk); err != nil {
			return err
		}
	}
	l.guests.registered(turns)
	if err := l.vouch(ctx); err != nil {
		return err
	}
	for i, p := range places {
		if p.Score == "" && v.Drawn { // its fan has not asked since the draw
			places[i].Score = l.charter.lobbyScore(p.ID)
		}
	}
	for len(places) > 0 || len(left) > 0 {
		n, m := min(len(places), lookMost), min(len(left), lookMost)
		err := l.store.register(ctx, l.sale, v.State, left[:m], places[:n])
		if errors.Is(err, errSteady) {
			return l.snapshot(ctx)
		}
		if err != nil {
			return err
		}
		l.guests.registered(places[:n])
		places, left = places[n:], left[m:]
	}
	return nil
}

// memories lists what has not been registered yet.
func (gs *guests) memories(v *View) (places []Place, left []ropeline.PlaceID, turns []Place) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.byPlace {
		p := g.place.Load()
		if g.registered || p.State == ropeline.PlaceLeft {
			continue
		}
		if reached, _ := scoreOf(v.standOf(p.ID).CursorScore); p.ordered(reached) {
			places = append(places, *p)
		}
		if p.Offer != nil {
			turns = append(turns, *p)
		}
	}
	for id := range gs.left {
		left = append(left, id)
	}
	return places, left, turns
}

func (gs *guests) unregister() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.byPlace {
		g.registered = false
		if g.moved != nil {
			g.moved.told = false
		}
	}
}

func (gs *guests) registered(places []Place) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, p := range places {
		if g := gs.byPlace[p.ID]; g != nil {
			g.registered = true
		}
	}
}

// charterKept is how long what would be written back is used before it is read
// again.
const charterKept = 2 * time.Second

// remember reads what would have to be written back if Redis lost the sale.
func (l *Line) remember(ctx context.Context) error {
	if now := time.Now(); now.Sub(l.charter.readAt) >= charterKept {
		c, err := l.store.charter(ctx, l.sale)
		if err != nil {
			return err
		}
		c.readAt = now
		l.charter = c
	}
	return nil
}
