package people

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Roles of the staff of an organization, and those of the installation.
const (
	Organizer  = "organizer"  // all that its organization has, its staff too
	Venue      = "venue"      // venues and their seating
	BoxOffice  = "boxoffice"  // sells at the counter
	Door       = "door"       // lets ticket holders in
	Supervisor = "supervisor" // and takes back who was let in
	SRE        = "sre"        // runs the installation
	Admin      = "admin"      // makes organizations and says who their staff are
)

var ofOrganizations, ofInstallation = []string{Organizer, Venue, BoxOffice, Door, Supervisor}, []string{SRE, Admin}

// inviteLife is how long an invitation can be taken.
const inviteLife = 7 * 24 * time.Hour

// mostStaff are members and invitations of an organization.
const mostStaff = 1000

// Refusals of what is done to members.
var (
	ErrRole          = &ropeline.Error{Kind: ropeline.Invalid, Code: "role-unknown", Detail: "The roles in an organization are organizer, venue, boxoffice, door and supervisor, those of the installation sre and admin: one at least, each once."}
	ErrMember        = &ropeline.Error{Kind: ropeline.NotFound, Code: "member-unknown", Detail: "This organization has no such member or invitation."}
	ErrMemberChanged = &ropeline.Error{Kind: ropeline.Conflict, Code: "changed-meanwhile", Status: 412, Detail: "The roles of this member are not what you have seen any more. Read them again first. Nothing was changed."}
	ErrLastOrganizer = &ropeline.Error{Kind: ropeline.Conflict, Code: "organizer-needed", Detail: "This is the only organizer of the organization. Make another one first. Nothing was changed."}
	ErrInvitedOther  = &ropeline.Error{Kind: ropeline.Forbidden, Code: "invited-other", Detail: "This invitation went to another address. Sign in with the account that has it."}
	ErrStaffMost     = &ropeline.Error{Kind: ropeline.Conflict, Code: "members-too-many", Detail: "An organization has at most 1,000 members and invitations. Remove one first."}
	ErrUnproven      = &ropeline.Error{Kind: ropeline.Forbidden, Code: "second-factor-needed", Detail: "Work for an organization takes a second factor: set one up in your account, and try again."}
)

// Role is what somebody may do, and where.
type Role struct {
	Organization string   `json:"organization,omitempty" doc:"its id; left out: the installation"`
	Name         string   `json:"name,omitempty" doc:"of the organization"`
	Roles        []string `json:"roles"`
}

// Member is somebody of the staff, or who is to become that.
type Member struct {
	ID      string    `json:"id" doc:"of the person, or of the invitation"`
	Email   string    `json:"email"`
	Name    string    `json:"name,omitempty"`
	Roles   []string  `json:"roles"`
	Second  bool      `json:"second_factor" doc:"they have one; until then their roles open nothing"`
	Since   time.Time `json:"since"`
	Who     string    `json:"who" doc:"who invited them"`
	Version int       `json:"version,omitempty" doc:"of the roles: as an ETag, it is what a change has seen; left out: it is an invitation"`
	Until   time.Time `json:"until,omitzero" doc:"an invitation that was not taken is over then"`
}

// rolesIn sorts roles, and refuses those that are none of an organization, which the
// installation is where that is empty.
func rolesIn(organization string, roles []string) ([]string, error) {
	known := ofOrganizations
	if organization == "" {
		known = ofInstallation
	}
	sorted := slices.Sorted(slices.Values(roles))
	if len(sorted) == 0 || len(slices.Compact(slices.Clone(sorted))) != len(sorted) ||
		slices.ContainsFunc(sorted, func(r string) bool { return !slices.Contains(known, r) }) {
		return nil, ErrRole
	}
	return sorted, nil
}

