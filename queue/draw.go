package queue

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/draw"
)

//go:embed lua/commit.lua
var commitSource string
var commitScript = newScript("commit", commitSource)

//go:embed lua/bind.lua
var bindSource string
var bindScript = newScript("bind", bindSource)

//go:embed lua/root.lua
var rootSource string
var rootScript = newScript("root", rootSource)

//go:embed lua/reveal.lua
var revealSource string
var revealScript = newScript("reveal", revealSource)

//go:embed lua/finish_draw.lua
var finishDrawSource string
var finishDrawScript = newScript("finish draw", finishDrawSource)

// drawBatch is how many scores go to Redis in one ZADD, 2 to 3 ms;
// drawWrites how many of those are under way, so that the next is there when
// Redis has done one; drawRead how many entrants are asked for in one SSCAN.
const (
	drawBatch  = 1000
	drawWrites = 3
	drawRead   = 10_000
)

// commit makes the commitment to a sale's seed public, for the close that it
// has now.
func (s *Store) commit(ctx context.Context, id ropeline.SaleID) error {
	sale, err := s.Sale(ctx, id)
	if err != nil {
		return err
	}
	seed, err := s.drawSeed(ctx, id)
	if err != nil {
		return err
	}
	terms := termsOf(sale)
	commitment := draw.Commitment(terms, seed)
	_, err = s.run(ctx, commitScript, keysOf(id, "state", "draw", "events"), terms.Close, terms.Beacon, hex.EncodeToString(commitment[:]))
	return err
}

func termsOf(sale ropeline.Sale) draw.Terms {
	terms := draw.Terms{Sale: sale.ID, Close: sale.LobbyClosesAt.UnixMilli(), Beacon: draw.NoBeacon}
	if sale.Beacon != nil {
		terms.Beacon = sale.Beacon.Rule()
	}
	return terms
}

func (s *Store) drawSeed(ctx context.Context, sale ropeline.SaleID) (draw.Hash, error) {
	sealed, err := s.rdb.Get(ctx, key(sale, "seed")).Bytes()
	if err != nil {
		return draw.Hash{}, storeError("reading the draw's seed", err)
	}
	seed, err := s.openSeed(sale, sealed)
	if err != nil || len(seed) != len(draw.Hash{}) {
		return draw.Hash{}, errors.Join(err, fmt.Errorf("the draw's seed of %s has %d bytes", sale, len(seed)))
	}
	return draw.Hash(seed), nil
}

// Draw gives the lobby of a sale its order and opens its lines. Call it after
// the lobby has closed: entrants do not change then. First the root over the
// entrants is published, which binds them; only then the seed is revealed. It
// is deterministic, so a draw that was killed is simply done again, and a second
// one beside it writes the same. Drawing a drawn sale does nothing. It needs the
// seed key.
func (s *Store) Draw(ctx context.Context, sale ropeline.SaleID) error {
	seed, err := s.drawSeed(ctx, sale)
	if err != nil {
		return err
	}
	public, err := s.beaconAwaited(ctx, sale)
	if err != nil {
		return err
	}
	lines, _, err := s.lines(ctx, sale)
	if err != nil {
		return err
	}
	lobbies := make([]lobby, len(lines))
	err = onEach(lines, func(l lineID) (err error) {
		lobbies[l.number], err = s.lobby(ctx, l)
		return err
	})
	if err != nil || !slices.ContainsFunc(lobbies, func(l lobby) bool { return !l.drawn }) {
		return err
	}
	if err := s.rebind(ctx, sale, public.Root, lines, lobbies); err != nil {
		return err
	}
	root, err := s.bindLobbies(ctx, sale, lines, lobbies)
	if err != nil {
		return err
	}
	value, err := s.beacon(ctx, sale, public.Rule)
	if err != nil {
		return err
	}
	drawKey := draw.Key(seed, root, value)
	err = onEach(lines, func(l lineID) error {
		if lobbies[l.number].drawn {
			return nil
		}
		return s.scoreLobby(ctx, l, drawKey, lobbies[l.number].entrants)
	})
	if err != nil {
		return err
	}
	// Before the order is there, so that a draw killed in between is not left
	// without its proof; the root has bound the entrants.
	if _, err := s.run(ctx, revealScript, keysOf(sale, "draw", "events"), hex.EncodeToString(seed[:])); err != nil {
		return err
	}
	// Nobody has an ordinal before all lines are drawn: see epochOf.
	return onEach(lines, func(l lineID) error {
		keys := l.keys("line", "drawing", "order", "collected", "pending", "quit", "departed", "entrants")
		_, err := s.runOn(ctx, sale, finishDrawScript, keys, newEpoch(), hex.EncodeToString(root[:]))
		return err
	})
}

