package catalogue_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/terms"
)

// jws is a text in the shape of a signed one.
func jws(text []byte) string {
	return base64.RawURLEncoding.EncodeToString([]byte("{}")) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
}

func TestAChangeOfTermsIsANewVersionWithAReason(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	published := time.Date(2027, 1, 5, 10, 0, 0, 0, time.UTC)
	shows := catalogue.New(db, func() time.Time { return published })
	sale, err := shows.Seed(t.Context(), plan(40, 10))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(s terms.Sheet) string { // the shape is enough here: admission signs
		text, err := terms.Canonical(s)
		if err != nil {
			t.Fatal(err)
		}
		return jws(text)
	}
	draft, err := shows.DraftTerms(t.Context(), sale, "")
	if err != nil || draft.Next == nil || draft.Next.Version != 1 || len(draft.Next.Performances) != 1 || len(draft.Next.Performances[0].Tiers) != 4 {
		t.Fatalf("first draft %+v, %v", draft, err)
	}
	first := *draft.Next
	if !first.At.Equal(published) {
		t.Errorf("the first version is of %v, by a clock that says %v", first.At, published)
	}
	if err := shows.KeepTerms(t.Context(), first, signed(first)); err != nil {
		t.Fatal(err)
	}
	if err := shows.KeepTerms(t.Context(), first, signed(first)); !errors.Is(err, catalogue.ErrTermsChanged) {
		t.Errorf("version 1 was kept twice: %v", err)
	}
	if draft, err = shows.DraftTerms(t.Context(), sale, "no reason at all"); err != nil || draft.Next != nil || len(draft.Signed) != 1 {
		t.Errorf("nothing changed, and the draft is %+v, %v", draft.Next, err)
	}
	if _, err := db.Exec(t.Context(), `update tiers set amount = 8000 where performance_id = $1 and name = 'Stalls'`, sale.Performances[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := shows.DraftTerms(t.Context(), sale, ""); !errors.Is(err, catalogue.ErrReasonMissing) {
		t.Errorf("a change without a reason: %v", err)
	}
	draft, err = shows.DraftTerms(t.Context(), sale, "The hall costs more.")
	if err != nil || draft.Next == nil || draft.Next.Version != 2 || len(draft.Next.Changes) != 1 || draft.Next.Changes[0].To != "8000 EUR" {
		t.Fatalf("second draft %+v, %v", draft.Next, err)
	}
	for _, change := range []string{`update sale_terms set signed = ''`, `delete from sale_terms`, `truncate sale_terms`} {
		_, err := db.Exec(t.Context(), change)
		if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || !strings.Contains(refused.Message, "append-only") {
			t.Errorf("%s: %v", change, err)
		}
	}
}
