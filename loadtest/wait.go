package loadtest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// news is what a fan learns while waiting.
type news int

const (
	nothing news = iota // listen again
	offered             // it is the fan's turn
	over                // nothing will come of this place
	missed              // the turn was not taken, and may be had again
)

// wait stands in the line until the fan's turn has come, and reports whether
// it has. A fan whose patience ends leaves.
func (f *fan) wait(ctx context.Context) bool {
	leaveAt, napAt := time.Time{}, time.Time{}
	if f.Leaves > 0 {
		leaveAt = time.Now().Add(f.Leaves)
	}
	if f.Naps > 0 {
		napAt = time.Now().Add(f.Naps)
	}
	for ctx.Err() == nil {
		until := time.Time{}
		if f.Reconnects > 0 {
			until = time.Now().Add(f.Reconnects)
		}
		for _, at := range []time.Time{leaveAt, napAt} {
			if !at.IsZero() && (until.IsZero() || at.Before(until)) {
				until = at
			}
		}
		switch f.stand(ctx, until) {
		case offered:
			return true
		case over:
			return false
		case missed:
			f.h.Regained = true
			if !f.rejoin(ctx) {
				return false
			}
			continue
		}
		if !napAt.IsZero() && !time.Now().Before(napAt) {
			napAt = time.Time{}
			if !f.nap(ctx) {
				return false
			}
			continue
		}
		if !leaveAt.IsZero() && !time.Now().Before(leaveAt) {
			f.leave(ctx)
			return false
		}
		if f.Rejoins && !f.rejoin(ctx) {
			return false
		}
	}
	return false
}

// stand waits in one place, by socket or by polling, at most until then (zero:
// no limit).
func (f *fan) stand(ctx context.Context, until time.Time) news {
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	if f.Poller {
		return f.poll(ctx)
	}
	return f.listen(ctx)
}

// learn takes in a status and says what it means for the wait.
func (f *fan) learn(s wire.Status) news {
	f.see(s)
	switch s.State {
	case ropeline.PlaceOffered:
		return offered
	case ropeline.PlaceExpired:
		if s.ReturnBy != nil && f.NapsFor > 0 && !f.h.Regained {
			return missed
		}
		f.h.Passed = f.h.Offer == 0
		f.h.End = "turn missed"
		return over
	case ropeline.PlaceActive:
		if f.h.Party != 0 { // a friend was quicker: the session is for all
			return offered
		}
		return f.ended(s.State)
	case ropeline.PlaceDone:
		if f.h.Party != 0 {
			f.h.Passed = true
			f.h.End = "friends were quicker"
			return over
		}
		return f.ended(s.State)
	case ropeline.PlaceLeft:
		return f.ended(s.State)
	}
	return nothing
}

// ended notes an end that was this fan's to make, and nobody else's.
func (f *fan) ended(state ropeline.PlaceState) news {
	f.vanish()
	f.h.End = "place ended as " + string(state)
	return over
}

// poll asks again and again, when it was told to.
func (f *fan) poll(ctx context.Context) news {
	for {
		s, a := f.look(ctx)
		switch {
		case a.Status == http.StatusGone:
			return f.vanish()
		case a.ok():
			if n := f.learn(s); n != nothing {
				return n
			}
		}
		wait := max(a.RetryAfter, time.Duration(s.NextContact)*time.Second, 500*time.Millisecond)
		f.rest()
		if !sleep(ctx, wait) {
			return nothing
		}
	}
}

// look asks once where the place stands.
func (f *fan) look(ctx context.Context) (wire.Status, answer) {
	a := f.do(ctx, request{method: http.MethodGet, path: f.place + "/place", bearer: f.ticket})
	var s wire.Status
	if a.ok() && a.decode(&s) != nil {
		a.Status = 0
	}
	return s, a
}

// vanish notes that the line does not know the place any more.
func (f *fan) vanish() news {
	f.h.Gone = true
	f.h.End = "place lost"
	return over
}

