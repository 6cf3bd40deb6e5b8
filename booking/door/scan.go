package door

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/internal/batch"
)

// Scan is what a scanner has read.
type Scan struct {
	Performance ropeline.PerformanceID
	ID          string // made by the scanner; the same one is the same scan
	Code        string // as it was read, or
	Ticket      string // the id of one that staff have looked up
	Door        string
	Out         bool
	Device      string
	Who         string // staff: and a name

	offline *Decision
}

// Reason says why a door stays closed; and of one that was opened without a network, what is
// wrong with that.
type Reason string

// The reasons.
const (
	Forged       Reason = "forged"              // not made by the ticket's phone
	Foreign      Reason = "foreign"             // no code of ours
	Newer        Reason = "code-version"        // a form that we do not know yet
	Unknown      Reason = "unknown"             // a printed code that no ticket has
	Elsewhere    Reason = "other-performance"   // a ticket of another performance
	Unpaid       Reason = "unpaid"              //
	Canceled     Reason = "canceled"            // or refunded, or exchanged
	Disputed     Reason = "disputed"            // the bank wants the money back
	OldHolder    Reason = "old-holder"          // it was given to somebody else since
	Clock        Reason = "clock"               // a genuine code of another time
	NoPaper      Reason = "printed-not-allowed" //
	NoDoor       Reason = "door-unknown"        //
	WrongZone    Reason = "wrong-zone"          // the door is for other areas
	Used         Reason = "used"                //
	NotInside    Reason = "not-inside"          // nobody goes out who is not in
	NoReentry    Reason = "no-reentry"          // nobody is scanned out where nobody may come back
	RefusedThere Reason = "refused"             // by a scanner without a network, and not by us
)

// Answer is what a scan comes to.
type Answer struct {
	Scan   string    `json:"scan"`
	Passed bool      `json:"passed" doc:"whether the door opens; of a scan without a network: whether it did"`
	Reason Reason    `json:"reason,omitempty" enum:"forged,foreign,code-version,unknown,other-performance,unpaid,canceled,disputed,old-holder,clock,printed-not-allowed,door-unknown,wrong-zone,used,not-inside,no-reentry,refused"`
	At     time.Time `json:"at"`
	Zone   string    `json:"zone,omitempty"`

	Ticket string `json:"ticket,omitempty" doc:"its id, if there is one"`
	Order  string `json:"order,omitempty"`
	Seat   string `json:"seat,omitempty" doc:"section, row and seat; left out: it has none"`
	Tier   string `json:"tier,omitempty"`
	Holder string `json:"holder,omitempty" doc:"the name that the ticket bears, or the address of who has it"`

	Used *Use  `json:"used,omitempty" doc:"by which scan the ticket was used before"`
	Off  int64 `json:"off,omitempty" doc:"seconds that the phone's clock is ahead, to a period of 15; negative: behind"`
}

// Use says when and where a ticket has opened a door.
type Use struct {
	Scan string    `json:"scan"`
	At   time.Time `json:"at"`
	Door string    `json:"door"`
	Who  string    `json:"who"`
}

func badScan(detail string) error {
	e := *ErrScan
	e.Detail = detail
	return &e
}

func (s Scan) validate() error {
	switch {
	case !booking.IsID(s.ID):
		return badScan("The id of a scan is a UUID that the scanner makes.")
	case (s.Code == "") == (s.Ticket == ""):
		return badScan("A scan is of a code, or of a ticket that was looked up.")
	case s.Ticket != "" && !booking.IsID(s.Ticket):
		return badScan("A ticket's id is a UUID.")
	case len(s.Code) > 500:
		return badScan("No code has more than 500 characters.")
	case !isName(s.Door, 40):
		return badScan("A door has a name of 1 to 40 characters.")
	case !deviceName.MatchString(s.Device):
		return badScan("A device has a name of 1 to 40 letters, digits, spaces, dots and hyphens.")
	}
	return nil
}

// Scan decides. One that is not well-formed is an error; whatever is read is an answer.
func (s *Store) Scan(ctx context.Context, scan Scan) (Answer, error) {
	if err := scan.validate(); err != nil {
		return Answer{}, err
	}
	a, err := s.scans.Do(ctx, scan)
	if errors.Is(err, errAlone) || errors.Is(err, batch.ErrClosed) {
		var alone []Answer
		if alone, err = s.write(ctx, []Scan{scan}); err == nil {
			a = alone[0]
		}
	}
	if err == nil && a.Reason == reused {
		err = ErrReused
	}
	return a, away("scanning for", scan.Performance, err)
}

// errAlone sends those of a group that failed on by themselves.
var errAlone = errors.New("the group was rolled back")

// scanTogether decides on what was scanned at about the same time: one statement, one commit.
func (s *Store) scanTogether(ctx context.Context, scans []Scan) []batch.Result[Answer] {
	results := make([]batch.Result[Answer], len(scans))
	answers, err := s.write(ctx, scans)
	if err != nil && len(scans) > 1 {
		err = errAlone
	}
	for i := range results {
		if results[i].Err = err; err == nil {
			results[i].Value = answers[i]
		}
	}
	return results
}

