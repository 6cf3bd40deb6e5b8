package guide_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/picture"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/tenant"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// seen is a change of somebody who has seen a version.
func seen(version int) audit.Change {
	return audit.Change{Who: "staff:olga", Reason: "It is better so", Seen: version}
}

func keyed(key string) audit.Change { return audit.Change{Who: "staff:olga", Key: key} }

func open(t *testing.T) (*guide.Store, *pgxpool.Pool) {
	t.Helper()
	db := devtest.Postgres(t)
	return guide.New(db), db
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return value
	}
}

// markup is what a page must show as it is.
const markup = `<b>Loud</b> & "quiet" <script>alert('1')</script>`

func TestAnEventIsKeptAsItWasWritten(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	ctx := t.Context()
	band := must(store.CreatePerformer(ctx, guide.Performer{Name: markup, About: "First line\n" + markup, Links: []string{"https://example.org/a?b=<c>"}}, keyed("a-band-of-four-0001")))(t)
	guest := must(store.CreatePerformer(ctx, guide.Performer{Name: "Guest"}, keyed("a-guest-of-them-001")))(t)
	tour := must(store.CreateTour(ctx, guide.Tour{Name: markup}, keyed("a-tour-of-them-0001")))(t)
	event := guide.Event{Title: markup, About: markup, Category: "music", Performers: []string{guest.ID, band.ID}, Tour: tour.ID, Metadata: map[string]string{markup: markup}}
	made := must(store.CreateEvent(ctx, event, keyed("an-event-of-them-01")))(t)
	got := must(store.Event(ctx, made.ID))(t)
	if got.State != guide.Draft || got.Version != 1 || got.PublishedAt != nil || got.Title != markup || got.About != markup ||
		got.Metadata[markup] != markup || !slices.Equal(got.Performers, event.Performers) || got.Tour != tour.ID {
		t.Errorf("it is kept as %+v", got)
	}
	if again := must(store.CreateEvent(ctx, event, keyed("an-event-of-them-01")))(t); again.ID != made.ID {
		t.Errorf("the same key made %s, and then %s", made.ID, again.ID)
	}
	event.Title = "Another"
	if _, err := store.CreateEvent(ctx, event, keyed("an-event-of-them-01")); !errors.Is(err, booking.ErrKeyReused) {
		t.Errorf("the same key for something else: %v", err)
	}
	event.Performers = []string{band.ID}
	if put := must(store.PutEvent(ctx, made.ID, event, seen(1)))(t); put.Version != 2 || put.Title != "Another" || !slices.Equal(put.Performers, event.Performers) {
		t.Errorf("it was put as %+v", put)
	}
	if copied := must(store.CopyEvent(ctx, made.ID, keyed("a-copy-of-it-000001")))(t); copied.ID == made.ID || copied.Title != "Another" || copied.State != guide.Draft {
		t.Errorf("it was copied as %+v", copied)
	}
}

