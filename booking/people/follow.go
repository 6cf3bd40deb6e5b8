package people

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// FollowMost is how many performers an account follows at most.
const FollowMost = 500

// ErrFollows refuses more than FollowMost.
var ErrFollows = &ropeline.Error{Kind: ropeline.Conflict, Code: "follows-full", Detail: "An account follows at most 500 performers. Let go of another one first."}

// Followed is a performer whom somebody follows.
type Followed struct {
	ID    string     `json:"id"`
	Name  string     `json:"name"`
	Shows int        `json:"shows" doc:"how many are to come"`
	Next  *time.Time `json:"next,omitempty" doc:"when the next of them is"`
}

// Follow puts a performer that there is on a person's list, who may be on it already.
func (s *Store) Follow(ctx context.Context, person, performer string) error {
	var full, known bool
	err := s.db.QueryRow(ctx, `
		with one as materialized (select id from people where id = $1 and state = 'active' for share),
		full_ as (select count(*) >= $3 and not bool_or(performer_id = $2) as full_ from follows where person_id = $1),
		added as (insert into follows (person_id, performer_id) select one.id, $2 from one, full_ where not full_ is true on conflict do nothing)
		select coalesce((select full_ from full_), false), exists (select from one)`, person, performer, FollowMost).Scan(&full, &known)
	switch {
	case err != nil:
		return away("following a performer", err)
	case !known:
		return ErrUnknown
	case full:
		return ErrFollows
	}
	return nil
}

// Unfollow takes a performer off a person's list, who may be gone from it already.
func (s *Store) Unfollow(ctx context.Context, person, performer string) error {
	_, err := s.db.Exec(ctx, `delete from follows where person_id = $1 and performer_id = $2`, person, performer)
	return away("following a performer no more", err)
}

// Follows reports whether a person follows a performer.
func (s *Store) Follows(ctx context.Context, person, performer string) (yes bool, err error) {
	err = s.db.QueryRow(ctx, `select exists (select from follows where person_id = $1 and performer_id = $2)`, person, performer).Scan(&yes)
	return yes, away("looking who follows whom", err)
}

// Following lists the performers whom a person follows, by their ids.
func (s *Store) Following(ctx context.Context, person string, p booking.Page) (page []Followed, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `
		select f.performer_id, p.name, n.shows, n.next_at from follows f join performers p on p.id = f.performer_id
		cross join lateral (select count(*) as shows, min(s.starts_at) as next_at from event_performers x join events e on e.id = x.event_id
			join performances s on s.event_id = e.id
			where x.performer_id = f.performer_id and e.state = 'published' and s.state = 'scheduled' and s.starts_at > now()) n
		where f.person_id = $1 and ($2::uuid is null or f.performer_id > $2) order by f.performer_id limit $3`, person, after, size+1)
	if err != nil {
		return nil, "", away("listing whom somebody follows", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (f Followed, err error) {
		err = r.Scan(&f.ID, &f.Name, &f.Shows, &f.Next)
		if f.Next != nil {
			at := f.Next.UTC()
			f.Next = &at
		}
		return f, err
	})
	if err != nil {
		return nil, "", away("listing whom somebody follows", err)
	}
	page, next = booking.Cut(all, size, func(f Followed) string { return f.ID })
	return page, next, nil
}
