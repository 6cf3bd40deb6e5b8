package api

import (
	"context"
	"slices"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/people"
)

func (s *server) routeTeam() error {
	return all(
		handle(s, "get-staff", s.getStaff),
		handle(s, "put-badge", s.putBadge),
		handle(s, "list-organizations", s.listOrganizations),
		handle(s, "create-organization", s.createOrganization),
		handle(s, "list-members", s.listMembers),
		handle(s, "invite-member", s.inviteMember),
		handle(s, "change-member", s.changeMember),
		handle(s, "remove-member", s.removeMember),
		handle(s, "list-api-keys", s.listAPIKeys),
		handle(s, "create-api-key", s.createAPIKey),
		handle(s, "revoke-api-key", s.revokeAPIKey),
		handle(s, "accept-invitation", s.acceptInvitation),
	)
}

// StaffPlace is where somebody works.
type StaffPlace struct {
	Organization string   `json:"organization,omitempty" doc:"its id; left out: the installation"`
	Name         string   `json:"name,omitempty" doc:"of the organization, for who has an account"`
	Roles        []string `json:"roles" nullable:"false" doc:"none: it is a program, which has scopes"`
}

// ShownStaff is who somebody is of the staff.
type ShownStaff struct {
	Who    string       `json:"who" doc:"as it is written down what they do"`
	Places []StaffPlace `json:"places" doc:"200 at most"`
	Scopes []string     `json:"scopes,omitempty" doc:"of an API key"`
}

type gotStaff struct{ Body ShownStaff }

func (s *server) getStaff(ctx context.Context, _ *struct{}) (*gotStaff, error) {
	who, _ := ctx.Value(identityKey{}).(identity)
	out := &gotStaff{Body: ShownStaff{Who: "staff:" + who.name, Places: []StaffPlace{}, Scopes: who.scopes}}
	for _, p := range who.places {
		out.Body.Places = append(out.Body.Places, StaffPlace{p.organization, p.name, append([]string{}, p.roles...)})
	}
	return out, nil
}

// team is where accounts are kept, by which members are known.
func (s *server) team() (*people.Store, error) {
	if s.people == nil {
		return nil, ErrNoAccounts
	}
	return s.people, nil
}