func TestOfTwoWhoEditOneIsToldToLookAgain(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	ctx := t.Context()
	band := must(store.CreatePerformer(ctx, guide.Performer{Name: "Band"}, audit.Change{Who: "staff:olga"}))(t)
	tour := must(store.CreateTour(ctx, guide.Tour{Name: "Tour"}, audit.Change{Who: "staff:olga"}))(t)
	event := must(store.CreateEvent(ctx, guide.Event{Title: "Event"}, audit.Change{Who: "staff:olga"}))(t)
	hall := house(t, db, tenant.House)
	for what, put := range map[string]func(version, text int) error{
		"a performer": func(v, text int) error {
			_, err := store.PutPerformer(ctx, band.ID, guide.Performer{Name: fmt.Sprint(text)}, seen(v))
			return err
		},
		"a tour": func(v, text int) error {
			_, err := store.PutTour(ctx, tour.ID, guide.Tour{Name: fmt.Sprint(text)}, seen(v))
			return err
		},
		"details": func(v, text int) error {
			d := lisbon
			d.About = fmt.Sprint(text)
			_, err := store.PutDetails(ctx, hall, d, seen(v))
			return err
		},
		"an event": func(v, text int) error {
			_, err := store.PutEvent(ctx, event.ID, guide.Event{Title: fmt.Sprint(text)}, seen(v))
			return err
		},
	} {
		if err := put(1, 1); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := put(1, 1); err != nil {
			t.Errorf("%s, the same again: %v", what, err)
		}
		if err := put(1, 2); !errors.Is(err, audit.ErrChanged) {
			t.Errorf("%s, who has seen the first version: %v", what, err)
		}
		if err := put(2, 2); err != nil {
			t.Errorf("%s, who has seen the second: %v", what, err)
		}
	}
	edits, _, err := audit.Changes(ctx, db, band.ID, booking.Page{})
	if err != nil || len(edits) != 3 || edits[0].Version != 3 || edits[0].Who != "staff:olga" || edits[0].Reason == "" || edits[2].Version != 1 {
		t.Errorf("written down of the performer: %+v, %v", edits, err)
	}
	if _, err := store.PutEvent(ctx, event.ID, guide.Event{Title: "E"}, audit.Change{Who: "staff:olga", Seen: 3}); !errors.Is(err, audit.ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
}

var lisbon = guide.Details{City: "Lisboa", Country: "PT", TimeZone: "Europe/Lisbon", Place: &guide.Point{Latitude: 38.72, Longitude: -9.14}}

// house is a venue of an organization.
func house(t *testing.T, db *pgxpool.Pool, organization string) (id string) {
	t.Helper()
	id = must(booking.NewID())(t)
	if _, err := db.Exec(t.Context(), `insert into venues (id, name, organization_id) values ($1, 'Hall', $2)`, id, organization); err != nil {
		t.Fatal(err)
	}
	return id
}

// show is a performance of an event.
func show(t *testing.T, db *pgxpool.Pool, event, venue string, at time.Time) (id string) {
	t.Helper()
	id = must(booking.NewID())(t)
	if _, err := db.Exec(t.Context(), `insert into performances (id, event_id, venue_id, starts_at, units) values ($1, $2, $3, $4, 10)`, id, event, venue, at); err != nil {
		t.Fatal(err)
	}
	return id
}

// An event goes from state to state only as people expect, and takes with it the
// performances that are to come.
func TestAnEventGoesFromStateToState(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	ctx := t.Context()
	hall := house(t, db, tenant.House)
	all := []guide.State{guide.Draft, guide.Published, guide.Postponed, guide.Canceled}
	may := map[guide.State][]guide.State{guide.Draft: {guide.Published}, guide.Published: {guide.Postponed, guide.Canceled}, guide.Postponed: {guide.Published, guide.Canceled}}
	for from, way := range map[guide.State][]guide.State{
		guide.Draft: {}, guide.Published: {guide.Published}, guide.Postponed: {guide.Published, guide.Postponed}, guide.Canceled: {guide.Published, guide.Canceled},
	} {
		for _, to := range all {
			k := must(store.CreateEvent(ctx, guide.Event{Title: "Gala"}, audit.Change{Who: "staff:olga"}))(t)
			coming, over := show(t, db, k.ID, hall, time.Now().Add(time.Hour)), show(t, db, k.ID, hall, time.Now().Add(-time.Hour))
			for _, step := range way {
				k = must(store.SetState(ctx, k.ID, step, seen(k.Version)))(t)
			}
			got, err := store.SetState(ctx, k.ID, to, seen(k.Version))
			if from == to { // it stays as it is
				if err != nil || got.Version != k.Version {
					t.Errorf("from %s to itself: %+v, %v", from, got, err)
				}
				continue
			}
			if allowed := slices.Contains(may[from], to); allowed != (err == nil) || err != nil && !errors.Is(err, guide.ErrState) {
				t.Errorf("from %s to %s: %+v, %v", from, to, got, err)
				continue
			}
			if err != nil {
				continue
			}
			want := map[guide.State]string{guide.Published: "scheduled", guide.Postponed: "postponed", guide.Canceled: "canceled"}[to]
			var next, last string
			if err := db.QueryRow(ctx, `select (select state from performances where id = $1), (select state from performances where id = $2)`, coming, over).Scan(&next, &last); err != nil {
				t.Fatal(err)
			}
			if got.State != to || got.PublishedAt == nil || next != want || last != "scheduled" {
				t.Errorf("from %s to %s: it is %+v, its next performance %s, the one that is over %s", from, to, got, next, last)
			}
		}
	}
}

func TestOnlyADraftWithoutPerformancesIsDeleted(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	ctx := t.Context()
	made := func() guide.KeptEvent {
		return must(store.CreateEvent(ctx, guide.Event{Title: "Gala"}, audit.Change{Who: "staff:olga"}))(t)
	}
	draft, shown, published := made(), made(), made()
	show(t, db, shown.ID, house(t, db, tenant.House), time.Now())
	must(store.SetState(ctx, published.ID, guide.Published, seen(1)))(t)
	if err := store.DeleteEvent(ctx, shown.ID, seen(1)); !errors.Is(err, guide.ErrNoDraft) {
		t.Errorf("with a performance: %v", err)
	}
	if err := store.DeleteEvent(ctx, published.ID, seen(2)); !errors.Is(err, guide.ErrNoDraft) {
		t.Errorf("published: %v", err)
	}
	if err := store.DeleteEvent(ctx, draft.ID, seen(1)); err != nil {
		t.Error(err)
	}
	if _, err := store.Event(ctx, draft.ID); !errors.Is(err, guide.ErrEventUnknown) {
		t.Errorf("deleted: %v", err)
	}
	if k := must(store.Event(ctx, shown.ID))(t); k.Version != 1 {
		t.Errorf("what was not deleted has version %d", k.Version)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	ctx := t.Context()
	hall := house(t, db, tenant.House)
	long, nobody := strings.Repeat("ä", guide.MaxName+1), must(booking.NewID())(t)
	many := map[string]string{}
	for i := range guide.MaxMetadata + 1 {
		many[fmt.Sprint("name ", i)] = ""
	}
	event := func(e guide.Event) error {
		if e.Title == "" {
			e.Title = "Gala"
		}
		_, err := store.CreateEvent(ctx, e, audit.Change{Who: "staff:olga"})
		return err
	}
	details := func(change func(*guide.Details)) error {
		d := lisbon
		change(&d)
		_, err := store.PutDetails(ctx, hall, d, seen(1))
		return err
	}
	_, named := store.CreatePerformer(ctx, guide.Performer{Name: " "}, audit.Change{Who: "staff:olga"})
	_, linked := store.CreatePerformer(ctx, guide.Performer{Name: "B", Links: []string{"javascript:alert(1)"}}, audit.Change{Who: "staff:olga"})
	_, gone := store.PutTour(ctx, nobody, guide.Tour{Name: "T"}, seen(1))
	_, odd := store.Event(ctx, "' or true --")
	for what, c := range map[string]struct{ got, want error }{
		"a title too long":           {event(guide.Event{Title: long}), guide.ErrInvalid},
		"a title of two lines":       {event(guide.Event{Title: "a\nb"}), guide.ErrInvalid},
		"a NUL in the text":          {event(guide.Event{About: "a\x00b"}), guide.ErrInvalid},
		"what is no UTF-8":           {event(guide.Event{About: "\xff"}), guide.ErrInvalid},
		"a category there is not":    {event(guide.Event{Category: "' or true --"}), guide.ErrInvalid},
		"a performer there is not":   {event(guide.Event{Performers: []string{nobody}}), guide.ErrPerformerUnknown},
		"a performer that is no id":  {event(guide.Event{Performers: []string{"x"}}), guide.ErrPerformerUnknown},
		"a performer twice":          {event(guide.Event{Performers: []string{nobody, nobody}}), guide.ErrInvalid},
		"a tour there is not":        {event(guide.Event{Tour: nobody}), guide.ErrTourUnknown},
		"a picture there is not":     {event(guide.Event{Picture: nobody}), guide.ErrPictureUnknown},
		"too much metadata":          {event(guide.Event{Metadata: many}), guide.ErrInvalid},
		"no name":                    {named, guide.ErrInvalid},
		"a link that is a script":    {linked, guide.ErrInvalid},
		"a tour that is not there":   {gone, guide.ErrTourUnknown},
		"an id that is none":         {odd, guide.ErrEventUnknown},
		"a zone there is not":        {details(func(d *guide.Details) { d.TimeZone = "Europe/Lissabon" }), guide.ErrInvalid},
		"a zone that is a file":      {details(func(d *guide.Details) { d.TimeZone = "../../etc/passwd" }), guide.ErrInvalid},
		"the zone of the server":     {details(func(d *guide.Details) { d.TimeZone = "Local" }), guide.ErrInvalid},
		"a country in small letters": {details(func(d *guide.Details) { d.Country = "pt" }), guide.ErrInvalid},
		"a place beyond the pole":    {details(func(d *guide.Details) { d.Place = &guide.Point{Latitude: 90.1} }), guide.ErrInvalid},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}

// Two organizations with one database: what the one makes the other neither sees nor
// changes, but performers and open houses are everybody's.
func TestOrganizationsKeepTheirGuidesApart(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	const ours, theirs = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"
	for i, id := range []string{ours, theirs} {
		if _, err := db.Exec(t.Context(), `insert into organizations (id, slug, name) values ($1, $2, $2)`, id, fmt.Sprint("org-", i)); err != nil {
			t.Fatal(err)
		}
	}
	we, they := tenant.With(t.Context(), ours), tenant.With(t.Context(), theirs)
	key := keyed("the-same-key-of-both")
	event := must(store.CreateEvent(we, guide.Event{Title: "Ours"}, audit.Change{Who: "staff:olga"}))(t)
	tour := must(store.CreateTour(we, guide.Tour{Name: "Ours"}, key))(t)
	band := must(store.CreatePerformer(we, guide.Performer{Name: "Ours"}, audit.Change{Who: "staff:olga"}))(t)
	pic := must(store.KeepPicture(we, drawing(t, 200), "", audit.Change{Who: "staff:olga"}))(t)
	closed, opened := house(t, db, ours), house(t, db, ours)
	shut := lisbon
	shut.Closed = true
	must(store.PutDetails(we, closed, shut, seen(1)))(t)

	_, read := store.Event(they, event.ID)
	_, put := store.PutEvent(they, event.ID, guide.Event{Title: "Theirs"}, seen(1))
	_, state := store.SetState(they, event.ID, guide.Published, seen(1))
	_, copied := store.CopyEvent(they, event.ID, audit.Change{Who: "staff:tom"})
	_, toured := store.Tour(they, tour.ID)
	_, inTour := store.CreateEvent(they, guide.Event{Title: "Theirs", Tour: tour.ID}, audit.Change{Who: "staff:tom"})
	_, edited := store.PutPerformer(they, band.ID, guide.Performer{Name: "Theirs"}, seen(1))
	_, entered := store.Venue(they, closed)
	_, moved := store.PutDetails(they, opened, lisbon, seen(1))
	_, seenIt := store.Picture(they, pic.ID, 100)
	for what, c := range map[string]struct{ got, want error }{
		"reading an event": {read, guide.ErrEventUnknown}, "changing it": {put, guide.ErrEventUnknown}, "publishing it": {state, guide.ErrEventUnknown},
		"deleting it": {store.DeleteEvent(they, event.ID, seen(1)), guide.ErrEventUnknown}, "copying it": {copied, guide.ErrEventUnknown},
		"reading a tour": {toured, guide.ErrTourUnknown}, "a show in it": {inTour, guide.ErrTourUnknown}, "a performer's words": {edited, audit.ErrChanged},
		"a closed house": {entered, guide.ErrVenueUnknown}, "an open house's words": {moved, audit.ErrChanged}, "a picture": {seenIt, guide.ErrPictureUnknown},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s of another organization: %v, want %v", what, c.got, c.want)
		}
	}
	if k := must(store.Event(we, event.ID))(t); k.Version != 1 || k.Title != "Ours" {
		t.Errorf("the event is %+v after that", k)
	}
	if _, err := store.CreateEvent(they, guide.Event{Title: "Theirs", Performers: []string{band.ID}}, audit.Change{Who: "staff:tom"}); err != nil {
		t.Errorf("a performer of another organization: %v", err)
	}
	if _, err := store.Venue(they, opened); err != nil {
		t.Errorf("an open house: %v", err)
	}
	for who, ctx := range map[string]context.Context{"ours": we, "theirs": they} {
		events, _, err := store.Events(ctx, booking.Page{})
		if err != nil || len(events) != 1 {
			t.Errorf("%s lists %+v, %v", who, events, err)
		}
		edits, _, err := audit.Changes(ctx, db, "", booking.Page{})
		if err != nil || slices.ContainsFunc(edits, func(e audit.Edit) bool { return (e.Who == "staff:tom") != (who == "theirs") }) {
			t.Errorf("%s reads that %+v was changed, %v", who, edits, err)
		}
	}
}

// Whoever plays in the house of another organization is asked for its leave before anybody
// hears of it.
func TestTheManagerOfAHouseApprovesItsSeating(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	const theirs = "00000000-0000-7000-8000-00000000000b"
	if _, err := db.Exec(t.Context(), `insert into organizations (id, slug, name) values ($1, 'other', 'Other')`, theirs); err != nil {
		t.Fatal(err)
	}
	we, they := tenant.With(t.Context(), tenant.House), tenant.With(t.Context(), theirs)
	hall := house(t, db, tenant.House)
	if _, err := db.Exec(t.Context(), `insert into venue_maps (venue_id, version, document) values ($1, 1, '{}'), ($1, 2, '{}')`, hall); err != nil {
		t.Fatal(err)
	}
	guest := must(store.CreateEvent(they, guide.Event{Title: "Guest"}, audit.Change{Who: "staff:tom"}))(t)
	on := show(t, db, guest.ID, hall, time.Now().Add(time.Hour))
	if _, err := db.Exec(t.Context(), `update performances set venue_version = 2 where id = $1`, on); err != nil {
		t.Fatal(err)
	}
	publish := func() error {
		_, err := store.SetState(they, guest.ID, guide.Published, seen(1))
		return err
	}
	if err := publish(); !errors.Is(err, guide.ErrUnapproved) {
		t.Errorf("nobody was asked: %v", err)
	}
	for what, c := range map[string]struct{ got, want error }{
		"approving it oneself":       {store.Approve(they, hall, 2, guest.ID, true, seen(0)), guide.ErrEventUnknown},
		"a version that is not used": {store.Approve(we, hall, 1, guest.ID, true, seen(0)), guide.ErrEventUnknown},
		"without a reason":           {store.Approve(we, hall, 2, guest.ID, true, audit.Change{Who: "staff:olga"}), audit.ErrReason},
		"refusing it":                {store.Approve(we, hall, 2, guest.ID, false, seen(0)), nil},
		"refusing it again":          {store.Approve(we, hall, 2, guest.ID, false, seen(0)), nil},
		"publishing what is refused": {publish(), guide.ErrUnapproved},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
	asked, _, err := store.Approvals(we, hall, booking.Page{})
	if err != nil || len(asked) != 1 || asked[0].Title != "Guest" || asked[0].Version != 2 || asked[0].Approved == nil || *asked[0].Approved {
		t.Errorf("the manager is asked for %+v, %v", asked, err)
	}
	if others, _, err := store.Approvals(they, hall, booking.Page{}); err != nil || len(others) != 0 {
		t.Errorf("who does not manage it is told %+v, %v", others, err)
	}
	if err := store.Approve(we, hall, 2, guest.ID, true, seen(0)); err != nil {
		t.Fatal(err)
	}
	if err := publish(); err != nil {
		t.Errorf("approved: %v", err)
	}
	if _, err := db.Exec(t.Context(), `update performances set state = 'canceled' where id = $1`, on); err != nil {
		t.Fatal(err)
	}
	if err := store.Approve(we, hall, 2, guest.ID, true, seen(0)); err != nil {
		t.Errorf("what was said comes again when the show is canceled: %v", err)
	}
}

// One performance of an event stands by itself, as far as its event lets it.
func TestAPerformanceIsPostponedAndCanceledByItself(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	ctx := t.Context()
	hall := house(t, db, tenant.House)
	k := must(store.CreateEvent(ctx, guide.Event{Title: "Gala"}, audit.Change{Who: "staff:olga"}))(t)
	first, second := show(t, db, k.ID, hall, time.Now().Add(time.Hour)), show(t, db, k.ID, hall, time.Now().Add(25*time.Hour))
	k = must(store.SetState(ctx, k.ID, guide.Published, seen(1)))(t)
	on := func(id string) (sold bool) {
		if err := db.QueryRow(ctx, `select on_sale($1)`, id).Scan(&sold); err != nil {
			t.Fatal(err)
		}
		return sold
	}
	for _, step := range []struct {
		to   guide.ShowState
		want error
	}{{guide.ShowPostponed, nil}, {guide.Scheduled, nil}, {guide.ShowCanceled, nil}, {guide.Scheduled, guide.ErrState}, {guide.ShowPostponed, guide.ErrState}} {
		got, err := store.SetShow(ctx, ropeline.PerformanceID(first), step.to, seen(k.Version))
		if !errors.Is(err, step.want) {
			t.Fatalf("to %s: %v, want %v", step.to, err, step.want)
		}
		if err == nil {
			if got.Version != k.Version+1 {
				t.Errorf("the event has version %d after %d", got.Version, k.Version)
			}
			k = got
			if on(first) != (step.to == guide.Scheduled) || !on(second) {
				t.Errorf("%s: the first is on sale: %v, the second: %v", step.to, on(first), on(second))
			}
		}
	}
	e := must(store.PublicEvent(ctx, k.ID))(t)
	if len(e.Performances) != 2 || e.Performances[0].State != guide.ShowCanceled || e.Performances[1].State != guide.Scheduled {
		t.Errorf("people read %+v", e)
	}
	if k = must(store.SetState(ctx, k.ID, guide.Postponed, seen(k.Version)))(t); on(second) {
		t.Error("the event is postponed, and its performance on sale")
	}
	if _, err := store.SetShow(ctx, ropeline.PerformanceID(second), guide.Scheduled, seen(k.Version)); !errors.Is(err, guide.ErrState) {
		t.Errorf("scheduled while its event is postponed: %v", err)
	}
	if _, err := store.SetShow(ctx, "x", guide.ShowCanceled, seen(1)); !errors.Is(err, guide.ErrShowUnknown) {
		t.Errorf("an id that is none: %v", err)
	}
}

// What is told to everybody: by the clocks of the house, and no drafts.
func TestPeopleReadWhatIsPublished(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	ctx := t.Context()
	hall, other := house(t, db, tenant.House), house(t, db, tenant.House)
	must(store.PutDetails(ctx, hall, lisbon, seen(1)))(t)
	band := must(store.CreatePerformer(ctx, guide.Performer{Name: "Band"}, audit.Change{Who: "staff:olga"}))(t)
	tour := must(store.CreateTour(ctx, guide.Tour{Name: "Tour"}, audit.Change{Who: "staff:olga"}))(t)
	made := func(e guide.Event, venue string) guide.KeptEvent {
		k := must(store.CreateEvent(ctx, e, audit.Change{Who: "staff:olga"}))(t)
		show(t, db, k.ID, venue, time.Date(2030, 7, 1, 19, 0, 0, 0, time.UTC))
		return k
	}
	all := guide.Event{Title: markup, About: markup, Category: "music", Tour: tour.ID, Performers: []string{band.ID}}
	first, second, draft := made(all, hall), made(guide.Event{Title: "Second"}, other), made(all, hall)
	if _, err := store.PublicTour(ctx, tour.ID); !errors.Is(err, guide.ErrTourUnknown) {
		t.Errorf("a tour of drafts: %v", err)
	}
	for _, k := range []guide.KeptEvent{first, second} {
		must(store.SetState(ctx, k.ID, guide.Published, seen(1)))(t)
	}
	for choice, want := range map[guide.Choice][]string{
		{}:                                 {first.ID, second.ID},
		{Category: "music"}:                {first.ID},
		{Category: "sport"}:                {},
		{Performer: band.ID}:               {first.ID},
		{Tour: tour.ID, Category: "music"}: {first.ID},
		{Venue: other}:                     {second.ID},
		{Venue: other, Performer: band.ID}: {},
	} {
		page, next, err := store.Public(ctx, choice, booking.Page{})
		ids := []string{}
		for _, e := range page {
			ids = append(ids, e.ID)
		}
		if err != nil || next != "" || !slices.Equal(ids, want) {
			t.Errorf("%+v: %v, %q, %v; want %v", choice, ids, next, err, want)
		}
	}
	e := must(store.PublicEvent(ctx, first.ID))(t)
	if e.Title != markup || e.About != markup || len(e.Performers) != 1 || e.Performers[0].Name != "Band" || e.Tour == nil || e.Tour.Name != "Tour" ||
		len(e.Performances) != 1 || e.Performances[0].Local != "2030-07-01T20:00" || e.Performances[0].TimeZone != "Europe/Lisbon" || e.Performances[0].City != "Lisboa" {
		t.Errorf("people read %+v", e)
	}
	must(store.PublicTour(ctx, tour.ID))(t)
	if _, err := store.PublicEvent(ctx, draft.ID); !errors.Is(err, guide.ErrEventUnknown) {
		t.Errorf("a draft: %v", err)
	}
	for _, odd := range []guide.Choice{{Venue: "x"}, {Performer: "' or true --"}, {Tour: "\x00"}, {Category: "\x00"}} {
		if _, _, err := store.Public(ctx, odd, booking.Page{}); err == nil || errors.Is(err, ropeline.ErrStoreAway) {
			t.Errorf("%+v: %v", odd, err)
		}
	}
}

// A clash tells when, and whose show it is only to them.
func TestTheCalendarOfAHouseWarnsOfClashes(t *testing.T) {
	t.Parallel()
	store, db := open(t)
	const theirs = "00000000-0000-7000-8000-00000000000b"
	if _, err := db.Exec(t.Context(), `insert into organizations (id, slug, name) values ($1, 'other', 'Other')`, theirs); err != nil {
		t.Fatal(err)
	}
	hall, other := house(t, db, tenant.House), house(t, db, tenant.House)
	at := time.Date(2027, 3, 28, 0, 30, 0, 0, time.UTC) // the hour before the clocks of Europe go forward
	mine := must(store.CreateEvent(t.Context(), guide.Event{Title: "Mine"}, audit.Change{Who: "staff:olga"}))(t)
	foreign := must(store.CreateEvent(tenant.With(t.Context(), theirs), guide.Event{Title: "Secret"}, audit.Change{Who: "staff:tom"}))(t)
	near := show(t, db, mine.ID, hall, at.Add(guide.Apart-time.Second))
	secret := show(t, db, foreign.ID, hall, at.Add(-guide.Apart+time.Second))
	far := show(t, db, mine.ID, hall, at.Add(guide.Apart))
	show(t, db, mine.ID, other, at)
	off := show(t, db, mine.ID, hall, at)
	if _, err := db.Exec(t.Context(), `update performances set state = 'canceled' where id = $1`, off); err != nil {
		t.Fatal(err)
	}
	told := func(ctx context.Context, but ...string) (all []string) {
		for _, c := range must(store.Clashes(ctx, hall, at, but))(t) {
			all = append(all, c.Performance+" "+c.Title)
		}
		return all
	}
	house := tenant.With(t.Context(), tenant.House)
	if got, want := told(house), []string{secret + " ", near + " Mine"}; !slices.Equal(got, want) {
		t.Errorf("the house is told of %q, want %q", got, want)
	}
	if got, want := told(tenant.With(t.Context(), theirs), near), []string{secret + " Secret"}; !slices.Equal(got, want) {
		t.Errorf("the other is told of %q, want %q", got, want)
	}
	later := show(t, db, foreign.ID, hall, at.Add(30*time.Hour))
	calendar := func(ctx context.Context) (all []string) {
		for p := (booking.Page{Limit: 2}); ; {
			zone, page, next, err := store.Calendar(ctx, hall, at.Add(-guide.Apart+time.Second), p)
			if err != nil || zone != "UTC" {
				t.Fatal(zone, err)
			}
			for _, b := range page {
				if (b.Event == "") != (b.Title == "") || b.Local != b.StartsAt.Format(booking.LocalForm) {
					t.Errorf("%+v", b)
				}
				all = append(all, fmt.Sprint(b.Performance, " ", b.Title, " ", b.Clash))
			}
			if p.Cursor = next; next == "" {
				return all
			}
		}
	}
	if got, want := calendar(house), []string{secret + " Secret false", near + " Mine true", far + " Mine true", later + " Secret false"}; !slices.Equal(got, want) {
		t.Errorf("the calendar of who manages the house is %q, want %q", got, want)
	}
	if _, err := db.Exec(t.Context(), `update venues set organization_id = $2 where id = $1`, hall, theirs); err != nil {
		t.Fatal(err)
	}
	if got, want := calendar(house), []string{secret + "  false", near + " Mine true", far + " Mine true", later + "  false"}; !slices.Equal(got, want) {
		t.Errorf("who plays in another's house is told %q, want %q", got, want)
	}
	if _, err := db.Exec(t.Context(), `update venues set open = false where id = $1`, hall); err != nil {
		t.Fatal(err)
	}
	if got := calendar(house); len(got) != 4 { // who plays there already reads on
		t.Errorf("who plays in a house that is closed meanwhile is told %q", got)
	}
	stranger := tenant.With(t.Context(), "00000000-0000-7000-8000-00000000000c")
	for _, unknown := range []string{hall, "x"} {
		if _, _, _, err := store.Calendar(stranger, unknown, at, booking.Page{}); !errors.Is(err, guide.ErrVenueUnknown) {
			t.Errorf("of a house that is closed to them, or none: %v", err)
		}
	}
}

// drawing is a picture of that width.
func drawing(t *testing.T, width int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, width))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAPictureIsKeptOnceInItsWidths(t *testing.T) {
	t.Parallel()
	store, _ := open(t)
	ctx := t.Context()
	file := drawing(t, 700)
	first := must(store.KeepPicture(ctx, file, "A gray square", audit.Change{Who: "staff:olga"}))(t)
	if !slices.Equal(first.Widths, []int{320, 640, 700}) {
		t.Errorf("it is kept in %v", first.Widths)
	}
	if again := must(store.KeepPicture(ctx, file, "A square", audit.Change{Who: "staff:olga"}))(t); again.ID != first.ID || again.What != "A square" {
		t.Errorf("the same file is %+v, and then %+v", first, again)
	}
	for ask, want := range map[int]int{1: 320, 320: 320, 321: 640, 641: 700, 5000: 700} {
		jpeg := must(store.Picture(ctx, first.ID, ask))(t)
		if config, _, err := image.DecodeConfig(bytes.NewReader(jpeg)); err != nil || config.Width != want {
			t.Errorf("asked for %d: %+v, %v; want %d", ask, config, err, want)
		}
	}
	if _, err := store.KeepPicture(ctx, []byte("<svg onload=alert(1)>"), "", audit.Change{Who: "staff:olga"}); !errors.Is(err, picture.ErrInvalid) {
		t.Errorf("a drawing with a script: %v", err)
	}
	if _, err := store.Picture(ctx, "x", 1); !errors.Is(err, guide.ErrPictureUnknown) {
		t.Errorf("a picture that is none: %v", err)
	}
	var own *ropeline.Error
	if _, err := store.KeepPicture(ctx, file, strings.Repeat("x", 301), audit.Change{Who: "staff:olga"}); !errors.As(err, &own) || own.Code != "guide-invalid" {
		t.Errorf("too many words: %v", err)
	}
}
