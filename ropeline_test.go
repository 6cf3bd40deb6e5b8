package ropeline_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

func goodSale() ropeline.Sale {
	opens := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	return ropeline.Sale{
		ID: "demo", Version: 1, Title: "Demo", LobbyClosesAt: opens.Add(-5 * time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour),
		Cap: 100, Rate: 600, ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, UnitsPerHold: 6,
	}
}

func TestASaleThatCannotBeServedIsNamed(t *testing.T) {
	t.Parallel()
	if err := goodSale().Validate(); err != nil {
		t.Fatalf("a good sale: %v", err)
	}
	for field, change := range map[string]func(*ropeline.Sale){
		"id":              func(s *ropeline.Sale) { s.ID = "De mo" },
		"version":         func(s *ropeline.Sale) { s.Version = 0 },
		"title":           func(s *ropeline.Sale) { s.Title = "" },
		"lobby_closes_at": func(s *ropeline.Sale) { s.LobbyClosesAt = s.OpensAt },
		"ends_at":         func(s *ropeline.Sale) { s.EndsAt = s.OpensAt },
		"shards":          func(s *ropeline.Sale) { s.Shards = ropeline.MaxShards + 1 },
		"cap":             func(s *ropeline.Sale) { s.Cap = -1 },
		"rate":            func(s *ropeline.Sale) { s.Rate = ropeline.MaxRate + 1 },
		"claim_window":    func(s *ropeline.Sale) { s.ClaimWindow = 0 },
		"token_life":      func(s *ropeline.Sale) { s.TokenLife = ropeline.MinTokenLife - 1 },
		"session_max":     func(s *ropeline.Sale) { s.SessionMax = s.TokenLife - 1 },
		"hold ":           func(s *ropeline.Sale) { s.Hold = 0 },
		"hold_extensions": func(s *ropeline.Sale) { s.HoldExtensions = -1 },
		"payment_grace":   func(s *ropeline.Sale) { s.PaymentGrace = 901 },
		"payment_grace ":  func(s *ropeline.Sale) { s.PaymentGrace = 1<<63 - 1 }, // as nanoseconds it is less than nothing
		"claim_window m":  func(s *ropeline.Sale) { s.ClaimWindow = ropeline.MaxSpan + 1 },
		"session_max mu":  func(s *ropeline.Sale) { s.SessionMax = 1<<63 - 1 },
		"hold must lie":   func(s *ropeline.Sale) { s.Hold = 1<<63 - 1 },
		"hold_extensions ": func(s *ropeline.Sale) {
			s.HoldExtensions = ropeline.MaxHoldExtensions + 1
		},
		"turn_notice":     func(s *ropeline.Sale) { s.TurnNotice = 59 },
		"turn_notice m":   func(s *ropeline.Sale) { s.TurnNotice = 7201 },
		"turn_notice mu":  func(s *ropeline.Sale) { s.TurnNotice = -1 },
		"party_max":       func(s *ropeline.Sale) { s.PartyMax, s.Visitor.Kind = 2, ropeline.VisitorInvitation },
		"units_per_place": func(s *ropeline.Sale) { s.UnitsPerPlace = s.UnitsPerHold - 1 },
		"units_per_hold":  func(s *ropeline.Sale) { s.UnitsPerHold = ropeline.MaxUnitsPerHold + 1 },
	} {
		s := goodSale()
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("a bad %s: %v", field, err)
		}
	}
	for field, change := range map[string]func(*ropeline.Sale){
		"":                func(*ropeline.Sale) {},
		"lobby_closes_at": func(s *ropeline.Sale) { s.LobbyClosesAt = s.OpensAt.Add(-time.Second) },
		"beacon":          func(s *ropeline.Sale) { s.Beacon = &ropeline.Beacon{} },
		"visitor":         func(s *ropeline.Sale) { s.Visitor.Kind = ropeline.VisitorBrowser },
		"ends_at":         func(s *ropeline.Sale) { s.EndsAt = s.OpensAt },
	} {
		s := goodSale()
		s.SafetyNet, s.LobbyClosesAt, s.Beacon, s.Visitor = true, time.Time{}, nil, ropeline.VisitorRule{}
		change(&s)
		if err := s.Validate(); (err == nil) != (field == "") || err != nil && !strings.Contains(err.Error(), field) {
			t.Errorf("a safety net with a bad %q: %v", field, err)
		}
	}
	// A token must be usable before and refused after its margin.
	if ropeline.MinTokenLife.Duration() <= ropeline.TokenMargin {
		t.Error("the shortest token would be over before it is issued")
	}
}

