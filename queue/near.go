package queue

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// Who waits may leave an address, and is told there once when their turn is near.
//
// The address lies beside the place, sealed, until it was used or the sale is over
// (asked). Who leads the sale looks which of these places are near: each at a time of its
// own (asking), which is the sooner the nearer it is. Which are goes to whoever writes
// letters by a stream that names places and no address, so that what is left in it when
// nobody reads it tells nobody anything. Both ends may repeat what they do: of one place
// there is one letter, which its writer sees to.

const (
	// nearMost is how many addresses a sale keeps at a time.
	nearMost = 50_000
	// nearLook is how many places are looked at in a call, and nearTime for how long a round
	// goes on to the next call while more are due: the line is not moved meanwhile. 1,000 take
	// 9 ms where Redis is beside it, so all that a sale keeps are looked at in three rounds.
	nearLook, nearTime = 1000, TickInterval
	// nearEach is how many letters of one sale go to one address, whoever left it.
	nearEach = 3
	// nearStream is how many tellings wait for a writer.
	nearStream = 100_000
	// NearUseful is how long it is of use that a turn is near.
	NearUseful = 15 * time.Minute
	// nearAlive is for how long a writer is believed to be there that has not asked again.
	nearAlive = time.Minute

	// A place is looked at again halfway to when it is near: not more often than nearSoon,
	// and in nearLate at the latest, because limits are raised.
	nearSoon, nearLate = 2 * time.Second, time.Minute
	nearUnknown        = 4 * time.Second
)

const (
	keyNear   = "ropeline:{near}:turns"
	keyWriter = "ropeline:{near}:writer"
)

// NearAddress is whom to tell.
type NearAddress struct {
	Email    string `json:"email"`
	Language string `json:"language"` // as their browser wishes
	Link     string `json:"link"`     // that carries the place
}

// What may be wrong with it.
var (
	ErrNearTold = &ropeline.Error{Kind: ropeline.Conflict, Code: "turn-told", Detail: "You were told already that your turn is near: there is one e-mail of each place."}
	ErrNearFull = &ropeline.Error{Kind: ropeline.Unavailable, Code: "turn-full", RetryAfter: 5 * time.Minute, Detail: "So many people have asked for an e-mail that no more can. Please stay here, or come back later."}
	ErrNearOff  = &ropeline.Error{Kind: ropeline.Unavailable, Code: "turn-unavailable", Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Minute,
		Detail: "No e-mail is sent from here at the moment. Your place is kept; please stay here."}
)

//go:embed lua/ask_near.lua
var askNearSource string
var askNearScript = newScript("ask near", askNearSource)

// AskNear keeps whom to tell when the turn of a place is near, in place of whom it was to
// be. It fails with ErrNearTold, ErrNearFull, ErrNearOff or ErrSaleEnded.
func (s *Store) AskNear(ctx context.Context, sale ropeline.SaleID, place ropeline.PlaceID, a NearAddress) error {
	writers, err := s.rdb.Exists(ctx, keyWriter).Result()
	if err != nil {
		return storeError("looking who writes letters", err)
	}
	if writers == 0 {
		return ErrNearOff
	}
	sealed, err := s.sealNear(sale, place, a)
	if err != nil {
		return err
	}
	_, err = s.runOn(ctx, sale, askNearScript, keysOf(sale, "asked", "asking", "state", "neared"), string(place), sealed, nearMost)
	return err
}

//go:embed lua/near_told.lua
var nearToldSource string
var nearToldScript = newScript("near told", nearToldSource)

// ForgetNear forgets whom to tell of a place.
func (s *Store) ForgetNear(ctx context.Context, sale ropeline.SaleID, place ropeline.PlaceID) error {
	return s.endNear(ctx, sale, place, "")
}

func (s *Store) endNear(ctx context.Context, sale ropeline.SaleID, place ropeline.PlaceID, told string) error {
	_, err := s.runOn(ctx, sale, nearToldScript, keysOf(sale, "asked", "asking", "neared", "state"), string(place), told)
	return err
}

//go:embed lua/due_near.lua
var dueNearSource string
var dueNearScript = newScript("due near", dueNearSource)

// FindNear looks which places are near of those whose fans want to be told, and hands them
// to whoever writes letters. Once the sale is over it forgets them all.
func (s *Store) FindNear(ctx context.Context, sale ropeline.SaleID) error {
	return s.findNear(ctx, sale, nearTime)
}

