package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"golang.org/x/sync/singleflight"
)

const (
	// glanceLife is how old what is shown may be.
	glanceLife = time.Second
	// glanceFresh is how old it is when it is looked at anew, beside the answer to
	// whoever asks: so those who browse do not wait for Redis and Postgres, which have
	// others to serve. Half of its life is time enough for a look, and more of them cost: of
	// 48 event pages that everybody has open, 4 a second are 200 questions to Postgres.
	glanceFresh = glanceLife / 2
	// glancePatience is how long one look may take.
	glancePatience = 5 * time.Second
)

// sight is what somebody is shown, as it is sent.
type sight struct {
	etag string
	text []byte
	at   time.Time // before it was looked at

	renewing bool // somebody looks anew
}

// glances keep what many look at, written once for all who look within a second. What
// nobody looks at any more is dropped.
type glances struct {
	now     func() time.Time
	flights singleflight.Group

	mu     sync.Mutex // guards what follows
	kept   map[string]sight
	closed bool

	looks sync.WaitGroup // beside answers; none begins once closed
}

func newGlances(now func() time.Time) *glances {
	return &glances{now: now, kept: map[string]sight{}}
}

// look returns what see sees, or saw within the last second.
func (g *glances) look(ctx context.Context, key string, see func(context.Context) (sight, error)) (sight, error) {
	anew := func() (sight, error) {
		s, err, _ := g.flights.Do(key, func() (any, error) {
			// Others wait for it, too: it does not end with the request that began it.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), glancePatience)
			defer cancel()
			at := g.now()
			s, err := see(ctx)
			s.at = at
			g.keep(key, s, err)
			return s, err
		})
		return s.(sight), err
	}
	// That it fails beside an answer is told to whoever finds what is there too old.
	if s, found := g.last(key, func() { _, _ = anew() }); found {
		return s, nil
	}
	return anew()
}

// fresh is what was seen if it need not be looked at anew.
func (g *glances) fresh(key string) (sight, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, found := g.kept[key]
	return s, found && g.now().Sub(s.at) < glanceFresh
}

// last is what was seen, unless that is too long ago. If it is a while ago, it is seen
// anew meanwhile.
func (g *glances) last(key string, anew func()) (s sight, found bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s, found = g.kept[key]; !found {
		return s, false
	}
	age := g.now().Sub(s.at)
	if age >= glanceFresh && age < glanceLife && !s.renewing && !g.closed {
		s.renewing = true
		g.kept[key] = s
		g.looks.Go(anew)
	}
	return s, age < glanceLife
}

func (g *glances) keep(key string, s sight, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		s = g.kept[key] // what was seen before, if anything, which is dropped when it is too old
		s.renewing = false
	}
	g.kept[key] = s
	maps.DeleteFunc(g.kept, func(_ string, s sight) bool { return g.now().Sub(s.at) >= glanceLife && !s.renewing })
}

// Close waits for those who look beside an answer. Whoever comes later looks, too, but
// waits for what is seen.
func (g *glances) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.looks.Wait()
}

// sightOf writes what is shown. Its ETag is of marks, where something else changes that
// tells nothing new.
func sightOf(shown any, marks ...[]byte) (sight, error) {
	text, err := json.Marshal(shown)
	if err != nil {
		return sight{}, err
	}
	if marks == nil {
		marks = [][]byte{text}
	}
	return sight{etag: tagOf(marks...), text: text}, nil
}

// tagOf is an ETag of what changes with something.
func tagOf(marks ...[]byte) string {
	sum := sha256.New()
	for _, m := range marks {
		sum.Write(m)
	}
	return quoted(hex.EncodeToString(sum.Sum(nil)[:12]))
}

func quoted(tag string) string { return `"` + tag + `"` }

// seen is an answer that is written already; documents says what it is.
type seen struct {
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	ContentType  string `header:"Content-Type"`
	Body         func(huma.Context)
}

// answer leaves the body out if the caller has it already.
func (s sight) answer(have, cacheControl string) *seen {
	status, text := http.StatusOK, s.text
	if names(have, s.etag) {
		status, text = http.StatusNotModified, nil
	}
	return &seen{ETag: s.etag, CacheControl: cacheControl, ContentType: "application/json", Body: func(c huma.Context) {
		c.SetStatus(status)
		humafiber.Unwrap(c).Response().SetBodyRaw(text) // and no copy for each who looks
	}}
}
