package guide

import (
	"context"
	"errors"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// State is how an event stands.
type State string

// The states. What was ever published is no draft again, and what is canceled stays so.
const (
	Draft     State = "draft"     // its organization alone sees it
	Published State = "published" // everybody does
	Postponed State = "postponed" // it will be later; what was sold stays good
	Canceled  State = "canceled"  // what was sold is refunded
)

// next are the states that may follow.
var next = map[State][]State{
	Draft:     {Published},
	Published: {Postponed, Canceled},
	Postponed: {Published, Canceled},
}

// Refusals about events.
var (
	ErrState   = &ropeline.Error{Kind: ropeline.Conflict, Code: "event-state", Detail: "An event cannot come from the state that it is in to that one. Nothing was changed."}
	ErrNoDraft = &ropeline.Error{Kind: ropeline.Conflict, Code: "event-published", Status: http.StatusConflict,
		Detail: "What was published, or has performances, is not deleted: people may have bought tickets. Cancel it instead. Nothing was changed."}
)

// Event is what one or several performances show.
type Event struct {
	Title      string            `json:"title"`
	About      string            `json:"about,omitempty" doc:"text of several lines, no markup"`
	Category   string            `json:"category,omitempty" doc:"its id; other if left out"`
	Performers []string          `json:"performers,omitempty" doc:"their ids, who comes first first"`
	Tour       string            `json:"tour,omitempty" doc:"its id"`
	Picture    string            `json:"picture,omitempty" doc:"its id"`
	Metadata   map[string]string `json:"metadata,omitempty" doc:"what you keep with it: up to 32 names of up to 200 characters, texts of up to 400"`
}

// KeptEvent is one that is kept.
type KeptEvent struct {
	ID          string     `json:"id"`
	Version     int        `json:"version"`
	State       State      `json:"state" enum:"draft,published,postponed,canceled"`
	PublishedAt *time.Time `json:"published_at,omitempty" doc:"when it was first"`

	Performances []ropeline.PerformanceID `json:"performances" doc:"by when they start"`
	Event
}

// maxPerformers bounds those of one event.
const maxPerformers = 50

func (e Event) validate() error {
	err := errors.Join(nameFault("A title", e.Title), textFault("about", e.About, MaxAbout), idFault(e.Picture, ErrPictureUnknown), idFault(e.Tour, ErrTourUnknown))
	if err != nil {
		return first(err)
	}
	if !slug.MatchString(e.category()) {
		return missing["events_category_fkey"]
	}
	if len(e.Performers) > maxPerformers {
		return invalid("An event has at most %d performers", maxPerformers)
	}
	seen := map[string]bool{}
	for _, id := range e.Performers {
		if !booking.IsID(id) {
			return ErrPerformerUnknown
		}
		if seen[id] {
			return invalid("A performer is named twice")
		}
		seen[id] = true
	}
	if len(e.Metadata) > MaxMetadata {
		return invalid("There are at most %d names of metadata", MaxMetadata)
	}
	for name, text := range e.Metadata {
		if err := nameFault("A name of metadata", name); err != nil {
			return err
		}
		if utf8.RuneCountInString(text) > MaxMetadataText || !booking.IsPlain(text) {
			return invalid("A text of metadata has at most %d characters that can be printed", MaxMetadataText)
		}
	}
	return nil
}

func (e Event) category() string {
	if e.Category == "" {
		return "other"
	}
	return e.Category
}

func (e Event) metadata() map[string]string {
	if e.Metadata == nil {
		return map[string]string{}
	}
	return e.Metadata
}

// CreateEvent keeps a new one, as a draft. The same key again makes none, and returns what
// it made.
func (s *Store) CreateEvent(ctx context.Context, e Event, by audit.Change) (k KeptEvent, err error) {
	if err := first(errors.Join(e.validate(), by.Validate(false))); err != nil {
		return k, err
	}
	e.Category = e.category()
	k = KeptEvent{Version: 1, State: Draft, Performances: []ropeline.PerformanceID{}, Event: e}
	if k.ID, err = booking.NewID(); err != nil {
		return k, err
	}
	before, err := s.create(ctx, audit.OfEvent, k.ID, e, by, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into events (id, title, about, category_id, tour_id, picture_id, metadata, state, published_at)
			values ($1, $2, $3, $4, nullif($5, '')::uuid, nullif($6, '')::uuid, $7, 'draft', null)`,
			k.ID, e.Title, e.About, e.Category, e.Tour, e.Picture, e.metadata()); err != nil {
			return err
		}
		return setPerformers(ctx, tx, k.ID, e.Performers)
	})
	if before != "" {
		return s.Event(ctx, before)
	}
	return k, err
}

// setPerformers says who is in an event.
func setPerformers(ctx context.Context, tx pgx.Tx, event string, performers []string) error {
	if _, err := tx.Exec(ctx, `delete from event_performers where event_id = $1`, event); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `insert into event_performers (event_id, performer_id, position)
		select $1, id, n from unnest($2::uuid[]) with ordinality as p (id, n)`, event, append([]string{}, performers...))
	return err
}

// PutEvent replaces the version that was seen; its state stays. What says the same is taken
// and is no new version.
func (s *Store) PutEvent(ctx context.Context, id string, e Event, by audit.Change) (KeptEvent, error) {
	if err := first(errors.Join(e.validate(), by.Validate(true))); err != nil {
		return KeptEvent{}, err
	}
	e.Category = e.category()
	now, err := s.Event(ctx, id)
	if err != nil || alike(now.Event, e) {
		return now, err
	}
	err = s.revise(ctx, audit.OfEvent, id, by, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `update events set title = $2, about = $3, category_id = $4, tour_id = nullif($5, '')::uuid,
			picture_id = nullif($6, '')::uuid, metadata = $7 where id = $1`, id, e.Title, e.About, e.Category, e.Tour, e.Picture, e.metadata()); err != nil {
			return err
		}
		return setPerformers(ctx, tx, id, e.Performers)
	})
	if err != nil {
		return KeptEvent{}, err
	}
	return s.Event(ctx, id)
}

// revise makes the next version of an event from the one that was seen.
func (s *Store) revise(ctx context.Context, what, id string, by audit.Change, do func(pgx.Tx) error) error {
	if !booking.IsID(id) {
		return ErrEventUnknown
	}
	return storeError("changing an event", pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update events set version = version + 1, updated_at = now() where id = $1 and version = $2`, id, by.Seen)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return stale(ctx, tx, "events", id, ErrEventUnknown)
		}
		if err := do(tx); err != nil {
			return err
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: what, Subject: id, Version: by.Seen + 1})
		return err
	}))
}