// lobby is who takes part in a draw by one line.
type lobby struct {
	entrants []ropeline.PlaceID // sorted
	drawn    bool               // already
	lost     bool               // once, by its server: some may be missing
}

func (s *Store) lobby(ctx context.Context, l lineID) (lobby, error) {
	fields, err := s.rdb.HMGet(ctx, l.key("line"), "drawn", "losses").Result()
	if err != nil {
		return lobby{}, storeError("reading the lobby", err)
	}
	if fields[0] == "1" {
		return lobby{drawn: true}, nil
	}
	entrants, err := s.entrants(ctx, l, "collected")
	return lobby{entrants: entrants, lost: fields[1] != nil}, err
}

// bindLobbies publishes the root over all entrants. Once a line has been drawn
// by the root that was published, the others are drawn by it, too.
func (s *Store) bindLobbies(ctx context.Context, sale ropeline.SaleID, lines []lineID, lobbies []lobby) (root draw.Hash, err error) {
	var all []ropeline.PlaceID
	begun := false
	for _, l := range lobbies {
		all, begun = append(all, l.entrants...), begun || l.drawn
	}
	if begun {
		d, err := s.Drawing(ctx, sale)
		if err != nil {
			return root, err
		}
		if root, err = readHash(d.Root); err != nil {
			return root, err
		}
	} else {
		slices.Sort(all)
		root = draw.Root(all)
		s.keep(ctx, sale, root, all)
	}
	text := hex.EncodeToString(root[:])
	err = onEach(lines, func(l lineID) error {
		of := lobbies[l.number]
		_, err := s.runOn(ctx, sale, bindScript, l.keys("line", "collected"), text, len(of.entrants), flag(of.drawn))
		return err
	})
	if err != nil || begun {
		return root, err
	}
	_, err = s.run(ctx, rootScript, keysOf(sale, "draw", "events"), text, len(all))
	return root, err
}

// newEpoch names a stretch in which ordinals do not change.
func newEpoch() string {
	raw := make([]byte, 8)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}

// entrants returns who took part in the draw by one line, sorted.
func (s *Store) entrants(ctx context.Context, l lineID, name string) ([]ropeline.PlaceID, error) {
	var ids []ropeline.PlaceID
	for cursor := uint64(0); ; {
		names, next, err := s.rdb.SScan(ctx, l.key(name), cursor, "", drawRead).Result()
		if err != nil {
			return nil, storeError("reading the lobby", err)
		}
		for _, n := range names {
			ids = append(ids, ropeline.PlaceID(n))
		}
		if cursor = next; cursor == 0 {
			slices.Sort(ids)
			return slices.Compact(ids), nil // a scan may tell one twice
		}
	}
}

// scoreLobby writes the scores of a line in their order: each then goes to the
// end of what is there, which costs Redis a third of a place at random.
func (s *Store) scoreLobby(ctx context.Context, l lineID, drawKey draw.Hash, entrants []ropeline.PlaceID) error {
	writes, ctx := errgroup.WithContext(ctx)
	writes.SetLimit(drawWrites)
	for chunk := range slices.Chunk(draw.Scores(drawKey, entrants), drawBatch) {
		writes.Go(func() error {
			scored := make([]redis.Z, len(chunk))
			for i, e := range chunk {
				scored[i] = redis.Z{Member: string(e.Place), Score: float64(e.Score)}
			}
			return storeError("writing the draw", s.rdb.ZAdd(ctx, l.key("drawing"), scored...).Err())
		})
	}
	return writes.Wait()
}