// Invite sends a letter to an address by which whoever has it becomes a member of an
// organization, or of the staff of the installation where that is empty. Nobody is told
// whether the address has an account. Who is invited again has a new letter and one
// invitation.
func (s *Store) Invite(ctx context.Context, organization, email string, roles []string, by audit.Change) (m Member, err error) {
	if !booking.IsEmail(email) {
		return m, invalid("The e-mail address is not one")
	}
	if roles, err = rolesIn(organization, roles); err != nil {
		return m, err
	}
	if err := by.Validate(false); err != nil {
		return m, err
	}
	id, err := booking.NewID()
	if err != nil {
		return m, err
	}
	for _, c := range []count{{lettersTo, "invitation", organization + " " + email}, {invitesOf, "invitations", organization}} {
		wait, err := c.Take(ctx, s.rdb, s.key(c.what, c.who))
		if err != nil {
			return m, ropeline.ErrStoreAway.Because(fmt.Errorf("inviting somebody: %w", err))
		}
		if wait > 0 {
			return m, tooOften(wait)
		}
	}
	err = s.change(ctx, organization, func(tx pgx.Tx) error {
		before, found, err := by.Note(ctx, tx, audit.Edit{What: audit.OfInvitation, Subject: subject(organization), Name: id}, organization, string(s.keys.emailMAC(email)), strings.Join(roles, " "))
		if err != nil {
			return err
		}
		if found {
			m, err = s.readInvitation(tx.QueryRow(ctx, `select `+invitationColumns+` from invitations where id = $1`, before.Name))
			if errors.Is(err, pgx.ErrNoRows) { // it was taken, or is over
				err = ErrMember
			}
			return err
		}
		m, err = s.invitation(ctx, tx, id, organization, email, roles, by.Who)
		return err
	})
	if err != nil {
		return Member{}, away("inviting somebody", err)
	}
	return m, nil
}

// subject is what a note of members is about.
func subject(organization string) string {
	if organization == "" {
		return Installation
	}
	return organization
}

// Installation is what the staff of the installation are members of, where an
// organization's id could stand.
const Installation = "installation"

func (s *Store) invitation(ctx context.Context, tx pgx.Tx, id, organization, email string, roles []string, who string) (m Member, err error) {
	token, err := newToken()
	if err != nil {
		return m, err
	}
	sealed, err := seal(s.keys.wrap, id, []byte(email))
	if err != nil {
		return m, err
	}
	var full bool
	if err := tx.QueryRow(ctx, `select (select count(*) from invitations where organization_id is not distinct from nullif($1, '')::uuid)
		+ (select count(*) from memberships where organization_id is not distinct from nullif($1, '')::uuid) >= $2`, organization, mostStaff).Scan(&full); err != nil {
		return m, err
	}
	if full {
		return m, ErrStaffMost
	}
	m, err = s.readInvitation(tx.QueryRow(ctx, `insert into invitations (id, organization_id, roles, email_mac, sealed, token_hash, who, ends_at)
		values ($1, nullif($2, '')::uuid, $3, $4, $5, $6, $7, now() + $8)
		on conflict on constraint invitations_once do update set id = excluded.id, roles = excluded.roles, sealed = excluded.sealed,
			token_hash = excluded.token_hash, who = excluded.who, created_at = now(), ends_at = excluded.ends_at
		returning `+invitationColumns, id, organization, roles, s.keys.emailMAC(email), sealed, s.keys.tokenHash(token), who, inviteLife))
	if err != nil {
		return m, err
	}
	name := ""
	if organization != "" {
		err := tx.QueryRow(ctx, `select name from organizations where id = $1`, organization).Scan(&name)
		if err != nil {
			return m, err
		}
	}
	return m, s.post(ctx, tx, Letter{Purpose: Invited, To: email, Token: token, For: inviteLife, About: name, Roles: roles})
}

const invitationColumns = `id, roles, created_at, who, ends_at, sealed`

func (s *Store) readInvitation(row pgx.Row) (m Member, err error) {
	var sealed []byte
	if err := row.Scan(&m.ID, &m.Roles, &m.Since, &m.Who, &m.Until, &sealed); err != nil {
		return m, err
	}
	m.Since, m.Until = m.Since.UTC(), m.Until.UTC()
	email, err := unseal(s.keys.wrap, m.ID, sealed)
	m.Email = string(email)
	return m, err
}

