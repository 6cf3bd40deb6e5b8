package queue

import (
	"context"
	"fmt"
	"slices"

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
	lines, err := s.lines(ctx, sale)
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
	kept, err := s.archive.Entrants(ctx, sale, root)
	if err != nil || kept == nil {
		return false, err
	}
	if draw.Root(kept) != root {
		return false, fmt.Errorf("the archive of sale %s has not the entrants of its root %s", sale, d.Root)
	}
	of := byShard(kept, len(lines), func(id ropeline.PlaceID) ropeline.PlaceID { return id })
	err = onEach(lines, func(l lineID) error {
		for chunk := range slices.Chunk(of[l.shard], drawBatch) {
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