// findNear looks at what is due, until so much time is over; what is due then waits for the
// next round. It makes one call at least, so that each round brings a sale on.
func (s *Store) findNear(ctx context.Context, sale ropeline.SaleID, within time.Duration) error {
	var view *View
	var notice time.Duration // how long before the earliest turn that is expected its fan is told
	for began := time.Now(); ; {
		ids, now, err := s.dueNear(ctx, sale)
		if err != nil || len(ids) == 0 {
			return err
		}
		if view == nil {
			if view, err = s.Snapshot(ctx, sale); err != nil {
				return err
			}
			doc, err := s.Sale(ctx, sale)
			if err != nil {
				return err
			}
			notice = doc.Notice()
		}
		places, err := s.FindAll(ctx, sale, ids)
		if errors.Is(err, ErrSettling) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.sortNear(ctx, sale, view, notice, places, now); err != nil {
			return err
		}
		if len(ids) < nearLook || time.Since(began) >= within {
			return nil
		}
	}
}

// dueNear are the places that are to be looked at now, the longest due first.
func (s *Store) dueNear(ctx context.Context, sale ropeline.SaleID) (ids []ropeline.PlaceID, now time.Time, err error) {
	reply, err := s.runOn(ctx, sale, dueNearScript, keysOf(sale, "asked", "asking", "state"), nearLook)
	if err != nil {
		return nil, now, err
	}
	var r reader
	r.fields, _ = reply.([]any)
	now = milli(r.integer())
	ids = make([]ropeline.PlaceID, len(r.fields))
	for i := range ids {
		ids[i] = ropeline.PlaceID(r.text())
	}
	return ids, now, r.failed("due near")
}

// sortNear hands over those of the places that are near, puts off those that are not, and
// forgets those that never will be.
func (s *Store) sortNear(ctx context.Context, sale ropeline.SaleID, view *View, notice time.Duration, places []Place, now time.Time) error {
	var later []redis.Z
	var near []any
	for _, p := range places {
		switch wait, so := nearIn(view, notice, p); {
		case so:
			near = append(near, string(p.ID))
		case wait >= 0:
			later = append(later, redis.Z{Score: float64(now.Add(wait).UnixMilli()), Member: string(p.ID)})
		default:
			if err := s.ForgetNear(ctx, sale, p.ID); err != nil {
				return err
			}
		}
	}
	if len(later) > 0 {
		if err := s.rdb.ZAddXX(ctx, key(sale, "asking"), later...).Err(); err != nil {
			return storeError("putting off who is not near", err)
		}
	}
	return storeError("telling whose turn is near", s.handNear(ctx, sale, near))
}

// handNear hands tellings over before they are taken off the list: who dies in between
// hands them over twice.
func (s *Store) handNear(ctx context.Context, sale ropeline.SaleID, places []any) error {
	if len(places) == 0 {
		return nil
	}
	pipe := s.rdb.Pipeline()
	for _, place := range places {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: keyNear, MaxLen: nearStream, Approx: true, Values: []any{"sale", string(sale), "place", place}})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	return s.rdb.ZRem(ctx, key(sale, "asking"), places...).Err()
}

// nearIn says whether the turn of a place is near; if not, in how long it is to be looked at
// again, below 0 for never.
func nearIn(v *View, notice time.Duration, p Place) (again time.Duration, near bool) {
	switch p.State {
	case ropeline.PlaceCollected:
		return min(max(v.ClosesAt.Sub(v.Now), nearSoon), 5*nearLate), false
	case ropeline.PlacePassed: // it came all at once, and may be had still
		if v.Now.Sub(p.MissedAt) < GraceOf(false) {
			return 0, true
		}
		return -1, false
	case ropeline.PlaceWaiting:
	default:
		return -1, false
	}
	if p.Ordinal < 0 && !p.Back && !p.Beside {
		return nearUnknown, false
	}
	w, ok := v.Wait(v.LaneOf(p.ID), v.Position(p))
	if !ok {
		return nearUnknown, false
	}
	if w.Low <= notice {
		return 0, true
	}
	return min(max((w.Low-notice)/2, nearSoon), nearLate), false
}

// Near is a turn that is near, and whose fan wants to be told.
type Near struct {
	Sale  ropeline.SaleID
	Place ropeline.PlaceID
	NearAddress

	id string // in the stream
}

