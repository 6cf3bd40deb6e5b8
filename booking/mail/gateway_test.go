package mail_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/mail"
)

// gateway is a provider of text messages that behaves as it is told, one answer after the other.
type gateway struct {
	mu    sync.Mutex
	plan  []func(w http.ResponseWriter, r *http.Request)
	asked []map[string]string // what it was asked, and with which headers
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	in := map[string]string{}
	_ = json.Unmarshal(body, &in)
	in["key"], in["auth"] = r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization")
	g.mu.Lock()
	g.asked = append(g.asked, in)
	answer := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }
	if len(g.plan) > 0 {
		answer, g.plan = g.plan[0], g.plan[1:]
	}
	g.mu.Unlock()
	answer(w, r)
}

func (g *gateway) saw() []map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]map[string]string{}, g.asked...)
}

func status(code int, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// described is a gateway at an address, as a file says it.
func described(t *testing.T, url string) *mail.Gateway {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"sms-secret": "s3cret\n", "sms.json": `{"url": "` + url + `", "headers": {"Authorization": "Bearer {secret}", "Idempotency-Key": "{id}"}, "body": {"to": "{to}", "text": "{text}", "from": "Opera {nobody}"}, "secret_file": "sms-secret"}`} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g, err := mail.OpenGateway(filepath.Join(folder, "sms.json"))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A gateway is asked as its description says, and what it answers says what is to be done. What
// is put in is put in once, and is text.
func TestAGatewayIsAskedInItsOwnForm(t *testing.T) {
	t.Parallel()
	g := &gateway{}
	away := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody else got the secret") }))
	defer away.Close()
	server := httptest.NewServer(g)
	defer server.Close()
	gate := described(t, server.URL)
	for _, c := range []struct {
		answer func(http.ResponseWriter, *http.Request)
		status int
		final  bool
		after  time.Duration
	}{
		{status(200), 0, false, 0}, {status(202), 0, false, 0}, {status(400), 400, true, 0}, {status(422), 422, true, 0}, {status(404), 404, true, 0}, {status(500), 500, false, 0}, {status(401), 401, false, 0},
		{status(429, "Retry-After", "7"), 429, false, 7 * time.Second}, {status(429, "Retry-After", "soon"), 429, false, 0}, {status(503, "Retry-After", "999999"), 503, false, 15 * time.Minute},
		{status(302, "Location", away.URL), 302, false, 0}, {cut, -1, false, 0},
	} {
		g.plan = []func(http.ResponseWriter, *http.Request){c.answer}
		if c.status < 0 { // a connection that was used before is cut: net/http asks once more, as the key says that it may
			g.plan = append(g.plan, c.answer)
		}
		err := gate.Text(t.Context(), mail.Text{ID: "id-1", To: "+351912345678", Text: "\"Gala\", {secret} {to}\nhttps://a.example"})
		e, _ := errors.AsType[*mail.TextError](err)
		switch {
		case c.status == 0 && err != nil, c.status > 0 && (e == nil || e.Status != c.status || e.Final != c.final || e.After != c.after), c.status < 0 && (err == nil || e != nil || strings.Contains(err.Error(), "351")):
			t.Errorf("an answer of %d is %v", c.status, err)
		}
	}
	for _, got := range g.saw() {
		if got["to"] != "+351912345678" || got["text"] != "\"Gala\", {secret} {to}\nhttps://a.example" || got["from"] != "Opera {nobody}" || got["key"] != "id-1" || got["auth"] != "Bearer s3cret" {
			t.Errorf("it was asked %v", got)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	g.plan = []func(http.ResponseWriter, *http.Request){func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
	if err := gate.Text(ctx, mail.Text{ID: "id", To: "+351912345678", Text: "T"}); err == nil {
		t.Error("one that does not answer has taken it")
	}
}

// What describes no gateway is refused at start, and it is said why.
func TestADescriptionOfNoGatewayIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, c := range map[string][2]string{
		"no JSON": {`{`, "reading"}, "a typo": {`{"uri": "https://a.example"}`, "unknown field"},
		"in the clear":     {`{"url": "http://sms.example.org", "body": ["{to}", "{text}", "{id}"]}`, "url"},
		"with a password":  {`{"url": "https://a:b@sms.example.org", "body": ["{to}", "{text}", "{id}"]}`, "url"},
		"without a number": {`{"url": "https://a.example", "body": ["{text}", "{id}"]}`, "{to}"},
		"without an id":    {`{"url": "https://a.example", "body": ["{to}", "{text}"]}`, "{id}"},
		"in a header":      {`{"url": "https://a.example", "headers": {"X": "{text}"}, "body": ["{to}", "{text}", "{id}"]}`, "headers"},
		"no secret":        {`{"url": "https://a.example", "body": ["{to}", "{text}", "{id}", "{secret}"]}`, "secret_file"},
		"a secret missing": {`{"url": "https://a.example", "body": ["{to}", "{text}", "{id}", "{secret}"], "secret_file": "none"}`, "secret"},
	} {
		path := filepath.Join(folder, "sms.json")
		if err := os.WriteFile(path, []byte(c[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := mail.OpenGateway(path); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want a word of %q", name, err, c[1])
		}
	}
}

// Who has chosen it is told by text message, once in effect, through a gateway that fails in
// every way before it takes one; a number that it refuses for good is a dead letter.
func TestTextsGoOutByWhatSomebodyHasChosen(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx := t.Context()
	r.exec(`update people set state = 'active'`)
	if err := r.store.SayTexting(ctx); err != nil {
		t.Fatal(err)
	}
	g := &gateway{plan: []func(http.ResponseWriter, *http.Request){cut, status(500), status(429, "Retry-After", "1"), status(200), status(422)}}
	web := httptest.NewServer(g)
	defer web.Close()
	for _, bad := range []mail.Channels{{Phone: "12345"}, {Phone: "+351 912", Texts: []string{"change"}}, {Texts: []string{"change"}}, {Phone: "+351912345678", Texts: []string{"other"}}, {Silent: []string{"confirmation"}}} {
		if _, err := r.store.SetChannels(ctx, r.who, bad, r.say); !errors.Is(err, mail.ErrChannels) {
			t.Errorf("%+v is taken: %v", bad, err)
		}
	}
	set, err := r.store.SetChannels(ctx, r.who, mail.Channels{Phone: "+351 912-345-678", Texts: []string{"change", "change"}, Silent: []string{"reminder"}}, r.say)
	if kept, also := r.store.Channels(ctx, r.who); err != nil || also != nil || kept.Phone != "+351912345678" || len(kept.Texts) != 1 || set.Phone != kept.Phone || len(kept.Silent) != 1 {
		t.Fatalf("kept are %+v: %v %v", kept, err, also)
	}
	if _, err := r.store.Prove(ctx, r.who, r.code); err != nil {
		t.Fatal(err)
	}
	r.exec(`delete from mails`) // with the code
	post := func(cause, subject string) {
		t.Helper()
		if err := pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
			_, err := r.store.Post(ctx, tx, mail.Message{To: "ada@example.org", Subject: subject, Text: "Hello\n\nhttps://tickets.example.org/orders/1#key and more"}, mail.Slip{Person: r.who, Cause: cause, For: time.Hour})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(sql string) (n int) {
		t.Helper()
		if err := r.db.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 { // of one cause there is one
		post("change:1", "Another hall")
	}
	post("confirmation:1", "Your tickets") // is not theirs to choose
	post("reminder:1", "Tomorrow")         // by no mail
	sender, err := mail.NewSender(r.store, mustServer(t), "tickets@example.org", 5*time.Millisecond, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sender.Texter = described(t, web.URL)
	done := func(want int) func() bool {
		return func() bool {
			r.exec(`update mails set next_at = now() where state = 'due' and cause like '%:text'`)
			r.exec(`update river_job set scheduled_at = now(), state = 'available' where state in ('scheduled', 'retryable') and queue = 'texts'`)
			return count(`select count(*) from mails where cause like '%:text' and state <> 'due'`) == want
		}
	}
	r.until(sender.Run, done(1))
	asked := g.saw()
	for _, each := range asked {
		if each["key"] != asked[0]["key"] || each["to"] != "+351912345678" || each["text"] != "Another hall\nhttps://tickets.example.org/orders/1#key" {
			t.Errorf("it was asked %v", each)
		}
	}
	if n := count(`select count(*) from mails where cause like '%:text' and state = 'sent'`); len(asked) != 4 || n != 1 {
		t.Errorf("asked %d times, and %d are sent", len(asked), n)
	}
	post("change:2", "It is off")
	r.until(sender.Run, done(2))
	dead, _, err := r.store.Dead(ctx, page)
	if err != nil || len(dead) != 1 || dead[0].To != "+351912345678" || !strings.Contains(dead[0].Problem, "422") || dead[0].Tries != 1 {
		t.Errorf("dead are %+v: %v", dead, err)
	}
	// Sent again it is one for the gateway still, in the queue in which no letter waits for it.
	if _, err := r.store.Again(ctx, dead[0].ID); err != nil {
		t.Fatal(err)
	}
	if n := count(`select count(*) from river_job where queue = 'texts' and state = 'available' and args ->> 'letter' = '` + dead[0].ID + `'`); n != 1 {
		t.Errorf("%d jobs of texts send it again", n)
	}
	r.until(sender.Run, done(2))
	if now := g.saw(); len(now) != 6 || now[5]["key"] != now[4]["key"] {
		t.Errorf("sent again it was asked %v", now)
	}
	if n := count(`select count(*) from mails where cause = 'reminder:1' and state = 'sent' and sealed is null`); n != 1 {
		t.Error("who wants no mail has one")
	}
	if all, _, _, err := r.store.Inbox(ctx, r.who, page); err != nil || len(all) != 4 {
		t.Errorf("in the inbox are %+v: %v", all, err)
	}
}

var page booking.Page

// mustServer is a mail server that is not there.
func mustServer(t *testing.T) mail.Server {
	t.Helper()
	server, err := mail.ParseServer("smtp://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	return server
}
