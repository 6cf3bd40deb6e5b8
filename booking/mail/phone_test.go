package mail_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/mail"
)

// number is who is texted.
const number = "+351912345678"

// texted opens a rig with a gateway somewhere, and somebody who wants texts of changes and no
// mail of them.
func texted(t *testing.T) (r *rig, wants mail.Channels) {
	t.Helper()
	r = open(t)
	r.exec(`update people set state = 'active'`)
	if err := r.store.SayTexting(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, mail.Channels{Phone: number, Texts: []string{"change"}, Silent: []string{"change"}}
}

func (r *rig) set(c mail.Channels) mail.Chosen {
	r.t.Helper()
	chosen, err := r.store.SetChannels(r.t.Context(), r.who, c, r.say)
	if err != nil {
		r.t.Fatal(err)
	}
	return chosen
}

// happens posts a letter of a change, and says whether it goes by mail and as a text.
func (r *rig) happens(cause string) (mailed, texted bool) {
	r.t.Helper()
	if err := pgx.BeginFunc(r.t.Context(), r.db, func(tx pgx.Tx) error {
		_, err := r.store.Post(r.t.Context(), tx, mail.Message{To: "ada@example.org", Subject: "Another hall", Text: "Hello"}, mail.Slip{Person: r.who, Cause: "change:" + cause, For: time.Hour})
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return r.count(`select count(*) from mails where cause = $1 and state = 'due'`, "change:"+cause) == 1, r.count(`select count(*) from mails where cause = $1`, "change:"+cause+":text") == 1
}

// refused is what an error of ours says, for programs.
func refused(err error) string {
	if e, ok := errors.AsType[*ropeline.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// other is a code that is not this one.
func other(code string, n int) string {
	var was int
	_, _ = fmt.Sscan(code, &was)
	return fmt.Sprintf("%06d", (was+n)%1_000_000)
}

// Whoever gives a number has a code texted there and nothing else, until they type it: what was
// to be texted comes by mail, also if they want none. So it is for another number again, and
// nothing has to be shown to be texted no more.
func TestANumberIsTextedOnceItsCodeWasTyped(t *testing.T) {
	t.Parallel()
	r, wants := texted(t)
	c := r.set(wants)
	if c.Confirmed || c.CodeUntil == nil || !c.Texting || time.Until(*c.CodeUntil) > 10*time.Minute || !regexp.MustCompile(`^[0-9]{6}$`).MatchString(r.code) {
		t.Errorf("given, it is %+v with the code %q", c, r.code)
	}
	if byMail, byText := r.happens("1"); !byMail || byText {
		t.Errorf("unconfirmed: by mail %v, as a text %v", byMail, byText)
	}
	first := r.code
	if c = r.set(wants); r.code != first || c.Confirmed {
		t.Errorf("the same again has another code sent, or is %+v", c)
	}
	for _, wrong := range []string{"", other(first, 1), "١٢٣٤٥٦", first + "0", strings.Repeat("1", 10_000)} {
		if _, err := r.store.Prove(t.Context(), r.who, wrong); refused(err) != "phone-code-wrong" {
			t.Errorf("%.20q is answered with %v", wrong, err)
		}
	}
	if _, err := r.store.Prove(t.Context(), r.who, first); refused(err) != "phone-code-over" {
		t.Errorf("after five tries the code is taken: %v", err)
	}
	if c, err := r.store.Channels(t.Context(), r.who); err != nil || c.CodeUntil != nil {
		t.Errorf("it is good still: %+v, %v", c, err)
	}
	if err := r.store.SendCode(t.Context(), r.who, r.say); err != nil {
		t.Fatal(err)
	}
	if r.code == first {
		t.Error("the same code again")
	}
	if n := r.count(`select count(*) from mails where cause like 'phone-code:%'`); n != 1 {
		t.Errorf("%d codes are on their way", n)
	}
	if c, err := r.store.Prove(t.Context(), r.who, " "+r.code[:3]+" "+r.code[3:]+" "); err != nil || !c.Confirmed || c.CodeUntil != nil {
		t.Fatalf("typed it is %+v: %v", c, err)
	}
	if c, err := r.store.Prove(t.Context(), r.who, "whatever"); err != nil || !c.Confirmed {
		t.Errorf("asked again it is %+v: %v", c, err)
	}
	if err := r.store.SendCode(t.Context(), r.who, r.say); refused(err) != "phone-code-needless" {
		t.Errorf("another code is sent: %v", err)
	}
	if byMail, byText := r.happens("2"); byMail || !byText {
		t.Errorf("confirmed: by mail %v, as a text %v", byMail, byText)
	}
	was := r.code
	wants.Phone = "+351912345679"
	if c = r.set(wants); c.Confirmed || r.code == was {
		t.Errorf("another number is %+v", c)
	}
	if n := r.count(`select count(*) from mails where cause like '%:text' and state <> 'sent'`); n != 0 {
		t.Error("what waited goes to the number of before still")
	}
	if _, err := r.store.Prove(t.Context(), r.who, was); refused(err) != "phone-code-wrong" && was != r.code {
		t.Errorf("the code of the number of before: %v", err)
	}
	if byMail, byText := r.happens("3"); !byMail || byText {
		t.Errorf("another: by mail %v, as a text %v", byMail, byText)
	}
	if c = r.set(mail.Channels{Silent: []string{"change"}}); c.Phone != "" || c.Confirmed {
		t.Errorf("removed it is %+v", c)
	}
	if n := r.count(`select (select count(*) from phone_proofs) + (select count(*) from mails where cause like 'phone-code:%')`); n != 0 {
		t.Errorf("%d rows of it are left", n)
	}
}

// A code is good for ten minutes, once, and for the number alone that it was texted to,
// whatever somebody has written beside it.
func TestACodeIsGoodForItsNumberAndItsTime(t *testing.T) {
	t.Parallel()
	r, wants := texted(t)
	r.set(wants)
	r.exec(`update phone_proofs set ends_at = ends_at - interval '10 minutes'`)
	if _, err := r.store.Prove(t.Context(), r.who, r.code); refused(err) != "phone-code-over" {
		t.Errorf("after ten minutes: %v", err)
	}
	if err := r.store.SendCode(t.Context(), r.who, r.say); err != nil {
		t.Fatal(err)
	}
	// A core of before 0078 writes another number, and knows of no proof.
	r.exec(`update channels set sealed = convert_to(person_id::text || '+351900000000', 'UTF8')`)
	if c, err := r.store.Prove(t.Context(), r.who, r.code); refused(err) != "phone-code-over" || c.Confirmed {
		t.Errorf("another number is proven: %+v, %v", c, err)
	}
	if byMail, byText := r.happens("1"); !byMail || byText {
		t.Error("and texted")
	}
	// Nobody is erased into a row.
	r.exec(`delete from channels`)
	r.exec(`delete from phone_proofs`)
	r.exec(`update people set state = 'erased', sealed = null, wrapped = null, email_mac = null`)
	if _, err := r.store.SetChannels(t.Context(), r.who, wants, r.say); err != nil {
		t.Fatal(err)
	}
	if n := r.count(`select (select count(*) from channels) + (select count(*) from phone_proofs)`); n != 0 {
		t.Error("who is erased has a number")
	}
}

// Of many tries at once five are looked at, and of many who confirm at once each is told the
// same.
func TestTriesOfACodeAreCountedAtOnce(t *testing.T) {
	t.Parallel()
	r, wants := texted(t)
	r.set(wants)
	var mu sync.Mutex
	seen := map[string]int{}
	at := func(n int, code func(i int) string) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				_, err := r.store.Prove(context.WithoutCancel(t.Context()), r.who, code(i))
				mu.Lock()
				defer mu.Unlock()
				seen[refused(err)]++
			})
		}
		all.Wait()
	}
	at(20, func(i int) string { return other(r.code, i+1) })
	if seen["phone-code-wrong"] != 5 || seen["phone-code-over"] != 15 {
		t.Errorf("of 20 tries %v", seen)
	}
	if err := r.store.SendCode(t.Context(), r.who, r.say); err != nil {
		t.Fatal(err)
	}
	clear(seen)
	at(4, func(int) string { return r.code })
	if seen["<nil>"] != 4 {
		t.Errorf("of 4 who are right %v", seen)
	}
}

// Nobody is flooded: an account has six codes sent a day, a number has four, whoever gives it,
// and also of many at once; there is a bound on all. What was refused has changed nothing.
func TestCodesAreBounded(t *testing.T) {
	t.Parallel()
	r, wants := texted(t)
	r.set(wants)
	send := func() string { return refused(r.store.SendCode(t.Context(), r.who, r.say)) }
	for i := range 3 {
		if got := send(); got != "<nil>" {
			t.Fatalf("code %d: %s", i+2, got)
		}
	}
	if got := send(); got != "too-many-codes" {
		t.Errorf("a fifth code to one number: %s", got)
	}
	err := r.store.SendCode(t.Context(), r.who, r.say)
	if e, ok := errors.AsType[*ropeline.Error](err); !ok || e.RetryAfter < 23*time.Hour || e.RetryAfter > 24*time.Hour {
		t.Errorf("it may be asked again: %v", err)
	}
	// Somebody else gives the same number, and has nothing of it; their box is kept as it was.
	me := r.who
	r.who = uuid.NewString()
	r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, 'b', 'b', 'c', 'active')`, r.who)
	if _, err := r.store.SetChannels(t.Context(), r.who, wants, r.say); refused(err) != "too-many-codes" {
		t.Errorf("another account: %v", err)
	}
	if n := r.count(`select count(*) from channels where person_id = $1`, r.who); n != 0 {
		t.Error("the number was kept")
	}
	r.who = me
	for i := range 3 { // refused codes were not counted: two are left
		wants.Phone = fmt.Sprintf("+35191234568%d", i)
		_, err := r.store.SetChannels(t.Context(), r.who, wants, r.say)
		if want := map[bool]string{true: "<nil>", false: "too-many-codes"}[i < 2]; refused(err) != want {
			t.Errorf("number %d: %v, want %s", i+2, err, want)
		}
	}
	if n := r.count(`select count(*) from mails where cause like 'phone-code:%' and state = 'due'`); n != 1 {
		t.Errorf("%d codes are on their way", n)
	}
	r.exec(`update code_counts set since = since - interval '1 day'`)
	for range 2 { // it is counted anew
		if got := send(); got != "<nil>" {
			t.Errorf("a day later: %s", got)
		}
	}
	// Many at once, each from an account of its own.
	wants.Phone = "+351900000000"
	var mu sync.Mutex
	seen := map[string]int{}
	var all sync.WaitGroup
	for i := range 12 {
		who := uuid.NewString()
		r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, $2, 'b', 'c', 'active')`, who, []byte(who))
		all.Go(func() {
			_, err := r.store.SetChannels(context.WithoutCancel(t.Context()), who, wants, func(code string) (string, error) { return fmt.Sprint(i, code), nil })
			mu.Lock()
			defer mu.Unlock()
			seen[refused(err)]++
		})
	}
	all.Wait()
	if seen["<nil>"] != 4 || seen["too-many-codes"] != 8 {
		t.Errorf("of 12 at once %v", seen)
	}
	r.exec(`update code_counts set sent = 5000 where who = ''`)
	wants.Phone = "+351900000001"
	if _, err := r.store.SetChannels(t.Context(), r.who, wants, r.say); refused(err) != "too-many-codes" {
		t.Errorf("after 5,000 in all: %v", err)
	}
	r.exec(`update code_counts set since = since - interval '1 day'`)
	if err := r.store.Sweep(t.Context()); err != nil || r.count(`select count(*) from code_counts`) != 0 {
		t.Errorf("what was counted is kept: %v", err)
	}
}

