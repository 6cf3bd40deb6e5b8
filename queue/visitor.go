package queue

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/ropeline/ropeline"
)

// VisitorOf is what the line and a ticket keep of a visitor: enough to tell that
// it is the same one, and nothing that says who. It needs the place key.
func (s *Store) VisitorOf(sale ropeline.SaleID, kind ropeline.VisitorKind, who string) string {
	mac := sign(s.keys.Place, "visitor\n"+string(sale)+"\n"+string(kind)+"\n"+who)
	return base64.RawURLEncoding.EncodeToString(mac[:16])
}

// PlaceOf is the place that one attempt of a visitor to join gets: the same one
// however often the attempt is repeated, so that an answer that was lost loses
// nothing, and a proof brings no second place when the first is over. All places of
// a visitor in the main lane are of one of its lines, where one script sees them.
// It needs the place key.
func (s *Store) PlaceOf(sale ropeline.SaleID, visitor, attempt string, shards int) ropeline.PlaceID {
	line := shardOf(ropeline.PlaceID(visitor), shards)
	for n := 0; ; n++ {
		raw := sign(s.keys.Place, fmt.Sprintf("place\n%s\n%s\n%s\n%d", sale, visitor, attempt, n))
		id := ropeline.PlaceID(base64.RawURLEncoding.EncodeToString(raw[:16]))
		if shardOf(id, shards) == line {
			return id
		}
	}
}

// Secret derives a key for another purpose of those who hold the place key.
func (s *Store) Secret(purpose string) string {
	return hex.EncodeToString(sign(s.keys.Place, purpose))
}
