package people_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/people"
)

// organization makes one of an admin's.
func organization(t *testing.T, store *people.Store, slug string) string {
	t.Helper()
	o, err := store.MakeOrganization(t.Context(), people.Organization{Slug: slug, Name: strings.ToUpper(slug)}, audit.Change{Who: "staff:root", Key: slug})
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// hired makes a person who has roles in an organization, and a second factor.
func hired(t *testing.T, store *people.Store, letters *box, organization, email string, roles ...string) people.Here {
	t.Helper()
	if err := store.Register(t.Context(), nowhere, people.Profile{Email: email, Name: "Somebody"}, password); err != nil {
		t.Fatal(err)
	}
	l, _ := letters.newest(t)
	in, err := store.Confirm(t.Context(), l.Token, password, "")
	if err != nil {
		t.Fatal(err)
	}
	here := found(t, store, in.Token)
	enrolled(t, store, here)
	if _, err := store.Invite(t.Context(), organization, email, roles, root); err != nil {
		t.Fatal(err)
	}
	l, _ = letters.newest(t)
	if _, err := store.Accept(t.Context(), here.Person, l.Token); err != nil {
		t.Fatal(err)
	}
	return here
}

var root = audit.Change{Who: "staff:root"}

// noted is what was written down of an organization, the oldest first.
func noted(t *testing.T, db *pgxpool.Pool, subject string) (lines []string) {
	t.Helper()
	all, _, err := audit.Changes(t.Context(), db, subject, booking.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(all) {
		if e.What == audit.OfOrganization { // that it was made
			continue
		}
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s %s %d", e.Who, e.What, e.Version), " 0"))
	}
	return lines
}

func TestAnInvitationIsTakenByWhoseAddressItWentTo(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	here, in := member(t, store, letters)
	opera := organization(t, store, "opera")
	m, err := store.Invite(t.Context(), opera, "ADA@example.org", []string{people.Venue, people.BoxOffice}, root)
	wants(t, "inviting her", err, nil)
	l, _ := letters.newest(t)
	if l.Purpose != people.Invited || l.Person != "" || l.About != "OPERA" || strings.Join(l.Roles, ", ") != "boxoffice, venue" ||
		l.Link("https://tickets.example.org") != "https://tickets.example.org/account#invited="+l.Token {
		t.Errorf("the letter is %+v", l)
	}
	list, _, err := store.Members(t.Context(), opera, booking.Page{})
	if err != nil || len(list) != 1 || list[0].ID != m.ID || list[0].Email != "ADA@example.org" || list[0].Until.IsZero() {
		t.Errorf("there are %+v, %v", list, err)
	}

	other := hired(t, store, letters, opera, "eve@example.org", people.Door)
	_, err = store.Accept(t.Context(), other.Person, l.Token)
	wants(t, "another person takes it", err, people.ErrInvitedOther)
	_, err = store.Accept(t.Context(), here.Person, strings.Repeat("x", 43))
	wants(t, "a letter that nobody wrote", err, people.ErrLetter)
	r, err := store.Accept(t.Context(), here.Person, l.Token)
	if err != nil || r.Organization != opera || r.Name != "OPERA" || !slices.Equal(r.Roles, []string{people.BoxOffice, people.Venue}) {
		t.Errorf("she is %+v, %v", r, err)
	}
	_, err = store.Accept(t.Context(), here.Person, l.Token)
	wants(t, "taking it again", err, people.ErrLetter)
	if all, err := store.SignIns(t.Context(), here.Person); err != nil || len(all) != 1 || time.Until(all[0].Ends) > 13*time.Hour {
		t.Errorf("her sign-in is as long as a fan's: %+v, %v", all, err)
	}

	_, err = store.Roles(t.Context(), here)
	wants(t, "her roles without a second factor", err, people.ErrUnproven)
	_, recovery := enrolled(t, store, here)
	if all, err := store.Roles(t.Context(), here); err != nil || len(all) != 1 || all[0].Organization != opera {
		t.Errorf("her roles are %+v, %v", all, err)
	}
	if again := half(t, store, password); !again.Waits {
		t.Error("she signs in with her password alone")
	} else if whole, err := store.Second(t.Context(), again.Token, recovery[0]); err != nil || time.Until(whole.Ends) > 13*time.Hour {
		t.Errorf("that sign-in lasts until %s, %v", whole.Ends, err)
	}
	if _, err := store.Find(t.Context(), in.Token); err != nil {
		t.Error(err)
	}
	wants(t, "doing without the second factor", store.RemoveSecond(t.Context(), here.Person, recovery[1]), nil)
	_, err = store.Roles(t.Context(), here)
	wants(t, "her roles then", err, people.ErrUnproven)

	want := []string{"staff:root invitation", "staff:root invitation", people.Account(other.Person) + " member 1", people.Account(here.Person) + " member 1"}
	if got := noted(t, db, opera); !slices.Equal(got, want) {
		t.Errorf("written down is %q, want %q", got, want)
	}
}

func TestWhoIsInvitedTwiceHasOneInvitation(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, _ := member(t, store, letters)
	opera := organization(t, store, "opera")
	by := audit.Change{Who: "staff:root", Key: "k"}
	first, err := store.Invite(t.Context(), opera, ada, []string{people.Door}, by)
	wants(t, "inviting her", err, nil)
	one, n := letters.newest(t)
	again, err := store.Invite(t.Context(), opera, ada, []string{people.Door}, by)
	if _, same := letters.newest(t); err != nil || again.ID != first.ID || same != n {
		t.Errorf("the request again: %+v, %v, %d letters", again, err, same)
	}
	_, err = store.Invite(t.Context(), opera, ada, []string{people.Organizer}, by)
	wants(t, "another with the same key", err, booking.ErrKeyReused)
	_, err = store.Invite(t.Context(), opera, ada, []string{people.BoxOffice}, root)
	wants(t, "inviting her anew", err, nil)
	_, err = store.Accept(t.Context(), here.Person, one.Token)
	wants(t, "the letter of before", err, people.ErrLetter)
	if list, _, err := store.Members(t.Context(), opera, booking.Page{}); err != nil || len(list) != 1 || !slices.Equal(list[0].Roles, []string{people.BoxOffice}) {
		t.Errorf("there are %+v, %v", list, err)
	}
	wants(t, "taking it back", store.Dismiss(t.Context(), opera, mustOne(t, store, opera).ID, root), nil)
	l, _ := letters.newest(t)
	_, err = store.Accept(t.Context(), here.Person, l.Token)
	wants(t, "a letter that was taken back", err, people.ErrLetter)
	for _, odd := range [][]string{nil, {"sre"}, {"admin"}, {"boss"}, {people.Door, people.Door}, {"organizer "}} {
		_, err := store.Invite(t.Context(), opera, "x@example.org", odd, root)
		wants(t, fmt.Sprint("the roles ", odd), err, people.ErrRole)
	}
	_, err = store.Invite(t.Context(), "", "x@example.org", []string{people.Organizer}, root)
	wants(t, "an organizer of the installation", err, people.ErrRole)
}

func mustOne(t *testing.T, store *people.Store, organization string) people.Member {
	t.Helper()
	list, _, err := store.Members(t.Context(), organization, booking.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("there are %+v, %v", list, err)
	}
	return list[0]
}

// A role is gone with the next look at it, and an organization keeps one organizer,
// whoever takes it from whom at the same time.
func TestRolesAreChangedAndTaken(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	opera, cinema := organization(t, store, "opera"), organization(t, store, "cinema")
	ann := hired(t, store, letters, opera, "ann@example.org", people.Organizer)
	bob := hired(t, store, letters, opera, "bob@example.org", people.Organizer)
	seen := func(version int) audit.Change { return audit.Change{Who: "staff:root", Seen: version} }

	_, err := store.SetRoles(t.Context(), cinema, bob.Person, []string{people.Door}, seen(1))
	wants(t, "a member of another organization", err, people.ErrMember)
	wants(t, "dismissing one of another", store.Dismiss(t.Context(), cinema, bob.Person, root), people.ErrMember)
	_, err = store.SetRoles(t.Context(), opera, bob.Person, []string{people.Door}, seen(7))
	wants(t, "roles that nobody has seen", err, people.ErrMemberChanged)
	version, err := store.SetRoles(t.Context(), opera, bob.Person, []string{people.Door, people.Organizer}, seen(1))
	if err != nil || version != 2 {
		t.Fatal(version, err)
	}

	var wg sync.WaitGroup
	failed := make([]error, 2)
	for i, p := range []people.Here{ann, bob} {
		wg.Go(func() { failed[i] = store.Dismiss(t.Context(), opera, p.Person, root) })
	}
	wg.Wait()
	if (failed[0] == nil) == (failed[1] == nil) || !errors.Is(errors.Join(failed...), people.ErrLastOrganizer) {
		t.Errorf("both were dismissed, or none: %v", failed)
	}
	left := mustOne(t, store, opera)
	_, err = store.SetRoles(t.Context(), opera, left.ID, []string{people.Door}, seen(left.Version))
	wants(t, "the last organizer a doorkeeper", err, people.ErrLastOrganizer)
	gone := ann
	if left.ID == ann.Person {
		gone = bob
	}
	if all, err := store.Roles(t.Context(), gone); err != nil || len(all) != 0 {
		t.Errorf("who was dismissed has %+v, %v", all, err)
	}
	wants(t, "dismissing them again", store.Dismiss(t.Context(), opera, gone.Person, root), people.ErrMember)
	wants(t, "one who is nobody", store.Dismiss(t.Context(), opera, "' or true --", root), people.ErrMember)
	if n := len(noted(t, db, opera)); n != 6 { // two invitations, two members, roles, and who was dismissed
		t.Errorf("%d lines were written down: %q", n, noted(t, db, opera))
	}
}

func TestAKeyOpensWhatItsScopesSayUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	store, _, db := open(t)
	opera, cinema := organization(t, store, "opera"), organization(t, store, "cinema")
	known := []string{"events:read", "events:write"}
	by := audit.Change{Who: "staff:root", Key: "k"}
	made, secret, err := store.MakeKey(t.Context(), opera, " till ", []string{"events:write", "events:read"}, 0, known, by)
	if err != nil || made.Name != "till" || !slices.Equal(made.Scopes, known) || !strings.HasPrefix(secret, people.KeyPrefix) || len(secret) != 47 {
		t.Fatalf("made %+v, %q, %v", made, secret, err)
	}
	again, same, err := store.MakeKey(t.Context(), opera, "till", []string{"events:write", "events:read"}, 0, known, by)
	if err != nil || again.ID != made.ID || same != secret {
		t.Errorf("the request again: %+v, %v", again, err)
	}
	_, _, err = store.MakeKey(t.Context(), opera, "till", []string{"events:read"}, 0, known, by)
	wants(t, "another with the same key", err, booking.ErrKeyReused)
	var kept int
	if err := db.QueryRow(t.Context(), `select count(*) from api_keys where key_hash = $1::bytea or position($1::bytea in key_hash) > 0`, []byte(secret)).Scan(&kept); err != nil || kept > 0 {
		t.Errorf("the secret is kept: %d, %v", kept, err)
	}

	for _, odd := range []string{"", "rlk_", secret[:46], secret + "x", strings.ToUpper(secret), "rlk_" + strings.Repeat("x", 43), "' or true --"} {
		_, _, err := store.FindKey(t.Context(), odd)
		wants(t, fmt.Sprintf("the key %q", odd), err, ropeline.ErrStaffRequired)
	}
	for range 2 { // of which the second writes nothing
		whose, k, err := store.FindKey(t.Context(), secret)
		if err != nil || whose != opera || k.ID != made.ID || !slices.Equal(k.Scopes, known) {
			t.Errorf("it is %s's %+v, %v", whose, k, err)
		}
	}
	list, _, err := store.APIKeys(t.Context(), opera, booking.Page{})
	if err != nil || len(list) != 1 || list[0].Seen.IsZero() || !list[0].Ends.IsZero() {
		t.Errorf("there are %+v, %v", list, err)
	}
	wants(t, "revoking another organization's", store.RevokeKey(t.Context(), cinema, made.ID, root), people.ErrKeyUnknown)
	for range 2 {
		wants(t, "revoking it", store.RevokeKey(t.Context(), opera, made.ID, root), nil)
	}
	_, _, err = store.FindKey(t.Context(), secret)
	wants(t, "a key that is revoked", err, ropeline.ErrStaffRequired)
	if got := noted(t, db, opera); !slices.Equal(got, []string{"staff:root key", "staff:root key"}) {
		t.Errorf("written down is %q", got)
	}

	_, day, err := store.MakeKey(t.Context(), opera, "for a day", known, 1, known, root)
	wants(t, "a key for a day", err, nil)
	if _, err := db.Exec(t.Context(), `update api_keys set ends_at = now() where name = 'for a day'`); err != nil {
		t.Fatal(err)
	}
	_, _, err = store.FindKey(t.Context(), day)
	wants(t, "a key that is over", err, ropeline.ErrStaffRequired)
	for _, odd := range [][]string{nil, {"events:admin"}, {"events:read", "events:read"}} {
		_, _, err := store.MakeKey(t.Context(), opera, "x", odd, 0, known, root)
		wants(t, fmt.Sprint("the scopes ", odd), err, people.ErrScope)
	}
	for name, days := range map[string]int{"": 0, "a\nb": 0, strings.Repeat("x", 101): 0, "x": -1, "y": 3651} {
		_, _, err := store.MakeKey(t.Context(), opera, name, known, days, known, root)
		wants(t, fmt.Sprintf("a key %q for %d days", name, days), err, people.ErrInvalid)
	}
}

func TestAnOrganizationIsMadeOnce(t *testing.T) {
	t.Parallel()
	store, _, _ := open(t)
	opera := organization(t, store, "opera")
	if again := organization(t, store, "opera"); again != opera {
		t.Error("the request again made another")
	}
	_, err := store.MakeOrganization(t.Context(), people.Organization{Slug: "opera", Name: "Other"}, root)
	wants(t, "another of its slug", err, people.ErrOrganizationTaken)
	for _, odd := range []people.Organization{{Slug: "Opera", Name: "x"}, {Slug: "-", Name: "x"}, {Slug: "x", Name: " "}, {Slug: "x", Name: "a\x00b"}, {Slug: strings.Repeat("x", 65), Name: "x"}} {
		_, err := store.MakeOrganization(t.Context(), odd, root)
		wants(t, fmt.Sprintf("%+v", odd), err, people.ErrInvalid)
	}
	all, _, err := store.Organizations(t.Context(), booking.Page{})
	if err != nil || len(all) != 2 || all[0].Slug != "house" || all[1].ID != opera {
		t.Errorf("there are %+v, %v", all, err)
	}
}

// Who is erased leaves where they worked, and that is written down; an organization keeps
// its organizer.
func TestWhoIsErasedHasLeft(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	opera, cinema := organization(t, store, "opera"), organization(t, store, "cinema")
	here := hired(t, store, letters, opera, ada, people.Organizer)
	if _, err := store.Invite(t.Context(), cinema, ada, []string{people.Door}, root); err != nil {
		t.Fatal(err)
	}
	l, _ := letters.newest(t)
	if _, err := store.Accept(t.Context(), here.Person, l.Token); err != nil {
		t.Fatal(err)
	}
	err := store.Erase(t.Context(), here.Person, password)
	wants(t, "the only organizer", err, people.ErrLastOrganizer)
	if !strings.Contains(fmt.Sprint(err), "OPERA") {
		t.Errorf("it is said so: %v", err)
	}
	if roles, err := store.Roles(t.Context(), here); err != nil || len(roles) != 2 {
		t.Errorf("then she works for %+v, %v", roles, err)
	}
	all := []people.Here{here}
	for i := range 7 {
		all = append(all, hired(t, store, letters, opera, fmt.Sprintf("rui%d@example.org", i), people.Organizer))
	}
	var together sync.WaitGroup
	left := make([]error, len(all))
	for i, who := range all { // at the same time
		together.Go(func() { left[i] = store.Erase(t.Context(), who.Person, password) })
	}
	together.Wait()
	stays := slices.IndexFunc(left, func(err error) bool { return err != nil })
	if stays < 0 || !errors.Is(left[stays], people.ErrLastOrganizer) || errors.Join(left[stays+1:]...) != nil {
		t.Fatalf("of all organizers: %v", left)
	}
	if one := mustOne(t, store, opera); one.ID != all[stays].Person {
		t.Errorf("who stays is %+v", one)
	}
	if list, _, err := store.Members(t.Context(), cinema, booking.Page{}); err != nil || len(list) != min(1, max(0, 1-stays)) {
		t.Errorf("members of the cinema are %+v, %v", list, err)
	}
	written := 0
	for _, line := range noted(t, db, opera) {
		if strings.HasPrefix(line, people.Account("")) && strings.HasSuffix(line, " member") {
			written++
		}
	}
	if written != len(all)-1 {
		t.Errorf("written down is %q", noted(t, db, opera))
	}
}
