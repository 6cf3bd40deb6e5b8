package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/wish"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
)

// letterOperations are what a worker writes of orders: that one is paid, and that it is soon.
func (s *shop) letterOperations() []operation {
	exec := s.exec
	// bought has an order, and no other cause of a letter; the worker has a site.
	bought := func(b *buyer) {
		s.bought(b)
		exec(`with over as (update mails set state = 'failed' where state = 'due') update river_job set state = 'completed', finalized_at = now() where state <> 'completed' and args ->> 'order' is distinct from $1`, b.order)
		s.writes()
	}
	soon := func(b *buyer) { // the days of the show are given back in the end
		s.bought(b)
		exec(`create table if not exists was as select id, starts_at, doors_at, ends_at from performances where id = $1`, s.sale.Performances[0])
		exec(`update performances set starts_at = now() + interval '30 hours', doors_at = null, ends_at = null where id = $1`, s.sale.Performances[0])
		exec(`update buyers set reminder_days = case when id = (select buyer_id from orders where id = $1) then 2 else 0 end`, b.order)
		exec(`update orders set created_at = now() - interval '9 days' where id = $1`, b.order)
		exec(`with rounds as (delete from reminder_rounds), over as (update mails set state = 'failed' where state = 'due') update river_job set state = 'completed', finalized_at = now() where state <> 'completed'`)
		s.writes()
	}
	unpaid := func(b *buyer) { // its payment was declined, a minute ago
		s.holdOperations()[1].prepare(b)
		if status, answer := s.pay(b, sandbox.Declined); status != http.StatusPaymentRequired {
			s.t.Fatalf("paying with a declined card: %d %v", status, answer)
		}
		b.cause = "payment:" + s.charge(b).Attempt
		exec(`with over as (update mails set state = 'failed' where state = 'due') update river_job set state = 'completed', finalized_at = now()
			where state <> 'completed' and args ->> 'attempt' is distinct from $1`, s.charge(b).Attempt)
		exec(`update river_job set scheduled_at = now() where args ->> 'attempt' = $1`, s.charge(b).Attempt)
		s.writes()
	}
	changed := func(b *buyer) { // an hour later, a minute ago; all buyers have one address
		bought(b)
		exec(`create table if not exists was as select id, starts_at, doors_at, ends_at from performances where id = $1`, s.sale.Performances[0])
		exec(`update performance_changes set told_at = now() where told_at is null`)
		exec(`update performances set starts_at = starts_at + interval '1 hour' where id = $1`, s.sale.Performances[0])
		var change string
		if err := s.db.QueryRow(s.t.Context(), `select id::text from performance_changes where told_at is null`).Scan(&change); err != nil {
			s.t.Fatal(err)
		}
		b.cause = "change:%:" + change
		exec(`update river_job set state = 'completed', finalized_at = now() where state <> 'completed' and args ->> 'change' is distinct from $1`, change)
		exec(`update river_job set scheduled_at = now() where args ->> 'change' = $1`, change)
	}
	var fan people.Here
	person := func() string {
		if fan.Person == "" {
			fan, _ = s.account("waits@example.org")
		}
		return fan.Person
	}
	opens := func(b *buyer, waits string) { // for who waits alone, a sale that opens tomorrow
		s.tomorrow()
		b.units, b.cause = nil, "opening:tomorrow:"+waits
		exec(`with watched as (delete from event_watches), told as (delete from channels) delete from opening_wishes`)
		// Other sales are taken away after each kill.
		exec(`insert into sale_performances (sale_id, performance_id) select id, (document -> 'performances' ->> 0)::uuid from sales where id = 'tomorrow' on conflict do nothing`)
		exec(`with over as (update mails set state = 'failed' where state = 'due'), told as (delete from mails where cause like $1), open as (delete from sale_openings)
			update river_job set state = 'completed', finalized_at = now() where state <> 'completed'`, b.cause+"%")
		s.writes()
	}
	watches := func() {
		exec(`insert into event_watches (person_id, event_id) select $1, p.event_id from sale_performances x join performances p on p.id = x.performance_id where x.sale_id = 'tomorrow'`, person())
	}
	texted := func(b *buyer) { // who wants no mail of it
		opens(b, person())
		watches()
		s.proven(person(), "sale")
		b.cause += ":text"
		s.post = append(s.post, "--texts", s.gateway())
	}
	wished := func(b *buyer) { // who has no account
		opens(b, b.key)
		seals, err := s.keys.people()
		if err != nil {
			s.t.Fatal(err)
		}
		sealed, err := seals.Seal(b.key, []byte("wishes@example.org"))
		if err != nil {
			s.t.Fatal(err)
		}
		exec(`insert into opening_wishes (id, event_id, email_mac, sealed, language, state) select $1, p.event_id, $2, $3, 'en', 'given'
			from sale_performances x join performances p on p.id = x.performance_id where x.sale_id = 'tomorrow'`, b.key, seals.EmailMAC("wishes@example.org"), sealed)
	}
	near := func(b *buyer) {
		b.units = nil
		b.cause, b.over = s.stands(b.key)
		exec(`with over as (update mails set state = 'failed' where state = 'due') update river_job set state = 'completed', finalized_at = now() where state <> 'completed'`)
		s.writes()
	}
	guards := s.guards
	asked := func(b *buyer) { // of a core with a site: others know nobody
		s.guards = append(slices.Clone(guards), "--site", "https://tickets.example.org")
		s.start()
		s.built(string(s.sale.Performances[0]), 1)
		exec(`insert into opening_wishes (id, event_id, email_mac, sealed, language, state) select $1, event_id, $2, '', 'en', 'given' from performances where id = $3`, b.key, []byte(b.key), s.sale.Performances[0])
	}
	forget := func(b *buyer) int { return s.leave(wish.Keys(s.links).Link(s.core.address, b.key, optin.Leave)) }
	as := func(prepare func(*buyer), what string) func(*buyer) {
		return func(b *buyer) {
			prepare(b)
			b.cause = what + ":" + b.order + ":%"
		}
	}
	remind := func(b *buyer) int {
		status, _ := s.do(&buyer{token: b.link}, http.MethodPut, "/api/v1/orders/"+b.order+"/reminder", map[string]any{"days": 7}, "")
		return status
	}
	return []operation{
		{name: "be reminded", routes: []string{"put-reminder"}, prepare: s.bought, act: remind, want: http.StatusOK, finish: func(b *buyer) string {
			if status := remind(b); status != http.StatusOK || s.count(`select reminder_days from buyers where id = (select buyer_id from orders where id = $1)`, b.order) != 7 {
				s.t.Errorf("asked again: %d", status)
			}
			return "a week before"
		}},
		{always: true, name: "worker confirms", worker: true, prepare: as(bought, "confirmation"), act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
		{name: "worker reminds", worker: true, prepare: as(soon, "reminder"), act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
		{always: true, name: "worker tells of a payment", worker: true, prepare: unpaid, act: s.letterSent, want: http.StatusOK, finish: func(b *buyer) string {
			end := s.letterCame(b)
			if n := s.count(`select count(*) from attempts where session_id = $1 and email <> ''`, b.session); n != 0 {
				s.t.Errorf("%d attempts know still who paid", n)
			}
			return end
		}},
		{name: "worker tells of a change", worker: true, prepare: changed, act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
		{name: "worker tells that a sale opens", worker: true, prepare: func(b *buyer) {
			opens(b, person())
			watches()
		}, act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
		{name: "worker tells a guest that a sale opens", worker: true, prepare: wished, act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
		{name: "worker sends a text", worker: true, prepare: texted, act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
		{name: "ask for no opening any more", routes: []string{"take-wish-step"}, prepare: asked, act: forget, want: http.StatusOK, finish: func(b *buyer) string {
			defer func() { s.guards = guards }()
			if status := forget(b); status != http.StatusOK || s.count(`select count(*) from opening_wishes where id = $1`, b.key) != 0 {
				s.t.Errorf("asked again: %d", status)
			}
			return "forgotten"
		}},
		{name: "worker tells that a turn is near", worker: true, prepare: near, act: s.letterSent, want: http.StatusOK, finish: s.letterCame},
	}
}

// stands has somebody leave an address in a line of its own, and that line's leader find that
// their turn is near: over says whether nothing is left of that but that they were told.
func (s *shop) stands(name string) (cause string, over func() bool) {
	s.t.Helper()
	ctx, place := s.t.Context(), ropeline.PlaceID(rand.Text()[:22])
	codes, err := s.keys.codes()
	if err != nil {
		s.t.Fatal(err)
	}
	rdb, err := dial.Redis(s.redis)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = rdb.Close() })
	line := queue.New(rdb, queue.Keys{Seed: bytes.Repeat([]byte{1}, 32), Code: codes})
	s.t.Cleanup(line.Close)
	sale := s.sale
	sale.ID, sale.Performances = ropeline.SaleID("near-"+name), nil
	_, writes := line.NearTurns(ctx, 1) // somebody does
	err = errors.Join(line.PublishSale(ctx, sale), writes, line.AskNear(ctx, sale.ID, place, queue.NearAddress{Email: "near@example.org", Link: "https://tickets.example.org/sales/near#handover=CODE"}),
		rdb.XAdd(ctx, &redis.XAddArgs{Stream: "ropeline:{near}:turns", Values: []any{"sale", string(sale.ID), "place", string(place)}}).Err())
	if err != nil {
		s.t.Fatal(err)
	}
	key := func(what string) string { return "ropeline:{" + string(sale.ID) + "}:" + what }
	return "turn-near:" + string(sale.ID) + ":" + string(place), func() bool {
		return rdb.Exists(ctx, key("asked"), key("asking")).Val() == 0 && rdb.XLen(ctx, "ropeline:{near}:turns").Val() == 0 && rdb.SIsMember(ctx, key("neared"), string(place)).Val()
	}
}

// tomorrow makes a sale that opens then.
func (s *shop) tomorrow() {
	s.t.Helper()
	if s.count(`select count(*) from sales where id = 'tomorrow'`) == 1 {
		return
	}
	tomorrow := time.Now().UTC().Truncate(time.Second).Add(20 * time.Hour)
	sale := s.sale
	sale.Performances = nil
	sale.ID, sale.Title, sale.LobbyClosesAt, sale.OpensAt, sale.EndsAt = "tomorrow", "Tomorrow", tomorrow, tomorrow.Add(time.Minute), tomorrow.Add(time.Hour)
	if _, err := s.shows.Seed(s.t.Context(), catalogue.Plan{Sale: sale, Venue: "Opera", StartsAt: tomorrow.Add(48 * time.Hour), General: 10}); err != nil {
		s.t.Fatal(err)
	}
}

// account makes one, that is signed in with a token.
func (s *shop) account(email string) (here people.Here, token string) {
	s.t.Helper()
	ctx := s.t.Context()
	seals, err := s.keys.people()
	if err != nil {
		s.t.Fatal(err)
	}
	var letter people.Letter
	accounts := people.New(s.db, devtest.Redis(s.t), seals, func(_ context.Context, _ pgx.Tx, l people.Letter) error {
		letter = l
		return nil
	})
	if err := accounts.Register(ctx, netip.Addr{}, people.Profile{Email: email, Name: "Ada", Language: "en", TimeZone: "Europe/Lisbon"}, "a long walk home"); err != nil {
		s.t.Fatal(err)
	}
	in, err := accounts.Confirm(ctx, letter.Token, "a long walk home", "Chromium")
	if err == nil {
		here, err = accounts.Find(ctx, in.Token)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return here, in.Token
}

// gateway describes one that takes text messages, as a file.
func (s *shop) gateway() string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "texts.json")
	text := fmt.Sprintf(`{"url": %q, "headers": {"webhook-id": "{id}"}, "body": {"to": "{to}", "text": "{text}"}}`, s.ears.url)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

// writes gives workers a site, until a letter came: others write nothing of orders.
func (s *shop) writes() {
	s.post = append(slices.Clone(s.plain), "--site", "https://tickets.example.org")
}

func (s *shop) sent(b *buyer) bool {
	return s.count(`select count(*) from mails where cause like $1 and state = 'sent'`, b.cause) == 1
}

// letterSent waits until a worker has sent a letter.
func (s *shop) letterSent(b *buyer) int {
	s.await("the letter is sent", func() bool { return s.dead.Load() || s.sent(b) })
	if s.dead.Load() {
		return 0
	}
	return http.StatusOK
}

// letterCame has a worker bring what the killed one had begun to its end, and counts what came.
func (s *shop) letterCame(b *buyer) string {
	defer func() {
		s.post = s.plain
		s.exec(`create table if not exists was as select id, starts_at, doors_at, ends_at from performances where false`)
		s.exec(`update performances p set starts_at = w.starts_at, doors_at = w.doors_at, ends_at = w.ends_at from was w where w.id = p.id`)
	}()
	s.exec(`with tried as (update mails set next_at = now() where state = 'due')
			update river_job set state = 'available', scheduled_at = now() where state in ('running', 'retryable', 'scheduled')`)
	pid := s.work()
	s.await("the letter is sent after all", func() bool { return s.sent(b) })
	s.await("all jobs are done", func() bool { return s.count(`select count(*) from river_job where state <> 'completed'`) == 0 })
	if b.over != nil {
		s.await("the worker has no more to do", b.over)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	var id string
	if err := s.db.QueryRow(s.t.Context(), `select id::text from mails where cause like $1`, b.cause).Scan(&id); err != nil {
		s.t.Fatal(err)
	}
	ids := map[string]int{}
	if n := s.ears.times(id); n > 0 { // of a text message
		ids[id] = n
	}
	for _, l := range s.box.Letters() {
		if strings.Contains(l.ID, id) {
			ids[l.ID]++
		}
	}
	return s.came(ids)
}

// came says how a letter has come, of how often each of its ids did: once, or twice where the
// worker died between sending it and writing that down.
func (s *shop) came(ids map[string]int) string {
	s.t.Helper()
	end := "the letter came"
	for _, n := range ids {
		if n == 2 {
			end = "the letter came twice"
		} else if n != 1 {
			s.t.Errorf("a letter came %d times", n)
		}
	}
	if len(ids) != 1 {
		s.t.Errorf("%d letters came", len(ids))
	}
	return end
}
