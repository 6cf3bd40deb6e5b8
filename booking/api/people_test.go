package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"

	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/people"
)

const (
	ada      = "Ada@example.org"
	password = "a long walk home"
)

// letters are the newest to an address, or to a phone, first, as they wait to be sent.
func (c *core) letters(to string) (found []mail.Message) {
	c.t.Helper()
	rows, err := c.db.Query(c.t.Context(), `select id, sealed from mails order by created_at desc, id desc`)
	if err != nil {
		c.t.Fatal(err)
	}
	var id string
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &sealed}, func() error {
		var m mail.Message
		text, err := c.config.People.Open(id, sealed)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err == nil && strings.EqualFold(m.To+m.Phone, to) {
			found = append(found, m)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}

// link is what the link of the newest letter to an address carries.
func (c *core) link(to, purpose string) string {
	c.t.Helper()
	all := c.letters(to)
	if len(all) == 0 {
		c.t.Fatalf("no letter is on its way to %s", to)
	}
	_, rest, found := strings.Cut(all[0].Text, "https://tickets.example.org/account#"+purpose+"=")
	if !found {
		c.t.Fatalf("the letter says %s", all[0].Text)
	}
	token, _, _ := strings.Cut(rest, "\n")
	return token
}

// forgive forgets what was tried, or one kind of it: by other tests, too, and no flow of
// theirs, which is good once.
func (c *core) forgive(kind string) {
	c.t.Helper()
	keys, err := c.rdb.Keys(c.t.Context(), "ropeline:people:tries:"+kind+":*").Result()
	keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasPrefix(key, "ropeline:people:tries:flow:") })
	if err == nil && len(keys) > 0 {
		err = c.rdb.Del(c.t.Context(), keys...).Err()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// cookieOf is the sign-in that an answer brings.
func (a answer) cookieOf() string {
	a.t.Helper()
	res := http.Response{Header: a.Header}
	for _, c := range res.Cookies() {
		if c.Name == "__Host-ropeline_account" && c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "" {
			return cookie + c.Value
		}
	}
	a.t.Fatalf("there is no good cookie in %v", a.Header)
	return ""
}

// post sends a body from a page of our own.
func (c *core) post(path string, body any, headers ...string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, path, "", c.json(body), append([]string{"Sec-Fetch-Site", "same-origin"}, headers...)...)
}

// member signs somebody in, who is made first if there is no such account.
func (c *core) member(email string) string {
	c.t.Helper()
	in := c.post("/api/v1/accounts/sign-in", m{"email": email, "password": password})
	if in.Status == http.StatusOK {
		return in.cookieOf()
	}
	c.post("/api/v1/accounts", m{"email": email, "password": password, "name": "Ada", "time_zone": "Europe/Lisbon"}).is(http.StatusAccepted, nil)
	confirmed := c.post("/api/v1/accounts/confirm", m{"token": c.link(email, "confirm"), "password": password})
	confirmed.is(http.StatusOK, nil)
	return confirmed.cookieOf()
}

// payAs pays as somebody who is signed in.
func (c *core) payAs(fan, who, key, hold string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/api/v1/orders", fan, c.json(m{"hold": hold, "email": "fan@example.org", "payment_method": sandbox.OK}),
		"Idempotency-Key", key, "Cookie", "__Host-ropeline_account="+strings.TrimPrefix(who, cookie))
}

