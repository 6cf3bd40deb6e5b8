package review

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
)

// Order is in which order posts are read.
type Order string

// The orders. By stars is for reviews alone.
const (
	Newest Order = "newest"
	Best   Order = "best"
	Worst  Order = "worst"
)

// Rating is what the reviews of an event come to that are shown.
type Rating struct {
	Count   int     `json:"count"`
	Average float64 `json:"average" doc:"of their stars, to a tenth; 0 without one"`
	Stars   [5]int  `json:"stars" doc:"how many have one star, two, and so on"`
}

// public are the columns of a post as everybody reads it. A gap is shown where there is something
// around it.
const (
	public = `p.id::text, p.kind, p.created_at, p.edited_at, p.state = 'gone', p.name, coalesce(p.stars, 0), p.body, p.answer, p.answered_at, g.name,
		(select count(*) from posts c where c.parent_id = p.id and c.state = 'shown')
		from posts p join organizations g on g.id = p.organization_id`
	seen = `(p.state = 'shown' or p.state = 'gone' and (p.answer <> '' or exists (select from posts c where c.parent_id = p.id and c.state = 'shown')))`
)

func scanPost(r pgx.CollectableRow) (p Post, err error) {
	var a Reply
	var at *time.Time
	err = r.Scan(&p.ID, &p.Kind, &p.At, &p.Edited, &p.Gone, &p.Name, &p.Stars, &p.Text, &a.Text, &at, &a.By, &p.Comments)
	p.At = p.At.UTC()
	if p.Edited != nil {
		*p.Edited = p.Edited.UTC()
	}
	if at != nil {
		a.At = at.UTC()
		p.Answer = &a
	}
	return p, err
}

// orders say how a list goes on behind a cursor: an id, with the stars before it where they count.
var orders = map[Order]string{
	Newest: `($4::uuid is null or p.id < $4) and $5::int is not null order by p.id desc`,
	Best:   `($4::uuid is null or (coalesce(p.stars, 0), p.id) < ($5::int, $4)) order by coalesce(p.stars, 0) desc, p.id desc`,
	Worst:  `($4::uuid is null or coalesce(p.stars, 6) > $5::int or coalesce(p.stars, 6) = $5::int and p.id < $4) order by coalesce(p.stars, 6), p.id desc`,
}

// List lists the reviews or the questions of an event that are shown.
func (s *Store) List(ctx context.Context, event string, k Kind, o Order, p booking.Page) (page []Post, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	where, ok := orders[o]
	if !ok || o != Newest && k != Review || k != Review && k != Question {
		return nil, "", booking.ErrPage
	}
	after, stars, err := behind(p.Cursor, o)
	if err != nil {
		return nil, "", err
	}
	if err := s.public(ctx, event); err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select `+public+` where p.event_id = $1 and p.kind = $2 and p.state in ('shown', 'gone') and `+seen+` and `+where+` limit $3`, event, k, size+1, after, stars)
	if err != nil {
		return nil, "", away("listing posts", err)
	}
	all, err := pgx.CollectRows(rows, scanPost)
	if err != nil {
		return nil, "", away("listing posts", err)
	}
	page, next = booking.Cut(all, size, func(p Post) string { return cursor(p, o) })
	return page, next, nil
}

func cursor(p Post, o Order) string {
	switch {
	case o == Newest:
		return p.ID
	case o == Worst && p.Stars == 0: // a gap comes last in both
		return "6." + p.ID
	}
	return strconv.Itoa(p.Stars) + "." + p.ID
}

func behind(cursor string, o Order) (after *string, stars int, err error) {
	if cursor == "" {
		return nil, 0, nil
	}
	id := cursor
	if o != Newest {
		before, rest, ok := strings.Cut(cursor, ".")
		if stars, err = strconv.Atoi(before); err != nil || !ok || stars < 0 || stars > 6 {
			return nil, 0, booking.ErrPage
		}
		id = rest
	}
	if !booking.IsID(id) {
		return nil, 0, booking.ErrPage
	}
	return &id, stars, nil
}

// public refuses an event that nobody may see.
func (s *Store) public(ctx context.Context, event string) error {
	if !booking.IsID(event) {
		return ErrEvent
	}
	var is bool
	err := s.db.QueryRow(ctx, `select exists (select from events where id = $1 and state <> 'draft')`, event).Scan(&is)
	if err == nil && !is {
		return ErrEvent
	}
	return away("reading an event", err)
}

// Comments lists what is shown under a post, the oldest first.
func (s *Store) Comments(ctx context.Context, event, post string, p booking.Page) (page []Post, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	if err := s.public(ctx, event); err != nil {
		return nil, "", err
	}
	var is bool
	if booking.IsID(post) {
		err = s.db.QueryRow(ctx, `select exists (select from posts p where p.id = $1 and p.event_id = $2 and p.kind <> 'comment' and `+seen+`)`, post, event).Scan(&is)
	}
	if err == nil && !is {
		err = ErrUnknown
	}
	if err != nil {
		return nil, "", away("reading a post", err)
	}
	rows, err := s.db.Query(ctx, `select `+public+` where p.parent_id = $1 and p.state = 'shown' and ($2::uuid is null or p.id > $2) order by p.id limit $3`, post, after, size+1)
	if err != nil {
		return nil, "", away("listing comments", err)
	}
	all, err := pgx.CollectRows(rows, scanPost)
	if err != nil {
		return nil, "", away("listing comments", err)
	}
	page, next = booking.Cut(all, size, func(p Post) string { return p.ID })
	return page, next, nil
}

// Summary adds up the reviews of an event. There are as many at most as people were there: of
// 40,000 that is an index read for some milliseconds, so no sum is kept that could be wrong.
func (s *Store) Summary(ctx context.Context, event string) (sum Rating, err error) {
	rows, err := s.db.Query(ctx, `select stars, count(*) from posts where event_id = $1 and kind = 'review' and state = 'shown' group by stars`, event)
	if err != nil {
		return sum, away("adding up reviews", err)
	}
	var stars, n, total int
	_, err = pgx.ForEachRow(rows, []any{&stars, &n}, func() error {
		sum.Stars[stars-1] = n
		sum.Count, total = sum.Count+n, total+n*stars
		return nil
	})
	if sum.Count > 0 {
		sum.Average = float64((total*20+sum.Count)/(2*sum.Count)) / 10
	}
	return sum, away("adding up reviews", err)
}