// Drawing is what is public of a sale's draw.
type Drawing struct {
	Commitment string // to the seed, from the sale's creation on; hexadecimal, as the others
	Root       string // over the entrants, from the close on; "" before
	Count      int64  // of the entrants, with the root
	Seed       string // from the draw on
	Rule       string // of the beacon, from the sale's creation on
	RootAt     time.Time
	Beacon     string // its value once it is decided on, zeros if it did not come
}

// Drawing returns what is public of a sale's draw.
func (s *Store) Drawing(ctx context.Context, sale ropeline.SaleID) (Drawing, error) {
	fields, err := s.rdb.HGetAll(ctx, key(sale, "draw")).Result()
	if err != nil {
		return Drawing{}, storeError("reading the draw", err)
	}
	d := Drawing{Commitment: fields["commitment"], Root: fields["root"], Seed: fields["seed"],
		Rule: fields["beacon_rule"], Beacon: fields["beacon"]}
	if d.Root == "" {
		return d, nil
	}
	d.Count, err = strconv.ParseInt(fields["count"], 10, 64)
	at, atErr := strconv.ParseInt(fields["root_at"], 10, 64)
	if err := errors.Join(err, atErr); err != nil {
		return Drawing{}, fmt.Errorf("reading the draw: %w", err)
	}
	d.RootAt = time.UnixMilli(at)
	return d, nil
}

// ErrNotDrawn means that a draw cannot be published yet.
var ErrNotDrawn = &ropeline.Error{Kind: ropeline.Conflict, Code: "not-drawn", Detail: "The order has not been drawn yet."}

// errEntrantsLost means that Redis has lost who took part since the draw.
var errEntrantsLost = &ropeline.Error{Kind: ropeline.Gone, Code: "draw-lost",
	Detail: "Our store lost the list of the entrants after the draw, so it can no longer be published from here."}

// DrawFile returns a drawn sale's whole draw, as it is published. It holds all
// entrants in memory: 40 MB a million. It fails with ErrNotDrawn.
func (s *Store) DrawFile(ctx context.Context, id ropeline.SaleID) (draw.File, error) {
	sale, err := s.Sale(ctx, id)
	if err != nil {
		return draw.File{}, err
	}
	d, err := s.Drawing(ctx, id)
	if err != nil {
		return draw.File{}, err
	}
	if d.Seed == "" {
		return draw.File{}, ErrNotDrawn
	}
	entrants, err := s.drawnEntrants(ctx, sale)
	if err != nil {
		return draw.File{}, err
	}
	f := draw.File{Terms: termsOf(sale)}
	if d.Rule != "" { // the one that was committed to
		f.Terms.Beacon = d.Rule
	}
	texts, hashes := []string{d.Commitment, d.Seed, d.Root}, []*draw.Hash{&f.Commitment, &f.Seed, &f.Root}
	if f.Terms.Beacon != draw.NoBeacon {
		f.RootAt = d.RootAt.UnixMilli()
		texts, hashes = append(texts, d.Beacon), append(hashes, &f.Value)
	}
	for i, text := range texts {
		if *hashes[i], err = readHash(text); err != nil {
			return draw.File{}, err
		}
	}
	if draw.Root(entrants) != f.Root {
		return draw.File{}, errEntrantsLost
	}
	f.Places = draw.Order(draw.Key(f.Seed, f.Root, f.Value), entrants)
	return f, nil
}

// drawnEntrants returns who took part in a draw, sorted.
func (s *Store) drawnEntrants(ctx context.Context, sale ropeline.Sale) ([]ropeline.PlaceID, error) {
	parts := make([][]ropeline.PlaceID, sale.Lines())
	err := onEach(linesOf(sale.ID, len(parts)), func(l lineID) (err error) {
		parts[l.number], err = s.entrants(ctx, l, "entrants")
		return err
	})
	all := slices.Concat(parts...)
	slices.Sort(all)
	return all, err
}
