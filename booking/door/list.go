package door

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/ticket"
)

// List is what a scanner decides by that has no network. It tells a genuine code, and has
// nothing with which one could be made: public halves of keys, and hashes of printed codes.
type List struct {
	Performance ropeline.PerformanceID `json:"performance"`
	Version     string                 `json:"version" doc:"another one: something has changed"`
	MadeAt      time.Time              `json:"made_at"`
	Settings    Settings               `json:"settings"`
	Tickets     []Listed               `json:"tickets" nullable:"false"`
}

// Listed is a ticket of a list.
type Listed struct {
	ID      string            `json:"id"`
	State   ticket.State      `json:"state"`
	Issue   int               `json:"issue"`
	Keys    map[string]string `json:"keys,omitempty" doc:"public halves, x and y of 64 bytes in base64url, by the id of the installation's key"`
	Printed string            `json:"printed" doc:"SHA-256 of the printed code, base64url"`
	Seat    string            `json:"seat,omitempty"`
	Tier    string            `json:"tier"`
	Section string            `json:"section,omitempty"`
	Inside  map[string]Entry  `json:"inside,omitempty" doc:"where it has entered, by zone"`
}

// Entry is how a ticket stands in a zone.
type Entry struct {
	Inside bool      `json:"inside"`
	At     time.Time `json:"at"`
	Door   string    `json:"door"`
}

// SignedList is a list's text and the signature of it (ECDSA, P-256, SHA-256; r and s).
type SignedList struct {
	Version   string `json:"version"`
	KeyID     string `json:"key_id" doc:"of the key that signed it; its public half is told with the doors' settings"`
	Signature string `json:"signature" doc:"of list as it is, base64url"`
	List      string `json:"list" doc:"JSON: performance, version, made_at, settings, and the tickets with public keys and hashes of printed codes"`
}

// Version is that of a list: of the rules, and of the newest entry in a ledger of the
// performance. What changes a ticket is an entry.
func (s *Store) Version(ctx context.Context, id ropeline.PerformanceID) (version string, err error) {
	err = s.db.QueryRow(ctx, `select coalesce((select version from door_settings where performance_id = $1), 0) || '.' ||
		coalesce((select id from order_ledger where performance_id = $1 order by id desc limit 1), 0)`, id).Scan(&version)
	return version, away("reading the version of the list of", id, err)
}

// List makes the list of a performance, for scanners that may lose the network. One is made at
// a time.
func (s *Store) List(ctx context.Context, id ropeline.PerformanceID) (SignedList, error) {
	select {
	case s.listing <- struct{}{}:
		defer func() { <-s.listing }()
	case <-ctx.Done():
		return SignedList{}, away("waiting to list", id, ctx.Err())
	}
	if !s.keys.Are() {
		return SignedList{}, ErrKeyless
	}
	l := List{Performance: id, MadeAt: s.now().UTC(), Tickets: []Listed{}}
	var err error
	if l.Version, err = s.Version(ctx, id); err != nil { // before what it is of: at worst it is fetched again
		return SignedList{}, err
	}
	if l.Settings, err = s.Settings(ctx, id); err != nil {
		return SignedList{}, err
	}
	if l.Tickets, err = s.listed(ctx, id); err != nil {
		return SignedList{}, err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return SignedList{}, fmt.Errorf("writing the list of %s: %w", id, err)
	}
	key, signature, err := s.keys.SignList(text, s.now())
	return SignedList{l.Version, key.String(), base64.RawURLEncoding.EncodeToString(signature), string(text)}, err
}

func (s *Store) listed(ctx context.Context, id ropeline.PerformanceID) ([]Listed, error) {
	rows, err := s.db.Query(ctx, `
		select k.id::text, k.state, k.issue, k.code, k.label, r.name, coalesce(w.section, ''),
			(select jsonb_object_agg(d.zone, jsonb_build_object('inside', d.inside, 'at', d.at, 'door', d.door)) from door_entries d where d.performance_id = $1 and d.ticket_id = k.id)
		from tickets k join tiers r on r.performance_id = k.performance_id and r.id = k.tier_id
			left join seat_rows w on w.performance_id = k.performance_id and w.first_unit <= k.unit and k.unit < w.first_unit + w.units
		where k.performance_id = $1 and k.state <> 'canceled' order by k.id`, id)
	if err != nil {
		return nil, away("listing tickets of", id, err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Listed, err error) {
		var code string
		if err := r.Scan(&t.ID, &t.State, &t.Issue, &code, &t.Seat, &t.Tier, &t.Section, &t.Inside); err != nil {
			return t, err
		}
		sum := sha256.Sum256([]byte(code))
		t.Printed = base64.RawURLEncoding.EncodeToString(sum[:])
		keys, err := s.keys.Publics(t.ID, t.Issue)
		t.Keys = make(map[string]string, len(keys))
		for key, public := range keys {
			t.Keys[key.String()] = base64.RawURLEncoding.EncodeToString(public[:])
		}
		return t, err
	})
	return list, away("listing tickets of", id, err)
}

// ListKeys are the public halves of the keys that sign lists, x and y in base64url, by id.
func (s *Store) ListKeys() (map[string]string, error) {
	keys, err := s.keys.ListKeys()
	all := make(map[string]string, len(keys))
	for id, public := range keys {
		all[id.String()] = base64.RawURLEncoding.EncodeToString(public[:])
	}
	return all, err
}
