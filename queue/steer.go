package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
)

//go:embed lua/steer.lua
var steerSource string
var steerScript = newScript("steer", steerSource)

// Change is something that is steered of a sale at once.
type Change struct {
	ID     string   // names it; "" makes a name up
	Set    Settings // what is changed
	Expect Settings // what must be as it was seen
	By     string   // the role of whoever does it; public
	Reason string   // of a mode it is public, unless Public is

	// Public is the reason in words for everybody, by language: then Reason is not
	// told. Nil for none.
	Public map[string]string
}

// words are the reason as the public has it: one text, and the board's item with
// all languages, "" for none.
func (c Change) words() (text, translations string, err error) {
	if c.Public == nil {
		return c.Reason, "", nil
	}
	if err := CheckPublic(c.Public); err != nil {
		return "", "", err
	}
	m := MessageOf(c.Public)
	all, err := json.Marshal(m)
	if err != nil {
		return "", "", fmt.Errorf("writing a public reason: %w", err)
	}
	return m.Texts[m.Default], string(all), nil
}

// CheckPublic says what is wrong with a public reason: ErrMessageInvalid. Nil is
// none, and good.
func CheckPublic(texts map[string]string) error {
	if texts == nil {
		return nil
	}
	for tag, text := range texts {
		if strings.Contains(text, "\n") {
			return ErrMessageInvalid.Because(fmt.Errorf("a reason has one line, not the text in %s", tag))
		}
	}
	return MessageOf(texts).Check(time.Time{})
}

// Steered is what came of a change.
type Steered struct {
	At  time.Time // by Redis's clock
	Was Settings  // what was set, as it was before
	Now Settings  // and as it is; all settings where they were not as expected

	Kept *LimitChange // for the book of changes; nil if nothing was changed
}

// remembered is how many changes of a sale are known again if they are repeated.
const remembered = 100

// steerPatience is how long a change waits for a server that took over just now:
// edges write back what it has not heard of within a second of the first tick, and
// the book is asked. Where there is none, and nobody ticks, it is made all the same;
// and so is a stop, while the book is away.
const steerPatience = 3 * time.Second

