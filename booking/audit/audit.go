// Package audit writes down what organizers change, who did it and why, in the
// transaction that makes the change; the database refuses to have that changed. It also
// holds what whoever edits something has to say: which version they have seen, and a key
// if the request may come again.
package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Command is who changes something from the command line of the machine.
const Command = "command"

// Change says who changes something, and what they know.
type Change struct {
	Who    string // staff: and a name, or Command
	Reason string // 200 characters at most
	Key    string // of a request that may come again; empty: it does not

	// Seen is the newest version that they have seen, 0 for none: then it must not
	// be there yet. Anything goes if Blind is set.
	Seen  int
	Blind bool
}

// Refusals of a change.
var (
	ErrChanged = &ropeline.Error{Kind: ropeline.Conflict, Code: "changed-meanwhile", Status: http.StatusPreconditionFailed,
		Detail: "This is not what you have seen any more: somebody else has changed it. Read it again first. Nothing was changed."}
	ErrReason = &ropeline.Error{Kind: ropeline.Invalid, Code: "reason-invalid", Detail: "A reason has 1 to 200 characters that can be printed."}
)

// The kinds of change.
const (
	OfVenue   = "venue"
	OfProgram = "program"
	OfReserve = "reserve"
	OfRelease = "release"

	OfPlan         = "plan"
	OfSubscription = "subscription"

	OfEvent     = "event"
	OfPerformer = "performer"
	OfTour      = "tour"
	OfPicture   = "picture"
	OfDetails   = "details"
	OfState     = "state"
	OfApproval  = "approval"
	OfLook      = "look"

	OfOrganization = "organization"
	OfMember       = "member"
	OfInvitation   = "invitation"
	OfKey          = "key"

	OfPublication = "publication"
	OfNotice      = "notice"
	OfCodes       = "codes"
	OfWording     = "wording"
	OfDoor        = "door"
	OfScan        = "scan"

	OfNewsletter = "newsletter"
	OfPost       = "post"
	OfModeration = "moderation"
)

// Validate refuses a key or a reason that is none; needsReason says that there has to
// be one, but for Command.
func (c Change) Validate(needsReason bool) error {
	if c.Key != "" && !booking.IsKey(c.Key) {
		return booking.ErrKey
	}
	if len([]rune(c.Reason)) > 200 || !booking.IsPlain(c.Reason) || needsReason && c.Reason == "" && c.Who != Command {
		return ErrReason
	}
	return nil
}

// Edit is a line of what organizers have changed.
type Edit struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who" doc:"staff: and a name, or command"`
	What    string    `json:"what" enum:"door,scan,venue,program,reserve,release,plan,subscription,event,performer,tour,picture,details,state,approval,look,publication,codes,notice,wording,newsletter,post,moderation,organization,member,invitation,key"`
	Subject string    `json:"subject" doc:"the venue, the sale, the performance whose reserve it is, the plan, the account that has chosen one, the event, also of a message to its holders or of a post, the performer, the tour, the picture, the sale whose look, publication or codes it is, or the organization whose wording, newsletter, moderation, member, invitation or key it is"`
	Version int       `json:"version,omitempty" doc:"of the venue's map, the program or the plan, since then"`
	Name    string    `json:"name,omitempty" doc:"the name of codes, the letter and its language, the id of a reserve, a message, a newsletter, a post, a member, an invitation or a key, the slug of an organization, or the plan that was chosen"`
	Reason  string    `json:"reason,omitempty"`
}

// Note writes a change down, in the transaction that makes it. If it was made
// before, with the same key, that is what it returns, and found; ErrKeyReused if the
// key brought something else.
func (c Change) Note(ctx context.Context, tx pgx.Tx, e Edit, request ...string) (before Edit, found bool, err error) {
	var key *string
	sum := sha256.New()
	if c.Key != "" {
		key = &c.Key
		for _, part := range append([]string{e.What}, request...) {
			fmt.Fprintf(sum, "%d %s", len(part), part)
		}
	}
	hash := sum.Sum(nil)
	tag, err := tx.Exec(ctx, `insert into catalogue_changes (who, what, subject, version, name, reason, key, request)
		values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict on constraint catalogue_changes_key_once do nothing`,
		c.Who, e.What, e.Subject, e.Version, e.Name, c.Reason, key, hash)
	if err != nil || tag.RowsAffected() == 1 {
		return Edit{}, false, err
	}
	var same bool
	err = tx.QueryRow(ctx, `select subject, version, name, request = $3 from catalogue_changes where who = $1 and key = $2`, c.Who, c.Key, hash).
		Scan(&before.Subject, &before.Version, &before.Name, &same)
	if err == nil && !same {
		err = booking.ErrKeyReused
	}
	return before, true, err
}

// ErrBefore rolls a change back that was made before.
var ErrBefore = errors.New("it was made before")

// Changes lists what organizers have changed, of one venue, sale or performance or,
// with an empty subject, of all; the newest first.
func Changes(ctx context.Context, db *pgxpool.Pool, subject string, p booking.Page) (page []Edit, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	before := int64(1<<63 - 1)
	if p.Cursor != "" {
		if before, err = strconv.ParseInt(p.Cursor, 10, 64); err != nil || before < 1 {
			return nil, "", booking.ErrPage
		}
	}
	if !booking.IsPlain(subject) {
		return []Edit{}, "", nil
	}
	rows, err := db.Query(ctx, `select id, at, who, what, subject, version, name, reason from catalogue_changes
		where id < $1 and ($2 = '' or subject = $2) order by id desc limit $3`, before, subject, size+1)
	if err != nil {
		return nil, "", ropeline.ErrStoreAway.Because(fmt.Errorf("listing changes: %w", err))
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e Edit, err error) {
		err = r.Scan(&e.ID, &e.At, &e.Who, &e.What, &e.Subject, &e.Version, &e.Name, &e.Reason)
		e.At = e.At.UTC()
		return e, err
	})
	if err != nil {
		return nil, "", ropeline.ErrStoreAway.Because(fmt.Errorf("listing changes: %w", err))
	}
	page, next = booking.Cut(list, size, func(e Edit) string { return strconv.FormatInt(e.ID, 10) })
	return page, next, nil
}
