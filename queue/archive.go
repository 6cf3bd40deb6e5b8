package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/draw"
)

// Archive keeps who took part in a draw where a loss of Redis does not reach it.
type Archive interface {
	// Keep keeps the entrants that a root is over, sorted. A draw does not wait
	// for what it cannot do, so it has to see to that itself.
	Keep(ctx context.Context, sale ropeline.SaleID, root draw.Hash, entrants []ropeline.PlaceID)
	// Entrants returns what was kept, nil if nothing was.
	Entrants(ctx context.Context, sale ropeline.SaleID, root draw.Hash) ([]ropeline.PlaceID, error)
	// Newest returns the root of what was kept last for a sale, but not before
	// since, when another sale may have had its name; false if nothing was.
	Newest(ctx context.Context, sale ropeline.SaleID, since time.Time) (draw.Hash, bool, error)
}

// UseArchive lets draws keep their entrants there. Call it before anything else.
func (s *Store) UseArchive(a Archive) { s.archive = a }

// keep puts the entrants into the archive, before their root is published.
func (s *Store) keep(ctx context.Context, sale ropeline.SaleID, root draw.Hash, entrants []ropeline.PlaceID) {
	if s.archive != nil {
		s.archive.Keep(ctx, sale, root, entrants)
	}
}

// MendEntrants writes the entrants of a drawn sale back that Redis has lost since,
// so that edges can publish the draw. It reports whether it did.
func (s *Store) MendEntrants(ctx context.Context, sale ropeline.SaleID) (bool, error) {
	if s.archive == nil {
		return false, nil
	}
	d, err := s.Drawing(ctx, sale)
	if err != nil || d.Seed == "" {
		return false, err
	}
	lines, sh, err := s.lines(ctx, sale)
	if err != nil {
		return false, err
	}
	there := int64(0)
	for _, l := range lines {
		n, err := s.rdb.SCard(ctx, l.key("entrants")).Result()
		if err != nil {
			return false, storeError("counting the entrants", err)
		}
		there += n
	}
	if there == d.Count {
		return false, nil
	}
	root, err := readHash(d.Root)
	if err != nil {
		return false, err
	}
	kept, err := s.kept(ctx, sale, root)
	if err != nil || kept == nil {
		return false, err
	}
	parts := byLine(kept, sh, func(id ropeline.PlaceID) ropeline.PlaceID { return id })
	err = onEach(lines, func(l lineID) error {
		for chunk := range slices.Chunk(parts[l.number], drawBatch) {
			members := make([]any, len(chunk))
			for i, id := range chunk {
				members[i] = string(id)
			}
			if err := s.rdb.SAdd(ctx, l.key("entrants"), members...).Err(); err != nil {
				return storeError("writing the entrants back", err)
			}
		}
		return nil
	})
	return err == nil, err
}

// kept returns the entrants that the archive has for a root, nil if it has none.
func (s *Store) kept(ctx context.Context, sale ropeline.SaleID, root draw.Hash) ([]ropeline.PlaceID, error) {
	kept, err := s.archive.Entrants(ctx, sale, root)
	if err == nil && kept != nil && draw.Root(kept) != root {
		err = fmt.Errorf("the archive of sale %s has not the entrants of its root %x", sale, root)
	}
	return kept, err
}

//go:embed lua/rebind.lua
var rebindSource string
var rebindScript = newScript("rebind", rebindSource)

// rebind makes lobbies that were lost since their root was published, or only
// kept, again what they were then: a root binds who takes part. Where the archive
// has nothing of it the draw is made over those who came back. An archive that
// cannot be asked is waited for until the sale opens.
func (s *Store) rebind(ctx context.Context, sale ropeline.SaleID, published string, lines []lineID, lobbies []lobby) error {
	if s.archive == nil || !slices.ContainsFunc(lobbies, func(l lobby) bool { return l.lost }) {
		return nil
	}
	doc, err := s.Sale(ctx, sale)
	if err != nil {
		return err
	}
	bound, err := s.boundEntrants(ctx, doc, published)
	if err != nil && s.time().Before(doc.OpensAt) {
		return err
	}
	if err != nil || bound == nil {
		return nil
	}
	parts := byLine(bound, shapeOf(doc), func(id ropeline.PlaceID) ropeline.PlaceID { return id })
	return onEach(lines, func(l lineID) error {
		if lobbies[l.number].drawn {
			return nil
		}
		here, entrants := lobbies[l.number].entrants, parts[l.number]
		lobbies[l.number].entrants = entrants
		return errors.Join(s.rebindLine(ctx, l, without(here, entrants), true), s.rebindLine(ctx, l, without(entrants, here), false))
	})
}

// closeSlack is how far the clocks of Redis and of the archive may differ.
const closeSlack = time.Minute

// boundEntrants returns who was bound by the root that was published, or by the
// one that was kept last if that has been lost, too; nil if nobody knows.
func (s *Store) boundEntrants(ctx context.Context, sale ropeline.Sale, published string) ([]ropeline.PlaceID, error) {
	if published != "" {
		root, err := readHash(published)
		if err != nil {
			return nil, err
		}
		return s.kept(ctx, sale.ID, root)
	}
	root, there, err := s.archive.Newest(ctx, sale.ID, sale.LobbyClosesAt.Add(-closeSlack))
	if err != nil || !there {
		return nil, err
	}
	return s.kept(ctx, sale.ID, root)
}

// rebindLine tells a lobby of places that are strangers there, or entrants.
func (s *Store) rebindLine(ctx context.Context, l lineID, places []ropeline.PlaceID, strangers bool) error {
	for chunk := range slices.Chunk(places, drawBatch) {
		args := make([]any, 1, 1+len(chunk))
		args[0] = 0
		if strangers {
			args[0] = len(chunk)
		}
		for _, id := range chunk {
			args = append(args, string(id))
		}
		if _, err := s.runOn(ctx, l.sale, rebindScript, l.keys("line", "collected", "pending"), args...); err != nil {
			return err
		}
	}
	return nil
}

// without returns those of a that are not in b; both are sorted.
func without(a, b []ropeline.PlaceID) []ropeline.PlaceID {
	var rest []ropeline.PlaceID
	for _, id := range a {
		if _, there := slices.BinarySearch(b, id); !there {
			rest = append(rest, id)
		}
	}
	return rest
}
