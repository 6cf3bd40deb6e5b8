// Package door decides who may enter, and writes down who did.
//
// The one hard idea is that a ticket opens a door once, across all scanners: a row for each
// ticket and zone (door_entries), in the one function of Postgres that decides, door_scans,
// and that holds the ticket's own row meanwhile, so that two scanners in the same millisecond
// get one yes. Scans that come together are decided together, by one call, one commit.
// Whatever a scan is told is kept with it, by an id that the scanner makes: one that is sent
// again, because its answer was lost, is answered as before and changes nothing (but one that
// was taken back since opens nothing any more). What a kill leaves is a scan that is written
// whole, or not at all.
//
// A scanner without a network decides by a list (List), which is signed, and has in it what
// tells a genuine code and nothing to make one with. What it has decided comes later (Merge):
// the door was open then, so nothing is refused; whoever got in twice is reported.
//
// Codes are read and verified in the process (package ticket), since that takes no database.
// The package does not know who may do what: the guards of booking/api do.
package door

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/internal/batch"
)

// Refusals.
var (
	ErrSettings = &ropeline.Error{Kind: ropeline.Invalid, Code: "door-invalid"}
	ErrScan     = &ropeline.Error{Kind: ropeline.Invalid, Code: "scan-invalid"}
	ErrReused   = &ropeline.Error{Kind: ropeline.Invalid, Code: "scan-reused", Detail: "This id was used for another scan. Make a new one for each."}
	ErrUnknown  = &ropeline.Error{Kind: ropeline.NotFound, Code: "scan-unknown", Detail: "There is no such scan."}
	ErrNothing  = &ropeline.Error{Kind: ropeline.Conflict, Code: "scan-refused", Detail: "This scan opened no door: there is nothing to undo."}
	ErrMoved    = &ropeline.Error{Kind: ropeline.Conflict, Code: "scan-moved-on", Detail: "The ticket was scanned again since, or this scan came second: undo the last one that let it in."}
	ErrKeyless  = &ropeline.Error{Kind: ropeline.Conflict, Code: "door-keyless", Detail: "There are no lists for scanners here: this installation has no ticket.key."}
)

// Store keeps doors and scans in Postgres.
type Store struct {
	// Static after New.
	db    *pgxpool.Pool
	keys  ticket.Keys
	now   func() time.Time // by which codes are judged
	scans *batch.Gatherer[read, Answer]

	listing chan struct{} // holds one while a list is made, which takes 20 µs a ticket
}

const (
	scanGroup    = 32 // of one statement: what a statement costs by itself is 1 ms; two go at once when the next is half full
	scanBacklog  = 4096
	scanPatience = 5 * time.Second
)

// New returns a Store. Without keys there are printed codes only. Whoever scans closes it.
func New(db *pgxpool.Pool, keys ticket.Keys, now func() time.Time) *Store {
	s := &Store{db: db, keys: keys, now: now, listing: make(chan struct{}, 1)}
	s.scans = batch.New(scanGroup, scanBacklog, scanPatience, s.scanTogether)
	return s
}

// Close waits for the scans that are under way.
func (s *Store) Close() { s.scans.Close() }

// Settings are the rules of a performance's doors.
type Settings struct {
	Version int    `json:"version" doc:"0: nobody has set any; there is one door then, Main entrance, that everybody may pass once"`
	Printed bool   `json:"printed" doc:"whether printed codes open doors"`
	Reentry bool   `json:"reentry" doc:"whether who was scanned out may come in again"`
	Doors   []Door `json:"doors" nullable:"false" maxItems:"50"`
}

// Door is a place where people are let in, or out.
type Door struct {
	Name  string   `json:"name" doc:"1 to 40 characters, once"`
	Zone  string   `json:"zone,omitempty" doc:"that it leads into: a ticket enters each zone once. Doors of the same zone are one"`
	Areas []string `json:"areas,omitempty" nullable:"false" maxItems:"100" doc:"sections and tiers whose tickets may pass, by their names; left out: all"`
}