func TestAnAccountFromSignUpToItsEnd(t *testing.T) {
	t.Parallel()
	c := start(t)
	first := c.member(ada)
	var account MyAccount
	got := c.get(mePath, first)
	got.is(http.StatusOK, &account)
	if account.Email != ada || account.Profile.Name != "Ada" || account.SecondFactor || got.Header.Get("ETag") != `"1"` {
		t.Errorf("she is %+v, %v", account, got.Header)
	}
	c.do(http.MethodPut, mePath, first, c.json(m{"name": "Ada L."})).refused(http.StatusPreconditionRequired, "if-match-missing")
	c.do(http.MethodPut, mePath, first, c.json(m{"name": "Ada L."}), "If-Match", `"7"`).refused(http.StatusPreconditionFailed, "changed-meanwhile")
	changed := c.do(http.MethodPut, mePath, first, c.json(m{"name": "Ada L.", "language": "pt", "time_zone": "Europe/Lisbon"}), "If-Match", `"1"`)
	if changed.is(http.StatusOK, &account); account.Profile.Language != "pt" || changed.Header.Get("ETag") != `"2"` {
		t.Errorf("then she is %+v", account)
	}

	second := c.member(ada)
	var list SignInList
	c.get(mePath+"/sign-ins", second).is(http.StatusOK, &list)
	if len(list.SignIns) != 2 || !list.SignIns[0].Here || list.SignIns[1].Here {
		t.Fatalf("signed in are %+v", list)
	}
	other := c.member("grace@example.org")
	c.do(http.MethodDelete, mePath+"/sign-ins/"+list.SignIns[1].ID, other, "").is(http.StatusNoContent, nil)
	c.get(mePath, first).is(http.StatusOK, nil) // another person's stays
	c.do(http.MethodDelete, mePath+"/sign-ins/"+list.SignIns[1].ID, second, "").is(http.StatusNoContent, nil)
	c.get(mePath, first).refused(http.StatusUnauthorized, "signed-out")
	third := c.member(ada)
	c.do(http.MethodDelete, mePath+"/sign-ins", third, "").is(http.StatusNoContent, nil)
	c.get(mePath, second).refused(http.StatusUnauthorized, "signed-out")

	c.do(http.MethodPut, mePath+"/password", third, c.json(m{"password": "not the one", "new": "a longer walk home"})).refused(http.StatusForbidden, "password-wrong")
	c.do(http.MethodPut, mePath+"/password", third, c.json(m{"password": password, "new": "short"})).refused(http.StatusUnprocessableEntity, "password-weak")
	c.do(http.MethodPut, mePath+"/email", third, c.json(m{"password": password, "email": "ada@example.com"})).is(http.StatusAccepted, nil)
	c.post("/api/v1/accounts/move", m{"token": c.link("ada@example.com", "email")}).is(http.StatusNoContent, nil)
	if left := c.letters(ada); !strings.Contains(left[0].Subject, "another e-mail address") {
		t.Errorf("the old address reads %+v", left[0])
	}
	c.post("/api/v1/accounts/forgot", m{"email": "ada@example.com"}).is(http.StatusAccepted, nil)
	reset := m{"token": c.link("ada@example.com", "reset"), "password": "a longer walk home"}
	c.post("/api/v1/accounts/reset", reset).is(http.StatusNoContent, nil)
	c.post("/api/v1/accounts/reset", reset).refused(http.StatusGone, "link-over")
	c.get(mePath, third).refused(http.StatusUnauthorized, "signed-out")
	in := c.post("/api/v1/accounts/sign-in", m{"email": "ada@example.com", "password": "a longer walk home"})
	in.is(http.StatusOK, nil)

	var export Export
	file := c.get(mePath+"/export", in.cookieOf())
	if file.is(http.StatusOK, &export); export.Account.Email != "ada@example.com" || len(export.SignIns) != 1 || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the export is %+v %v", export, file.Header)
	}
	c.do(http.MethodPost, mePath+"/erase", in.cookieOf(), c.json(m{"password": password})).refused(http.StatusForbidden, "password-wrong")
	gone := c.do(http.MethodPost, mePath+"/erase", in.cookieOf(), c.json(m{"password": "a longer walk home"}))
	if gone.is(http.StatusNoContent, nil); !strings.Contains(gone.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("the cookie stays: %v", gone.Header)
	}
	c.get(mePath, in.cookieOf()).refused(http.StatusUnauthorized, "signed-out")
	c.post("/api/v1/accounts/sign-in", m{"email": "ada@example.com", "password": "a longer walk home"}).refused(http.StatusUnauthorized, "sign-in-failed")
}

