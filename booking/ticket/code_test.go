package ticket_test

import (
	"crypto/elliptic"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
	"rsc.io/qr"

	"github.com/ropeline/ropeline/booking/ticket"
)

const (
	id    = "0192f0a1-7c3d-7000-8000-00000000abcd"
	other = "0192f0a1-7c3d-7000-8000-00000000abce"
)

var now = time.Date(2026, 11, 27, 19, 42, 7, 0, time.UTC)

// keys are fixed: testdata/phone.json was made with them.
func keys(t testing.TB) ticket.Keys {
	t.Helper()
	k, err := ticket.ParseKeys(strings.Repeat("07", 32) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func private(t testing.TB, k ticket.Keys, id string, issue int) ticket.Private {
	t.Helper()
	p, err := k.Private(id, issue, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// show is what a phone shows, as the door reads it.
func show(t testing.TB, p ticket.Private, period int64) (string, ticket.Code) {
	t.Helper()
	text, err := p.Code(period)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ticket.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return text, c
}

func TestACodeIsGoodForItsPeriodAndOneOnEitherSide(t *testing.T) {
	t.Parallel()
	k := keys(t)
	p := private(t, k, id, 3)
	this := ticket.PeriodOf(now)
	for off := int64(-400); off <= 400; off++ {
		if off > 3 && off < 399 || off < -3 && off > -399 {
			continue
		}
		_, c := show(t, p, this+off)
		public, err := k.Public(c.Key, c.Ticket, c.Issue)
		if err != nil || c.Ticket != id || c.Issue != 3 || c.Period != this+off || public != p.Public() {
			t.Fatalf("read %+v, %v", c, err)
		}
		err = c.Verify(public, now)
		var elsewhere *ticket.PeriodError
		switch wrong := errors.As(err, &elsewhere); {
		case off >= -1 && off <= 1 && err != nil:
			t.Errorf("%d periods off: %v", off, err)
		case (off < -1 || off > 1) && (!wrong || elsewhere.Periods != off || elsewhere.Off() != time.Duration(off)*15*time.Second):
			t.Errorf("%d periods off: %v", off, err)
		}
	}
}

// A code is of one ticket, one issue and one installation: nothing that was signed for
// another is taken.
func TestNothingElseIsTaken(t *testing.T) {
	t.Parallel()
	k := keys(t)
	p := private(t, k, id, 1)
	_, c := show(t, p, ticket.PeriodOf(now))
	foreign, _ := ticket.Keys{}.Add(now, true)
	for what, q := range map[string]ticket.Private{
		"the next issue": private(t, k, id, 2), "another ticket": private(t, k, other, 1), "another key": private(t, foreign, id, 1),
	} {
		if err := c.Verify(q.Public(), now); !errors.Is(err, ticket.ErrForged) {
			t.Errorf("%s opened with %v", what, err)
		}
	}
	if _, err := foreign.Public(c.Key, id, 1); !errors.Is(err, ticket.ErrForeign) {
		t.Errorf("a key of nobody's: %v", err)
	}
	for _, public := range []ticket.Public{{}, {63: 1}} {
		if err := c.Verify(public, now); !errors.Is(err, ticket.ErrForged) {
			t.Errorf("no public key at all: %v", err)
		}
	}
	printed, err := ticket.Parse(strings.Repeat("A", 32))
	if err != nil || printed.Printed == "" {
		t.Fatal(printed, err)
	}
	if err := printed.Verify(p.Public(), now); !errors.Is(err, ticket.ErrForged) {
		t.Errorf("a printed code was verified: %v", err)
	}
}

func TestACodeWithOneOtherCharacterIsRefused(t *testing.T) {
	t.Parallel()
	k := keys(t)
	rapid.Check(t, func(t *rapid.T) {
		issue, period := rapid.IntRange(1, 0xffff).Draw(t, "issue"), rapid.Int64Range(0, 0xffffffff).Draw(t, "period")
		who := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")).String()
		p, err := k.Private(who, issue, now)
		if err != nil {
			t.Fatal(err)
		}
		text, err := p.Code(period)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(period*15+rapid.Int64Range(0, 14).Draw(t, "second"), 0)
		c, err := ticket.Parse(" " + strings.ToLower(text) + "\r\n")
		if err != nil || c.Ticket != who || c.Issue != issue || c.Period != period || c.Verify(p.Public(), at) != nil {
			t.Fatalf("%s: %+v, %v", text, c, err)
		}
		i, with := rapid.IntRange(0, len(text)-1).Draw(t, "at"), rapid.SampledFrom([]rune("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \n-é")).Draw(t, "with")
		if rune(text[i]) == with {
			return
		}
		c, err = ticket.Parse(text[:i] + string(with) + text[i+1:])
		if err != nil {
			return
		}
		public, err := k.Public(c.Key, c.Ticket, c.Issue)
		if err == nil && c.Verify(public, at) == nil {
			t.Fatalf("%c at %d of %s opens", with, i, text)
		}
	})
}

// Whoever has the installation's keys verifies by another way than who has a ticket's public
// half: whatever a code's numbers are, edges of their range above all, both say the same.
func TestBothWaysToVerifySayTheSame(t *testing.T) {
	t.Parallel()
	k := keys(t)
	n := elliptic.P256().Params().N
	alphabet := base32.StdEncoding.WithPadding(base32.NoPadding)
	said := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		p, err := k.Private(uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")).String(), rapid.IntRange(1, 0xffff).Draw(t, "issue"), now)
		if err != nil {
			t.Fatal(err)
		}
		text, err := p.Code(ticket.PeriodOf(now) + rapid.SampledFrom([]int64{0, 0, 0, 1, -1, 2, -300}).Draw(t, "off"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := alphabet.DecodeString(text[3:])
		if err != nil {
			t.Fatal(err)
		}
		r, s := new(big.Int).SetBytes(b[24:56]), new(big.Int).SetBytes(b[56:])
		number := func(was *big.Int, name string) *big.Int {
			one := big.NewInt(1)
			all := []*big.Int{was, was, new(big.Int).Sub(n, was), new(big.Int), one, n, new(big.Int).Sub(n, one), new(big.Int).Add(n, one), new(big.Int).Sub(new(big.Int).Lsh(one, 256), one), new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name+" random"))}
			return all[rapid.IntRange(0, len(all)-1).Draw(t, name)]
		}
		number(r, "r").FillBytes(b[24:56])
		number(s, "s").FillBytes(b[56:])
		if rapid.IntRange(0, 4).Draw(t, "changed") == 0 {
			b[rapid.IntRange(2, 23).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		}
		c, err := ticket.Parse("RT1" + alphabet.EncodeToString(b))
		if err != nil {
			t.Fatal(err)
		}
		public, want := k.Public(c.Key, c.Ticket, c.Issue)
		if want == nil {
			want = c.Verify(public, now)
		}
		got := k.Verify(c, now)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s is %v by one way and %v by the other", text, got, want)
		}
		said[got == nil]++
	})
	if said[true] < 5 || said[false] < 20 {
		t.Errorf("too few of a kind: %v", said)
	}
	printed, err := ticket.Parse(strings.Repeat("A", 32))
	if err != nil || !errors.Is(k.Verify(printed, now), ticket.ErrForeign) && !errors.Is(k.Verify(printed, now), ticket.ErrForged) {
		t.Error(err, k.Verify(printed, now))
	}
	if _, c := show(t, private(t, keys(t), id, 1), ticket.PeriodOf(now)); !errors.Is(ticket.Keys{}.Verify(c, now), ticket.ErrForeign) {
		t.Error("without keys a code is of ours")
	}
}

func TestWhatIsNoCodeOfOursSaysSo(t *testing.T) {
	t.Parallel()
	text, _ := show(t, private(t, keys(t), id, 1), ticket.PeriodOf(now))
	for read, want := range map[string]error{
		"":                      ticket.ErrForeign,
		"https://example.org/":  ticket.ErrForeign,
		"RT":                    ticket.ErrForeign,
		"RTX":                   ticket.ErrForeign,
		strings.Repeat("A", 31): ticket.ErrForeign,
		strings.Repeat("A", 33): ticket.ErrForeign,
		strings.Repeat("1", 32): ticket.ErrForeign,
		strings.Repeat("A", 16) + "\n" + strings.Repeat("A", 15): ticket.ErrForeign,
		text[:len(text)-1]:       ticket.ErrForeign,
		text + "A":               ticket.ErrForeign,
		text[:len(text)-1] + "B": ticket.ErrForeign, // bits that no byte has
		"RT2" + text[3:]:         ticket.ErrVersion,
		"rt0":                    ticket.ErrVersion,
		"RT1":                    ticket.ErrForeign,
	} {
		if c, err := ticket.Parse(read); !errors.Is(err, want) {
			t.Errorf("%q is %+v, %v; want %v", read, c, err, want)
		}
	}
	if c, err := ticket.Parse(" abcdefghijklmnopqrstuvwxyz234567\n"); err != nil || c.Printed != "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" {
		t.Errorf("a printed code is %+v, %v", c, err)
	}
}

func FuzzParse(f *testing.F) {
	k := keys(f)
	text, _ := show(f, private(f, k, id, 1), ticket.PeriodOf(now))
	for _, seed := range []string{text, strings.ToLower(text), "RT2" + text[3:], text[:50], strings.Repeat("A", 32), "", "RT1", "https://example.org/orders/" + id, "RT1" + strings.Repeat("A", 141), "RT1" + strings.Repeat("7", 141)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, read string) {
		c, err := ticket.Parse(read)
		if err != nil {
			if !errors.Is(err, ticket.ErrForeign) && !errors.Is(err, ticket.ErrVersion) {
				t.Fatalf("%q: %v", read, err)
			}
			return
		}
		if again, err := ticket.Parse(strings.ToUpper(strings.TrimSpace(read))); err != nil || again != c {
			t.Fatalf("%q is %+v and %+v, %v", read, c, again, err)
		}
		if c.Printed != "" {
			return
		}
		at := time.Unix(c.Period*15, 0)
		public, err := k.Public(c.Key, c.Ticket, c.Issue)
		genuine := err == nil && c.Verify(public, at) == nil
		if genuine && c.Ticket != id {
			t.Fatalf("%q opens a ticket that nobody has signed for", read)
		}
		if (k.Verify(c, at) == nil) != genuine {
			t.Fatalf("%q is genuine by one way only", read)
		}
	})
}

// phone.json is what a browser's WebCrypto makes of the keys that we give out (see
// web/src/ticket/code.test.ts, which reads it too).
func TestWhatAPhoneMakesIsTaken(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/phone.json")
	if err != nil {
		t.Fatal(err)
	}
	var made []struct {
		Ticket string     `json:"ticket"`
		Issue  int        `json:"issue"`
		ID     string     `json:"key_id"`
		Key    ticket.JWK `json:"key"`
		Period int64      `json:"period"`
		Phone  string     `json:"phone"`
	}
	if err := json.Unmarshal(content, &made); err != nil || len(made) < 5 {
		t.Fatal(len(made), err)
	}
	k := keys(t)
	for _, m := range made {
		p := private(t, k, m.Ticket, m.Issue)
		key, err := p.JWK()
		if err != nil || key != m.Key || p.KeyID().String() != m.ID {
			t.Errorf("the key of %s is %+v of %s, %v", m.Ticket, key, p.KeyID(), err)
		}
		c, err := ticket.Parse(m.Phone)
		if err != nil {
			t.Errorf("%s: %v", m.Phone, err)
			continue
		}
		if c.Ticket != m.Ticket || c.Issue != m.Issue || c.Period != m.Period {
			t.Errorf("%s is %+v", m.Phone, c)
		}
		if err := c.Verify(p.Public(), time.Unix(m.Period*15, 0)); err != nil {
			t.Errorf("%s: %v", m.Phone, err)
		}
	}
}

func TestKeysAreAddedForTomorrowAndReplacedIfTheyLeaked(t *testing.T) {
	t.Parallel()
	first := keys(t)
	both, since := first.Add(now, false)
	if !since.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("the new key is used from %s", since)
	}
	both, err := ticket.ParseKeys(both.Text()) // as another process reads it
	if err != nil {
		t.Fatal(err)
	}
	old := private(t, first, id, 1)
	before, err := both.Private(id, 1, since.Add(-time.Second))
	if err != nil || before.Public() != old.Public() {
		t.Errorf("the new key is used before its time: %v", err)
	}
	after, err := both.Private(id, 1, since)
	if err != nil || after.Public() == old.Public() || after.KeyID() == old.KeyID() {
		t.Errorf("the new key is not used: %v", err)
	}
	lists, err := both.Publics(id, 1)
	if err != nil || len(lists) != 2 || lists[old.KeyID()] != old.Public() || lists[after.KeyID()] != after.Public() {
		t.Errorf("a door's list has %d keys, %v", len(lists), err)
	}
	alone, _ := both.Add(now, true)
	if _, err := alone.Public(old.KeyID(), id, 1); !errors.Is(err, ticket.ErrForeign) {
		t.Errorf("a key that leaked is still believed: %v", err)
	}
	if p, err := alone.Private(id, 1, now); err != nil || p.KeyID() == old.KeyID() {
		t.Errorf("its successor: %v", err)
	}
}

func TestKeysThatAreDamagedAreRefused(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("07", 32)
	for _, file := range []string{"07", good[1:], good + " yesterday", good + " 2026-11-27T20:00:00Z more", good + "\n" + good, strings.Repeat("zz", 32)} {
		if _, err := ticket.ParseKeys(file); err == nil || strings.Contains(err.Error(), good[:8]) {
			t.Errorf("%q: %v", file, err)
		}
	}
	none, err := ticket.ParseKeys("\n")
	if err != nil || none.Are() {
		t.Error(none, err)
	}
	if _, err := none.Private(id, 1, now); err == nil {
		t.Error("a key came of none")
	}
	for _, issue := range []int{-1, 0, 0x10000} {
		if _, err := keys(t).Private(id, issue, now); err == nil {
			t.Errorf("there is an issue %d", issue)
		}
	}
	if _, err := keys(t).Private("nobody", 1, now); err == nil {
		t.Error("a ticket without an id has a key")
	}
}

func TestTheCodeIsASmallPicture(t *testing.T) {
	t.Parallel()
	text, _ := show(t, private(t, keys(t), id, 1), ticket.PeriodOf(now))
	picture, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) != 144 || picture.Size != 41 { // 17 + 4 × version
		t.Errorf("%d characters are %d modules wide, want 144 and 41 (version 6)", len(text), picture.Size)
	}
}

func BenchmarkVerify(b *testing.B) {
	k := keys(b)
	text, _ := show(b, private(b, k, id, 1), ticket.PeriodOf(now))
	for b.Loop() {
		c, err := ticket.Parse(text)
		if err != nil || k.Verify(c, now) != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublic(b *testing.B) {
	k := keys(b)
	key := private(b, k, id, 1).KeyID()
	for b.Loop() {
		if _, err := k.Public(key, id, 1); err != nil {
			b.Fatal(err)
		}
	}
}
