package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/review"
	"github.com/ropeline/ropeline/internal/tenant"
)

// Staff finds a member of the staff by a key of the key file. Organization is the slug of
// theirs, empty for whoever runs the installation.
type Staff interface {
	Find(key string) (name, role, organization string, err error)
}

// The roles that staff have. A vendor's name begins with the shop it is of.
const (
	roleSRE        = people.SRE
	roleAdmin      = people.Admin
	roleOrganizer  = people.Organizer
	roleVenue      = people.Venue
	roleBoxOffice  = people.BoxOffice
	roleDoor       = people.Door
	roleSupervisor = people.Supervisor
	roleVendor     = "vendor"
)

// rolesOf are the roles that a kind of access is for, and what it refuses others with.
var rolesOf = map[Access]struct {
	refusal error
	roles   []string
}{
	Desk:       {ErrDeskOnly, []string{roleSRE, roleVendor, roleOrganizer}},
	SRE:        {ErrSREOnly, []string{roleSRE}},
	Organizer:  {ErrOrganizerOnly, []string{roleSRE, roleOrganizer}},
	Venues:     {ErrVenuesOnly, []string{roleSRE, roleOrganizer, roleVenue}},
	BoxOffice:  {ErrBoxOfficeOnly, []string{roleSRE, roleBoxOffice}},
	Door:       {ErrDoorOnly, []string{roleSRE, roleOrganizer, roleDoor, roleSupervisor}},
	Supervisor: {ErrSupervisorOnly, []string{roleSRE, roleOrganizer, roleSupervisor}},
	Team:       {ErrTeamOnly, []string{roleSRE, roleAdmin, roleOrganizer}},
	Admin:      {ErrAdminOnly, []string{roleSRE, roleAdmin}},
}

// What is refused to staff.
var (
	ErrVenuesOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "organizer-required", Detail: "Venues are for those who manage them, for organizers and SREs."}
	ErrTeamOnly   = &ropeline.Error{Kind: ropeline.Forbidden, Code: "organizer-required", Detail: "Who works for an organization is for its organizers, and for admins and SREs."}
	ErrAdminOnly  = &ropeline.Error{Kind: ropeline.Forbidden, Code: "admin-required", Detail: "This is for admins and SREs."}
	ErrScope      = &ropeline.Error{Kind: ropeline.Forbidden, Code: "scope-required"}
	ErrWhere      = &ropeline.Error{Kind: ropeline.Conflict, Code: "organization-needed", Detail: "You work for several organizations: say which, by its id, in the header Ropeline-Organization."}
)

// place is where somebody has which roles. Of the installation the organization is empty.
type place struct {
	organization string
	roles        []string
	name         string // of the organization, where it is read anyway
}

// identity is who of the staff a request comes from, wherever they work.
type identity struct {
	name    string // as it is written down
	places  []place
	scopes  []string // of an API key, which has no roles
	account bool     // they signed in to one, with a second factor
}

// member is who of the staff a request comes from, and for whom they do what it asks. Who
// has an organization sees its rows alone, in whatever statement (package tenant); the
// staff of the installation have none and see all.
type member struct {
	name, organization string
	roles              []string
}

func (m member) is(role string) bool { return slices.Contains(m.roles, role) }

type (
	memberKey   struct{} // key of the member that the guard has let pass
	identityKey struct{} // key of who they are altogether
)

// credentials are what a request says of who sends it.
type credentials struct{ bearer, key, account string }

// identify finds who of the staff that is: by a key of the file or an API key, from the
// header; by a key of the file that is in the cookie of who signed in on a page of ours;
// or by the sign-in of an account with a second factor. What is in the header counts.
func (s *server) identify(ctx context.Context, c credentials) (identity, error) {
	if c.bearer == "" {
		c.bearer = c.key
	}
	switch {
	case strings.HasPrefix(c.bearer, people.KeyPrefix) && s.people != nil:
		organization, k, err := s.people.FindKey(ctx, c.bearer)
		return identity{name: "key-" + k.ID, places: []place{{organization: organization}}, scopes: k.Scopes}, err
	case c.bearer != "":
		return s.keyed(ctx, c.bearer)
	case c.account != "" && s.people != nil:
		return s.signedInStaff(ctx, c.account)
	}
	return identity{}, ropeline.ErrStaffRequired
}