// Nobody can give somebody a cookie beforehand: each sign-in has a token of its own,
// whatever came with the request, and what came is no sign-in afterwards.
func TestASignInHasANewToken(t *testing.T) {
	t.Parallel()
	c := start(t)
	seen := map[string]bool{c.member(ada): true}
	planted := strings.Repeat("A", 43)
	for _, had := range []string{"", planted, strings.TrimPrefix(c.member("grace@example.org"), cookie)} {
		in := c.post("/api/v1/accounts/sign-in", m{"email": ada, "password": password}, "Cookie", "__Host-ropeline_account="+had)
		in.is(http.StatusOK, nil)
		token := in.cookieOf()
		if seen[token] || token == cookie+had {
			t.Errorf("a sign-in has the token of another: %s", token)
		}
		seen[token] = true
		var account MyAccount
		if c.get(mePath, token).is(http.StatusOK, &account); account.Email != ada {
			t.Errorf("signed in is %s", account.Email)
		}
	}
	c.get(mePath, cookie+planted).refused(http.StatusUnauthorized, "signed-out")

	var second Authenticator
	c.do(http.MethodPut, mePath+"/second-factor", c.member(ada), c.json(m{"password": "wrong password"})).refused(http.StatusForbidden, "password-wrong")
	who := c.member(ada)
	c.do(http.MethodPut, mePath+"/second-factor", who, c.json(m{"password": password})).is(http.StatusOK, &second)
	u, err := url.Parse(second.Address)
	if err != nil || !strings.HasPrefix(second.QR, "<svg") {
		t.Fatalf("the authenticator gets %+v, %v", second, err)
	}
	code := func(at time.Time) string {
		code, err := totp.GenerateCode(u.Query().Get("secret"), at)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	var recovery RecoveryCodes
	c.do(http.MethodPost, mePath+"/second-factor/prove", who, c.json(m{"code": code(time.Now())})).is(http.StatusOK, &recovery)
	in := c.post("/api/v1/accounts/sign-in", m{"email": ada, "password": password})
	var waits SignIn
	if in.is(http.StatusOK, &waits); !waits.Waits || len(recovery.Codes) != 10 {
		t.Errorf("a sign-in is %+v, the codes %q", waits, recovery.Codes)
	}
	half := in.cookieOf()
	c.get(mePath, half).refused(http.StatusUnauthorized, "signed-out")
	fan := c.fan()
	var bought Order
	c.payAs(fan, half, "k", c.hold(fan, 1).ID).is(http.StatusCreated, &bought)
	with := func(code string) answer {
		return c.do(http.MethodPost, "/api/v1/accounts/second", half, c.json(m{"code": code}))
	}
	with("000000").refused(http.StatusUnauthorized, "second-factor-failed")
	whole := with(recovery.Codes[0])
	whole.is(http.StatusOK, nil)
	if whole.cookieOf() == half {
		t.Error("the token did not change with the code")
	}
	c.get(mePath, half).refused(http.StatusUnauthorized, "signed-out")
	var mine MyOrders
	if c.get(mePath+"/orders", whole.cookieOf()).is(http.StatusOK, &mine); len(mine.Orders) != 0 {
		t.Errorf("half a sign-in has bought %+v", mine)
	}
	c.do(http.MethodPost, mePath+"/second-factor/remove", whole.cookieOf(), c.json(m{"code": recovery.Codes[0]})).refused(http.StatusUnauthorized, "second-factor-failed")
	c.do(http.MethodPost, mePath+"/second-factor/remove", whole.cookieOf(), c.json(m{"code": recovery.Codes[1]})).is(http.StatusNoContent, nil)
}

// Whether an address has an account is told to nobody who asks: status, body and headers
// are the same.
func TestNobodyIsToldWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.member(ada)
	same := func(path string, body func(email string) m) {
		t.Helper()
		var had [2]answer
		for i, email := range []string{ada, "nobody@example.org"} {
			had[i] = c.post(path, body(email))
			had[i].Header.Del("Date")
		}
		if had[0].Status != had[1].Status || string(had[0].Body) != string(had[1].Body) || fmt.Sprint(had[0].Header) != fmt.Sprint(had[1].Header) {
			t.Errorf("%s: %d %s %v for one who has an account, else %d %s %v", path, had[0].Status, had[0].Body, had[0].Header, had[1].Status, had[1].Body, had[1].Header)
		}
	}
	same("/api/v1/accounts/forgot", func(email string) m { return m{"email": email} })
	same("/api/v1/accounts/sign-in", func(email string) m { return m{"email": email, "password": "not the one it is"} })
	same("/api/v1/accounts", func(email string) m { return m{"email": email, "password": password} })
	if all := c.letters(ada); len(all) != 3 || !strings.Contains(all[0].Subject, "already") {
		t.Errorf("she reads %+v", all)
	}
	if all := c.letters("nobody@example.org"); len(all) != 1 || !strings.Contains(all[0].Subject, "Confirm") {
		t.Errorf("nobody reads %+v", all)
	}
}

