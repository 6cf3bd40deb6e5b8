package queue

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// How the pages of sales look is kept here for the edges, which ask nobody else; what
// the documents say is package look's business.

const keyLooks = "ropeline:looks"

// PostLook keeps the look of a sale. What edges know of it they learn from the index, so
// that comes afterwards.
func (s *Store) PostLook(ctx context.Context, sale ropeline.SaleID, doc []byte) error {
	return storeError("posting a look", s.rdb.Set(ctx, key(sale, "look"), doc, 0).Err())
}

// PostLooks keeps the index of looks.
func (s *Store) PostLooks(ctx context.Context, index []byte) error {
	return storeError("posting looks", s.rdb.Set(ctx, keyLooks, index, 0).Err())
}

// Looks returns the index of looks; nil where there is none, which is never so once a
// booking core has run: Redis has lost it.
func (s *Store) Looks(ctx context.Context) ([]byte, error) {
	return s.posted(ctx, keyLooks)
}

// Look returns the look of a sale, nil where there is none.
func (s *Store) Look(ctx context.Context, sale ropeline.SaleID) ([]byte, error) {
	return s.posted(ctx, key(sale, "look"))
}

func (s *Store) posted(ctx context.Context, key string) ([]byte, error) {
	doc, err := s.rdb.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return doc, storeError("reading looks", err)
}
