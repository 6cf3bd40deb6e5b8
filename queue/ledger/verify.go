package ledger

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/draw"
)

// Check is one thing that was looked at.
type Check struct {
	What string
	Err  error // nil if it holds
}

// Admissions is the data of an entry about a minute.
type Admissions struct {
	From     string           `json:"from"`
	To       string           `json:"to"`
	Admitted int64            `json:"admitted"` // people offered, in it
	Total    int64            `json:"total"`    // since the sale was published, or since a loss
	Counts   map[string]int64 `json:"counts"`   // by how much each other count rose: claimed, missed, bypasses …

	// The cap's proof: since Since, when the limit in force was set, never more
	// than MaxActive held an offer or a session at once. AtFirst did when it was
	// set: a lower limit ends nobody's session.
	MaxActive int64  `json:"max_active"`
	Limit     int64  `json:"limit"` // -1: everybody may pass
	AtFirst   int64  `json:"at_first"`
	Since     string `json:"since"`
}

// limits are what entries of the kinds published, limits and mode say of them;
// what they do not say has not changed.
type limits struct {
	Cap  *int64         `json:"cap"`
	Rate *int64         `json:"rate"`
	Mode *ropeline.Mode `json:"mode"`
}

// Verify checks everything that a ledger promises, in the order in which a
// reader would ask. Without keys, signatures are checked with those that the
// ledger itself names. A copy may begin later than the ledger.
func Verify(entries []Entry, keys map[string]ed25519.PublicKey) []Check {
	if len(entries) == 0 {
		return []Check{{"there are entries", errors.New("there are none")}}
	}
	signed, signing := checkSigned(entries, keys)
	return []Check{
		{"every entry follows the one before it: none was changed, taken out or put in", checkChain(entries)},
		{signed, signing},
		{"no minute admitted more than the rate allowed", checkRate(entries)},
		{"never more held an admission at once than the cap allowed", checkCap(entries)},
		{"the minutes add up: nobody was admitted between them", checkTotals(entries)},
		{"the draw's seed is the one that was committed to, and its root did not change", checkDraw(entries)},
	}
}

func checkChain(entries []Entry) error {
	prev, before := entries[0].Prev, time.Time{}
	if entries[0].Seq == 1 && prev != Genesis {
		return errors.New("the first entry does not begin the chain")
	}
	for i, e := range entries {
		at, err := ParseTime(e.Time)
		switch {
		case err != nil:
			return fmt.Errorf("entry %d: the time %q is none of ours", e.Seq, e.Time)
		case e.Sale != entries[0].Sale:
			return fmt.Errorf("entry %d is of another sale", e.Seq)
		case e.Seq != entries[0].Seq+int64(i):
			return fmt.Errorf("entry %d stands where %d should", e.Seq, entries[0].Seq+int64(i))
		case e.Prev != prev:
			return fmt.Errorf("entry %d does not follow the one before it", e.Seq)
		case at.Before(before):
			return fmt.Errorf("entry %d is of a time before the one before it", e.Seq)
		}
		sum, err := e.Sum()
		if err != nil {
			return err
		}
		if sum != e.Hash {
			return fmt.Errorf("entry %d comes out as %s and says %s: it was changed", e.Seq, sum, e.Hash)
		}
		prev, before = e.Hash, at
	}
	return nil
}

