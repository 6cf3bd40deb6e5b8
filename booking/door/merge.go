package door

import (
	"context"
	"slices"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// MostDecisions is how many a request brings: what fits into a body.
const MostDecisions = 100

// Decision is what a scanner without a network has decided.
type Decision struct {
	ID     string    `json:"id" doc:"a UUID that the scanner made when it read the code"`
	Code   string    `json:"code,omitempty" doc:"as it was read; left out: staff looked the ticket up"`
	Ticket string    `json:"ticket,omitempty"`
	Door   string    `json:"door"`
	Out    bool      `json:"out,omitempty"`
	Passed bool      `json:"passed" doc:"whether the door was opened"`
	At     time.Time `json:"at" doc:"by the scanner's clock, put right by as much as it knew to be off"`
}

// mostAgo is how old a decision is at most: whoever merges later has the wrong show.
const mostAgo = 7 * 24 * time.Hour

// Merge takes what a scanner has decided without a network. It refuses nothing: the doors were
// open. What is wrong with one that passed is its answer's reason; used means that somebody came
// in twice. The same decisions again are answered as before. They are taken one after the
// other in the order in which they were made: an out may follow an in.
func (s *Store) Merge(ctx context.Context, id ropeline.PerformanceID, device, who string, decisions []Decision) ([]Answer, error) {
	if len(decisions) < 1 || len(decisions) > MostDecisions {
		return nil, badScan("A scanner sends 1 to 100 decisions at a time.")
	}
	decisions = slices.Clone(decisions)
	slices.SortStableFunc(decisions, func(a, b Decision) int { return a.At.Compare(b.At) })
	now := s.now()
	reads := make([]read, len(decisions))
	for i := range decisions {
		d := &decisions[i]
		if d.At.Before(now.Add(-mostAgo)) {
			return nil, badScan("A decision is a week old at most.")
		}
		if d.At.After(now) { // it was not made tomorrow
			d.At = now
		}
		scan := Scan{Performance: id, ID: d.ID, Code: d.Code, Ticket: d.Ticket, Door: d.Door, Out: d.Out, Device: device, Who: who, offline: d}
		if err := scan.validate(); err != nil {
			return nil, err
		}
		reads[i] = s.read(scan)
	}
	answers, err := s.write(ctx, reads)
	if err != nil {
		return nil, away("merging scans of", id, err)
	}
	for _, a := range answers {
		if a.Reason == reused {
			return nil, ErrReused
		}
	}
	return answers, nil
}

// Double is a ticket with which somebody came in twice, because a scanner had no network.
type Double struct {
	Answer
	Door   string `json:"door"`
	Device string `json:"device"`
	Who    string `json:"who"`
}

// Doubles lists everybody who came in by a scanner without a network and should not have: by a
// ticket that was used, or that was not valid; the newest first.
func (s *Store) Doubles(ctx context.Context, id ropeline.PerformanceID, p booking.Page) (page []Double, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !booking.IsID(p.Cursor) {
		return nil, "", booking.ErrPage
	}
	rows, err := s.db.Query(ctx, `
		select s.id::text, s.passed, s.reason, s.at, s.zone, s.ticket_id::text, coalesce(k.order_id::text, ''), coalesce(k.label, ''), coalesce(r.name, ''), coalesce(nullif(k.name, ''), x.email, b.email, ''),
			s.door, s.device, s.who, f.id::text, f.at, coalesce(f.door, ''), coalesce(f.who, '')
		from scans s left join tickets k on k.performance_id = s.performance_id and k.id = s.ticket_id
			left join tiers r on r.performance_id = k.performance_id and r.id = k.tier_id
			left join orders o on o.performance_id = k.performance_id and o.id = k.order_id left join buyers b on b.id = o.buyer_id
			left join transfers x on x.id = k.holder
			left join scans f on f.performance_id = s.performance_id and f.id = s.before_scan
		where s.performance_id = $1 and s.offline and s.passed and s.reason <> '' and s.undone_at is null
			and ($2 = '' or (s.taken_at, s.id) < (select c.taken_at, c.id from scans c where c.performance_id = $1 and c.id = nullif($2, '')::uuid))
		order by s.taken_at desc, s.id desc limit $3`, id, p.Cursor, size+1)
	if err != nil {
		return nil, "", away("reading double entries of", id, err)
	}
	defer rows.Close()
	var all []Double
	for rows.Next() {
		var (
			d             Double
			ticket, first *string
			firstAt       *time.Time
			u             Use
		)
		if err := rows.Scan(&d.Scan, &d.Passed, &d.Reason, &d.At, &d.Zone, &ticket, &d.Order, &d.Seat, &d.Tier, &d.Holder, &d.Door, &d.Device, &d.Who, &first, &firstAt, &u.Door, &u.Who); err != nil {
			return nil, "", away("reading double entries of", id, err)
		}
		d.At = d.At.UTC()
		if ticket != nil {
			d.Ticket = *ticket
		}
		if first != nil && firstAt != nil {
			u.Scan, u.At = *first, firstAt.UTC()
			d.Used = &u
		}
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		return nil, "", away("reading double entries of", id, err)
	}
	page, next = booking.Cut(all, size, func(d Double) string { return d.Scan })
	return page, next, nil
}
