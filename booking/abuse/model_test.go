package abuse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// twin is a subject as the model has it: the ladder said once more, plainly.
type twin struct {
	score  float64
	at     time.Time
	waits  int
	since  time.Time
	until  time.Time
	barred time.Time // blocked until then
}

func (k *twin) add(now time.Time, halfLife ropeline.Seconds, l Ladder, points float64) {
	if k.at.IsZero() {
		k.at, k.since = now, now
	}
	k.score = max(0, k.score*math.Exp2(-float64(now.Sub(k.at).Milliseconds())/float64(halfLife*1000))+points)
	k.at = now
	for now.Sub(k.since) >= l.Forgive.Duration() {
		k.since = k.since.Add(l.Forgive.Duration())
		k.waits = max(0, k.waits-1)
	}
	if points <= 0 || math.Floor(k.score+0.5) < l.Slow || k.until.After(now) {
		return
	}
	k.waits, k.since = k.waits+1, now
	wait := l.FirstWait.Duration()
	for range k.waits - 1 {
		wait = min(2*wait, l.LongestWait.Duration())
	}
	k.until = now.Add(wait)
	if k.waits > l.Waits && !k.barred.After(now) {
		k.barred = now.Add(l.Block.Duration())
	}
}

// model is two cores, four people at two addresses and at none, and their twins.
type model struct {
	*rig
	cores []*Guard
	twins map[mark]*twin
}

func TestTheLaddersBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	shared := open(t, small())
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		if err := shared.redis.FlushDB(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := shared.db.Exec(ctx, `update abuse_blocks set state = 'lifted' where state = 'active'`); err != nil {
			t.Fatal(err)
		}
		shared.clock.pass(time.Hour)
		m := &model{rig: shared, cores: []*Guard{shared.guard(small()), shared.guard(small())}, twins: map[mark]*twin{}}
		t.Repeat(map[string]func(*rapid.T){"hold": m.holds, "buy": m.buys, "be declined": m.isDeclined, "wait": m.passes, "lift": m.lifts, "": m.check})
	})
}

func (m *model) person(t *rapid.T) Who {
	n := rapid.IntRange(0, 3).Draw(t, "person")
	return who(n, []string{"203.0.113.7", "203.0.113.7", "2001:db8::1", ""}[n])
}

func (m *model) core(t *rapid.T) *Guard { return m.cores[rapid.IntRange(0, 1).Draw(t, "core")] }

// add does to the twins what is done to somebody.
func (m *model) add(s Signal, w Who, points float64) {
	for _, subject := range m.counted(w) {
		k := m.twins[mark{s, subject}]
		if k == nil {
			k = &twin{}
			m.twins[mark{s, subject}] = k
		}
		ladders := m.policy.ladders(s)
		k.add(m.clock.now(), ladders.HalfLife, ladders.of(subject.Kind), points)
	}
}

// holds: they are counted whether or not their maker may hold by now.
func (m *model) holds(t *rapid.T) {
	w, core, n := m.person(t), m.core(t), rapid.IntRange(1, 4).Draw(t, "holds")
	for range n {
		core.heldBy(w)
	}
	if err := core.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.add(Holds, w, float64(n))
}

// begin is a payment that may begin exactly if the model says so.
func (m *model) begin(t *rapid.T, core *Guard, w Who, amount int64) *Trial {
	if err := core.Read(context.Background()); err != nil {
		t.Fatal(err)
	}
	trial, err := core.Begin(context.Background(), payment(w, "", amount))
	m.agrees(t, Payments, w, err)
	return trial
}

func (m *model) buys(t *rapid.T) {
	w, core := m.person(t), m.core(t)
	trial := m.begin(t, core, w, 4500)
	if trial == nil {
		return
	}
	trial.End(context.Background(), Paid)
	if err := core.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.add(Holds, w, -1)
}

func (m *model) isDeclined(t *rapid.T) {
	w, amount := m.person(t), rapid.SampledFrom([]int64{100, 4500}).Draw(t, "amount")
	trial := m.begin(t, m.core(t), w, amount)
	if trial == nil {
		return
	}
	trial.End(context.Background(), Declined)
	m.add(Payments, w, map[int64]float64{100: 2, 4500: 1}[amount])
}

func (m *model) passes(t *rapid.T) {
	m.clock.pass(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute, time.Hour}).Draw(t, "time"))
}

