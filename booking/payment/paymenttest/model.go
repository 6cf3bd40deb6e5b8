package paymenttest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// model is what one payment may be, as far as the caller can know.
type model struct {
	charge   payment.Charge
	may      []payment.State // empty: the provider has nothing
	none     bool            // Find said none once: a late call may be refused
	refunded int64
	refunds  map[string]payment.Refunded
}

func (m *model) be(states ...payment.State) { m.may = states }

func (m *model) is(s payment.State) bool { return slices.Contains(m.may, s) }

// modeled makes any calls in any order, some with answers that are lost, and
// looks each time whether the provider still tells a story that can be true.
func modeled(b *bench) {
	rapid.Check(b.T, func(t *rapid.T) {
		cards := []string{b.Cards.OK, b.Cards.Declined, b.Cards.Action, b.Cards.Lost, b.Cards.CaptureLost}
		m := &model{charge: b.charge(rapid.SampledFrom(cards).Draw(t, "card")), refunds: map[string]payment.Refunded{}}
		m.charge.Return = back
		var ids [3]string
		for i := range ids {
			ids[i] = b.id()
		}
		ctx := b.Context()
		// answered takes an answer in. An error may only be one that is due.
		answered := func(p payment.Payment, err error, due bool) {
			switch {
			case errors.Is(err, payment.ErrNone):
				if len(m.may) > 0 {
					t.Fatalf("nothing is left of a payment that was %v", m.may)
				}
				m.none = true
			case err != nil:
				if !due {
					t.Fatalf("a call failed: %v", err)
				}
			case len(m.may) > 0 && !m.is(p.State):
				t.Fatalf("it is %s, want one of %v", p.State, m.may)
			case p.Refunded != m.refunded || p.Amount != m.charge.Amount || p.Attempt != m.charge.Attempt:
				t.Fatalf("it is %+v, refunded %d", p, m.refunded)
			case p.State == payment.Declined || p.State == payment.Voided:
				m.be(payment.Declined, payment.Voided)
			default:
				m.be(p.State)
				if rapid.Bool().Draw(t, "keeps the reference") {
					m.charge.Ref = p.Ref
				}
			}
		}
		actions := map[string]func(){
			"authorize": func() {
				p, err := b.Provider.Authorize(ctx, m.charge)
				answered(p, err, len(m.may) == 0 && (m.none || m.charge.Method == b.Cards.Lost))
			},
			"capture": func() {
				due := m.charge.Method == b.Cards.CaptureLost && m.is(payment.Authorized)
				if i := slices.Index(m.may, payment.Authorized); i >= 0 {
					m.may[i] = payment.Captured
				}
				p, err := b.Provider.Capture(ctx, m.charge)
				answered(p, err, due)
			},
			"void": func() {
				if m.is(payment.Authorized) || m.is(payment.NeedsAction) {
					m.be(payment.Voided)
				}
				p, err := b.Provider.Void(ctx, m.charge)
				answered(p, err, false)
			},
			"confirm": func() {
				p, err := b.Provider.Find(ctx, m.charge)
				answered(p, err, false)
				if err != nil || p.State != payment.NeedsAction {
					return
				}
				yes := rapid.Bool().Draw(t, "yes")
				if err := b.Confirm(ctx, m.charge, p, yes); err != nil {
					t.Fatal(err)
				}
				m.be(payment.Authorized)
				if !yes {
					m.be(payment.Declined)
				}
			},
			"refund": func() {
				r := payment.Refund{ID: rapid.SampledFrom(ids[:]).Draw(t, "refund"), Amount: booking.Money{Amount: 2000, Currency: "EUR"}}
				b.modelRefund(ctx, t, m, r)
			},
			"a day passes": func() {
				b.Later(25 * time.Hour)
				m.none = m.none || len(m.may) == 0 // nothing is authorized that late
				if m.is(payment.Authorized) {
					m.be(payment.Authorized, payment.Voided) // it may have lapsed
				}
				if m.is(payment.NeedsAction) {
					m.be(payment.NeedsAction, payment.Voided)
				}
			},
		}
		if rapid.IntRange(0, 3).Draw(t, "begins with") > 0 { // else nothing is ever authorized
			actions["authorize"]()
		}
		names := slices.Sorted(maps.Keys(actions))
		for range rapid.IntRange(1, 16).Draw(t, "steps") {
			actions[rapid.SampledFrom(names).Draw(t, "call")]()
			p, err := b.Provider.Find(ctx, m.charge)
			answered(p, err, false)
		}
	})
}

// modelRefund checks that an id is refunded once, and never more than was
// taken.
func (b *bench) modelRefund(ctx context.Context, t *rapid.T, m *model, r payment.Refund) {
	done, err := b.Provider.Refund(ctx, m.charge, r)
	first, repeated := m.refunds[r.ID]
	switch {
	case repeated:
		if err != nil || done != first {
			t.Fatalf("a repeat: %+v, %v; first %+v", done, err, first)
		}
	case err == nil:
		if !m.is(payment.Captured) || m.refunded+r.Amount.Amount > m.charge.Amount.Amount || done.Amount != r.Amount {
			t.Fatalf("refunded %+v of a payment that is %v, with %d refunded", done, m.may, m.refunded)
		}
		m.refunded += r.Amount.Amount
		m.refunds[r.ID] = done
	case errors.Is(err, payment.ErrNotRefundable) && m.is(payment.Captured) && m.refunded+r.Amount.Amount <= m.charge.Amount.Amount:
		t.Fatalf("not refunded, with %d of %d gone", m.refunded, m.charge.Amount.Amount)
	case !errors.Is(err, payment.ErrNotRefundable) && (!errors.Is(err, payment.ErrNone) || len(m.may) > 0):
		t.Fatalf("refund: %v", err)
	}
}