// OrganizationList is a page of organizations.
type OrganizationList struct {
	Organizations []people.Organization `json:"organizations"`
	Next          string                `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotOrganizations struct{ Body OrganizationList }

func (s *server) listOrganizations(ctx context.Context, in *Page) (*gotOrganizations, error) {
	team, err := s.team()
	if err != nil {
		return nil, err
	}
	list, next, err := team.Organizations(ctx, in.of())
	return &gotOrganizations{Body: OrganizationList{list, next}}, err
}

// OrganizationRequest says what an organization is called.
type OrganizationRequest struct {
	Slug string `json:"slug" doc:"1 to 64 small letters, digits and hyphens"`
	Name string `json:"name" doc:"1 to 100 characters"`
}

type createOrganization struct {
	Creating
	Body OrganizationRequest
}

type gotOrganization struct{ Body people.Organization }

func (s *server) createOrganization(ctx context.Context, in *createOrganization) (*gotOrganization, error) {
	team, err := s.team()
	if err != nil {
		return nil, err
	}
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	o, err := team.MakeOrganization(ctx, people.Organization{Slug: in.Body.Slug, Name: in.Body.Name}, by)
	return &gotOrganization{Body: o}, err
}

// AtOrganization names an organization in the path. It is exported because huma skips what
// is not.
type AtOrganization struct {
	Organization string `path:"organization" doc:"its id; installation: who runs the installation"`
}

// team finds the store, and the organization there.
func (a AtOrganization) team(ctx context.Context, s *server) (*people.Store, string, error) {
	team, err := s.team()
	if err != nil || a.Organization == people.Installation {
		return team, "", err
	}
	if !booking.IsID(a.Organization) {
		return nil, "", people.ErrOrganization
	}
	o, err := team.Organization(ctx, a.Organization)
	return team, o.ID, err
}

// sells is team for what only organizations have.
func (a AtOrganization) sells(ctx context.Context, s *server) (*people.Store, string, error) {
	team, id, err := a.team(ctx, s)
	if err == nil && id == "" {
		err = people.ErrOrganization
	}
	return team, id, err
}

type someMembers struct {
	AtOrganization
	Page
}

// MemberList is a page of members and invitations.
type MemberList struct {
	Members []people.Member `json:"members"`
	Next    string          `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotMembers struct{ Body MemberList }

func (s *server) listMembers(ctx context.Context, in *someMembers) (*gotMembers, error) {
	team, organization, err := in.team(ctx, s)
	if err != nil {
		return nil, err
	}
	list, next, err := team.Members(ctx, organization, in.of())
	return &gotMembers{Body: MemberList{append([]people.Member{}, list...), next}}, err
}

// InvitationRequest says who is invited to what.
type InvitationRequest struct {
	Email string   `json:"email"`
	Roles []string `json:"roles" nullable:"false" doc:"organizer, venue, boxoffice, door, supervisor; of the installation: sre, admin"`
}

type inviteMember struct {
	AtOrganization
	Creating
	Body InvitationRequest
}

type gotMember struct{ Body people.Member }

func (s *server) inviteMember(ctx context.Context, in *inviteMember) (*gotMember, error) {
	by, err := in.Creating.change(ctx)
	if err != nil {
		return nil, err
	}
	team, organization, err := in.team(ctx, s)
	if err != nil {
		return nil, err
	}
	m, err := team.Invite(ctx, organization, in.Body.Email, in.Body.Roles, by)
	return &gotMember{Body: m}, err
}

// RolesRequest says which roles a member is to have.
type RolesRequest struct {
	Roles []string `json:"roles" nullable:"false"`
}

type changeMember struct {
	AtOrganization
	Member string `path:"member" doc:"their id"`
	Seen   string `header:"If-Match" doc:"the version of the roles that this replaces, as an ETag"`
	Reason string `query:"reason" doc:"up to 200 characters: why"`
	Body   RolesRequest
}

// ChangedMember is what came of a change of roles.
type ChangedMember struct {
	ID      string   `json:"id"`
	Roles   []string `json:"roles"`
	Version int      `json:"version"`
}

type changedMember struct {
	ETag string `header:"ETag"`
	Body ChangedMember
}

func (s *server) changeMember(ctx context.Context, in *changeMember) (*changedMember, error) {
	seen, err := seenVersion(in.Seen, people.ErrMemberChanged)
	if err != nil {
		return nil, err
	}
	team, organization, err := in.team(ctx, s)
	if err != nil {
		return nil, err
	}
	version, err := team.SetRoles(ctx, organization, in.Member, in.Body.Roles, audit.Change{Who: by(ctx), Reason: in.Reason, Seen: seen})
	return &changedMember{ETag: versionTag(version), Body: ChangedMember{in.Member, slices.Sorted(slices.Values(in.Body.Roles)), version}}, err
}

type removeMember struct {
	AtOrganization
	Member string `path:"member" doc:"their id, or that of an invitation"`
	Reason string `query:"reason" doc:"up to 200 characters: why"`
}

func (s *server) removeMember(ctx context.Context, in *removeMember) (*nothing, error) {
	team, organization, err := in.team(ctx, s)
	if err != nil {
		return nil, err
	}
	return &nothing{}, team.Dismiss(ctx, organization, in.Member, audit.Change{Who: by(ctx), Reason: in.Reason})
}

type someKeys struct {
	AtOrganization
	Page
}

// KeyList is a page of API keys.
type KeyList struct {
	Keys []people.APIKey `json:"keys" doc:"the newest first"`
	Next string          `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotKeys struct{ Body KeyList }

func (s *server) listAPIKeys(ctx context.Context, in *someKeys) (*gotKeys, error) {
	team, organization, err := in.sells(ctx, s)
	if err != nil {
		return nil, err
	}
	list, next, err := team.APIKeys(ctx, organization, in.of())
	return &gotKeys{Body: KeyList{append([]people.APIKey{}, list...), next}}, err
}

// KeyRequest says what a key is for.
type KeyRequest struct {
	Name   string   `json:"name" doc:"1 to 100 characters"`
	Scopes []string `json:"scopes" nullable:"false" doc:"each an area and read or write, as events:read; see docs/people.md"`
	Days   int      `json:"days,omitempty" doc:"it is good for so long, 3650 at most; left out: until it is revoked"`
}

type createAPIKey struct {
	AtOrganization
	Creating
	Body KeyRequest
}

// NewKey is a key and its secret.
type NewKey struct {
	people.APIKey
	Secret string `json:"secret" doc:"rlk_ and 43 characters; not shown again"`
}

type newKey struct{ Body NewKey }

func (s *server) createAPIKey(ctx context.Context, in *createAPIKey) (*newKey, error) {
	by, err := in.Creating.change(ctx)
	if err != nil {
		return nil, err
	}
	team, organization, err := in.sells(ctx, s)
	if err != nil {
		return nil, err
	}
	k, secret, err := team.MakeKey(ctx, organization, in.Body.Name, in.Body.Scopes, in.Body.Days, scopes, by)
	return &newKey{Body: NewKey{k, secret}}, err
}

type revokeAPIKey struct {
	AtOrganization
	Key    string `path:"key" doc:"its id"`
	Reason string `query:"reason" doc:"up to 200 characters: why"`
}

func (s *server) revokeAPIKey(ctx context.Context, in *revokeAPIKey) (*nothing, error) {
	team, organization, err := in.sells(ctx, s)
	if err != nil {
		return nil, err
	}
	return &nothing{}, team.RevokeKey(ctx, organization, in.Key, audit.Change{Who: by(ctx), Reason: in.Reason})
}

type gotRole struct{ Body people.Role }

func (s *server) acceptInvitation(ctx context.Context, in *struct{ Body LetterRequest }) (*gotRole, error) {
	r, err := s.people.Accept(ctx, me(ctx).Person, in.Body.Token)
	return &gotRole{Body: r}, err
}
