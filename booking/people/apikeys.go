package people

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// KeyPrefix is how the secret of an API key begins, so that whoever finds one in a
// repository knows what it is.
const KeyPrefix = "rlk_"

// mostKeys are those of an organization that are good.
const mostKeys = 50

// Refusals of API keys.
var (
	ErrKeyUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "api-key-unknown", Detail: "This organization has no such key."}
	ErrScope      = &ropeline.Error{Kind: ropeline.Invalid, Code: "scope-unknown", Detail: "A key has 1 to 20 different scopes, each one of those that are documented."}
	ErrKeyMost    = &ropeline.Error{Kind: ropeline.Conflict, Code: "api-keys-too-many", Detail: "An organization has at most 50 keys that are good. Revoke one first."}
)

// APIKey lets a program of an organization do what its scopes say.
type APIKey struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes"`
	Who     string    `json:"who" doc:"who made it"`
	At      time.Time `json:"at"`
	Seen    time.Time `json:"seen,omitzero" doc:"when it was used last, to the minute"`
	Ends    time.Time `json:"ends,omitzero" doc:"left out: never"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// secretOf is the secret of an API key. It is made of the key's id, so that a request that
// comes again has the same answer, and kept nowhere.
func (k Keys) secretOf(id string) string {
	return KeyPrefix + base64.RawURLEncoding.EncodeToString(mac(k.token, "api key "+id))
}

// MakeKey makes a key and returns its secret, which nobody is shown again. Days is how
// long it is good, 0 for ever. Known are the scopes that there are.
func (s *Store) MakeKey(ctx context.Context, organization, name string, scopes []string, days int, known []string, by audit.Change) (made APIKey, secret string, err error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 || !booking.IsPlain(name) {
		return made, "", invalid("The name of a key has 1 to 100 characters that can be printed")
	}
	if days < 0 || days > 3650 {
		return made, "", invalid("A key is good for 1 to 3650 days, or for ever")
	}
	sorted := slices.Sorted(slices.Values(scopes))
	if len(sorted) < 1 || len(sorted) > 20 || len(slices.Compact(slices.Clone(sorted))) != len(sorted) ||
		slices.ContainsFunc(sorted, func(scope string) bool { return !slices.Contains(known, scope) }) {
		return made, "", ErrScope
	}
	if err := by.Validate(false); err != nil {
		return made, "", err
	}
	id, err := booking.NewID()
	if err != nil {
		return made, "", err
	}
	err = s.change(ctx, organization, func(tx pgx.Tx) error {
		before, found, err := by.Note(ctx, tx, audit.Edit{What: audit.OfKey, Subject: organization, Name: id}, organization, name, strings.Join(sorted, " "), strconv.Itoa(days))
		if err != nil {
			return err
		}
		if found {
			id = before.Name
			made, err = readKey(tx.QueryRow(ctx, `select `+keyColumns+` from api_keys where id = $1`, id))
			return err
		}
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('keys of ' || $1, 0))`, organization); err != nil {
			return err
		}
		var has int
		if err := tx.QueryRow(ctx, `select count(*) from api_keys where organization_id = $1 and revoked_at is null and (ends_at is null or ends_at > now())`, organization).Scan(&has); err != nil {
			return err
		}
		if has >= mostKeys {
			return ErrKeyMost
		}
		made, err = readKey(tx.QueryRow(ctx, `insert into api_keys (id, organization_id, name, key_hash, scopes, who, ends_at)
			values ($1, $2, $3, $4, $5, $6, case when $7::integer > 0 then now() + make_interval(days => $7) end) returning `+keyColumns,
			id, organization, name, s.keys.tokenHash(s.keys.secretOf(id)), sorted, by.Who, days))
		return err
	})
	if err != nil {
		return APIKey{}, "", away("making a key", err)
	}
	return made, s.keys.secretOf(id), nil
}

const keyColumns = `id, name, scopes, who, created_at, seen_at, ends_at, revoked_at`

func readKey(row pgx.Row) (k APIKey, err error) {
	var seen, ends, revoked *time.Time
	err = row.Scan(&k.ID, &k.Name, &k.Scopes, &k.Who, &k.At, &seen, &ends, &revoked)
	k.At, k.Seen, k.Ends, k.Revoked = k.At.UTC(), orZero(seen), orZero(ends), orZero(revoked)
	return k, err
}

// APIKeys lists the keys of an organization, those that are over too, the newest first.
func (s *Store) APIKeys(ctx context.Context, organization string, page booking.Page) (all []APIKey, next string, err error) {
	size, err := page.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := page.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select `+keyColumns+` from api_keys where organization_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`, organization, after, size+1)
	if err != nil {
		return nil, "", away("listing keys", err)
	}
	if all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (APIKey, error) { return readKey(r) }); err != nil {
		return nil, "", away("listing keys", err)
	}
	all, next = booking.Cut(all, size, func(k APIKey) string { return k.ID })
	return all, next, nil
}

// RevokeKey ends a key; again changes nothing.
func (s *Store) RevokeKey(ctx context.Context, organization, id string, by audit.Change) error {
	if err := by.Validate(false); err != nil {
		return err
	}
	if !booking.IsID(id) {
		return ErrKeyUnknown
	}
	return away("revoking a key", s.change(ctx, organization, func(tx pgx.Tx) error {
		var over bool
		err := tx.QueryRow(ctx, `select revoked_at is not null from api_keys where organization_id = $1 and id = $2 for update`, organization, id).Scan(&over)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrKeyUnknown
		}
		if err != nil || over {
			return err
		}
		if _, err := tx.Exec(ctx, `update api_keys set revoked_at = now() where id = $1`, id); err != nil {
			return err
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfKey, Subject: organization, Name: id})
		return err
	}))
}

// FindKey tells whose a secret is, and what it may do. It fails with
// ropeline.ErrStaffRequired for one that is not good, or not any more.
func (s *Store) FindKey(ctx context.Context, secret string) (organization string, k APIKey, err error) {
	if len(secret) != len(KeyPrefix)+tokenLength || !strings.HasPrefix(secret, KeyPrefix) {
		return "", k, ropeline.ErrStaffRequired
	}
	err = s.db.QueryRow(ctx, `
		with found as (
			select id, organization_id, name, scopes, seen_at from api_keys
			where key_hash = $1 and revoked_at is null and (ends_at is null or ends_at > now())
		), seen as (
			update api_keys set seen_at = now() where id = (select id from found where seen_at is null or seen_at < now() - interval '1 minute')
		)
		select id, organization_id, name, scopes from found`, s.keys.tokenHash(secret)).Scan(&k.ID, &organization, &k.Name, &k.Scopes)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", APIKey{}, ropeline.ErrStaffRequired
	}
	return organization, k, away("finding a key", err)
}
