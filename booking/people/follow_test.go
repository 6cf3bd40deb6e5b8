package people_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/people"
)

// band makes a performer.
func band(t *testing.T, db *pgxpool.Pool, name string) (id string) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `insert into performers (id, name) values (gen_random_uuid(), $1) returning id`, name).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestPerformersAreFollowed(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	here, _ := member(t, store, letters)
	one, two := band(t, db, "One"), band(t, db, "Two")
	if _, err := db.Exec(t.Context(), `with v as (insert into venues (id, name) values (gen_random_uuid(), 'Hall') returning id),
		e as (insert into events (id, title, state) select gen_random_uuid(), s, s from unnest(array['published', 'draft', 'canceled']) s returning id),
		x as (insert into event_performers (event_id, performer_id, position) select id, $1, 0 from e)
		insert into performances (id, event_id, venue_id, starts_at, units, state) select gen_random_uuid(), e.id, v.id, at, 1, state from e, v,
			(values ('2031-05-01T18:00Z'::timestamptz, 'scheduled'), ('2031-04-01T18:00Z', 'canceled'), ('2021-05-01T18:00Z', 'scheduled')) p (at, state)`, one); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wants(t, "following one", store.Follow(t.Context(), here.Person, one), nil)
	}
	wants(t, "following two", store.Follow(t.Context(), here.Person, two), nil)
	list := func() map[string]people.Followed {
		found := map[string]people.Followed{}
		for page := (booking.Page{Limit: 1}); ; {
			got, next, err := store.Following(t.Context(), here.Person, page)
			if err != nil || len(got) > 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			for _, f := range got {
				found[f.Name] = f
			}
			if page.Cursor = next; next == "" {
				return found
			}
		}
	}
	other := hired(t, store, letters, organization(t, store, "opera"), "eve@example.org", people.Door)
	wants(t, "another follows two", store.Follow(t.Context(), other.Person, two), nil)
	wants(t, "another lets one go", store.Unfollow(t.Context(), other.Person, one), nil)
	if got, _, err := store.Following(t.Context(), other.Person, booking.Page{}); err != nil || len(got) != 1 || got[0].ID != two {
		t.Errorf("another follows %+v, %v", got, err)
	}
	if yes, err := store.Follows(t.Context(), other.Person, one); yes || err != nil {
		t.Errorf("another follows one: %v", err)
	}
	found := list()
	if f := found["One"]; len(found) != 2 || f.ID != one || f.Shows != 1 || f.Next == nil || f.Next.Year() != 2031 || f.Next.Month() != 5 {
		t.Errorf("she follows %+v", found)
	}
	if f := found["Two"]; f.Shows != 0 || f.Next != nil {
		t.Errorf("who is not on is on: %+v", f)
	}
	for range 2 {
		wants(t, "letting one go", store.Unfollow(t.Context(), here.Person, one), nil)
	}
	if yes, err := store.Follows(t.Context(), here.Person, one); yes || err != nil || len(list()) != 1 {
		t.Errorf("she follows one still: %v, %v", yes, err)
	}
	if yes, err := store.Follows(t.Context(), here.Person, two); !yes || err != nil {
		t.Errorf("she does not follow two: %v", err)
	}

	if _, err := db.Exec(t.Context(), `with p as (insert into performers (id, name) select gen_random_uuid(), n::text from generate_series(2, $2::integer) n returning id)
		insert into follows (person_id, performer_id) select $1, id from p`, here.Person, people.FollowMost); err != nil {
		t.Fatal(err)
	}
	wants(t, "following one too many", store.Follow(t.Context(), here.Person, one), people.ErrFollows)
	wants(t, "following again whom she does", store.Follow(t.Context(), here.Person, two), nil)
	wants(t, "letting one go", store.Unfollow(t.Context(), here.Person, two), nil)
	wants(t, "following one", store.Follow(t.Context(), here.Person, one), nil)

	wants(t, "erasing her", store.Erase(t.Context(), here.Person, password), nil)
	wants(t, "following as nobody", store.Follow(t.Context(), here.Person, two), people.ErrUnknown)
}
