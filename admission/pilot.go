package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/auto"
	"github.com/ropeline/ropeline/queue"
)

// pilot flies one sale in automatic mode, while its controller leads. What it has
// learned of the shop is kept in Redis for the one who leads next, which has no time
// to learn it anew if the shop is in trouble.
type pilot struct {
	shop    *shop
	metrics *metrics
	log     *slog.Logger

	law     auto.Law
	term    int64
	text    string // the settings as they were read last
	set     auto.Settings
	rate    float64 // what the law said last: small steps add up
	at      time.Time
	offered int64
	cores   map[string]ropeline.Health
}

// flyEvery is how often a pilot looks and steers.
const flyEvery = time.Second

// fly steers once a second, from what was seen since the last time. now is a
// clock that nobody sets.
func (p *pilot) fly(ctx context.Context, store *queue.Store, controller string, sale ropeline.SaleID, s queue.State, now time.Time) error {
	if s.Term != p.term { // another one led meanwhile
		law, err := recall(ctx, store, sale)
		if err != nil {
			return err
		}
		*p = pilot{shop: p.shop, metrics: p.metrics, log: p.log, term: s.Term, law: law}
	}
	if s.Limits.Auto != p.text {
		set, err := auto.Parse([]byte(s.Limits.Auto))
		if err != nil {
			p.log.Error("the settings of the automatic mode are not understood, so it is off", "sale", sale, "err", err)
		}
		p.text, p.set = s.Limits.Auto, set
	}
	flies := p.flies(s)
	p.metrics.flies(sale, p.set.On, flies, now)
	if !flies {
		p.at = time.Time{}
		return nil
	}
	if took := now.Sub(p.at); !p.at.IsZero() && took < flyEvery {
		return nil
	}
	seen := p.shop.look(ctx, store, now)
	reading, counts := p.read(seen, s, now)
	p.at, p.offered, p.cores = now, s.LastOffer+s.Friends, seen.cores
	if !counts {
		return nil
	}
	if int64(p.rate) != s.Rate { // somebody else set it
		p.rate = float64(s.Rate)
	}
	next, why := p.law.Step(p.set, auto.Bounds{Least: float64(s.MinRate), Most: float64(s.MaxRate)}, p.rate, reading)
	p.rate = next
	if int64(next) == s.Rate {
		why = ""
	} else if err := p.change(ctx, store, controller, sale, s, why); err != nil {
		if errors.Is(err, queue.ErrFenced) {
			return nil // another one leads by now
		}
		return err
	}
	p.metrics.flew(sale, reading, p.rate, why, now)
	return p.keep(ctx, store, sale)
}

// recall is the law with what was learned by whoever led before, if anything was.
func recall(ctx context.Context, store *queue.Store, sale ropeline.SaleID) (law auto.Law, err error) {
	text, err := store.Learned(ctx, sale)
	if err != nil || text == nil {
		return law, err
	}
	if err := json.Unmarshal(text, &law); err != nil { // of another version, which learned other things
		return auto.Law{}, nil
	}
	return law, nil
}

// keep keeps what was learned.
func (p *pilot) keep(ctx context.Context, store *queue.Store, sale ropeline.SaleID) error {
	text, err := json.Marshal(&p.law)
	if err != nil {
		return fmt.Errorf("writing what was learned: %w", err)
	}
	return store.KeepLearned(ctx, sale, text)
}

// change sets the rate, as far as Redis lets it.
func (p *pilot) change(ctx context.Context, store *queue.Store, controller string, sale ropeline.SaleID, s queue.State, why string) error {
	rate, err := store.SetRate(ctx, sale, queue.RateChange{Controller: controller, Term: s.Term, Version: s.Version, Rate: int64(p.rate), Reason: why})
	if err == nil && rate != int64(p.rate) {
		p.rate = float64(rate)
	}
	return err
}

// flies reports whether a sale that is like this is steered, by the settings that
// were read last.
func (p *pilot) flies(s queue.State) bool {
	return p.set.On && s.Phase() == ropeline.PhaseOpen && (s.Mode == ropeline.ModeRun || s.Mode == ropeline.ModeDrain) && !s.Settling
}

// read is what was seen since the last look; the first one counts nothing.
func (p *pilot) read(seen sight, s queue.State, now time.Time) (r auto.Reading, counts bool) {
	if p.at.IsZero() {
		return r, false
	}
	r = auto.Reading{Took: now.Sub(p.at), Known: seen.known, Offered: float64(max(0, s.LastOffer+s.Friends-p.offered)),
		Probes: seen.probes, Probe: seen.probe}
	for name, h := range seen.cores {
		before, met := p.cores[name]
		if !met || h.Requests < before.Requests { // it has just been started
			before = h
		}
		add(&r.Kind, h.Tally, before.Tally, p.set.TargetMS)
		add(&r.Orders, h.Orders, before.Orders, p.set.TargetMS)
		r.Written += float64(h.Written - before.Written)
	}
	return r, true
}

// add counts what a core did between two reports. A request is slow as soon as it
// has taken as long as the target, answered or not: an answer comes too late to act.
func add(to *auto.Kind, now, before ropeline.Tally, target int64) {
	to.Requests += float64(now.Requests - before.Requests)
	to.Failed += float64(now.Failed - before.Failed)
	to.Slow += float64(now.SlowerThan(target) + now.OlderThan(target) - before.SlowerThan(target) - before.OlderThan(target))
	to.Spent += float64(now.TookMS-before.TookMS) / 1000
	to.InFlight += float64(now.InFlight)
}

// shop is what is known of the shop behind all sales: the cores that say how they
// do, and probes. Sales share one look a second.
type shop struct {
	probes *Probes // nil: none

	mu   sync.Mutex // guards what follows
	at   time.Time
	last sight
}

// sight is what was seen of the shop at one moment.
type sight struct {
	cores  map[string]ropeline.Health
	known  bool
	probes float64
	probe  string
}

// lookEvery is for how long a look is good enough.
const lookEvery = 500 * time.Millisecond

func (b *shop) look(ctx context.Context, store *queue.Store, now time.Time) sight {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.at) < lookEvery && !b.at.IsZero() {
		return b.last
	}
	cores, err := store.Healths(ctx)
	worst, name, heard := b.probes.worst(now)
	// With no core and no probe nobody says anything; a probe that cannot be asked
	// takes away what is known, too.
	b.at = now
	b.last = sight{cores: cores, probes: worst, probe: name, known: err == nil && heard && (len(cores) > 0 || b.probes.any())}
	return b.last
}