// Without a gateway nobody is promised a code: it is said, and nothing is changed. Everything
// else can be chosen, and a number be removed.
func TestWithoutAGatewayNoNumberIsTaken(t *testing.T) {
	t.Parallel()
	r, wants := texted(t)
	r.set(wants)
	away := func() {
		r.exec(`update text_gateways set seen_at = seen_at - interval '61 seconds'`)
	}
	away()
	if err := r.store.SendCode(t.Context(), r.who, r.say); refused(err) != "texts-off" {
		t.Errorf("a code is sent: %v", err)
	}
	another := wants
	another.Phone = "+351912345679"
	if _, err := r.store.SetChannels(t.Context(), r.who, another, r.say); refused(err) != "texts-off" {
		t.Errorf("another number is taken: %v", err)
	}
	wants.Silent = nil
	if c := r.set(wants); c.Phone != number || c.Texting || len(c.Silent) != 0 {
		t.Errorf("chosen is %+v", c)
	}
	if c := r.set(mail.Channels{}); c.Phone != "" {
		t.Errorf("removed it is %+v", c)
	}
	// A Sender that has a gateway says so, and the code goes out through it.
	g := &gateway{}
	web := httptest.NewServer(g)
	defer web.Close()
	sender, err := mail.NewSender(r.store, mustServer(t), "tickets@example.org", 5*time.Millisecond, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.until(sender.Run, func() bool { return r.count(`select count(*) from mails where state = 'due'`) == 0 })
	if c, err := r.store.Channels(t.Context(), r.who); err != nil || c.Texting {
		t.Errorf("one without a gateway says that it has one: %+v, %v", c, err)
	}
	sender, err = mail.NewSender(r.store, mustServer(t), "tickets@example.org", 5*time.Millisecond, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sender.Texter = described(t, web.URL)
	set := false
	r.until(sender.Run, func() bool {
		if c, err := r.store.Channels(t.Context(), r.who); err == nil && c.Texting && !set {
			r.set(wants)
			set = true
		}
		return len(g.saw()) == 1 && r.count(`select count(*) from mails where cause like 'phone-code:%' and state = 'sent' and sealed is null`) == 1
	})
	if asked := g.saw(); asked[0]["to"] != number || asked[0]["text"] != r.code+" is your code" {
		t.Errorf("the gateway was asked %v", asked)
	}
	if c, err := r.store.Prove(t.Context(), r.who, r.code); err != nil || !c.Confirmed {
		t.Errorf("typed it is %+v: %v", c, err)
	}
}
