package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/internal/tenant"
)

// Staff come with an account and a second factor, do what their roles say, and find a role
// gone with the next request after it was taken.
func TestARoleCountsUntilItIsTaken(t *testing.T) {
	t.Parallel()
	c := start(t)
	opera := c.founded("opera")
	team := organizationsPath + "/" + opera
	ann := c.hired("ann@example.org", opera, people.Organizer)
	c.do(http.MethodPost, eventsPath, ann, c.json(m{"title": "Gala"}), "Idempotency-Key", "k").is(http.StatusCreated, nil)
	c.do(http.MethodPost, eventsPath, ann, c.json(m{"title": "Ball"}), "Idempotency-Key", "l", "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
	c.get(blocks, ann).refused(http.StatusForbidden, "sre-required")
	c.get(c.counter(""), ann).refused(http.StatusForbidden, "box-office-required")
	c.get(organizationsPath, ann).refused(http.StatusForbidden, "admin-required")
	c.get(organizationsPath+"/"+tenant.House+"/members", ann).refused(http.StatusNotFound, "organization-unknown")
	c.get(organizationsPath+"/installation/members", ann).refused(http.StatusNotFound, "organization-unknown")
	c.do(http.MethodPost, organizationsPath+"/installation/invitations", ann, c.json(m{"email": "ann@example.org", "roles": []string{"sre"}}), "Idempotency-Key", "up").refused(http.StatusNotFound, "organization-unknown")

	bob := c.member("bob@example.org")
	c.get(eventsPath, bob).refused(http.StatusForbidden, "organizer-required")
	c.invited(bob, "bob@example.org", opera, people.Organizer)
	c.get(eventsPath, bob).refused(http.StatusForbidden, "second-factor-needed")
	bob = c.hired("bob@example.org", opera, people.BoxOffice)
	c.get(eventsPath, bob).is(http.StatusOK, nil)

	var list MemberList
	c.get(team+"/members", ann).is(http.StatusOK, &list)
	if len(list.Members) != 2 || strings.Join(list.Members[1].Roles, " ") != "boxoffice organizer" || !list.Members[1].Second || list.Members[1].Version != 2 {
		t.Fatalf("there are %+v", list)
	}
	his := team + "/members/" + list.Members[1].ID
	c.do(http.MethodPut, his, ann, c.json(m{"roles": []string{"venue"}})).refused(http.StatusPreconditionRequired, "if-match-missing")
	c.do(http.MethodPut, his, ann, c.json(m{"roles": []string{"venue"}}), "If-Match", `"1"`).refused(http.StatusPreconditionFailed, "changed-meanwhile")
	if a := c.do(http.MethodPut, his, ann, c.json(m{"roles": []string{"venue"}}), "If-Match", `"2"`); a.Header.Get("ETag") != `"3"` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	c.get(eventsPath, bob).refused(http.StatusForbidden, "organizer-required") // he was working
	c.get(venuesPath, bob).is(http.StatusOK, nil)
	c.do(http.MethodDelete, his, bob, "").refused(http.StatusForbidden, "organizer-required")
	c.do(http.MethodDelete, his, ann, "").is(http.StatusNoContent, nil)
	c.get(venuesPath, bob).refused(http.StatusForbidden, "organizer-required")
	c.do(http.MethodDelete, his, ann, "").refused(http.StatusNotFound, "member-unknown")
	c.do(http.MethodDelete, team+"/members/"+list.Members[0].ID, ann, "").refused(http.StatusConflict, "organizer-needed")

	var changes ChangeList
	c.get(organizer+"/changes?subject="+opera, ann).is(http.StatusOK, &changes)
	if len(changes.Changes) != 8 || changes.Changes[0].What != "member" || !strings.HasPrefix(changes.Changes[0].Who, "staff:account-") {
		t.Errorf("written down is %+v", changes.Changes)
	}
}

// Who works for several organizations says for which they do something.
func TestWhoWorksForSeveralSaysForWhich(t *testing.T) {
	t.Parallel()
	c := start(t)
	opera, cinema := c.founded("opera"), c.founded("cinema")
	ann := c.hired("ann@example.org", opera, people.Organizer)
	c.invited(ann, "ann@example.org", cinema, people.Organizer)
	c.get(eventsPath, ann).refused(http.StatusConflict, "organization-needed")
	c.do(http.MethodPost, eventsPath, ann, c.json(m{"title": "Gala"}), "Idempotency-Key", "k", organizationHeader, opera).is(http.StatusCreated, nil)
	var list OwnEventList
	c.get(eventsPath, ann, organizationHeader, cinema).is(http.StatusOK, &list)
	if len(list.Events) != 0 {
		t.Errorf("the cinema has %+v", list)
	}
	for _, odd := range []string{tenant.House, "x", "' or true --", "installation"} {
		c.get(eventsPath, ann, organizationHeader, odd).refused(http.StatusNotFound, "organization-unknown")
	}
	var who ShownStaff
	c.get(staffPath, ann).is(http.StatusOK, &who)
	if len(who.Places) != 2 || !strings.HasPrefix(who.Who, "staff:account-") {
		t.Errorf("she is %+v", who)
	}
	for _, p := range who.Places { // she is asked which: ids tell people nothing
		if p.Name == "" || p.Organization != opera && p.Organization != cinema {
			t.Errorf("she works for %+v", p)
		}
	}
	c.invited(ann, "ann@example.org", "installation", people.SRE)
	c.get(blocks, ann).is(http.StatusOK, nil)
	c.get(eventsPath, ann, organizationHeader, opera).is(http.StatusOK, &list)
	if len(list.Events) != 1 {
		t.Errorf("the opera has %+v", list)
	}
}

// A program does what the scopes of its key say, for its organization.
func TestAnAPIKeyDoesWhatItsScopesSay(t *testing.T) {
	t.Parallel()
	c := start(t)
	opera := c.founded("opera")
	keys := organizationsPath + "/" + opera + "/keys"
	ann := c.hired("ann@example.org", opera, people.Organizer)
	var k NewKey
	c.do(http.MethodPost, keys, ann, c.json(m{"name": "site", "scopes": []string{"events:read"}, "days": 30}), "Idempotency-Key", "k").is(http.StatusCreated, &k)
	c.get(eventsPath, k.Secret).is(http.StatusOK, nil)
	c.do(http.MethodPost, eventsPath, k.Secret, c.json(m{"title": "Gala"}), "Idempotency-Key", "k").names(http.StatusForbidden, "scope-required", "events:write")
	c.get(venuesPath, k.Secret).names(http.StatusForbidden, "scope-required", "venues:read")
	c.get(keys, k.Secret).refused(http.StatusForbidden, "organizer-required") // no key makes keys
	c.get(blocks, k.Secret).refused(http.StatusForbidden, "sre-required")
	c.get(eventsPath, k.Secret, organizationHeader, tenant.House).refused(http.StatusNotFound, "organization-unknown")
	var who ShownStaff
	c.get(staffPath, k.Secret).is(http.StatusOK, &who)
	if who.Who != "staff:key-"+k.ID || len(who.Scopes) != 1 || len(who.Places) != 1 || who.Places[0].Organization != opera {
		t.Errorf("it is %+v", who)
	}
	var list KeyList
	c.get(keys, ann).is(http.StatusOK, &list)
	if len(list.Keys) != 1 || list.Keys[0].Seen.IsZero() || strings.Contains(c.json(list), k.Secret) {
		t.Errorf("there are %+v", list)
	}
	c.do(http.MethodDelete, keys+"/"+k.ID, ann, "").is(http.StatusNoContent, nil)
	c.get(eventsPath, k.Secret).refused(http.StatusUnauthorized, "staff-required")

	write := c.program(opera, "events:write", "venues:write")
	c.do(http.MethodPost, venuesPath, write, operaHouse(t), "Idempotency-Key", "k").is(http.StatusCreated, nil)
	c.do(http.MethodPost, organizationsPath+"/installation/keys", "key-sre", c.json(m{"name": "x", "scopes": []string{"events:read"}}), "Idempotency-Key", "i").refused(http.StatusNotFound, "organization-unknown")
	c.do(http.MethodPost, organizationsPath+"/00000000-0000-7000-8000-0000000000ff/keys", "key-sre", c.json(m{"name": "x", "scopes": []string{"events:read"}}), "Idempotency-Key", "j").refused(http.StatusNotFound, "organization-unknown")
}