// Steer changes limits of a sale, all that are given or none. If one is not as
// expected any more it is ErrLimitsChanged, together with the settings as they
// are. A change of the same ID is made once, and answered alike each time; so
// one whose answer was lost can be repeated. Every edge hears of it with the next
// tick, and every gate.
func (s *Store) Steer(ctx context.Context, sale ropeline.SaleID, c Change) (Steered, error) {
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	steered, err := s.steer(ctx, sale, c, false)
	if !errors.Is(err, ErrSettling) {
		return steered, err
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	late := time.NewTimer(steerPatience)
	defer late.Stop()
	for errors.Is(err, ErrSettling) {
		// Whoever leads compares with the book, too; but perhaps nobody does yet.
		if mended, away := s.MendLimits(ctx, sale); !mended {
			select {
			case <-ctx.Done():
				return Steered{}, err
			case <-late.C:
				if away != nil && !c.onlyStops() {
					return Steered{}, err
				}
				return s.steer(ctx, sale, c, true)
			case <-again.C:
			}
		}
		steered, err = s.steer(ctx, sale, c, false)
	}
	return steered, err
}

// onlyStops reports whether a change is a stop and nothing else.
func (c Change) onlyStops() bool {
	return c.Set.Mode != nil && *c.Set.Mode == ropeline.ModeStop && len(c.Set.Fields()) == 1
}

// steer makes a change once. On a server that took over just now it is ErrSettling,
// if it is not to be made at once.
func (s *Store) steer(ctx context.Context, sale ropeline.SaleID, c Change, atOnce bool) (Steered, error) {
	if err := c.Set.Check(); err != nil {
		return Steered{}, err
	}
	reason, translations, err := c.words()
	if err != nil {
		return Steered{}, err
	}
	expect, set := c.Expect.values(), c.Set.values()
	args := []any{c.ID, string(sale), c.By, reason, remembered, translations, flag(atOnce), flag(s.limitBook != nil), len(expect)}
	for _, values := range []map[string]string{expect, set} {
		for field, value := range values {
			args = append(args, field, value)
		}
	}
	reply, err := s.runOn(ctx, sale, steerScript, keysOf(sale, "state", "limits", "offered", "active", "sessions", "events", "steered", "board"), args...)
	if err != nil {
		return Steered{}, err
	}
	var r reader
	r.fields, _ = reply.([]any)
	done, at := r.integer(), micro(r.integer())
	was, now := map[string]string{}, map[string]string{}
	for len(r.fields) > 1 {
		field := r.text()
		was[field], now[field] = r.text(), r.text()
	}
	var kept *LimitChange
	if done == 1 {
		if kept, err = readLimitChange(r.text()); err != nil {
			return Steered{}, err
		}
	}
	if err := r.failed("steer"); err != nil {
		return Steered{}, err
	}
	delete(now, "reason") // they are no settings
	delete(now, "stopped")
	steered := Steered{At: at, Was: settingsOf(was), Now: settingsOf(now), Kept: kept}
	if done == 0 {
		steered.Was = Settings{}
		return steered, ErrLimitsChanged
	}
	if c.Set.Mode != nil {
		// The change is made: a gate that is not told now is told by whoever ticks.
		_ = s.tellGatesMode(ctx, sale, *c.Set.Mode)
	}
	return steered, nil
}

// outOfBounds reads the script's error: which field, and its bounds.
func outOfBounds(text string) error {
	words := strings.Fields(text)
	if len(words) != 4 {
		return ErrOutOfBounds
	}
	least, _ := strconv.ParseInt(words[2], 10, 64)
	if most, _ := strconv.ParseInt(words[3], 10, 64); least > most {
		return with(fmt.Sprintf("The least %s, %d, would be above the most, %d.", words[1], least, most), ErrOutOfBounds)
	}
	return with(fmt.Sprintf("The sale's bounds let %s lie between %s and %s.", words[1], words[2], words[3]), ErrOutOfBounds)
}

// wrongShares reads the script's error: the names of the lanes.
func wrongShares(text string) error {
	_, names, _ := strings.Cut(text, " ")
	if names == "" {
		return with("The sale has no lanes.", ErrSettingInvalid)
	}
	return with("Shares must say that of each lane beside the main one: "+strings.NewReplacer(`"`, "", "{", "", "}", "", ",", ", ").Replace(names)+".", ErrSettingInvalid)
}

// stopped is what a script answers while the sale is stopped, with the reason.
func stopped(text string) error {
	_, reason, _ := strings.Cut(text, " ")
	if reason == "" {
		return ErrSaleStopped
	}
	return with("The sale is stopped for the moment: "+reason, ErrSaleStopped)
}

// keyModes is a hash from the sales in which gates let everybody or nobody pass
// to their modes. All gates read it, so it has a slot of its own.
const keyModes = "ropeline:{gates}:modes"

// tellGatesMode tells every gate how a sale admits.
func (s *Store) tellGatesMode(ctx context.Context, sale ropeline.SaleID, mode ropeline.Mode) error {
	if mode == ropeline.ModePass || mode == ropeline.ModeStop {
		return storeError("telling gates the mode", s.rdb.HSet(ctx, keyModes, string(sale), string(mode)).Err())
	}
	return storeError("telling gates the mode", s.rdb.HDel(ctx, keyModes, string(sale)).Err())
}

// toldMode is what gates were told of a sale, and when by our own clock.
type toldMode struct {
	version int64
	at      time.Time
}

// modeTold is how often whoever ticks a sale tells gates its mode anew: the node
// that keeps the modes may have lost them, or a slow hand have written an older
// one.
const modeTold = time.Second

// remindGates tells gates the mode of a sale that this controller ticks, when it
// is new or was told long ago.
func (s *Store) remindGates(ctx context.Context, sale ropeline.SaleID, l Limits, unsure bool) error {
	if unsure && l.Mode == ropeline.ModePass {
		l.Mode = ropeline.ModeRun // nobody is let past by a mode that may be over
	}
	now := s.stopwatch()
	s.mu.Lock()
	last := s.modes[sale]
	s.mu.Unlock()
	if last.version == l.Version && now.Sub(last.at) < modeTold && !last.at.IsZero() {
		return nil
	}
	if err := s.tellGatesMode(ctx, sale, l.Mode); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.modes[sale] = toldMode{l.Version, now}
	return nil
}

// keyWoken is the channel on which a change, or somebody who comes to a line where
// nobody stands, wakes whoever ticks the sale.
const keyWoken = "ropeline:woken"

// Woken hands over the sales that are to be ticked at once until ctx ends. It only
// wakes: what nobody takes at once is dropped, and costs a tick.
func (s *Store) Woken(ctx context.Context, sales chan<- ropeline.SaleID) {
	sub := s.rdb.Subscribe(ctx, keyWoken)
	defer sub.Close()
	heard := sub.Channel() // which connects again by itself
	for {
		select {
		case <-ctx.Done():
			return
		case m, more := <-heard:
			if !more {
				return
			}
			select {
			case sales <- ropeline.SaleID(m.Payload):
			default:
			}
		}
	}
}

//go:embed lua/recall.lua
var recallSource string
var recallScript = newScript("recall", recallSource)

// recallLimits writes limits back that a server which took over has lost: a
// change reaches every edge with a tick, and a replica perhaps later.
func (s *Store) recallLimits(ctx context.Context, sale ropeline.SaleID, known Limits) error {
	_, err := s.runOn(ctx, sale, recallScript, keysOf(sale, "state", "limits", "offered", "active", "sessions"), known.written(ropeline.Sale{})...)
	return err
}