// keyed is who has a key of the file.
func (s *server) keyed(ctx context.Context, key string) (identity, error) {
	if s.staff == nil {
		return identity{}, ropeline.ErrStaffRequired
	}
	name, role, slug, err := s.staff.Find(key)
	if err != nil {
		return identity{}, err
	}
	at := place{organization: tenant.House, roles: []string{role}}
	switch {
	case role == roleSRE || role == roleAdmin:
		at.organization = ""
	case slug != "":
		if at.organization, err = tenant.Named(ctx, s.db, slug); err != nil {
			return identity{}, ropeline.ErrStoreAway.Because(err)
		}
		if at.organization == "" { // it is not made yet
			return identity{}, ropeline.ErrStaffRequired
		}
	}
	return identity{name: name, places: []place{at}}, nil
}

// signedInStaff is who has signed in to an account that works for somebody.
func (s *server) signedInStaff(ctx context.Context, token string) (identity, error) {
	here, err := s.people.Find(ctx, token)
	if errors.Is(err, people.ErrSignedOut) {
		err = ropeline.ErrStaffRequired
	}
	if err != nil {
		return identity{}, err
	}
	roles, err := s.people.Roles(ctx, here)
	who := identity{name: strings.TrimPrefix(people.Account(here.Person), "staff:"), account: true}
	for _, r := range roles {
		who.places = append(who.places, place{r.Organization, r.Roles, r.Name})
	}
	return who, err
}

// at chooses the place for which somebody does what a route does. Wanted is the organization
// that the request names, if it names one.
func (i identity) at(r Route, wanted string) (member, error) {
	m := member{name: i.name}
	if i.scopes != nil {
		m.organization = i.places[0].organization
		return m, i.mayByScope(r, wanted)
	}
	want := rolesOf[r.Access]
	var found []member
	for _, p := range i.places {
		for _, role := range p.roles {
			if slices.Contains(want.roles, role) {
				found = append(found, member{i.name, p.organization, p.roles})
				break
			}
		}
	}
	if len(found) == 0 {
		return member{}, want.refusal
	}
	if wanted != "" {
		found = slices.DeleteFunc(found, func(m member) bool { return m.organization != wanted && m.organization != "" })
		if len(found) == 0 { // whether there is such an organization is not told
			return member{}, people.ErrOrganization
		}
		if i := slices.IndexFunc(found, func(m member) bool { return m.organization == wanted }); i > 0 {
			return found[i], nil
		}
		return found[0], nil
	}
	if len(found) > 1 {
		return member{}, ErrWhere
	}
	return found[0], nil
}

// mayByScope lets an API key pass whose scopes a route is in.
func (i identity) mayByScope(r Route, wanted string) error {
	scope := scopeOf(r)
	switch {
	case scope == "":
		return rolesOf[r.Access].refusal
	case wanted != "" && wanted != i.places[0].organization:
		return people.ErrOrganization
	case !slices.Contains(i.scopes, scope):
		e := *ErrScope
		e.Detail = "This key has not the scope " + scope + "."
		return &e
	}
	return nil
}

// areas say what part of an organization's business the routes below a path are. The
// longest counts.
var areas = map[string]string{
	organizer + "/events": "events", organizer + "/performers": "events", organizer + "/tours": "events", organizer + "/pictures": "events",
	organizer + "/performances/{id}/state": "events",
	noticesPath:                            "orders", eventsPath + "/{id}/holders": "orders",
	organizer + "/venues":   "venues",
	organizer + "/programs": "sales", organizer + "/performances/{id}/reserves": "sales", organizer + "/plans": "sales", organizer + "/accounts/{account}/plan": "sales",
	organizer + "/orders": "orders", organizer + "/performances/{id}": "orders", salesPath + "{sale}/settlement": "orders", lookPath: "sales", publicationPath: "sales", codesPath: "sales", salesPath + "{sale}/readiness": "sales", organizer + "/accounts": "orders",
	organizer + "/exports": "orders", organizer + "/popularity": "orders", organizer + "/audience": "orders",
	doorPath: "door", counter: "counter", organizer + "/counter": "counter",
	organizer + "/changes": "changes", wordingsPath: "events", newslettersPath: "orders", ownPostsPath: "events", moderationPath: "events",
}

// scopeOf is what an API key needs for a route, empty if no key may use it: what is
// for vendors and for whoever runs the installation, and who works for an organization.
func scopeOf(r Route) string {
	if r.Access != Organizer && r.Access != Venues && r.Access != BoxOffice && r.Access != Door {
		return ""
	}
	area := ""
	for path := r.Path; area == "" && path != ""; path = path[:strings.LastIndexByte(path, '/')] {
		area = areas[path]
	}
	if r.Method == http.MethodGet {
		return area + ":read"
	}
	return area + ":write"
}