// checkSigned checks the signed heads, each against the entry that it signs.
func checkSigned(entries []Entry, keys map[string]ed25519.PublicKey) (what string, err error) {
	what = "the signed heads are signed with your keys"
	if keys == nil {
		keys = named(entries)
		what = "the signed heads are signed with the keys that the ledger names itself: pass --key to be sure whose they are"
	}
	n, last := 0, int64(0)
	for i, e := range entries {
		if e.Kind != KindSigned {
			continue
		}
		var s Signed
		if err := json.Unmarshal(e.Data, &s); err != nil {
			return what, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		if at := i - int(e.Seq-s.Seq); s.Seq >= e.Seq || at >= 0 && entries[at].Hash != s.Hash {
			return what, fmt.Errorf("entry %d signs a head that is not in this chain", e.Seq)
		}
		if err := s.Check(e.Sale, keys); err != nil {
			return what, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		n, last = n+1, s.Seq
	}
	if n == 0 {
		return "no head is signed: only a hash that you noted shows that nothing was rewritten", nil
	}
	return fmt.Sprintf("%s: %d, the last of entry %d", what, n, last), nil
}

// named are the keys that a ledger names itself.
func named(entries []Entry) map[string]ed25519.PublicKey {
	keys := map[string]ed25519.PublicKey{}
	for _, e := range entries {
		var k KeyData
		if e.Kind != KindKey || json.Unmarshal(e.Data, &k) != nil {
			continue
		}
		if raw, err := encoding.DecodeString(k.Public); err == nil && len(raw) == ed25519.PublicKeySize {
			keys[k.Key] = raw
		}
	}
	return keys
}

// rule is the limits that were in force at some time, as far as is known.
type rule struct {
	limits
	whole bool // the ledger is known from its beginning
}

func (r rule) known() bool { return r.Rate != nil && r.Cap != nil }

// follow takes what an entry says of the limits.
func (r *rule) follow(e Entry) {
	if e.Kind != KindPublished && e.Kind != KindLimits && e.Kind != KindMode {
		return
	}
	var data struct {
		limits
		Set limits `json:"set"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return
	}
	to := data.Set
	if e.Kind == KindPublished {
		if to = data.limits; !r.whole || r.known() {
			return // live limits outlive a new version of the settings
		}
	}
	if to.Cap != nil {
		r.Cap = to.Cap
	}
	if to.Rate != nil {
		r.Rate = to.Rate
	}
	if to.Mode != nil {
		r.Mode = to.Mode
	}
}

func (r rule) passes() bool { return r.Mode != nil && *r.Mode == ropeline.ModePass }

// limit is how many may be in at once, -1 where everybody may.
func (r rule) limit() int64 {
	if r.passes() {
		return -1
	}
	return *r.Cap
}

// minutes calls see for each entry about a minute, with the limits at its end, the
// highest rate that was in force in it, and whether everybody was let pass
// meanwhile. known is false where the limits are not.
func minutes(entries []Entry, see func(m Admissions, end rule, rate int64, known, passed bool) error) error {
	now := rule{whole: entries[0].Seq == 1}
	rate, passed, since := int64(0), false, now.whole
	raise := func() {
		if now.Rate != nil {
			rate = max(rate, *now.Rate)
		}
		passed = passed || now.passes()
	}
	for _, e := range entries {
		now.follow(e)
		raise()
		if e.Kind != KindAdmissions {
			continue
		}
		var m Admissions
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		if err := see(m, now, rate, since && now.known(), passed); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		rate, passed, since = 0, false, now.known()
		raise()
	}
	return nil
}

// slack is what a minute may have more than its rate: what two ticks let
// through at once, a change that came with the second, and a party on credit.
func slack(rate int64) int64 { return 2*rate/60 + 1 + ropeline.MaxParty }

func checkRate(entries []Entry) error {
	return minutes(entries, func(m Admissions, _ rule, rate int64, known, passed bool) error {
		from, err := ParseTime(m.From)
		to, toErr := ParseTime(m.To)
		if errors.Join(err, toErr) != nil || to.Before(from) {
			return errors.New("its times are none of ours")
		}
		if !known || passed {
			return nil
		}
		most := int64(to.Sub(from).Seconds()*float64(rate)/60) + slack(rate)
		if m.Admitted > most {
			return fmt.Errorf("%d were admitted in %s at %d a minute: %d is the most", m.Admitted, to.Sub(from), rate, most)
		}
		return nil
	})
}

func checkCap(entries []Entry) error {
	return minutes(entries, func(m Admissions, end rule, _ int64, _, _ bool) error {
		if end.known() && m.Limit != end.limit() {
			return fmt.Errorf("it says that the limit was %d, and %d was set", m.Limit, end.limit())
		}
		if m.Limit >= 0 && m.MaxActive > max(m.Limit, m.AtFirst) {
			return fmt.Errorf("%d were in at once, and the limit was %d", m.MaxActive, m.Limit)
		}
		return nil
	})
}

func checkTotals(entries []Entry) error {
	total, known := int64(0), entries[0].Seq == 1
	for _, e := range entries {
		if e.Kind == KindLost {
			known = false // offers of moments that are forgotten have numbers, too
		}
		if e.Kind != KindAdmissions {
			continue
		}
		var m Admissions
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		if total += m.Admitted; known && total != m.Total {
			return fmt.Errorf("entry %d says %d in all, and the minutes add up to %d", e.Seq, m.Total, total)
		}
		total, known = m.Total, true
	}
	return nil
}

func checkDraw(entries []Entry) error {
	var committed struct {
		Commitment string `json:"commitment"`
		Close      int64  `json:"close_ms"`
		Beacon     string `json:"beacon"`
	}
	var bound, drawn struct {
		Root   string `json:"root"`
		Before string `json:"root_before"`
		Seed   string `json:"seed"`
	}
	for _, e := range entries {
		var err error
		switch e.Kind {
		case KindCommitted:
			if bound.Root != "" {
				return fmt.Errorf("entry %d commits to another seed after the entrants were bound", e.Seq)
			}
			err = json.Unmarshal(e.Data, &committed)
		case KindBound:
			before := bound.Root
			bound.Before = ""
			err = json.Unmarshal(e.Data, &bound)
			if before != "" && bound.Root != before && bound.Before != before {
				return fmt.Errorf("entry %d changes the root and does not say so", e.Seq)
			}
		case KindDrawn:
			if err = json.Unmarshal(e.Data, &drawn); err != nil {
				break
			}
			if bound.Root != "" && drawn.Root != bound.Root {
				return fmt.Errorf("entry %d: drawn by another root than the one that was published", e.Seq)
			}
			if committed.Commitment == "" {
				continue // the copy begins later
			}
			seed, badSeed := hex.DecodeString(drawn.Seed)
			if badSeed != nil || len(seed) != len(draw.Hash{}) {
				return fmt.Errorf("entry %d: the seed is none", e.Seq)
			}
			terms := draw.Terms{Sale: e.Sale, Close: committed.Close, Beacon: committed.Beacon}
			if got := fmt.Sprintf("%x", draw.Commitment(terms, draw.Hash(seed))); got != strings.ToLower(committed.Commitment) {
				return fmt.Errorf("entry %d: the seed comes out as the commitment %s, and %s was published", e.Seq, got, committed.Commitment)
			}
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
	}
	return nil
}