// Main is the door where nobody has set any.
const Main = "Main entrance"

func defaults() Settings { return Settings{Printed: true, Doors: []Door{{Name: Main}}} }

func refuse(detail string, args ...any) error {
	e := *ErrSettings
	e.Detail = fmt.Sprintf(detail, args...)
	return &e
}

func isName(s string, most int) bool {
	return s != "" && len([]rune(s)) <= most && booking.IsPlain(s)
}

func (s Settings) validate() error {
	if len(s.Doors) < 1 || len(s.Doors) > 50 {
		return refuse("There are 1 to 50 doors.")
	}
	names := map[string]bool{}
	for _, d := range s.Doors {
		if !isName(d.Name, 40) || names[d.Name] {
			return refuse("A door has a name of 1 to 40 characters, and no other has the same: %.60q.", d.Name)
		}
		names[d.Name] = true
		if d.Zone != "" && !isName(d.Zone, 40) {
			return refuse("A zone has a name of at most 40 characters: %.60q.", d.Zone)
		}
		if len(d.Areas) > 100 {
			return refuse("A door has at most 100 areas.")
		}
	}
	return nil
}

// Settings reads the rules of a performance, which must be there.
func (s *Store) Settings(ctx context.Context, id ropeline.PerformanceID) (Settings, error) {
	return settings(ctx, s.db, id)
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func settings(ctx context.Context, db querier, id ropeline.PerformanceID) (Settings, error) {
	var k Settings
	err := db.QueryRow(ctx, `select version, printed, reentry, doors from door_settings where performance_id = $1`, id).Scan(&k.Version, &k.Printed, &k.Reentry, &k.Doors)
	if errors.Is(err, pgx.ErrNoRows) {
		return defaults(), nil
	}
	if err != nil {
		return k, away("reading the doors of", id, err)
	}
	return k, nil
}

// Put sets the rules. What was scanned stays as it is. Which sections and tiers there are is
// looked at: a door for an area that is misspelt would let nobody in.
func (s *Store) Put(ctx context.Context, id ropeline.PerformanceID, k Settings, by audit.Change) (Settings, error) {
	if err := errors.Join(k.validate(), by.Validate(false)); err != nil {
		return k, err
	}
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := known(ctx, tx, id, k); err != nil {
			return err
		}
		old, err := settings(ctx, tx, id)
		if err != nil {
			return err
		}
		if same := k; old.Version > 0 && by.Seen == old.Version-1 { // the same again, since the answer was lost
			if same.Version = old.Version; reflect.DeepEqual(same, old) {
				k = old
				return nil
			}
		}
		k.Version = old.Version + 1
		if !by.Blind && by.Seen != old.Version {
			return audit.ErrChanged
		}
		tag, err := tx.Exec(ctx, `insert into door_settings as s (performance_id, version, printed, reentry, doors) values ($1, $2, $3, $4, $5)
			on conflict (performance_id) do update set version = $2, printed = $3, reentry = $4, doors = $5, changed_at = now() where s.version = $2 - 1`,
			id, k.Version, k.Printed, k.Reentry, k.Doors)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 || old.Version == 0 && k.Version != 1 {
			return audit.ErrChanged
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfDoor, Subject: string(id), Version: k.Version})
		return err
	})
	return k, away("setting the doors of", id, err)
}

// known refuses areas that a performance has not.
func known(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID, k Settings) error {
	for _, d := range k.Doors {
		for _, area := range d.Areas {
			var is bool
			err := tx.QueryRow(ctx, `select exists (select from tiers where performance_id = $1 and name = $2) or exists (select from seat_rows where performance_id = $1 and section = $2)`, id, area).Scan(&is)
			if err != nil {
				return err
			}
			if !is {
				return refuse("There is no section and no tier %.60q: the door %q would let nobody in.", area, d.Name)
			}
		}
	}
	return nil
}

var deviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$`)

// away says what could not be done for want of Postgres; refusals of ours stay as they are.
func away(doing string, of any, err error) error {
	var ours *ropeline.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s %v: %w", doing, of, err))
}
