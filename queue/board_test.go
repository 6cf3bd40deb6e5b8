package queue

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// post posts a message and two versions of terms, and waits until both edges of
// a crowd have them.
func (c *crowd) post() (message int64) {
	c.t.Helper()
	message, err := c.edges[0].SetMessage(c.t.Context(), c.sale.ID, Message{Texts: map[string]string{"en": "Welcome"}, Default: "en"}, nil, nil)
	for v := range 2 {
		_, posted := c.edges[0].PostTerms(c.t.Context(), c.sale.ID, v+1, "signed", nil)
		err = errors.Join(err, posted)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.await("the edges have read the board", func() bool {
		return !slices.ContainsFunc(c.lines[:], func(l *Line) bool { return l.View().Board.Newest() < 2 })
	})
	return message
}

func TestThePublicIsToldOfWhatIsPosted(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	ctx := t.Context()
	if fresh, err := store.PostTerms(ctx, sale.ID, 1, "one", map[string]int{"version": 1}); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	if fresh, err := store.PostTerms(ctx, sale.ID, 1, "another", map[string]int{"version": 1}); err != nil || fresh {
		t.Errorf("a version was published twice: %v", err)
	}
	first, err := store.SetMessage(ctx, sale.ID, Message{Texts: map[string]string{"en": "a"}, Default: "en"}, new(int64), map[string]string{"en": "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SetMessage(ctx, sale.ID, Message{Texts: map[string]string{"en": "b"}, Default: "en"}, new(int64), nil); !errors.Is(err, ErrMessageChanged) {
		t.Errorf("somebody who saw no message replaced one: %v", err)
	}
	second, err := store.SetMessage(ctx, sale.ID, Message{}, &first, map[string]string{})
	if err != nil || second <= first {
		t.Errorf("the message of number %d was taken away as %d, %v", first, second, err)
	}
	b, err := store.Board(ctx, sale.ID)
	if err != nil || b.Message != nil || !slices.Equal(b.Terms, []string{"one"}) || b.Number != second {
		t.Errorf("board %+v, %v", b, err)
	}
	kinds, data := publicEvents(t, rdb, sale.ID)
	if got := kinds[len(kinds)-3:]; !slices.Equal(got, []string{"terms", "message", "message"}) || data["terms"] != `{"version":1}` || data["message"] != `{}` {
		t.Errorf("told %v, %v", kinds, data)
	}
	if _, err := store.SetMessage(ctx, "never-published", Message{}, nil, nil); !errors.Is(err, ropeline.ErrSaleUnknown) {
		t.Errorf("a sale that is not there: %v", err)
	}
}

// What is posted in the seconds in which Redis has lost the board is newer than
// what an edge remembers.
func TestWhatIsPostedAfterALossIsNotReplacedByWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	ctx := t.Context()
	say := func(text string) {
		t.Helper()
		if _, err := store.SetMessage(ctx, sale.ID, Message{Texts: map[string]string{"en": text}, Default: "en"}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	say("before")
	if _, err := store.PostTerms(ctx, sale.ID, 1, "one", nil); err != nil {
		t.Fatal(err)
	}
	known, err := store.Board(ctx, sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rdb.Del(ctx, key(sale.ID, "board")).Err(), rdb.HDel(ctx, key(sale.ID, "state"), "board").Err()); err != nil {
		t.Fatal(err)
	}
	say("after")
	if err := store.repost(ctx, sale.ID, known); err != nil {
		t.Fatal(err)
	}
	b, err := store.Board(ctx, sale.ID)
	if err != nil || b.Message.Texts["en"] != "after" || b.Newest() != 1 {
		t.Errorf("board %+v, %v", b, err)
	}
}

func TestMessagesThatNobodyCouldBeShownAreRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good := func() Message {
		return Message{Texts: map[string]string{"en": strings.Repeat("é", maxMessage), "pt-BR": "a\nb", "zh-Hant": "字"}, Default: "en", Until: now.Add(time.Second)}
	}
	if err := good().Check(now); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Message){
		"no text":                           func(m *Message) { m.Texts = nil },
		"an empty text":                     func(m *Message) { m.Texts["en"] = " \n" },
		"a long text":                       func(m *Message) { m.Texts["en"] += "é" },
		"a control character":               func(m *Message) { m.Texts["en"] = "a\x1b[31m" },
		"damaged text":                      func(m *Message) { m.Texts["en"] = "\xff" },
		"no default":                        func(m *Message) { m.Default = "" },
		"a default without text":            func(m *Message) { m.Default = "fr" },
		"no language":                       func(m *Message) { m.Texts["not a language"] = "a" },
		"a language written in another way": func(m *Message) { m.Texts["PT_br"] = "a" },
		"it is over":                        func(m *Message) { m.Until = now },
		"too many languages": func(m *Message) {
			for c := 'a'; c <= 'z'; c++ {
				m.Texts["en-x-"+string(c)], m.Texts["de-x-"+string(c)] = "a", "b"
			}
		},
	} {
		m := good()
		if spoil(&m); !errors.Is(m.Check(now), ErrMessageInvalid) {
			t.Errorf("%s: %v", name, m.Check(now))
		}
	}
}

func TestEverybodyIsToldInALanguageTheyRead(t *testing.T) {
	t.Parallel()
	m := Message{Texts: map[string]string{"en": "", "pt-BR": "", "zh-Hant": "", "fr": ""}, Default: "fr"}
	for accept, want := range map[string]string{
		"":                       "fr",
		"en-GB":                  "en",
		"pt":                     "pt-BR",
		"pt-PT, en;q=0.1":        "pt-BR",
		"zh-TW":                  "zh-Hant",
		"ja, en;q=0.5":           "en",
		"ja":                     "fr",
		"*":                      "fr",
		";;q=,x, en":             "fr",
		strings.Repeat("x", 1e5): "fr",
	} {
		if got, _ := m.In(accept); got != want {
			t.Errorf("who accepts %.30q reads %q, want %q", accept, got, want)
		}
	}
}