// NearTurns are those that nobody has been told of, the oldest first; and who asks for them
// writes letters. What nobody has written in time is forgotten, and so is what goes to an
// address that has had as many letters of the sale as one gets: somebody else leaves it
// wherever they can.
func (s *Store) NearTurns(ctx context.Context, most int64) (turns []Near, err error) {
	if err := s.rdb.Set(ctx, keyWriter, "1", nearAlive).Err(); err != nil {
		return nil, storeError("writing letters", err)
	}
	entries, err := s.rdb.XRangeN(ctx, keyNear, "-", "+", most).Result()
	if err != nil {
		return nil, storeError("reading which turns are near", err)
	}
	for _, e := range entries {
		sale, _ := e.Values["sale"].(string)
		place, _ := e.Values["place"].(string)
		n := Near{Sale: ropeline.SaleID(sale), Place: ropeline.PlaceID(place), id: e.ID}
		ok, err := s.readNear(ctx, &n)
		if err == nil && ok {
			turns = append(turns, n)
		} else if err == nil {
			err = s.dropNear(ctx, n, "")
		}
		if err != nil {
			return turns, err
		}
	}
	return turns, nil
}

// readNear reads whom to tell; false: nobody any more.
func (s *Store) readNear(ctx context.Context, n *Near) (ok bool, err error) {
	sealed, err := s.rdb.HGet(ctx, key(n.Sale, "asked"), string(n.Place)).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, storeError("reading whom to tell", err)
	}
	since, also, _ := strings.Cut(n.id, "-")
	ms, _ := strconv.ParseInt(since, 10, 64)
	seq, _ := strconv.ParseInt(also, 10, 64) // of those of one millisecond
	now, err := s.rdb.Time(ctx).Result()
	if err != nil {
		return false, storeError("reading the time", err)
	}
	if now.Sub(time.UnixMilli(ms)) > NearUseful {
		return false, nil
	}
	if n.NearAddress, err = s.openNear(n.Sale, n.Place, sealed); err != nil {
		return false, nil //nolint:nilerr // of another key: nobody ever can
	}
	name, ends := key(n.Sale, "near-to:"+s.nearMAC(n.Email)), s.rdb.PExpireTime(ctx, key(n.Sale, "asked"))
	if err := ends.Err(); err != nil {
		return false, storeError("reading until when an address is kept", err)
	}
	pipe := s.rdb.Pipeline()
	// In the order of the stream, so that who comes later is before nobody. It is exact below 2^53.
	pipe.ZAddNX(ctx, name, redis.Z{Score: float64(ms<<10 + min(seq, 1<<10-1)), Member: string(n.Place)})
	rank := pipe.ZRank(ctx, name, string(n.Place))
	if ends.Val() > 0 {
		pipe.PExpireAt(ctx, name, time.UnixMilli(ends.Val().Milliseconds()))
	} else { // it is over this moment
		pipe.PExpire(ctx, name, NearUseful)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return false, storeError("counting letters", err)
	}
	return rank.Val() < nearEach, nil
}

// NearTold says that the letter of a turn is written, and its address to be forgotten.
func (s *Store) NearTold(ctx context.Context, n Near) error { return s.dropNear(ctx, n, "1") }

func (s *Store) dropNear(ctx context.Context, n Near, told string) error {
	if err := s.endNear(ctx, n.Sale, n.Place, told); err != nil {
		return err
	}
	return storeError("forgetting a turn", s.rdb.XDel(ctx, keyNear, n.id).Err())
}

// nearKey is derived from the key of codes, which whoever keeps addresses and whoever
// writes letters have.
func (s *Store) nearKey(what string) ([]byte, error) {
	if s.keys.Code == nil {
		return nil, ErrNearOff
	}
	return hkdf.Key(sha256.New, s.keys.Code, nil, "ropeline: a turn is near: "+what, 32)
}

func (s *Store) nearCipher() (cipher.AEAD, error) {
	k, err := s.nearKey("addresses")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("sealing an address: %w", err)
	}
	return cipher.NewGCM(block)
}

func (s *Store) sealNear(sale ropeline.SaleID, place ropeline.PlaceID, a NearAddress) ([]byte, error) {
	aead, err := s.nearCipher()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("sealing an address: %w", err)
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // crypto/rand never fails; it ends the process instead
	return aead.Seal(nonce, nonce, text, []byte(string(sale)+" "+string(place))), nil
}

func (s *Store) openNear(sale ropeline.SaleID, place ropeline.PlaceID, sealed string) (a NearAddress, err error) {
	aead, err := s.nearCipher()
	if err != nil {
		return a, err
	}
	n := aead.NonceSize()
	if len(sealed) < n {
		return a, errors.New("opening an address: it is damaged")
	}
	text, err := aead.Open(nil, []byte(sealed[:n]), []byte(sealed[n:]), []byte(string(sale)+" "+string(place)))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return a, fmt.Errorf("opening an address: %w", err)
	}
	return a, nil
}

// nearMAC is by what letters to an address are counted.
func (s *Store) nearMAC(email string) string {
	k, err := s.nearKey("who")
	if err != nil {
		return ""
	}
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(strings.ToLower(email)))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
