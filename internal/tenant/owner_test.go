package tenant_test

import (
	"testing"
	"time"

	"github.com/ropeline/ropeline/internal/tenant"
)

func TestWhoseSomethingIs(t *testing.T) {
	t.Parallel()
	db := two(t)
	for _, insert := range []string{
		`insert into payment_accounts (name, provider_account, charges) values ('free', 'acct_0', true), ('theirs', 'acct_1', true)`,
		`update organizations set account = 'theirs' where id = '` + theirs + `'`,
		`insert into performers (id, name, organization_id) values ('00000000-0000-7000-8000-000000050001', 'Band', '` + theirs + `')`,
		`insert into tours (id, name, organization_id) values ('00000000-0000-7000-8000-000000060001', 'Tour', '` + theirs + `')`,
		`insert into people (id, email_mac, wrapped, sealed, password) values ('00000000-0000-7000-8000-000000070001', 'm', '', '', 'x')`,
		`insert into posts (id, organization_id, event_id, kind, person_id, name, body, state) values ('00000000-0000-7000-8000-000000080001', '` + theirs + `', '00000000-0000-7000-8000-000000010001', 'question', '00000000-0000-7000-8000-000000070001', 'A', 'b', 'waiting')`,
	} {
		if _, err := db.Exec(t.Context(), insert); err != nil {
			t.Fatal(insert, err)
		}
	}
	for _, k := range []struct {
		kind     tenant.Kind
		id, want string
	}{
		{tenant.Event, "00000000-0000-7000-8000-000000010000", ours}, {tenant.Event, "00000000-0000-7000-8000-000000010001", theirs},
		{tenant.Venue, "00000000-0000-7000-8000-000000020001", theirs}, {tenant.Performance, "00000000-0000-7000-8000-000000030001", theirs},
		{tenant.Performer, "00000000-0000-7000-8000-000000050001", theirs}, {tenant.Tour, "00000000-0000-7000-8000-000000060001", theirs},
		{tenant.Sale, "org-0", ours}, {tenant.Shop, "org-1", theirs}, {tenant.Post, "00000000-0000-7000-8000-000000080001", theirs}, {tenant.Post, "x", ""}, {tenant.Account, "theirs", theirs}, {tenant.Account, "free", tenant.House},
		{tenant.Order, "00000000-0000-7000-8000-0000000a0001", ""}, {tenant.Event, "00000000-0000-7000-8000-0000000a0001", ""},
		{tenant.Event, "{00000000-0000-7000-8000-000000010001}", theirs}, // as Postgres reads it, too
		{tenant.Event, "x", ""}, {tenant.Order, "' or true --", ""}, {tenant.Sale, "a\x00b", ""}, {tenant.Sale, "\xff", ""}, {tenant.Account, "none", ""},
	} {
		if got, err := tenant.Owner(t.Context(), db, k.kind, k.id); err != nil || got != k.want {
			t.Errorf("%s %q is %q's, %v; want %q", k.kind, k.id, got, err, k.want)
		}
	}
	if _, err := tenant.Owner(t.Context(), db, "moon", "x"); err == nil {
		t.Error("somebody owns the moon")
	}
	for slug, want := range map[string]string{"org-0": ours, "house": tenant.House, "none": "", "a\x00b": ""} {
		if got, err := tenant.Named(t.Context(), db, slug); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", slug, got, err, want)
		}
	}
}

// Whose a performance is, is remembered; that there is none is not, and for a while only.
func TestOwnersRememberPerformances(t *testing.T) {
	t.Parallel()
	db := two(t)
	now := time.Now()
	o := tenant.NewOwners(db, func() time.Time { return now })
	const show, event, later = "00000000-0000-7000-8000-000000030001", "00000000-0000-7000-8000-000000010001", "00000000-0000-7000-8000-000000030009"
	is := func(kind tenant.Kind, id, want string) {
		t.Helper()
		if got, err := o.Of(t.Context(), kind, id); err != nil || got != want {
			t.Errorf("%s %s is %q's, %v; want %q", kind, id, got, err, want)
		}
	}
	is(tenant.Performance, show, theirs)
	is(tenant.Performance, later, "")
	is(tenant.Event, event, theirs)
	for _, sql := range []string{`update events set organization_id = '` + ours + `' where id = '` + event + `'`, `update performances set organization_id = organization_id where id = '` + show + `'`,
		`insert into performances select (jsonb_populate_record(p, jsonb_build_object('id', '` + later + `'))).* from performances p where id = '` + show + `'`} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	is(tenant.Performance, show, theirs)
	is(tenant.Performance, later, ours)
	is(tenant.Event, event, ours)
	now = now.Add(10 * time.Second)
	is(tenant.Performance, show, ours)
}