// One password for many accounts, from one address, is soon not looked at any more; the
// address is the edge's to say.
func TestSprayedPasswordsAreNotLookedAt(t *testing.T) { // beside nobody who forgives
	c := start(t)
	c.member(ada)
	for i := range 30 {
		c.post("/api/v1/accounts/sign-in", m{"email": fmt.Sprint("fan", i, "@example.org"), "password": "password1234"}, "X-Forwarded-For", "203.0.113.1").refused(http.StatusUnauthorized, "sign-in-failed")
	}
	stopped := c.post("/api/v1/accounts/sign-in", m{"email": ada, "password": password}, "X-Forwarded-For", "203.0.113.1")
	if stopped.refused(http.StatusTooManyRequests, "too-many-tries"); stopped.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to come again")
	}
	c.post("/api/v1/accounts/sign-in", m{"email": ada, "password": password}, "X-Forwarded-For", "203.0.113.2").is(http.StatusOK, nil)
}

func TestAnOrderIsOfTheAccountThatIsSignedIn(t *testing.T) {
	t.Parallel()
	c := start(t)
	who, other := c.member(ada), c.member("grace@example.org")
	buy := func(key string, unit int, who string) (o Order) {
		fan := c.fan()
		c.payAs(fan, who, key, c.hold(fan, unit).ID).is(http.StatusCreated, &o)
		return o
	}
	orders := func(who string) (list []string) {
		var mine MyOrders
		c.get(mePath+"/orders", who).is(http.StatusOK, &mine)
		for _, o := range mine.Orders {
			list = append(list, o.ID)
		}
		return list
	}
	first, second := buy("a", 1, who), buy("b", 2, who)
	guest, signedOut := buy("c", 3, ""), buy("d", 4, cookie+strings.Repeat("x", 43))
	c.do(http.MethodPost, "/api/v1/orders/"+first.ID+"/cancel", first.Key, c.json(m{"tickets": []string{first.Tickets[0].ID}}))
	if _, err := c.db.Exec(t.Context(), `update tickets set state = 'canceled' where order_id = $1`, first.ID); err != nil {
		t.Fatal(err)
	}
	third := buy("e", 5, who)
	if got := orders(who); fmt.Sprint(got) != fmt.Sprint([]string{second.ID, third.ID, first.ID}) {
		t.Errorf("hers are %v, want those with unused tickets first: %v", got, []string{second.ID, third.ID, first.ID})
	}
	if got := orders(other); len(got) != 0 {
		t.Errorf("another's are %v", got)
	}
	var read Order
	c.get(mePath+"/orders/"+second.ID, who).is(http.StatusOK, &read)
	if read.Key != second.Key || len(read.Tickets) != 1 || read.Tickets[0].Code == "" {
		t.Errorf("hers is %+v", read)
	}
	for _, id := range []string{guest.ID, signedOut.ID, uuid.NewString(), "x"} {
		c.get(mePath+"/orders/"+id, who).refused(http.StatusNotFound, "order-unknown")
	}
	c.get(mePath+"/orders/"+second.ID, other).refused(http.StatusNotFound, "order-unknown")

	// fan@example.org has bought as a guest; who has the address takes that over, once.
	claim := func(who string) (n ClaimedOrders) {
		c.do(http.MethodPost, mePath+"/orders/claim", who, "{}").is(http.StatusOK, &n)
		return n
	}
	fan := c.member("FAN@example.org")
	if n := claim(who); n.Claimed != 0 {
		t.Errorf("another address claims %d", n.Claimed)
	}
	if n := claim(fan); n.Claimed != 2 {
		t.Errorf("its owner claims %d", n.Claimed)
	}
	if n := claim(fan); n.Claimed != 0 || len(orders(fan)) != 2 || len(orders(who)) != 3 {
		t.Errorf("again %d, then %v", n.Claimed, orders(fan))
	}

	// Who is erased has bought nothing any more, and what was bought is as it was.
	before := c.books()
	c.do(http.MethodPost, mePath+"/erase", fan, c.json(m{"password": password})).is(http.StatusNoContent, nil)
	var left int
	if err := c.db.QueryRow(t.Context(), `select count(*) from buyers b join orders o on o.buyer_id = b.id where o.id = any($1) and (b.email <> '' or b.person_id is not null)`, []string{guest.ID, signedOut.ID}).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d orders tell who bought them, %v", left, err)
	}
	c.get("/api/v1/orders/"+guest.ID, guest.Key).is(http.StatusOK, &read)
	if read.State != "paid" || read.Tickets[0].Code == "" || read.Email != "" {
		t.Errorf("the guest's order is %+v", read)
	}
	if strings.Split(before, " ")[0] != strings.Split(c.books(), " ")[0] {
		t.Errorf("the books were\n%s\nand are\n%s", before, c.books())
	}
}