// Accept takes an invitation that went to the address of a person, beside the roles that
// they have there already.
func (s *Store) Accept(ctx context.Context, person, token string) (r Role, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var id, who string
		var went, has []byte
		err := tx.QueryRow(ctx, `select i.id, coalesce(i.organization_id::text, ''), coalesce(o.name, ''), i.roles, i.who, i.email_mac
			from invitations i left join organizations o on o.id = i.organization_id where i.token_hash = $1 and i.ends_at > now() for update of i`,
			s.keys.tokenHash(token)).Scan(&id, &r.Organization, &r.Name, &r.Roles, &who, &went)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrLetter
		}
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `select email_mac from people where id = $1 and state = 'active' for update`, person).Scan(&has); err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(went, has) != 1 {
			return ErrInvitedOther
		}
		if _, err := tx.Exec(ctx, `select set_config('ropeline.organization', $1, true)`, r.Organization); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRow(ctx, `insert into memberships (person_id, organization_id, roles, who) values ($1, nullif($2, '')::uuid, $3, $4)
			on conflict on constraint memberships_once do update set version = memberships.version + 1,
				roles = (select array_agg(distinct r order by r) from unnest(memberships.roles || excluded.roles) r)
			returning roles, version`, person, r.Organization, r.Roles, who).Scan(&r.Roles, &version); err != nil {
			return fmt.Errorf("making a member: %w", err)
		}
		if _, _, err := (audit.Change{Who: Account(person)}).Note(ctx, tx, audit.Edit{What: audit.OfMember, Subject: subject(r.Organization), Version: version,
			Name: person, Reason: ""}); err != nil {
			return err
		}
		// Sign-ins that are longer than those of staff end with those.
		if _, err := tx.Exec(ctx, `update sign_ins set ends_at = least(ends_at, now() + $2) where person_id = $1`, person, staffLife); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from invitations where id = $1`, id)
		return err
	})
	if err != nil {
		r = Role{}
	}
	return r, away("taking an invitation", err)
}

// Account is how what an account does is written down: by its id, which leads nowhere once
// it is erased.
func Account(person string) string { return "staff:account-" + person }

// Roles tells where who is signed in has which roles. They open nothing without a second
// factor, of ours or of where they came from: then it fails with ErrUnproven.
func (s *Store) Roles(ctx context.Context, here Here) ([]Role, error) {
	rows, err := s.db.Query(ctx, `select coalesce(m.organization_id::text, ''), coalesce(o.name, ''), m.roles,
			exists (select from second_factors f where f.person_id = m.person_id and f.confirmed_at is not null) or exists (select from sign_ins i where i.id = $2 and i.proven)
		from memberships m left join organizations o on o.id = m.organization_id where m.person_id = $1 order by m.organization_id nulls first limit 200`, here.Person, here.SignIn)
	if err != nil {
		return nil, away("reading roles", err)
	}
	proven := true
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Role, err error) {
		return r, row.Scan(&r.Organization, &r.Name, &r.Roles, &proven)
	})
	if err == nil && !proven {
		err = ErrUnproven
	}
	return all, away("reading roles", err)
}

// Members lists who has which roles in an organization, and who is invited, by their ids.
func (s *Store) Members(ctx context.Context, organization string, page booking.Page) (all []Member, next string, err error) {
	size, err := page.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := page.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `
		select * from (
			select m.person_id as id, m.roles, m.created_at, m.who, null::timestamptz as until, m.version, p.wrapped, p.sealed,
				exists (select from second_factors f where f.person_id = p.id and f.confirmed_at is not null) as second
			from memberships m join people p on p.id = m.person_id where m.organization_id is not distinct from nullif($1, '')::uuid
			union all
			select i.id, i.roles, i.created_at, i.who, i.ends_at, 0, null, i.sealed, false
			from invitations i where i.organization_id is not distinct from nullif($1, '')::uuid and i.ends_at > now()
		) a where $2::uuid is null or id > $2 order by id limit $3`, organization, after, size+1)
	if err != nil {
		return nil, "", away("listing members", err)
	}
	all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (Member, error) { return s.readMember(r) })
	if err != nil {
		return nil, "", away("listing members", err)
	}
	all, next = booking.Cut(all, size, func(m Member) string { return m.ID })
	return all, next, nil
}

func (s *Store) readMember(r pgx.Row) (m Member, err error) {
	var wrapped, sealed []byte
	var until *time.Time
	if err := r.Scan(&m.ID, &m.Roles, &m.Since, &m.Who, &until, &m.Version, &wrapped, &sealed, &m.Second); err != nil {
		return m, err
	}
	m.Since = m.Since.UTC()
	if m.Until = orZero(until); until != nil {
		email, err := unseal(s.keys.wrap, m.ID, sealed)
		m.Email = string(email)
		return m, err
	}
	own, err := s.keys.unwrap(m.ID, wrapped)
	if err != nil {
		return m, err
	}
	var p Profile
	err = own.openJSON(m.ID, sealed, &p)
	m.Email, m.Name = p.Email, p.Name
	return m, err
}

// orZero is a time that may be missing.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// SetRoles gives a member other roles: their next request has those. Who makes the change
// has seen a version of them. An organization keeps one organizer.
func (s *Store) SetRoles(ctx context.Context, organization, id string, roles []string, by audit.Change) (version int, err error) {
	if roles, err = rolesIn(organization, roles); err != nil {
		return 0, err
	}
	if err := by.Validate(false); err != nil {
		return 0, err
	}
	if !booking.IsID(id) {
		return 0, ErrMember
	}
	err = s.staffing(ctx, organization, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `select version from memberships where person_id = $1 and organization_id is not distinct from nullif($2, '')::uuid`, id, organization).Scan(&version); err != nil {
			if errors.Is(err, pgx.ErrNoRows) {
				err = ErrMember
			}
			return err
		}
		if version != by.Seen {
			return ErrMemberChanged
		}
		version++
		if _, err := tx.Exec(ctx, `update memberships set roles = $3, version = $4 where person_id = $1 and organization_id is not distinct from nullif($2, '')::uuid`, id, organization, roles, version); err != nil {
			return err
		}
		_, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfMember, Subject: subject(organization), Version: version, Name: id})
		return err
	})
	return version, away("changing roles", err)
}

// Dismiss takes all roles from a member, or an invitation back: the next request that they
// make finds it so. An organization keeps one organizer.
func (s *Store) Dismiss(ctx context.Context, organization, id string, by audit.Change) error {
	if err := by.Validate(false); err != nil {
		return err
	}
	if !booking.IsID(id) {
		return ErrMember
	}
	return away("dismissing a member", s.staffing(ctx, organization, func(tx pgx.Tx) error {
		what := audit.OfMember
		tag, err := tx.Exec(ctx, `delete from memberships where person_id = $1 and organization_id is not distinct from nullif($2, '')::uuid`, id, organization)
		if err == nil && tag.RowsAffected() == 0 {
			what = audit.OfInvitation
			tag, err = tx.Exec(ctx, `delete from invitations where id = $1 and organization_id is not distinct from nullif($2, '')::uuid`, id, organization)
		}
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrMember
		}
		if err != nil {
			return err
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: what, Subject: subject(organization), Name: id})
		return err
	}))
}

// staffing changes who works for an organization, which had an organizer and has one then.
// Two organizers who dismiss each other at the same time take turns.
func (s *Store) staffing(ctx context.Context, organization string, do func(pgx.Tx) error) error {
	return s.change(ctx, organization, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('members of ' || $1, 0))`, organization); err != nil {
			return err
		}
		had, err := hasOrganizer(ctx, tx, organization)
		if err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		has, err := hasOrganizer(ctx, tx, organization)
		if err == nil && had && !has {
			err = ErrLastOrganizer
		}
		return err
	})
}

