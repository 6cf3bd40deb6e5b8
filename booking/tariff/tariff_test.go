package tariff_test

import (
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking/tariff"
)

func drawn(t *rapid.T) tariff.Tariff {
	rate := rapid.IntRange(0, 10_000)
	return tariff.Tariff{FeeRate: rate.Draw(t, "fee rate"), FeeFixed: rapid.Int64Range(0, 500).Draw(t, "fixed"), TaxRate: rate.Draw(t, "tax"),
		Refund: tariff.Refund{KeepRate: rate.Draw(t, "keep"), KeepFee: rapid.Bool().Draw(t, "keep fee")}}
}

// nearest is what rounding says in the documentation, in exact arithmetic.
func nearest(amount, num, den int64) int64 {
	twice := new(big.Int).Mul(big.NewInt(2*num), big.NewInt(amount))
	twice.Add(twice, big.NewInt(den))
	return twice.Div(twice, big.NewInt(2*den)).Int64()
}

// Whatever is split, its parts add up to it, no part is negative or more than what
// it is of, and what goes back and what is kept is what was paid.
func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rates := drawn(t)
		if err := rates.Validate(); err != nil {
			t.Fatal(err)
		}
		most := rapid.SampledFrom([]int64{3, 200, 20_000, tariff.MaxAmount}).Draw(t, "most")
		prices := rapid.SliceOfN(rapid.Int64Range(0, most), 1, 100).Draw(t, "prices")
		all, err := tariff.Sum(prices...)
		if err != nil {
			t.Fatal(err)
		}
		total := all - rapid.Int64Range(0, all).Draw(t, "discount")
		fee := rates.Fee(total)
		if want := min(nearest(total, int64(rates.FeeRate), 10_000)+rates.FeeFixed, total); fee != want {
			t.Fatalf("the fee of %d is %d, want %d", total, fee, want)
		}
		parts, err := rates.Split(total, fee, prices)
		if err != nil {
			t.Fatal(err)
		}
		var paid, fees int64
		for i, p := range parts {
			if p.Paid < 0 || p.Paid > prices[i] || p.Fee < 0 || p.Fee > p.Paid || p.Tax < 0 || p.Tax > p.Paid {
				t.Fatalf("ticket %d of price %d: %+v", i, prices[i], p)
			}
			if want := nearest(p.Paid, int64(rates.TaxRate), 10_000+int64(rates.TaxRate)); p.Tax != want {
				t.Fatalf("the tax in %d is %d, want %d", p.Paid, p.Tax, want)
			}
			back := rates.Refund.Cancel(p)
			switch {
			case back.Refund < 0 || back.Kept < 0 || back.Refund+back.Kept != p.Paid:
				t.Fatalf("%+v of %+v", back, p)
			case rates.Refund.KeepFee && (back.Fee != 0 || back.Kept < p.Fee), !rates.Refund.KeepFee && back.Fee != p.Fee:
				t.Fatalf("the fee in %+v of %+v", back, p)
			}
			paid, fees = paid+p.Paid, fees+p.Fee
		}
		if paid != total || fees != fee {
			t.Fatalf("parts are %d with fees %d, want %d and %d", paid, fees, total, fee)
		}
	})
}

func TestWhatItComesTo(t *testing.T) {
	t.Parallel()
	rates := tariff.Tariff{FeeRate: 250, FeeFixed: 49, TaxRate: 1900, Refund: tariff.Refund{KeepRate: 1000, KeepFee: true}}
	if fee := rates.Fee(15_000); fee != 375+49 {
		t.Errorf("fee %d", fee)
	}
	if fee := rates.Fee(30); fee != 30 {
		t.Errorf("a fee of %d in 30", fee)
	}
	if tax := rates.Tax(11_900); tax != 1900 {
		t.Errorf("tax %d", tax)
	}
	parts, err := rates.Split(100, 0, []int64{100, 100, 100})
	if err != nil || parts[0].Paid != 33 || parts[1].Paid != 33 || parts[2].Paid != 34 {
		t.Errorf("100 in three: %+v, %v", parts, err)
	}
	if back := rates.Refund.Cancel(tariff.Part{Paid: 7500, Fee: 212}); back != (tariff.Back{Refund: 6559, Kept: 941}) {
		t.Errorf("back: %+v", back)
	}
	starts := time.Date(2026, 5, 1, 20, 0, 0, 0, time.UTC)
	if at := (tariff.Tariff{Refund: tariff.Refund{Before: 3600}}).Closes(starts); !at.Equal(starts.Add(-time.Hour)) {
		t.Errorf("closes at %s", at)
	}
	if at := rates.Closes(starts); !at.IsZero() {
		t.Errorf("closes at %s, want never open", at)
	}
}

func TestWhatIsTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := tariff.Sum(math.MaxInt64, 1); !errors.Is(err, tariff.ErrOverflow) {
		t.Errorf("a sum: %v", err)
	}
	for _, prices := range [][]int64{{math.MaxInt64, 1}, {-1, 2}, {1}, nil} {
		if _, err := (tariff.Tariff{}).Split(2, 0, prices); !errors.Is(err, tariff.ErrOverflow) {
			t.Errorf("2 of %v: %v", prices, err)
		}
	}
	for _, bad := range []tariff.Tariff{{FeeRate: -1}, {FeeRate: 10_001}, {TaxRate: 10_001}, {FeeFixed: -1}, {FeeFixed: tariff.MaxAmount + 1},
		{Refund: tariff.Refund{KeepRate: 10_001}}, {Refund: tariff.Refund{Before: -1}}, {Refund: tariff.Refund{Before: 1 << 40}}} {
		if err := bad.Validate(); !errors.Is(err, tariff.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestDecimals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount         int64
		currency, want string
	}{
		{4500, "EUR", "45.00"}, {5, "EUR", "0.05"}, {0, "USD", "0.00"}, {-5, "EUR", "-0.05"}, {-12345, "EUR", "-123.45"},
		{4500, "JPY", "4500"}, {-1, "JPY", "-1"}, {4500, "KWD", "4.500"}, {7, "KWD", "0.007"}, {12345, "CLF", "1.2345"},
		{math.MaxInt64, "EUR", "92233720368547758.07"}, {math.MinInt64, "KWD", "-9223372036854775.808"},
	} {
		if got := tariff.Decimal(c.amount, c.currency); got != c.want {
			t.Errorf("%d %s is %s, want %s", c.amount, c.currency, got, c.want)
		}
	}
}