// An installation without a key of people, or without an address for the links of letters,
// sells to guests.
func TestWithoutAccountsThereAreGuests(t *testing.T) {
	t.Parallel()
	c := startWith(t, slog.New(slog.DiscardHandler), func(_ *core, config *Config) { config.People = people.Keys{} })
	for _, r := range Routes {
		if r.Access == Doorstep || r.Access == Account {
			c.do(r.Method, strings.ReplaceAll(r.Path, "{id}", uuid.NewString()), cookie+strings.Repeat("x", 43), map[string]string{http.MethodPost: `{"email":"a@b.example","password":"x","token":"x","code":"x"}`, http.MethodPut: "{}"}[r.Method]).notThere()
		}
	}
	fan := c.fan()
	c.payAs(fan, cookie+strings.Repeat("x", 43), "k", c.hold(fan, 1).ID).is(http.StatusCreated, nil)
}

// notThere is a refusal, of the body first where there is one.
func (a answer) notThere() {
	a.t.Helper()
	if a.Status != http.StatusUnprocessableEntity {
		a.refused(http.StatusNotFound, "accounts-off")
	}
}

// Whom somebody follows is on their own list, and nobody's whom nobody knows.
func TestPerformersAreFollowedByWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	c := start(t)
	her, grace := c.member(ada), c.member("grace@example.org")
	var band guide.KeptPerformer
	c.do(http.MethodPost, performersPath, "key-olga", c.json(m{"name": "The Lanterns"}), "Idempotency-Key", "k").is(http.StatusCreated, &band)
	path := mePath + "/performers/" + band.ID
	is := func(who string, want bool) {
		t.Helper()
		var one IsFollowed
		var all FollowedList
		c.get(path, who).is(http.StatusOK, &one)
		if c.get(mePath+"/performers", who).is(http.StatusOK, &all); one.Followed != want || (len(all.Performers) == 1 && all.Performers[0].ID == band.ID) != want {
			t.Errorf("followed is %v, and %+v", one, all)
		}
	}
	is(her, false)
	for range 2 {
		c.do(http.MethodPut, path, her, "").is(http.StatusNoContent, nil)
	}
	is(her, true)
	is(grace, false)
	c.do(http.MethodDelete, path, grace, "").is(http.StatusNoContent, nil) // hers stays
	is(her, true)
	c.do(http.MethodDelete, path, her, "").is(http.StatusNoContent, nil)
	is(her, false)
	for _, nobody := range []string{uuid.NewString(), "x", "%27%20or%20true"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			c.do(method, mePath+"/performers/"+nobody, her, "").refused(http.StatusNotFound, "performer-unknown")
		}
	}
}