// SetState publishes, postpones or cancels an event, and with it those of its performances
// that are not over. In the state that it is in already it stays as it is.
func (s *Store) SetState(ctx context.Context, id string, to State, by audit.Change) (KeptEvent, error) {
	if err := by.Validate(true); err != nil {
		return KeptEvent{}, err
	}
	if now, err := s.Event(ctx, id); err != nil || now.State == to {
		return now, err
	}
	shows := map[State]string{Published: "scheduled", Postponed: "postponed", Canceled: "canceled"}[to]
	err := s.revise(ctx, audit.OfState, id, by, func(tx pgx.Tx) error {
		from := []State{}
		for state, may := range next {
			for _, follows := range may {
				if follows == to {
					from = append(from, state)
				}
			}
		}
		tag, err := tx.Exec(ctx, `update events set state = $2, published_at = coalesce(published_at, now()) where id = $1 and state = any($3)`, id, to, from)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrState
		}
		if to == Published {
			if err := approved(ctx, tx, id); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `update performances set state = $2 where event_id = $1 and state <> 'canceled' and starts_at > now()`, id, shows)
		return err
	})
	if err != nil {
		return KeptEvent{}, err
	}
	return s.Event(ctx, id)
}

// CopyEvent makes a draft of what an event says. Its performances are not copied: those
// are the program's.
func (s *Store) CopyEvent(ctx context.Context, id string, by audit.Change) (KeptEvent, error) {
	k, err := s.Event(ctx, id)
	if err != nil {
		return KeptEvent{}, err
	}
	return s.CreateEvent(ctx, k.Event, by)
}

// DeleteEvent deletes a draft that has no performances.
func (s *Store) DeleteEvent(ctx context.Context, id string, by audit.Change) error {
	if err := by.Validate(true); err != nil {
		return err
	}
	return s.revise(ctx, audit.OfEvent, id, by, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `delete from events where id = $1 and state = 'draft'
			and not exists (select from performances where event_id = $1) and not exists (select from products where event_id = $1)`, id)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNoDraft
		}
		return err
	})
}

const eventColumns = `e.id, e.version, e.state, e.published_at, e.title, e.about, e.category_id, coalesce(e.tour_id::text, ''), coalesce(e.picture_id::text, ''), e.metadata,
	array(select performer_id::text from event_performers p where p.event_id = e.id order by position),
	array(select id::text from performances p where p.event_id = e.id order by starts_at, id)`

func scanEvent(r pgx.CollectableRow) (k KeptEvent, err error) {
	err = r.Scan(&k.ID, &k.Version, &k.State, &k.PublishedAt, &k.Title, &k.About, &k.Category, &k.Tour, &k.Picture, &k.Metadata, &k.Performers, &k.Performances)
	if k.PublishedAt != nil {
		at := k.PublishedAt.UTC()
		k.PublishedAt = &at
	}
	return k, err
}

// Event reads one, in whatever state.
func (s *Store) Event(ctx context.Context, id string) (KeptEvent, error) {
	return one(ctx, s.db, id, scanEvent, ErrEventUnknown, `select `+eventColumns+` from events e where e.id = $1`)
}

// Events lists them, in the order in which they were made.
func (s *Store) Events(ctx context.Context, p booking.Page) (page []KeptEvent, next string, err error) {
	return list(ctx, s.db, p, scanEvent, func(k KeptEvent) string { return k.ID },
		`select `+eventColumns+` from events e where $1::uuid is null or e.id > $1 order by e.id limit $2`)
}
