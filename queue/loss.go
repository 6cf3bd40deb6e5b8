package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/draw"
)

// What happens when Redis loses a line, or may have lost its last second:
//
// Each line keeps the run id of its server. A script that finds another one, or
// no line where there was one, answers that the line settles. While it does,
// nobody has an ordinal and nobody is offered; every edge registers the places
// it knows, with the scores they had, and fans present their tickets. Then the
// line has its old order again, under a new epoch. Slots that may have been in
// use are counted as ghosts until the sessions are known again, or the longest
// token that was issued before has expired.

// charter is what an edge remembers of a sale's settings.
type charter struct {
	doc    string // as it was published
	sealed string // the draw's seed
	draw   map[string]string
	readAt time.Time
}

// lobbyScore is the score of a place that took part in the draw, "" while the
// draw's seed is not known here.
func (c charter) lobbyScore(id ropeline.PlaceID) string {
	seed, err := readHash(c.draw["seed"])
	root, rootErr := readHash(c.draw["root"])
	var value draw.Hash
	if rule := c.draw["beacon_rule"]; rule != draw.NoBeacon && rule != "" {
		var valueErr error
		value, valueErr = readHash(c.draw["beacon"])
		err = errors.Join(err, valueErr)
	}
	if errors.Join(err, rootErr) != nil {
		return ""
	}
	return strconv.FormatInt(draw.Score(draw.Key(seed, root, value), id), 10)
}

// charter reads what has to be written back after a loss.
func (s *Store) charter(ctx context.Context, sale ropeline.SaleID) (charter, error) {
	values, err := s.rdb.MGet(ctx, keysOf(sale, "sale", "seed")...).Result()
	if err != nil {
		return charter{}, storeError("reading settings", err)
	}
	draw, err := s.rdb.HGetAll(ctx, key(sale, "draw")).Result()
	if err != nil {
		return charter{}, storeError("reading the draw", err)
	}
	doc, ok := values[0].(string)
	if !ok {
		return charter{}, errLost
	}
	sealed, _ := values[1].(string)
	return charter{doc: doc, sealed: sealed, draw: draw}, nil
}

//go:embed lua/restore.lua
var restoreSource string
var restoreScript = newScript("restore", restoreSource)

//go:embed lua/restore_line.lua
var restoreLineSource string
var restoreLineScript = newScript("restore line", restoreLineSource)

// restore writes a sale back that Redis has lost. Of what several edges
// remember the newest wins.
func (s *Store) restore(ctx context.Context, sale ropeline.SaleID, c charter, known State) error {
	if c.doc == "" {
		return nil // this edge has just started: others know more
	}
	doc, err := ropeline.ParseSale([]byte(c.doc))
	if err != nil {
		return err
	}
	stands := known.stands()
	sh := shapeOf(doc)
	if len(stands) != sh.lines() {
		return nil // nothing has been seen of it yet
	}
	err = onEach(linesOf(sale, sh.lines()), func(l lineID) error {
		stand := stands[l.number]
		reached, _ := scoreOf(stand.CursorScore)
		_, err := s.run(ctx, restoreLineScript, l.keys("line"), doc.Version,
			doc.LobbyClosesAt.UnixMilli(), doc.EndsAt.UnixMilli(), flag(stand.Drawn), stand.Seq, reached)
		return err
	})
	if err != nil {
		return err
	}
	gauge, err := json.Marshal(known.Gauge)
	if err != nil {
		return fmt.Errorf("writing a gauge: %w", err)
	}
	args := []any{c.doc, c.sealed, doc.Version, doc.LobbyClosesAt.UnixMilli(), doc.OpensAt.UnixMilli(), doc.EndsAt.UnixMilli(),
		int64(doc.ClaimWindow), int64(doc.TokenLife), int64(doc.SessionMax),
		known.Rate, known.LastOffer, known.Offered + known.Active + credit(doc),
		ropeline.TokenMargin.Milliseconds(), TickInterval.Milliseconds(), gauge, sh.lines(), sharesText(doc), known.turnsText(), known.bypassText()}
	limits := known.written(doc)
	args = append(append(args, len(limits)), limits...)
	for field, value := range c.draw {
		args = append(args, field, value)
	}
	if _, err := s.run(ctx, restoreScript, keysOf(sale, "state", "limits", "sale", "seed", "draw"), args...); err != nil {
		return err
	}
	return storeError("listing sale", s.rdb.SAdd(ctx, keySales, string(sale)).Err())
}

