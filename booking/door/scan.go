package door

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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
	Undone       Reason = "undone"              // it opened the door, was taken back since, and comes again
)

// Answer is what a scan comes to.
type Answer struct {
	Scan   string    `json:"scan"`
	Passed bool      `json:"passed" doc:"whether the door opens; of a scan without a network: whether it did"`
	Reason Reason    `json:"reason,omitempty" enum:"forged,foreign,code-version,unknown,other-performance,unpaid,canceled,disputed,old-holder,clock,printed-not-allowed,door-unknown,wrong-zone,used,not-inside,no-reentry,refused,undone"`
	At     time.Time `json:"at"`
	Zone   string    `json:"zone,omitempty"`

	Ticket string `json:"ticket,omitempty" doc:"its id, if there is one"`
	Order  string `json:"order,omitempty"`
	Seat   string `json:"seat,omitempty" doc:"section, row and seat; left out: it has none"`
	Tier   string `json:"tier,omitempty"`
	Holder string `json:"holder,omitempty" doc:"the name that the ticket bears, or the address of who has it"`

	Used   *Use       `json:"used,omitempty" doc:"by which scan the ticket was used before"`
	Undone *time.Time `json:"undone,omitempty" doc:"of a scan that is sent again: when it was taken back since. It opens nothing any more"`
	Off    int64      `json:"off,omitempty" doc:"seconds that the phone's clock is ahead, to a period of 15; negative: behind"`
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
	r := s.read(scan)
	a, err := s.scans.Do(ctx, r)
	if errors.Is(err, errAlone) || errors.Is(err, batch.ErrClosed) {
		var alone []Answer
		if alone, err = s.write(ctx, []read{r}); err == nil {
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

// scanTogether decides on what was scanned at about the same time: for each performance one
// statement, one commit.
func (s *Store) scanTogether(ctx context.Context, reads []read) []batch.Result[Answer] {
	of := map[ropeline.PerformanceID][]int{}
	for i, r := range reads {
		of[r.performance] = append(of[r.performance], i)
	}
	results := make([]batch.Result[Answer], len(reads))
	for _, places := range of {
		some := make([]read, len(places))
		for i, place := range places {
			some[i] = reads[place]
		}
		answers, err := s.write(ctx, some)
		if err != nil && len(some) > 1 {
			err = errAlone
		}
		for i, place := range places {
			if results[place].Err = err; err == nil {
				results[place].Value = answers[i]
			}
		}
	}
	return results
}

// reused is no reason: the id is of another scan.
const reused Reason = "\x00"

// read is a scan and what its code says by itself, before anything is asked: an object of what
// door_scans is asked.
type read struct {
	performance ropeline.PerformanceID
	off         int64

	N         int        `json:"n"`
	Scan      string     `json:"scan"`
	Way       string     `json:"way"`
	Ticket    string     `json:"ticket,omitempty"`
	Printed   string     `json:"printed,omitempty"`
	Issue     int        `json:"issue,omitempty"`
	Verdict   Reason     `json:"verdict"`
	Door      string     `json:"door"`
	Direction string     `json:"direction"`
	Device    string     `json:"device"`
	Who       string     `json:"who"`
	Said      *bool      `json:"said,omitempty"`
	Happened  *time.Time `json:"happened,omitempty"`
}

// read parses and verifies. A ticket of a code that is not genuine is not believed.
func (s *Store) read(scan Scan) read {
	r := read{performance: scan.Performance, Scan: scan.ID, Way: "none", Door: scan.Door, Direction: "in", Device: scan.Device, Who: scan.Who}
	if scan.Out {
		r.Direction = "out"
	}
	at := s.now()
	if o := scan.offline; o != nil {
		r.Said, r.Happened, at = &o.Passed, &o.At, o.At
	}
	if scan.Ticket != "" {
		r.Way, r.Ticket = "hand", scan.Ticket
		return r
	}
	c, err := ticket.Parse(scan.Code)
	switch {
	case errors.Is(err, ticket.ErrVersion):
		r.Verdict = Newer
		return r
	case err != nil:
		r.Verdict = Foreign
		return r
	case c.Printed != "":
		r.Way, r.Printed = "printed", c.Printed
		return r
	}
	r.Way = "phone"
	err = s.keys.Verify(c, at)
	var period *ticket.PeriodError
	switch {
	case errors.As(err, &period):
		r.Verdict, r.off = Clock, int64(period.Off()/time.Second)
	case err != nil:
		r.Verdict = Forged
		return r
	}
	r.Ticket, r.Issue = c.Ticket, c.Issue
	return r
}

// write decides on scans of one performance, in their order.
func (s *Store) write(ctx context.Context, reads []read) ([]Answer, error) {
	answers := make([]Answer, 0, len(reads))
	for len(reads) > 0 {
		n, of := 0, map[string]bool{} // each id once in a statement: which of two is the same again, none could tell
		for n < len(reads) && !of[reads[n].Scan] {
			of[reads[n].Scan] = true
			n++
		}
		some, err := s.decide(ctx, reads[:n])
		if odd, is := errors.AsType[*pgconn.PgError](err); is && (odd.Code == "23505" || odd.Code == "40P01") {
			// Another core was sent the same scan, and has written it now; or tickets were held in
			// another order than by their ids, as where payments end together or a person is erased.
			some, err = s.decide(ctx, reads[:n])
		}
		if err != nil {
			return nil, err
		}
		answers, reads = append(answers, some...), reads[n:]
	}
	return answers, nil
}

// decide decides on scans in one statement.
func (s *Store) decide(ctx context.Context, reads []read) ([]Answer, error) {
	for i := range reads {
		reads[i].N = i + 1
	}
	asked, err := json.Marshal(reads)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, `
		select n, passed, reason, at, zone, coalesce(ticket_id::text, ''), coalesce(order_id::text, ''), coalesce(label, ''), coalesce(tier, ''), coalesce(holder, ''),
			used_scan::text, used_at, coalesce(used_door, ''), coalesce(used_who, ''), undone_at, reused
		from door_scans($1, $2)`, reads[0].performance, asked)
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, len(reads))
	got, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (int, error) {
		var (
			i      int
			a      Answer
			used   *string
			u      Use
			usedAt *time.Time
			other  bool
		)
		if err := r.Scan(&i, &a.Passed, &a.Reason, &a.At, &a.Zone, &a.Ticket, &a.Order, &a.Seat, &a.Tier, &a.Holder, &used, &usedAt, &u.Door, &u.Who, &a.Undone, &other); err != nil {
			return 0, err
		}
		if i--; i < 0 || i >= len(reads) {
			return 0, fmt.Errorf("an answer to scan %d of %d", i, len(reads))
		}
		a.Scan, a.At = reads[i].Scan, a.At.UTC()
		if used != nil && usedAt != nil {
			u.Scan, u.At = *used, usedAt.UTC()
			a.Used = &u
		}
		if a.Undone != nil {
			*a.Undone = a.Undone.UTC()
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
	if err == nil && len(got) != len(reads) {
		err = fmt.Errorf("%d answers to %d scans", len(got), len(reads))
	}
	return answers, err
}
