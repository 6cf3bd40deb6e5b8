package loadtest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/ropeline/ropeline/edge/wire"
)

// party is a group of friends who come one after the other. The first of them
// takes a place and the others join it by the link, which they wait for.
type party struct {
	first  int           // number of the fan who takes the place
	opened chan struct{} // closed when code is what it will be
	code   string        // "": nothing came of it, and everybody comes alone
}

func newParty(first int) *party { return &party{first: first, opened: make(chan struct{})} }

// partySizes are those of the parties that ten fans make.
var partySizes = []int{2, 3, 5}

// partyMost is the largest of them.
const partyMost = 5

// friends says in whose party fan n comes: the number of its first. Tens of fans
// share or do not, evenly over the arrivals.
func (m Mix) friends(n int) (first int, any bool) {
	if n/10*m.Parties%10 >= m.Parties {
		return 0, false
	}
	first = n / 10 * 10
	for _, size := range partySizes {
		if n < first+size {
			break
		}
		first += size
	}
	return first, true
}

// arrive takes a place, or a seat in a friend's. Who is too late for the
// friends comes alone.
func (f *fan) arrive(ctx context.Context) bool {
	switch {
	case f.hall.about.SafetyNet && !f.ToRoom:
		return f.open(ctx)
	case f.party == nil:
		return f.join(ctx)
	case f.party.first == f.h.Fan:
		defer close(f.party.opened)
		return f.join(ctx) && f.invite(ctx)
	}
	select {
	case <-f.party.opened:
	case <-ctx.Done():
		return false
	}
	return f.party.code != "" && f.follow(ctx) || f.join(ctx)
}

// invite opens the fan's place to friends. Without an answer there is no party.
func (f *fan) invite(ctx context.Context) bool {
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: f.place + "/place/party", bearer: f.ticket, body: struct{}{}})
	var link wire.Invite
	if a.ok() && a.decode(&link) == nil {
		f.party.code, f.h.Party = link.Code, f.party.first+1
	}
	return true
}

// follow joins the friends, and reports whether they had a seat. A join whose
// answer was lost is repeated as the same member.
func (f *fan) follow(ctx context.Context) bool {
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: f.place + "/place/party/join",
		body: wire.JoinParty{Code: f.party.code, Device: fmt.Sprintf("device-of-fan-%016x", f.rng.Uint64())}})
	if !f.stands(a) {
		return false
	}
	f.h.Party, f.h.Guest = f.party.first+1, true
	return true
}