// listen holds a socket until it brings news or closes.
func (f *fan) listen(ctx context.Context) news {
	header := http.Header{}
	header.Set("Authorization", "Bearer "+f.ticket)
	header.Set(wire.AppHeader, "1")
	if f.phone {
		header.Set("User-Agent", phoneAgent)
	}
	base := "ws" + strings.TrimPrefix(f.target.now.Load().edge(f.edge), "http")
	dialing, cancel := context.WithTimeout(ctx, patience)
	conn, res, err := websocket.Dial(dialing, base+f.place+"/place/live", &websocket.DialOptions{HTTPClient: f.http, HTTPHeader: header})
	cancel()
	if err != nil {
		if res != nil && res.StatusCode == http.StatusGone {
			return f.vanish()
		}
		f.meter.count("socket refused")
		f.edge++
		return f.later(ctx)
	}
	f.meter.count("sockets opened")
	f.rest()
	defer conn.CloseNow()
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return f.closed(ctx, websocket.CloseStatus(err))
		}
		var s wire.Status
		if json.Unmarshal(frame, &s) != nil {
			f.meter.count("frames not understood")
			continue
		}
		f.meter.count("frames")
		if n := f.learn(s); n != nothing {
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return n
		}
	}
}

// closed does what a close code asks for: poll, come back, or look what has
// become of the place.
func (f *fan) closed(ctx context.Context, code websocket.StatusCode) news {
	switch code {
	case wire.CloseOverload:
		f.meter.count("sockets sent to poll")
		return f.poll(ctx)
	case wire.CloseFinal:
		s, a := f.look(ctx)
		if a.Status == http.StatusGone {
			return f.vanish()
		}
		if a.ok() {
			if n := f.learn(s); n != nothing {
				return n
			}
		}
	}
	return f.later(ctx)
}

// later waits a jittered moment before coming back.
func (f *fan) later(ctx context.Context) news {
	sleep(ctx, 200*time.Millisecond+time.Duration(f.rng.Int64N(int64(time.Second))))
	return nothing
}

// rejoin joins again with the ticket: the same place must answer.
func (f *fan) rejoin(ctx context.Context) bool {
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: f.place + "/place", bearer: f.ticket, body: struct{}{}})
	var s wire.Status
	if !a.ok() || a.decode(&s) != nil {
		return true // listening again says more
	}
	if a.Status == http.StatusCreated {
		f.replaced(ctx, s.Ticket)
		return false
	}
	f.see(s)
	return true
}

// nap is away for a while, and comes back, perhaps from elsewhere.
func (f *fan) nap(ctx context.Context) bool {
	b := f.hall.board
	b.waiting.Add(-1) // nobody may take a line of sleepers for one that is stuck
	defer b.waiting.Add(1)
	grace := queueGrace
	if f.phone {
		grace = queueGracePhone
	}
	n := Nap{From: f.clock.since(), Grace: grace}
	f.rest()
	slept := sleep(ctx, f.NapsFor)
	if slept {
		n.To = f.clock.since()
		b.woke.Store(int64(n.To))
		if f.Moves {
			old := f.client
			f.client = newClient(source(addressMoved+f.h.Fan), old.target, old.clock, old.meter)
			f.client.edge, f.client.phone = old.edge+1, old.phone
		}
		f.Poller = f.Poller || f.ToPolling
	}
	f.h.Naps = append(f.h.Naps, n)
	f.woke = slept
	return slept
}

// How long the product lets people return, as it says of itself.
const (
	queueGrace      = 3 * time.Minute
	queueGracePhone = 10 * time.Minute
)

// replaced gives a second place back, and asks what became of the first: its
// turn may have been missed, or the line lost it.
func (f *fan) replaced(ctx context.Context, second string) {
	f.insist(ctx, f.rng, tries, request{method: http.MethodDelete, path: f.place + "/place", bearer: second})
	if s, a := f.look(ctx); a.ok() {
		f.learn(s)
	} else {
		f.vanish()
	}
}

// leave gives the place up.
func (f *fan) leave(ctx context.Context) {
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodDelete, path: f.place + "/place", bearer: f.ticket})
	f.h.Leave = a.Call
}
