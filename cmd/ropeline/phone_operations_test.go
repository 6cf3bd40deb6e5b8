package main

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/mail"
)

// phoneOperations are what somebody does, and a worker, so that a number is known to be theirs:
// b.person is their account, b.link their sign-in.
func (s *shop) phoneOperations() []operation {
	guards := s.guards
	seals, err := s.keys.people()
	if err != nil {
		s.t.Fatal(err)
	}
	store := mail.New(s.db, seals)
	wants := mail.Channels{Phone: "+351912345678", Texts: []string{"turn"}, Silent: []string{}}
	signed := func(b *buyer) {
		b.units, b.cause = nil, "phone-code:%"
		here, token := s.account(b.key + "@example.org")
		b.link, b.person = token, here.Person
		s.exec(`with counted as (delete from code_counts), codes as (delete from mails where cause like 'phone-code:%'), over as (update mails set state = 'failed' where state = 'due' and coalesce(cause, '') not like 'phone-code:%')
			update river_job set state = 'completed', finalized_at = now() where state <> 'completed'`)
		if err := store.SayTexting(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	inside := func(b *buyer) { // at a core with a site: others know nobody
		signed(b)
		s.guards = append(slices.Clone(guards), "--site", "https://tickets.example.org")
		s.start()
		s.built(string(s.sale.Performances[0]), 1)
	}
	var code string
	asked := func(b *buyer) {
		if _, err := store.SetChannels(s.t.Context(), b.person, wants, func(c string) (string, error) { code = c; return c, nil }); err != nil {
			s.t.Fatal(err)
		}
	}
	as := func(b *buyer, method, path string, body any) (int, map[string]any) {
		return s.do(&buyer{}, method, "/api/v1/me/channels"+path, body, "", "Sec-Fetch-Site", "same-origin", "Cookie", ropeline.AccountCookie+"="+b.link)
	}
	give := func(b *buyer) int {
		status, _ := as(b, http.MethodPut, "", wants)
		return status
	}
	again := func(b *buyer) int {
		status, _ := as(b, http.MethodPost, "/code", map[string]string{})
		return status
	}
	prove := func(b *buyer) int {
		status, _ := as(b, http.MethodPost, "/prove", map[string]string{"code": code})
		return status
	}
	one := func(act func(*buyer) int, want int) func(*buyer) string {
		return func(b *buyer) string {
			defer func() { s.guards = guards }()
			status := act(b)
			if n := s.count(`select count(*) from mails where person_id = $1 and cause like 'phone-code:%' and state = 'due'`, b.person); status != want || n != 1 {
				s.t.Errorf("asked again: %d, with %d codes on their way", status, n)
			}
			return "one code is on its way"
		}
	}
	return []operation{
		{name: "give a number", routes: []string{"put-my-channels"}, prepare: inside, act: give, want: http.StatusOK, finish: one(give, http.StatusOK)},
		{name: "have another code sent", routes: []string{"send-phone-code"}, prepare: func(b *buyer) { inside(b); asked(b) }, act: again, want: http.StatusAccepted, finish: one(again, http.StatusAccepted)},
		{always: true, name: "confirm a number", routes: []string{"prove-phone"}, prepare: func(b *buyer) { inside(b); asked(b) }, act: prove, want: http.StatusOK, finish: func(b *buyer) string {
			defer func() { s.guards = guards }()
			status, answer := as(b, http.MethodPost, "/prove", map[string]string{"code": code})
			if status != http.StatusOK || answer["confirmed"] != true {
				text, _ := json.Marshal(answer)
				s.t.Errorf("asked again: %d %s", status, text)
			}
			return "confirmed"
		}},
		{name: "worker texts a code", worker: true, prepare: func(b *buyer) {
			signed(b)
			asked(b)
			s.post = append(slices.Clone(s.plain), "--texts", s.gateway())
		}, act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
	}
}

// proven has somebody told by text message of a kind alone, at a number that is known to be
// theirs.
func (s *shop) proven(person, kind string) {
	s.t.Helper()
	seals, err := s.keys.people()
	if err != nil {
		s.t.Fatal(err)
	}
	store, code := mail.New(s.db, seals), ""
	s.exec(`with told as (delete from channels where person_id = $1) delete from code_counts`, person)
	if err := store.SayTexting(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	wants := mail.Channels{Phone: "+351912345678", Texts: []string{kind}, Silent: []string{kind}}
	if _, err := store.SetChannels(s.t.Context(), person, wants, func(c string) (string, error) { code = c; return c, nil }); err != nil {
		s.t.Fatal(err)
	}
	if _, err := store.Prove(s.t.Context(), person, code); err != nil {
		s.t.Fatal(err)
	}
	s.exec(`with codes as (delete from mails where cause like 'phone-code:%') update river_job set state = 'completed', finalized_at = now() where state <> 'completed' and queue = 'texts'`)
}