// scopes are those that there are.
var scopes = func() (all []string) {
	for _, r := range Routes {
		if scope := scopeOf(r); scope != "" && !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	slices.Sort(all)
	return all
}()

// owned tells of which kind the thing is that follows a word of a path.
var owned = map[string]struct {
	kind    tenant.Kind
	unknown error
}{
	"events": {tenant.Event, guide.ErrEventUnknown}, "performances": {tenant.Performance, catalogue.ErrPerformanceUnknown},
	"performers": {tenant.Performer, guide.ErrPerformerUnknown}, "tours": {tenant.Tour, guide.ErrTourUnknown},
	"venues": {tenant.Venue, guide.ErrVenueUnknown}, "programs": {tenant.Sale, catalogue.ErrProgramUnknown}, "sales": {tenant.Sale, ropeline.ErrSaleUnknown},
	"orders": {tenant.Order, order.ErrUnknown}, "accounts": {tenant.Account, catalogue.ErrAccountUnknown}, "shops": {tenant.Shop, coupon.ErrShop}, "posts": {tenant.Post, review.ErrUnknown},
}

// shared are words of paths whose things others may read: performers are everybody's, and
// in an open venue everybody plays. Postgres hides the venues that are not.
var shared = []string{"performers", "venues"}

// things are the names of the parameters of a route that name something of an
// organization's, by the word before them.
func things(r Route) map[string]string {
	found := map[string]string{}
	words := strings.Split(r.Path, "/")
	for i, w := range words {
		name, ok := strings.CutPrefix(w, "{")
		if _, has := owned[words[max(i-1, 0)]]; ok && has && (r.Method != http.MethodGet || !slices.Contains(shared, words[i-1])) {
			found[strings.TrimSuffix(name, "}")] = words[i-1]
		}
	}
	return found
}

// mine refuses what is of another organization than a member's, as if there was none. What
// is not there at all is left to whoever looks for it.
func (s *server) mine(ctx context.Context, m member, word, id string) error {
	if m.organization == "" {
		return nil
	}
	owner, err := s.owner(ctx, word, id)
	if err == nil && owner != "" && owner != m.organization {
		err = owned[word].unknown
	}
	return err
}

// owner is whose something is, empty if it is not there.
func (s *server) owner(ctx context.Context, word, id string) (string, error) {
	organization, err := s.owners.Of(ctx, owned[word].kind, id)
	if err != nil {
		return "", ropeline.ErrStoreAway.Because(err)
	}
	return organization, nil
}

// unconfined are routes that write, or read, what Postgres grants to nobody but the owner
// of the tables: money, holds and who works for whom. They see what the guard has found to
// be their organization's.
func unconfined(r Route) bool {
	return r.Access == BoxOffice || r.Access == Door || r.Access == Supervisor || r.Access == Team || r.Access == Admin || r.Access == Crew || r.Access == Desk || r.ID == "staff-cancel-order" || r.ID == "list-accounts"
}

// atDesk are the routes of SREs that a page of the desk asks.
var atDesk = map[string]bool{"list-dead-letters": true, "retry-letter": true}

// credentialsOf are those of a request. A key in the cookie is as good as in the header, on
// the routes that have pages of ours.
func credentialsOf(r Route, authorization, key, account string) credentials {
	if r.Access == SRE && !atDesk[r.ID] {
		key = ""
	}
	return credentials{ropeline.Bearer(authorization), key, account}
}

// need lets members of the staff pass who may use a route, for what is their organization's.
func (s *server) need(r Route) fiber.Handler {
	names := things(r)
	return func(c *fiber.Ctx) error {
		ctx := c.UserContext()
		who, err := s.identify(ctx, credentialsOf(r, c.Get(fiber.HeaderAuthorization), c.Cookies(ropeline.StaffCookie), c.Cookies(ropeline.AccountCookie)))
		if err != nil {
			return err
		}
		c.Locals(identityKey{}, who)
		if r.Access == Crew {
			return c.Next()
		}
		wanted := c.Get(organizationHeader)
		if r.Access == Team {
			wanted = c.Params("organization")
		}
		m, err := who.at(r, wanted)
		if err != nil {
			return err
		}
		for name, word := range names {
			if err := s.mine(ctx, m, word, c.Params(name)); err != nil {
				return err
			}
		}
		c.Locals(memberKey{}, m)
		if !unconfined(r) {
			c.SetUserContext(tenant.With(ctx, m.organization))
		}
		return c.Next()
	}
}

// organizationHeader names the organization that somebody acts for who works for several.
const organizationHeader = "Ropeline-Organization"

// memberOf is who has passed the guard.
func memberOf(ctx context.Context) member {
	m, _ := ctx.Value(memberKey{}).(member)
	return m
}
