package people_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/people"
)

// What somebody has told of themselves is counted once they say so, and no more when they
// are erased.
func TestWhatIsGivenIsCountedByThoseWhoWantThat(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, _ := member(t, store, letters)
	counts := func(want ...people.Trait) {
		t.Helper()
		if got, err := store.Traits(t.Context(), []string{here.Person, uuid.NewString()}); err != nil || !slices.Equal(got, want) {
			t.Errorf("counted are %+v, %v; want %+v", got, err, want)
		}
	}
	put := func(seen int, p people.Profile) {
		t.Helper()
		if _, err := store.Put(t.Context(), here.Person, seen, p); err != nil {
			t.Fatal(err)
		}
	}
	put(1, people.Profile{Country: "PT", Born: 1990})
	counts(people.Trait{})
	put(2, people.Profile{Country: "PT", Born: 1990, Counted: true})
	counts(people.Trait{Country: "PT", Born: 1990})
	put(3, people.Profile{Country: "PT", Counted: true})
	counts(people.Trait{Country: "PT"})
	if err := store.Erase(t.Context(), here.Person, password); err != nil {
		t.Fatal(err)
	}
	counts()
}