//go:embed lua/register.lua
var registerSource string
var registerScript = newScript("register", registerSource)

// register tells the lines of a sale that settle of places and of places that
// have left. It returns errSteady if none of those lines does (any more).
func (s *Store) register(ctx context.Context, sale ropeline.SaleID, known State, left []ropeline.PlaceID, places []Place) error {
	stands, sh := known.stands(), known.shape()
	gone := byLine(left, sh, func(id ropeline.PlaceID) ropeline.PlaceID { return id })
	here := byLine(places, sh, func(p Place) ropeline.PlaceID { return p.ID })
	settles := make([]bool, len(stands))
	err := onEach(linesOf(sale, len(stands)), func(l lineID) error {
		if len(gone[l.number])+len(here[l.number]) == 0 {
			return nil
		}
		err := s.registerIn(ctx, l, stands[l.number], gone[l.number], here[l.number])
		settles[l.number] = err == nil
		if errors.Is(err, errSteady) {
			return nil
		}
		return err
	})
	if err == nil && len(left)+len(places) > 0 && !slices.Contains(settles, true) {
		return errSteady
	}
	return errors.Join(err, s.revisit(ctx, sale, sh, places))
}

// revisit tells the main lane which visitors have a place in another one.
func (s *Store) revisit(ctx context.Context, sale ropeline.SaleID, sh shape, places []Place) error {
	for _, p := range places {
		if p.Visitor == "" || sh.laneOf(p.ID) == 0 {
			continue
		}
		if _, err := s.visit(ctx, sh.home(sale, p.Visitor), p.Visitor, p.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) registerIn(ctx context.Context, l lineID, known Stand, left []ropeline.PlaceID, places []Place) error {
	reached, _ := scoreOf(known.CursorScore)
	args := []any{s.edge, reached, flag(known.Drawn), settleMost, len(left)}
	for _, id := range left {
		args = append(args, string(id))
	}
	for _, p := range places {
		args = append(args, string(p.ID), p.Score, p.Visitor)
	}
	_, err := s.run(ctx, registerScript, l.keys("line", "order", "collected", "pending", "quit", "visitors", "departed", "edges"), args...)
	return err
}

// flag is a bool as the scripts want it.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

//go:embed lua/reinstate.lua
var reinstateSource string
var reinstateScript = newScript("reinstate", reinstateSource)

// Reinstate puts the turns of places back that a loss forgot: offers that can
// still be claimed, sessions whose token still lives, and of the others that
// they had a turn. Each living one takes the slot of a ghost.
func (s *Store) Reinstate(ctx context.Context, sale ropeline.SaleID, turns []Place) error {
	args := []any{ropeline.TokenMargin.Milliseconds()}
	for _, p := range turns {
		number, by, session, kept := fmt.Sprint(p.Offer.Number), int64(0), "", int64(0)
		if p.Offer.Beside {
			number += " beside"
		}
		if p.State == ropeline.PlaceOffered {
			by = p.Offer.ClaimBy.UnixMilli()
		}
		if p.State == ropeline.PlaceActive && p.Session != nil {
			session, kept = p.Session.text(), p.Session.Slot.UnixMilli()
		}
		args = append(args, string(p.ID), number, by, session, string(p.Party), kept, string(p.Pass))
	}
	_, err := s.runOn(ctx, sale, reinstateScript, keysOf(sale, "state", "offered", "active", "numbers", "sessions", "parties", "limits", "sids", "kept", "passes"), args...)
	return err
}

//go:embed lua/present.lua
var presentSource string
var presentScript = newScript("present", presentSource)

// Present puts the place of a ticket back that the line has lost and nobody
// registered while it settled: into an open lobby, else beside the line, at its
// old score. It returns ErrPlaceUnknown for a ticket that cannot do that: of the
// current epoch, of a place that left, or of a line that never lost anything.
func (s *Store) Present(ctx context.Context, sale ropeline.SaleID, t Ticket) (Place, error) {
	// Who had a turn need not be in the line: whoever passed a safety net never was.
	if p, err := s.Find(ctx, sale, t.Place); err == nil && p.Offer != nil {
		return p, nil
	}
	l, epoch, err := s.epochFor(ctx, sale, t)
	if err != nil {
		return Place{}, err
	}
	reply, err := s.runOn(ctx, sale, presentScript, l.keys("line", "order", "comebacks", "late", "quit", "returned", "collected"),
		string(t.Place), t.Score, epoch)
	if err != nil {
		return Place{}, err
	}
	if reply == "gone" {
		return Place{}, ErrPlaceUnknown
	}
	return s.Find(ctx, sale, t.Place)
}

// epochFor returns the line of a ticket's place, and the epoch of that line if
// the ticket is of its lane's current one, else another.
func (s *Store) epochFor(ctx context.Context, sale ropeline.SaleID, t Ticket) (lineID, string, error) {
	lines, sh, err := s.lines(ctx, sale)
	if err != nil {
		return lineID{}, "", err
	}
	l := lines[sh.lineOf(t.Place)]
	if sh.shards == 1 {
		return l, t.Epoch, nil
	}
	epochs := make([]string, sh.shards)
	err = onEach(of(sh, lines, sh.laneOf(t.Place)), func(l lineID) error {
		stand, _, _, err := s.stand(ctx, l, false)
		epochs[l.number%sh.shards] = stand.Epoch
		return err
	})
	if err != nil || t.Epoch != epochOf(epochs) {
		return l, "", err
	}
	return l, epochs[l.number%sh.shards], nil
}

//go:embed lua/attend.lua
var attendSource string
var attendScript = newScript("attend", attendSource)

// attend is an edge's sign of life in one line, with who came and who went.
func (s *Store) attend(ctx context.Context, l lineID, epoch string, all bool, came, went []told, back []returning) error {
	args := []any{s.edge, epoch, flag(all), len(came), len(went)}
	for _, t := range came {
		args = append(args, t.ordinal)
	}
	for _, t := range went {
		args = append(args, t.ordinal)
	}
	for _, r := range back {
		args = append(args, string(r.place), r.grace.Milliseconds())
	}
	keys := append(l.keys("line", "order", "departed", "comebacks", "edges", "reported"), l.presence()+s.edge, l.key("passed"), l.key("keepers"))
	_, err := s.runOn(ctx, l.sale, attendScript, keys, args...)
	return err
}

//go:embed lua/away.lua
var awaySource string
var awayScript = newScript("away", awaySource)

// away takes places off the comebacks that have gone again from this edge and
// are kept by no other.
func (s *Store) away(ctx context.Context, sale ropeline.SaleID, places []ropeline.PlaceID) error {
	return s.onLines(ctx, sale, places, func(l lineID, args []any) error {
		_, err := s.run(ctx, awayScript, l.keys("comebacks", "keepers", "edges", "order"), args...)
		return err
	})
}

//go:embed lua/keep.lua
var keepSource string
var keepScript = newScript("keep", keepSource)

// keepBack says that places among the comebacks are here: no edge that they left
// takes them off, and what it has taken off is put back.
func (s *Store) keepBack(ctx context.Context, sale ropeline.SaleID, places []ropeline.PlaceID) error {
	return s.onLines(ctx, sale, places, func(l lineID, args []any) error {
		_, err := s.runOn(ctx, sale, keepScript, l.keys("line", "order", "departed", "comebacks", "keepers"), args...)
		return err
	})
}

// onLines does something with the arguments of each line: this edge, and those
// of the places that are in it.
func (s *Store) onLines(ctx context.Context, sale ropeline.SaleID, places []ropeline.PlaceID, do func(lineID, []any) error) error {
	lines, sh, err := s.lines(ctx, sale)
	if err != nil {
		return err
	}
	in := byLine(places, sh, func(id ropeline.PlaceID) ropeline.PlaceID { return id })
	return onEach(lines, func(l lineID) error {
		if len(in[l.number]) == 0 {
			return nil
		}
		args := make([]any, 1, 1+len(in[l.number]))
		args[0] = s.edge
		for _, id := range in[l.number] {
			args = append(args, string(id))
		}
		return do(l, args)
	})
}

// text is what the scripts keep of an open session.
func (s Session) text() string {
	return fmt.Sprintf("%s %d %d %d open", s.ID, s.IssuedAt.Unix(), s.ExpiresAt.Unix(), s.EndsAt.Unix())
}