func TestProblemsGiveNothingInternalAway(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.7: password=hunter2")
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"internal": {secret, 500, "internal"},
		"wrapped":  {fmt.Errorf("reading: %w", ropeline.ErrStoreAway.Because(secret)), 503, "store-away"},
		"status":   {ropeline.ErrBodyMalformed.Because(secret), 400, "body-malformed"},
		"no kind":  {&ropeline.Error{Code: "odd"}, 500, "odd"},
	} {
		w := httptest.NewRecorder()
		status := ropeline.WriteProblem(w, c.err)
		body := w.Body.String()
		if status != c.status || w.Code != c.status || !strings.Contains(body, ropeline.ProblemType+c.code) {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, body, c.status, c.code)
		}
		if strings.Contains(body, "hunter2") {
			t.Errorf("%s tells the cause: %s", name, body)
		}
	}
	w := httptest.NewRecorder()
	ropeline.WriteProblem(w, &ropeline.Error{Kind: ropeline.Limited, Code: "x", RetryAfter: 1200 * time.Millisecond})
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q for 1.2 s, want it rounded up to 2", got)
	}
}

func TestErrorsMatchByCode(t *testing.T) {
	t.Parallel()
	detailed := *ropeline.ErrSaleUnknown
	detailed.Detail = "There is no sale called x."
	if !errors.Is(fmt.Errorf("looking: %w", &detailed), ropeline.ErrSaleUnknown) || errors.Is(&detailed, ropeline.ErrStoreAway) {
		t.Error("an error with more detail is not told by its code")
	}
}

// FuzzReadJSON: whatever a body holds, the answer is a document, too large, or
// malformed, never a panic and never another error.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, ``, ` `, `{}{}`, `{"b":1}`, `[`, "\x00", `null`, `{"a":1e999}`, strings.Repeat("[", 20000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var into struct {
			A int `json:"a"`
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		err := ropeline.ReadJSON(httptest.NewRecorder(), r, &into)
		if err != nil && !errors.Is(err, ropeline.ErrBodyMalformed) && !errors.Is(err, ropeline.ErrBodyTooLarge) {
			t.Fatalf("%q: %v", body, err)
		}
		if err == nil && len(body) > ropeline.MaxBody {
			t.Fatalf("read a body of %d bytes", len(body))
		}
	})
}

func TestOnlyOurOwnPagesChangeStateByCookie(t *testing.T) {
	t.Parallel()
	const cookie = "a=b; ropeline_place_demo=x"
	for name, c := range map[string]struct {
		method string
		header map[string]string
		ok     bool
	}{
		"our page":                     {"POST", map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}, true},
		"our page, older browser":      {"POST", map[string]string{"Cookie": cookie, "Origin": "https://Tickets.example"}, true},
		"typed by the person":          {"POST", map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "none"}, true},
		"reading":                      {"GET", map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}, true},
		"an app":                       {"DELETE", map[string]string{"Authorization": "Bearer x", "Sec-Fetch-Site": "cross-site"}, true},
		"a script without credentials": {"POST", nil, true},
		"another site":                 {"POST", map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "cross-site", "Origin": "https://tickets.example"}, false},
		"a sister site":                {"DELETE", map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "same-site"}, false},
		"another origin":               {"POST", map[string]string{"Origin": "https://evil.example"}, false},
		"our name inside":              {"POST", map[string]string{"Cookie": cookie, "Origin": "https://tickets.example.evil.example"}, false},
		"no origin at all":             {"POST", map[string]string{"Cookie": cookie, "Origin": "null"}, false},
		"a cookie and no word of whom": {"POST", map[string]string{"Cookie": cookie}, false},
		"basic is not bearer":          {"POST", map[string]string{"Cookie": cookie, "Authorization": "Basic x"}, false},
	} {
		err := ropeline.CheckOrigin(c.method, "tickets.example", func(name string) string { return c.header[name] })
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ropeline.ErrOriginMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatASaleMayBeCalled(t *testing.T) {
	t.Parallel()
	slug := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)
	for _, id := range []string{
		"a", "7", "lanterns-2030", "a--b", strings.Repeat("x", 64),
		"", "-", "-a", "a-", strings.Repeat("x", 65), "A", "a_b", "a b", "a\n", "a;b", "a=b", "ä", "a/b", "a.b", "\x00", "{a}",
	} {
		if got, want := ropeline.SaleID(id).Valid(), slug.MatchString(id) && !strings.HasSuffix(id, "\n"); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}
