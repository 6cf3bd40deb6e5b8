package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/queue/draw"
)

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))

func testKeys() map[string]ed25519.PublicKey {
	return map[string]ed25519.PublicKey{"k1": testKey.Public().(ed25519.PublicKey)}
}

// writer makes a chain, a second an entry.
type writer struct {
	t       interface{ Fatal(...any) }
	head    Head
	at      time.Time
	entries []Entry
}

func newWriter(t interface{ Fatal(...any) }) *writer {
	return &writer{t: t, head: Start("vectors"), at: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
}

func (w *writer) tell(kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.at = w.at.Add(time.Second)
	e, head, err := w.head.Next(w.at, kind, text)
	if err != nil {
		w.t.Fatal(err)
	}
	w.entries, w.head = append(w.entries, e), head
}

func (w *writer) sign() {
	s, err := Sign(w.head, "k1", func(text []byte) []byte { return ed25519.Sign(testKey, text) })
	if err != nil {
		w.t.Fatal(err)
	}
	w.tell(KindSigned, s)
}

type fields map[string]any

func (w *writer) set(to fields) { w.tell(KindLimits, fields{"set": to}) }

func (w *writer) mode(to string) { w.tell(KindMode, fields{"set": fields{"mode": to}}) }

// minute tells of a minute that ends now.
func (w *writer) minute(admitted, total, active, limit int64) {
	w.at = w.at.Add(59 * time.Second)
	w.tell(KindAdmissions, Admissions{From: Time(w.at.Add(-59 * time.Second)), To: Time(w.at.Add(time.Second)), Admitted: admitted, Total: total,
		Counts: map[string]int64{"claimed": admitted}, MaxActive: active, Limit: limit, Since: "2026-11-24T10:00:00.000Z"})
}

// whole is a ledger of everything, the same every time.
func whole(t interface{ Fatal(...any) }) []Entry {
	w := newWriter(t)
	seed := draw.Hash(sha256.Sum256([]byte("a seed for tests")))
	terms := draw.Terms{Sale: "vectors", Close: 1795478400000, Beacon: draw.NoBeacon}
	public := base64.RawURLEncoding.EncodeToString(testKey.Public().(ed25519.PublicKey))
	w.tell(KindKey, KeyData{"k1", public})
	w.tell(KindPublished, fields{"version": 1, "cap": 100, "rate": 600, "title": "Zoë & the <Ünïts>  ☂"})
	w.tell(KindCommitted, fields{"commitment": fmt.Sprintf("%x", draw.Commitment(terms, seed)), "close_ms": terms.Close, "beacon": terms.Beacon})
	root := fmt.Sprintf("%x", draw.Root(nil))
	w.tell(KindBound, fields{"root": root, "entrants": 0})
	w.tell(KindDrawn, fields{"root": root, "seed": fmt.Sprintf("%x", seed)})
	w.sign()
	w.minute(600, 600, 100, 100)
	w.tell(KindLimits, fields{"set": fields{"cap": 40, "rate": 60}, "was": fields{"cap": 100, "rate": 600}, "by": "sre"})
	w.minute(610, 1210, 40, 40) // the rate fell within it
	w.minute(66, 1276, 40, 40)
	w.tell("message", fields{"text": "hello", "share": 0.5})
	w.sign()
	return w.entries
}

func broken(checks []Check) (what []string) {
	for _, c := range checks {
		if c.Err != nil {
			what = append(what, c.Err.Error())
		}
	}
	return what
}

func TestAWholeLedgerHolds(t *testing.T) {
	t.Parallel()
	entries := whole(t)
	for name, keys := range map[string]map[string]ed25519.PublicKey{"with its own key": nil, "with the key given": testKeys()} {
		if what := broken(Verify(entries, keys)); what != nil {
			t.Errorf("%s: %v", name, what)
		}
	}
	for _, from := range []int{1, 4, 7} { // a copy that begins later
		if what := broken(Verify(entries[from:], testKeys())); what != nil {
			t.Errorf("from entry %d: %v", from+1, what)
		}
	}
}

// The format is frozen: others have written programs for it.
func TestTheFormatIsFrozen(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Write(&b, whole(t)); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/ledger.jsonl"
	if os.Getenv("ROPELINE_WRITE_GOLDEN") != "" {
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the ledger is written as\n%s\nwant\n%s", b.Bytes(), want)
	}
	entries, err := Read(bytes.NewReader(want))
	if err != nil || broken(Verify(entries, testKeys())) != nil {
		t.Errorf("the frozen ledger: %v, %v", err, broken(Verify(entries, testKeys())))
	}
}

// Whatever is changed, taken out, put in or moved in a copy, it shows.
func TestEveryChangeOfACopyShows(t *testing.T) {
	t.Parallel()
	entries := whole(t)
	rapid.Check(t, func(t *rapid.T) {
		copied := slices.Clone(entries)
		i := rapid.IntRange(0, len(copied)-2).Draw(t, "entry")
		switch rapid.IntRange(0, 6).Draw(t, "change") {
		case 0:
			copied = slices.Delete(copied, i, i+1)
		case 1:
			copied[i], copied[i+1] = copied[i+1], copied[i]
		case 2:
			copied[i].Data = json.RawMessage(`{"cap":1}`)
		case 3:
			copied[i].Kind += "x"
		case 4:
			copied[i].Time = Time(mustTime(copied[i].Time).Add(time.Millisecond))
		case 5:
			copied = slices.Insert(copied, i, copied[i])
		case 6: // and the hashes put right up to the end: only the signature tells
			head := Head{Sale: copied[i].Sale, Seq: copied[i].Seq - 1, Hash: copied[i].Prev, Time: mustTime(copied[i].Time)}
			for j := i; j < len(copied); j++ {
				data := copied[j].Data
				if j == i {
					data = json.RawMessage(`{"cap":1}`)
				}
				copied[j], head, _ = head.Next(mustTime(copied[j].Time), copied[j].Kind, data)
			}
		}
		taken := i == 0 && len(copied) == len(entries)-1 // a copy may begin later
		if what := broken(Verify(copied, testKeys())); what == nil && !taken {
			t.Fatalf("changing entry %d does not show", i+1)
		}
	})
}

func mustTime(text string) time.Time {
	at, err := ParseTime(text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestWhatALedgerMaySayAndWhatNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write func(*writer)
		says  string // "" holds
	}{
		"more than the rate": {func(w *writer) { w.minute(700, 700, 100, 100) }, "700 were admitted"},
		"more than the new one": {func(w *writer) {
			w.set(fields{"rate": 6})
			w.minute(5, 5, 1, 100)
			w.minute(60, 65, 1, 100)
		}, "60 were admitted"},
		"more than the cap":     {func(w *writer) { w.minute(10, 10, 101, 100) }, "101 were in at once"},
		"a cap nobody set":      {func(w *writer) { w.minute(10, 10, 101, 200) }, "the limit was 200, and 100 was set"},
		"a cap that was raised": {func(w *writer) { w.set(fields{"cap": 200}); w.minute(10, 10, 150, 200) }, ""},
		"a cap that was lowered": {func(w *writer) {
			w.set(fields{"cap": 10})
			w.tell(KindAdmissions, Admissions{From: Time(w.at), To: Time(w.at), MaxActive: 80, Limit: 10, AtFirst: 80})
		}, ""},
		"more than the lowered cap": {func(w *writer) {
			w.set(fields{"cap": 10})
			w.tell(KindAdmissions, Admissions{From: Time(w.at), To: Time(w.at), MaxActive: 81, Limit: 10, AtFirst: 80})
		}, "81 were in at once"},
		"a missing minute": {func(w *writer) { w.minute(10, 10, 1, 100); w.minute(10, 30, 1, 100) }, "the minutes add up to 20"},
		"a loss in between": {func(w *writer) {
			w.minute(10, 10, 1, 100)
			w.tell(KindLost, fields{})
			w.minute(10, 1030, 1, 100)
			w.minute(1, 1031, 1, 100)
		}, ""},
		"everybody passes, in secret": {func(w *writer) { w.mode("pass"); w.minute(9000, 9000, 5000, 100) }, "the limit was 100, and -1 was set"},
		"everybody passes": {func(w *writer) {
			w.mode("pass")
			w.minute(9000, 9000, 5000, -1)
			w.mode("run")
			w.minute(90, 9090, 100, 100)
		}, ""},
		"everybody passed": {func(w *writer) {
			w.mode("pass")
			w.mode("run")
			w.minute(9000, 9000, 100, 100)
			w.minute(9000, 18000, 100, 100)
		}, "9000 were admitted"},
		"another seed":        {func(w *writer) { w.tell(KindDrawn, fields{"seed": strings.Repeat("ab", 32)}) }, "and 00ff was published"},
		"no seed":             {func(w *writer) { w.tell(KindDrawn, fields{"seed": "x"}) }, "the seed is none"},
		"another root":        {func(w *writer) { w.tell(KindBound, fields{"root": "aa"}); w.tell(KindDrawn, fields{"root": "bb"}) }, "by another root"},
		"a root that changes": {func(w *writer) { w.tell(KindBound, fields{"root": "aa"}); w.tell(KindBound, fields{"root": "bb"}) }, "changes the root"},
		"a root beside": {func(w *writer) {
			w.tell(KindBound, fields{"root": "aa"})
			w.tell(KindBound, fields{"root": "bb", "root_before": "aa"})
		}, ""},
		"a late commitment": {func(w *writer) {
			w.tell(KindBound, fields{"root": "aa"})
			w.tell(KindCommitted, fields{"commitment": "cc"})
		}, "commits to another seed"},
		"a head of elsewhere":   {func(w *writer) { w.head.Hash = strings.Repeat("ab", 32); w.sign(); w.relink() }, "signs a head that is not in this chain"},
		"a signature of nobody": {func(w *writer) { w.tell(KindSigned, Signed{Seq: 2, Hash: w.head.Hash, Key: "k1", Signature: "a.b.c"}) }, "cannot be read"},
	} {
		w := newWriter(t)
		w.tell(KindPublished, fields{"cap": 100, "rate": 600})
		w.tell(KindCommitted, fields{"commitment": "00ff", "close_ms": 1, "beacon": "none"})
		c.write(w)
		what := strings.Join(broken(Verify(w.entries, testKeys())), "; ")
		if c.says == "" && what != "" || c.says != "" && !strings.Contains(what, c.says) {
			t.Errorf("%s: %q, want %q", name, what, c.says)
		}
	}
}

// relink puts the last entry right behind the one before it.
func (w *writer) relink() {
	n := len(w.entries)
	last, before := w.entries[n-1], w.entries[n-2]
	w.entries[n-1], w.head, _ = Head{Sale: before.Sale, Seq: before.Seq, Hash: before.Hash}.Next(mustTime(last.Time), last.Kind, last.Data)
}

func TestASignatureIsGoodForOneHeadAndOneKind(t *testing.T) {
	t.Parallel()
	head := Head{Sale: "vectors", Seq: 3, Hash: strings.Repeat("ab", 32)}
	s, err := Sign(head, "k1", func(text []byte) []byte { return ed25519.Sign(testKey, text) })
	if err != nil || s.Check("vectors", testKeys()) != nil {
		t.Fatalf("%v, %v", err, s.Check("vectors", testKeys()))
	}
	token, other, unknown := s, s, s
	head64 := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"k1","typ":"JWT"}`)) // an admission token's
	text := head64 + "." + strings.Split(s.Signature, ".")[1]
	token.Signature = text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(testKey, []byte(text)))
	other.Seq, unknown.Key = 4, "k2"
	for name, bad := range map[string]Signed{"another kind": token, "another entry": other, "another key": unknown} {
		if bad.Check("vectors", testKeys()) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if s.Check("another", testKeys()) == nil {
		t.Error("a signature of another sale is taken")
	}
}

func TestWhatIsToldCannotStopTheChain(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"nothing": "", "no object": "[1]", "no JSON": "{", "too large": `{"a":"` + strings.Repeat("x", MaxData) + `"}`, "twice": `{"a":1,"a":2}`,
	} {
		e, _, err := Start("vectors").Next(time.Now(), "message", json.RawMessage(data))
		if err != nil || string(e.Data) != `{"unreadable":true}` {
			t.Errorf("%s: %s, %v", name, e.Data, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, whole(f)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"sale":"a","seq":1,"kind":"signed","data":{"seq":9,"signature":"..."},"time":"","prev":"","hash":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		held := broken(Verify(entries, nil)) == nil
		var again bytes.Buffer
		if err := Write(&again, entries); err != nil {
			t.Fatal(err)
		}
		same, err := Read(&again)
		if err != nil || held != (broken(Verify(same, nil)) == nil) {
			t.Fatalf("written again, the copy is another one: %v", err)
		}
	})
}
