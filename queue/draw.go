package queue

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/finish_draw.lua
var finishDrawSource string
var finishDrawScript = newScript("finish draw", finishDrawSource)

// drawBatch is how many scores go to Redis in one ZADD: 2 to 3 ms.
const drawBatch = 1000

// Draw gives the lobby of a sale its order and opens the line. Call it after
// the lobby has closed: entrants do not change then. It is deterministic, so a
// draw that was killed is simply done again, and a second one beside it writes
// the same scores. Drawing a drawn sale does nothing. It needs the seed key.
func (s *Store) Draw(ctx context.Context, sale ropeline.SaleID) error {
	sealed, err := s.rdb.Get(ctx, key(sale, "seed")).Bytes()
	if err != nil {
		return storeError("reading the draw's seed", err)
	}
	seed, err := s.openSeed(sale, sealed)
	if err != nil {
		return err
	}
	drawKey := sha256.Sum256(seed)
	if err := s.scoreLobby(ctx, sale, drawKey[:]); err != nil {
		return err
	}
	keys := lineKeys(sale, "line", "drawing", "order", "collected", "pending", "quit", "departed")
	_, err = s.runOn(ctx, sale, finishDrawScript, keys, newEpoch())
	return err
}

// newEpoch names a stretch in which ordinals do not change.
func newEpoch() string {
	raw := make([]byte, 8)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}

func (s *Store) scoreLobby(ctx context.Context, sale ropeline.SaleID, drawKey []byte) error {
	for cursor := uint64(0); ; {
		names, next, err := s.rdb.SScan(ctx, key(sale, "collected"), cursor, "", drawBatch).Result()
		if err != nil {
			return storeError("reading the lobby", err)
		}
		scored := make([]redis.Z, len(names))
		for i, name := range names {
			scored[i] = redis.Z{Member: name, Score: float64(LobbyScore(drawKey, ropeline.PlaceID(name)))}
		}
		if len(scored) > 0 {
			if err := s.rdb.ZAdd(ctx, key(sale, "drawing"), scored...).Err(); err != nil {
				return storeError("writing the draw", err)
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// LobbyScore is a place's order in the draw: the first 52 bits of
// HMAC-SHA-256(draw key, place id). Ties go by the bytes of the place id. It
// is below 2^52, where the scores of later arrivals begin, and exact as a
// double.
func LobbyScore(drawKey []byte, id ropeline.PlaceID) int64 {
	mac := hmac.New(sha256.New, drawKey)
	fmt.Fprint(mac, string(id))
	return int64(binary.BigEndian.Uint64(mac.Sum(nil)) >> 12)
}