// reused is no reason: the id is of another scan.
const reused Reason = "\x00"

// read is what a code says by itself, before anything is asked.
type read struct {
	way     string
	ticket  *string
	printed *string
	issue   int
	verdict Reason
	off     int64
}

// read parses and verifies. A ticket of a code that is not genuine is not believed.
func (s *Store) read(scan Scan) read {
	if scan.Ticket != "" {
		return read{way: "hand", ticket: &scan.Ticket}
	}
	c, err := ticket.Parse(scan.Code)
	switch {
	case errors.Is(err, ticket.ErrVersion):
		return read{way: "none", verdict: Newer}
	case err != nil:
		return read{way: "none", verdict: Foreign}
	case c.Printed != "":
		return read{way: "printed", printed: &c.Printed, verdict: Unknown}
	}
	at := s.now()
	if scan.offline != nil {
		at = scan.offline.At
	}
	public, err := s.keys.Public(c.Key, c.Ticket, c.Issue)
	if err == nil {
		err = c.Verify(public, at)
	}
	r := read{way: "phone", ticket: &c.Ticket, issue: c.Issue}
	var period *ticket.PeriodError
	switch {
	case errors.As(err, &period):
		r.verdict, r.off = Clock, int64(period.Off()/time.Second)
	case err != nil:
		return read{way: "phone", verdict: Forged}
	}
	return r
}

// write decides on scans in one statement. They are taken in the order of their tickets, so
// that no two statements wait for each other.
func (s *Store) write(ctx context.Context, scans []Scan) ([]Answer, error) {
	n := len(scans)
	performances, ids, tickets, printed, issues, verdicts := make([]string, n), make([]string, n), make([]*string, n), make([]*string, n), make([]int, n), make([]string, n)
	ways, doors, directions, devices, whos, said, at := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]*bool, n), make([]*time.Time, n)
	reads := make([]read, n)
	for i, scan := range scans {
		r := s.read(scan)
		reads[i] = r
		performances[i], ids[i], tickets[i], printed[i], issues[i], verdicts[i] = string(scan.Performance), scan.ID, r.ticket, r.printed, r.issue, string(r.verdict)
		ways[i], doors[i], directions[i], devices[i], whos[i] = r.way, scan.Door, "in", scan.Device, scan.Who
		if scan.Out {
			directions[i] = "out"
		}
		if o := scan.offline; o != nil {
			said[i], at[i] = &o.Passed, &o.At
		}
	}
	rows, err := s.db.Query(ctx, `
		with asked as materialized (
			select s.*, coalesce(s.ticket, t.id) as found, case when t.id is null then s.verdict else '' end as why
			from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bool[], $13::timestamptz[])
				with ordinality as s (performance, scan, ticket, printed, issue, verdict, way, door, direction, device, who, said, happened, n)
				left join tickets t on t.performance_id = s.performance and t.code = s.printed
			order by 15, n
		)
		select a.n, a.found::text, d.passed, d.reason, d.at, d.zone, d.order_id::text, coalesce(d.label, ''), coalesce(d.tier, ''), coalesce(d.holder, ''),
			d.used_scan::text, d.used_at, coalesce(d.used_door, ''), coalesce(d.used_who, ''), d.reused
		from asked a cross join lateral door_scan(a.performance, a.scan, a.found, a.issue, a.why, a.way, a.door, a.direction, a.device, a.who, a.said, a.happened) d`,
		performances, ids, tickets, printed, issues, verdicts, ways, doors, directions, devices, whos, said, at)
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, n)
	got, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (int, error) {
		var (
			i                  int
			a                  Answer
			found, order, used *string
			u                  Use
			usedAt             *time.Time
			other              bool
		)
		if err := r.Scan(&i, &found, &a.Passed, &a.Reason, &a.At, &a.Zone, &order, &a.Seat, &a.Tier, &a.Holder, &used, &usedAt, &u.Door, &u.Who, &other); err != nil {
			return 0, err
		}
		if i--; i < 0 || i >= n {
			return 0, fmt.Errorf("an answer to scan %d of %d", i, n)
		}
		a.Scan, a.At = ids[i], a.At.UTC()
		if order != nil { // else it is none of this performance's
			a.Ticket, a.Order = *found, *order
		}
		if used != nil && usedAt != nil {
			u.Scan, u.At = *used, usedAt.UTC()
			a.Used = &u
		}
		if a.Reason == Clock {
			a.Off = reads[i].off
		}
		if other {
			a.Reason = reused
		}
		answers[i] = a
		return i, nil
	})
	if err == nil && len(got) != n {
		err = fmt.Errorf("%d answers to %d scans", len(got), n)
	}
	return answers, err
}