func (m *model) lifts(t *rapid.T) {
	list, _, err := m.List(context.Background(), Filter{State: Active, Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Skip("nobody is blocked")
	}
	b := rapid.SampledFrom(list).Draw(t, "block")
	if _, err := m.core(t).Lift(context.Background(), b.ID, "staff:ada", "a mistake", rapid.Bool().Draw(t, "erase")); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Signal{Holds, Payments} {
		if k := m.twins[mark{s, Subject{b.Kind, b.Subject}}]; k != nil {
			barred := k.barred
			*k = twin{}
			if s != b.Signal { // another block
				k.barred = barred
			}
		}
	}
}

// agrees compares an answer with the model's.
func (m *model) agrees(t *rapid.T, s Signal, w Who, err error) {
	t.Helper()
	now, want := m.clock.now(), ""
	for _, subject := range m.counted(w) {
		for _, signal := range []Signal{Payments, Holds} {
			if k := m.twins[mark{signal, subject}]; want == "" && k != nil && k.barred.After(now) && (signal != Holds || s == Holds) {
				want = "blocked"
			}
		}
		if k := m.twins[mark{s, subject}]; want == "" && k != nil && k.until.After(now) {
			want = "slowed"
		}
	}
	got := ""
	if e, ok := errors.AsType[*ropeline.Error](err); ok {
		got = e.Code
	}
	if len(got) < len(want) || got[:len(want)] != want || (want == "") != (err == nil) {
		t.Fatalf("%s of %s: %v, want %q; %s", s, w.Place, err, want, m.tell())
	}
}

func (m *model) tell() (text string) {
	now := m.clock.now()
	for k, v := range m.twins {
		text += fmt.Sprintf("\n%s %s: %.3f points, %d waits, waits %s, barred %s", k.signal, k.Subject, v.score, v.waits, v.until.Sub(now), v.barred.Sub(now))
	}
	return text
}

// check: a core that has counted somebody's holds last knows what the model knows; Redis
// does in any case.
func (m *model) check(t *rapid.T) {
	ctx, now := context.Background(), m.clock.now()
	for k, v := range m.twins {
		s, err := m.cores[0].count(ctx, []point{{k, 0}})
		if err != nil {
			t.Fatal(err)
		}
		ladders := m.policy.ladders(k.signal)
		v.add(now, ladders.HalfLife, ladders.of(k.Kind), 0)
		if math.Abs(s[0].Score-v.score) > 0.001 || s[0].Waits != v.waits || s[0].wait != max(0, v.until.Sub(now)) {
			t.Fatalf("%s %s: %+v, want %s", k.signal, k.Subject, s[0], m.tell())
		}
		m.cores[0].remember(k, s[0].wait)
	}
	if err := m.cores[0].Read(ctx); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		w := who(n, []string{"203.0.113.7", "203.0.113.7", "2001:db8::1", ""}[n])
		m.agrees(t, Holds, w, m.cores[0].mayHold(ctx, w))
	}
}

// However many ask for payments by however many requests, in whatever order they begin
// and end, each that is made is counted once, and nothing is left of the others. What a core
// took with it that died is counted once at most.
func TestPaymentsAreCountedOnceHoweverOftenTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	p := small()
	p.Payments.Place.Slow, p.Payments.Address.Slow = 0, 0
	p.Limits.PlaceAttempts, p.Limits.AddressTickets = 1000, 1000
	r := open(t, p)
	cores := []*Guard{r.Guard, r.guard(p)}
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		if err := r.redis.FlushDB(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		var live []*Trial
		made := map[string]bool{}
		attempts, tickets, died := 0, 0, 0
		take := func(t *rapid.T) *Trial {
			if len(live) == 0 {
				t.Skip("nobody is at it")
			}
			i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
			trial := live[i]
			live = slices.Delete(live, i, i+1)
			return trial
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				trial, err := cores[rapid.IntRange(0, 1).Draw(t, "core")].Begin(ctx, asking("one", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "request")))
				if err == nil {
					live = append(live, trial)
				} else if !errors.Is(err, ErrBegun) {
					t.Fatal(err)
				}
			},
			"undo": func(t *rapid.T) { take(t).End(ctx, Undone) },
			"die":  func(t *rapid.T) { take(t); died++ },
			"make": func(t *rapid.T) {
				trial := take(t)
				how := rapid.SampledFrom([]Ending{Failed, Declined, Waiting, Paid}).Draw(t, "how")
				if made[trial.payment.Request] { // Postgres lets one of a name be made
					how = Undone
				} else if attempts++; how == Waiting || how == Paid {
					tickets += 2
				}
				made[trial.payment.Request] = true
				trial.End(ctx, how)
			},
		})
		for _, trial := range live {
			trial.End(ctx, Undone)
		}
		got := r.counts(r.t, asking("one", ""))
		if got[0] < attempts || got[0] > attempts+died || got[1] < tickets || got[1] > tickets+2*died {
			t.Fatalf("counted are %v attempts and tickets; %d were made, with %d tickets, and %d died", got, attempts, tickets, died)
		}
	})
}