// leave ends all that a person is a member of, and writes it down of each organization.
// Of two organizers who leave at the same time, one stays.
func (s *Store) leave(ctx context.Context, tx pgx.Tx, person string) error {
	if _, err := tx.Exec(ctx, `select from people where id = $1 for update`, person); err != nil { // nobody takes an invitation meanwhile
		return err
	}
	rows, err := tx.Query(ctx, `select coalesce(m.organization_id::text, ''), coalesce(o.name, '') from memberships m left join organizations o on o.id = m.organization_id
		where m.person_id = $1 order by m.organization_id`, person) // in one order, so that two who leave wait for one another and not in a ring
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Role, err error) { return r, row.Scan(&r.Organization, &r.Name) })
	if err != nil {
		return err
	}
	for _, r := range all {
		if _, err := tx.Exec(ctx, `select set_config('ropeline.organization', $1, true), pg_advisory_xact_lock(hashtextextended('members of ' || $1, 0))`, r.Organization); err != nil {
			return err
		}
		had, err := hasOrganizer(ctx, tx, r.Organization)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from memberships where person_id = $1 and organization_id is not distinct from nullif($2, '')::uuid`, person, r.Organization); err != nil {
			return err
		}
		has, err := hasOrganizer(ctx, tx, r.Organization)
		if err != nil {
			return err
		}
		if had && !has {
			e := *ErrLastOrganizer
			e.Detail = fmt.Sprintf("You are the only organizer of %s. Make somebody else one first. Nothing was changed.", r.Name)
			return &e
		}
		by := audit.Change{Who: Account(person), Reason: "deleted their account"}
		if _, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfMember, Subject: subject(r.Organization), Name: person}); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `select set_config('ropeline.organization', '', true)`)
	return err
}

func hasOrganizer(ctx context.Context, tx pgx.Tx, organization string) (has bool, err error) {
	err = tx.QueryRow(ctx, `select exists (select from memberships where organization_id = nullif($1, '')::uuid and $2 = any(roles))`, organization, Organizer).Scan(&has)
	return has, err
}
