package people_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pquerna/otp/totp"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// box is where letters arrive.
type box struct {
	mu  sync.Mutex
	all []people.Letter
}

func (b *box) post(_ context.Context, _ pgx.Tx, l people.Letter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, l)
	return nil
}

// newest is the last letter, and how many there were.
func (b *box) newest(t *testing.T) (people.Letter, int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) == 0 {
		t.Fatal("no letter came")
	}
	return b.all[len(b.all)-1], len(b.all)
}

func open(t *testing.T) (*people.Store, *box, *pgxpool.Pool) {
	t.Helper()
	keys, err := people.NewKeys([]byte(rand.Text() + rand.Text())) // by which a test's counters are its own
	if err != nil {
		t.Fatal(err)
	}
	b, db := &box{}, devtest.Postgres(t)
	return people.New(db, devtest.Redis(t), keys, b.post).Cheaply(), b, db
}

const (
	ada      = "Ada@example.org"
	password = "a long walk home"
)

// member registers Ada, opens her letter and signs her in.
func member(t *testing.T, store *people.Store, letters *box) (people.Here, people.SignedIn) {
	t.Helper()
	if err := store.Register(t.Context(), nowhere, people.Profile{Email: ada, Name: "Ada", Language: "en", TimeZone: "Europe/Lisbon"}, password); err != nil {
		t.Fatal(err)
	}
	l, _ := letters.newest(t)
	in, err := store.Confirm(t.Context(), l.Token, password, "Chromium\x00 on Debian")
	if err != nil {
		t.Fatal(err)
	}
	return found(t, store, in.Token), in
}

// nowhere is an address that is not known.
var nowhere netip.Addr

func found(t *testing.T, store *people.Store, token string) people.Here {
	t.Helper()
	here, err := store.Find(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return here
}

func signIn(t *testing.T, store *people.Store, password string) (people.Here, people.SignedIn) {
	t.Helper()
	in := half(t, store, password)
	return found(t, store, in.Token), in
}

// half is a sign-in that may wait for its second factor.
func half(t *testing.T, store *people.Store, password string) people.SignedIn {
	t.Helper()
	in, err := store.SignIn(t.Context(), nowhere, ada, password, "Chromium\x00 on Debian")
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func wants(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func confirm(t *testing.T, store *people.Store, token, password string) error {
	t.Helper()
	_, err := store.Confirm(t.Context(), token, password, "")
	return err
}

func TestAnAccountIsGoodOnceItsAddressIsConfirmed(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	if err := store.Register(t.Context(), nowhere, people.Profile{Email: ada, Name: "Ada"}, password); err != nil {
		t.Fatal(err)
	}
	l, _ := letters.newest(t)
	if l.Purpose != people.Confirm || l.To != ada || len(l.Token) != 43 {
		t.Fatalf("the letter is %+v", l)
	}
	_, err := store.SignIn(t.Context(), nowhere, ada, password, "")
	wants(t, "before", err, people.ErrNew)
	_, err = store.SignIn(t.Context(), nowhere, ada, "another password", "")
	wants(t, "before, with another password", err, people.ErrSignIn)
	wants(t, "another link", confirm(t, store, strings.Repeat("x", 43), password), people.ErrLetter)
	wants(t, "a link that is for something else", store.Reset(t.Context(), l.Token, password), people.ErrLetter)
	wants(t, "the link with another password", confirm(t, store, l.Token, "another password"), people.ErrWrong)
	wants(t, "the link", confirm(t, store, l.Token, password), nil)
	wants(t, "the link again", confirm(t, store, l.Token, password), people.ErrLetter)
	in, err := store.SignIn(t.Context(), nowhere, strings.ToLower(ada), password, "")
	wants(t, "after", err, nil)
	here, err := store.Find(t.Context(), in.Token)
	wants(t, "who it is", err, nil)
	p, err := store.Person(t.Context(), here.Person)
	if err != nil || p.Email != ada || p.Name != "Ada" || !p.Confirmed || !p.Password {
		t.Errorf("she is %+v, %v", p, err)
	}
}

// Whoever registers an address that has an account learns nothing; its owner does.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	member(t, store, letters)
	_, before := letters.newest(t)
	wants(t, "registering it again", store.Register(t.Context(), nowhere, people.Profile{Email: strings.ToUpper(ada)}, "an entirely other one"), nil)
	if l, n := letters.newest(t); n != before+1 || l.Purpose != people.Exists || l.To != ada || l.Token != "" {
		t.Errorf("its owner reads %+v", l)
	}
	_, err := store.SignIn(t.Context(), nowhere, ada, "an entirely other one", "")
	wants(t, "with the new password", err, people.ErrSignIn)
	_, err = store.SignIn(t.Context(), nowhere, "nobody@example.org", password, "")
	wants(t, "an address without an account", err, people.ErrSignIn)
	wants(t, "its forgotten password", store.Forgot(t.Context(), nowhere, "nobody@example.org"), nil)
}

func TestAForgottenPasswordIsSetByALetterOnce(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	_, in := member(t, store, letters)
	wants(t, "asking for it", store.Forgot(t.Context(), nowhere, ada), nil)
	first, _ := letters.newest(t)
	wants(t, "asking again", store.Forgot(t.Context(), nowhere, ada), nil)
	second, _ := letters.newest(t)
	wants(t, "a weak one", store.Reset(t.Context(), first.Token, "short"), people.ErrPassword)
	wants(t, "setting it", store.Reset(t.Context(), first.Token, "a longer walk home"), nil)
	wants(t, "the other letter", store.Reset(t.Context(), second.Token, "someone else's walk"), people.ErrLetter)
	_, err := store.Find(t.Context(), in.Token)
	wants(t, "who was signed in", err, people.ErrSignedOut)
	_, err = store.SignIn(t.Context(), nowhere, ada, password, "")
	wants(t, "the old password", err, people.ErrSignIn)
	signIn(t, store, "a longer walk home")
}

func TestSignInsAreListedAndEndedOneByOne(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, first := member(t, store, letters)
	other, second := signIn(t, store, password)
	if first.Token == second.Token || here.SignIn == other.SignIn {
		t.Error("two sign-ins have one token")
	}
	all, err := store.SignIns(t.Context(), here.Person)
	if err != nil || len(all) != 2 || all[0].ID != other.SignIn || all[0].Agent != "Chromium on Debian" {
		t.Errorf("listed are %+v, %v", all, err)
	}
	wants(t, "ending another person's", store.SignOut(t.Context(), other.SignIn, here.SignIn), nil)
	_, err = store.Find(t.Context(), first.Token)
	wants(t, "after that", err, nil)
	wants(t, "ending one", store.SignOut(t.Context(), here.Person, here.SignIn), nil)
	_, err = store.Find(t.Context(), first.Token)
	wants(t, "that one", err, people.ErrSignedOut)
	wants(t, "a wrong old password", store.SetPassword(t.Context(), here.Person, other.SignIn, "not the one it is", "a longer walk home"), people.ErrWrong)
	third, _ := signIn(t, store, password)
	wants(t, "another password", store.SetPassword(t.Context(), here.Person, third.SignIn, password, "a longer walk home"), nil)
	_, err = store.Find(t.Context(), second.Token)
	wants(t, "the others after another password", err, people.ErrSignedOut)
	for _, odd := range []string{"", "x", strings.Repeat("x", 43), "' or true --"} {
		_, err := store.Find(t.Context(), odd)
		wants(t, "a token that is none", err, people.ErrSignedOut)
	}
}

// secret is what an authenticator keeps of the QR code that it was shown.
func secret(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "otpauth" {
		t.Fatalf("the code says %q, %v", address, err)
	}
	return u.Query().Get("secret")
}

func code(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	made, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// enrolled gives Ada a second factor, by the code of the period before.
func enrolled(t *testing.T, store *people.Store, here people.Here) (sec string, recovery []string) {
	t.Helper()
	address, err := store.Enroll(t.Context(), here.Person, password, "Ropeline")
	if err != nil {
		t.Fatal(err)
	}
	sec = secret(t, address)
	if recovery, err = store.Prove(t.Context(), here.Person, here.SignIn, code(t, sec, time.Now().Add(-30*time.Second))); err != nil {
		t.Fatal(err)
	}
	return sec, recovery
}

func TestASecondFactorIsAskedForAndNoCodeIsGoodTwice(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, in := member(t, store, letters)
	sec, recovery := enrolled(t, store, here)
	if len(recovery) != 10 || len(slices.Compact(slices.Sorted(slices.Values(recovery)))) != 10 {
		t.Errorf("the recovery codes are %q", recovery)
	}
	_, err := store.Find(t.Context(), in.Token)
	wants(t, "who has just set it up", err, nil)
	_, err = store.Enroll(t.Context(), here.Person, password, "Ropeline")
	wants(t, "a second second factor", err, people.ErrSecondHad)

	waits := half(t, store, password)
	if !waits.Waits {
		t.Fatal("it is not asked for")
	}
	_, err = store.Find(t.Context(), waits.Token)
	wants(t, "who waits for it", err, people.ErrSignedOut)
	used := code(t, sec, time.Now())
	for _, wrong := range []string{"000000", "", "12345", "letters", strings.Repeat("9", 1000)} {
		if wrong == used {
			continue
		}
		_, err := store.Second(t.Context(), waits.Token, wrong)
		if !errors.Is(err, people.ErrSecond) {
			t.Errorf("the code %q: %v", wrong, err)
		}
	}
	_, err = store.Second(t.Context(), waits.Token, used)
	wants(t, "the right code after five that were wrong", err, people.ErrSignedOut)

	waits = half(t, store, password)
	whole, err := store.Second(t.Context(), waits.Token, used)
	wants(t, "the right code", err, nil)
	if got, err := store.Find(t.Context(), whole.Token); err != nil || got.Person != here.Person {
		t.Errorf("then it is %+v, %v", got, err)
	}
	_, err = store.Find(t.Context(), waits.Token)
	wants(t, "the token of before the code", err, people.ErrSignedOut)
	waits = half(t, store, password)
	_, err = store.Second(t.Context(), waits.Token, used)
	wants(t, "the same code again", err, people.ErrSecond)
	if whole, err = store.Second(t.Context(), waits.Token, strings.ToLower(recovery[3])); err != nil {
		t.Error(err)
	}
	waits = half(t, store, password)
	_, err = store.Second(t.Context(), waits.Token, recovery[3])
	wants(t, "a recovery code again", err, people.ErrSecond)
	wants(t, "removing it without a code", store.RemoveSecond(t.Context(), here.Person, "000000"), people.ErrSecond)
	wants(t, "removing it", store.RemoveSecond(t.Context(), here.Person, recovery[4]), nil)
	if half(t, store, password).Waits {
		t.Error("it is asked for after it was removed")
	}
}

func TestAProfileIsChangedByWhoHasSeenIt(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, _ := member(t, store, letters)
	p, err := store.Put(t.Context(), here.Person, 1, people.Profile{Email: "other@example.org", Name: "Ada L.", City: "Lisboa", Born: 1990})
	if err != nil || p.Version != 2 || p.Name != "Ada L." || p.Email != ada {
		t.Errorf("she is %+v, %v", p, err)
	}
	_, err = store.Put(t.Context(), here.Person, 1, people.Profile{Email: ada})
	wants(t, "who has seen the first version", err, people.ErrChanged)
	for what, odd := range map[string]people.Profile{
		"a name of two lines": {Email: ada, Name: "a\nb"}, "a NUL": {Email: ada, City: "\x00"}, "a country": {Email: ada, Country: "xx"},
		"a zone": {Email: ada, TimeZone: "Mars/Base"}, "a year": {Email: ada, Born: 3000},
	} {
		_, err := store.Put(t.Context(), here.Person, 2, odd)
		wants(t, what, err, people.ErrInvalid)
	}

	wants(t, "moving", store.Move(t.Context(), here.Person, password, "ada@example.com"), nil)
	l, _ := letters.newest(t)
	if l.To != "ada@example.com" || l.Purpose != people.Email {
		t.Errorf("the letter is %+v", l)
	}
	if p, _ := store.Person(t.Context(), here.Person); p.Email != ada {
		t.Error("she has moved before the letter was opened")
	}
	wants(t, "opening it", store.Moved(t.Context(), l.Token), nil)
	if left, _ := letters.newest(t); left.To != ada || left.Purpose != people.Left || left.Token != "" {
		t.Errorf("the old address reads %+v", left)
	}
	if in, err := store.SignIn(t.Context(), nowhere, "ada@example.com", password, ""); err != nil || in.Token == "" {
		t.Error(err)
	}
	_, err = store.SignIn(t.Context(), nowhere, ada, password, "")
	wants(t, "the old address", err, people.ErrSignIn)
	if err := store.Register(t.Context(), nowhere, people.Profile{Email: ada}, password); err != nil {
		t.Fatal(err)
	}
	wants(t, "moving to what is another's", store.Move(t.Context(), here.Person, password, ada), nil)
	l, _ = letters.newest(t)
	wants(t, "opening that", store.Moved(t.Context(), l.Token), people.ErrLetter)
}

// Nothing of a person can be read in the database, and nothing at all when they are erased.
func TestWhoIsErasedIsForgotten(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	here, in := member(t, store, letters)
	enrolled(t, store, here)
	if _, err := db.Exec(t.Context(), `insert into buyers (id, email, person_id) values (gen_random_uuid(), $1, $2)`, ada, here.Person); err != nil {
		t.Fatal(err)
	}
	wants(t, "following a band", store.Follow(t.Context(), here.Person, band(t, db, "A band")), nil)
	for _, sql := range []string{`insert into identities (id, person_id, issuer, subject_mac) values (gen_random_uuid(), $1, 'elsewhere', '\x01')`,
		`insert into channels (person_id, sealed, texts, silent) values ($1, '\x01', '{change}', '{}')`,
		`insert into phone_proofs (person_id, sealed) values ($1, '\x01')`,
		`insert into inbox (id, person_id, sealed) values (gen_random_uuid(), $1, '\x01')`,
		`insert into newsletter_consents (id, organization_id, email, person_id, state, place, words, language, given_at) select gen_random_uuid(), id, 'ada@example.org', $1, 'given', 'account', 'Write to me', 'en', now() from organizations limit 1`,
		`insert into mails (id, person_id, sealed, give_up_at) values (gen_random_uuid(), $1, '\x01', now() + interval '1 day')`,
		`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state, email, language, person_id)
			values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 's', 's', '', 'k', '', '{1}', 1, 'EUR', 'm', 'closed', 'ada@example.org', 'en', $1)`,
		`insert into reminder_settings (person_id, days) values ($1, 7)`,
		`with v as (insert into events (id, title) values (gen_random_uuid(), 'E') returning id) insert into event_watches (person_id, event_id) select $1, id from v`,
		`insert into posts (id, organization_id, event_id, kind, person_id, name, stars, body, state, reason, key, request)
			select gen_random_uuid(), organization_id, id, 'review', $1, 'Ada L.', 5, 'I, Ada, was there.', 'refused', 'Ada was rude', 'ada-1', '\x01' from events where title = 'E'`,
		`insert into post_reports (post_id, person_id) select id, $1 from posts`} {
		if _, err := db.Exec(t.Context(), sql, here.Person); err != nil {
			t.Fatal(err)
		}
	}
	readable := func() (n int) {
		if err := db.QueryRow(t.Context(), `select count(*) from people
			where password || encode(email_mac, 'escape') || encode(wrapped, 'escape') || encode(sealed, 'escape') ~* 'ada@example|lisbon'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if readable() != 0 {
		t.Error("her name can be read in the database")
	}
	other, err := people.NewKeys(bytes.Repeat([]byte("x"), 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := people.New(db, nil, other, letters.post).Person(t.Context(), here.Person); err == nil {
		t.Error("another key opens what is known of her")
	}
	wants(t, "with another password", store.Erase(t.Context(), here.Person, "another password"), people.ErrWrong)
	wants(t, "erasing her", store.Erase(t.Context(), here.Person, password), nil)
	wants(t, "erasing her again", store.Erase(t.Context(), here.Person, password), people.ErrUnknown)
	_, err = store.Find(t.Context(), in.Token)
	wants(t, "her sign-in", err, people.ErrSignedOut)
	_, err = store.Person(t.Context(), here.Person)
	wants(t, "her account", err, people.ErrUnknown)
	_, err = store.SignIn(t.Context(), nowhere, ada, password, "")
	wants(t, "signing in", err, people.ErrSignIn)
	var buyers, rows int
	if err := db.QueryRow(t.Context(), `select (select count(*) from buyers where email <> ''), (select count(*) from second_factors) + (select count(*) from follows)
		+ (select count(*) from letters) + (select count(*) from recovery_codes)`).Scan(&buyers, &rows); err != nil || buyers != 0 || rows != 0 {
		t.Errorf("left are %d addresses and %d rows, %v", buyers, rows, err)
	}
	var said int
	if err := db.QueryRow(t.Context(), `select count(*) from posts p where p::text ~* 'ada' or state <> 'gone'`).Scan(&said); err != nil || said != 0 {
		t.Errorf("%d posts are left with words of hers, %v", said, err)
	}
	rest, err := db.Query(t.Context(), `select c.table_name, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I where person_id = %L', c.table_name, $1::text), true, true, '')))[1]::text
		from information_schema.columns c where c.table_schema = current_schema() and c.column_name = 'person_id'`, here.Person)
	if err != nil {
		t.Fatal(err)
	}
	var table, left string
	tables := 0
	if _, err := pgx.ForEachRow(rest, []any{&table, &left}, func() error {
		if tables++; left != "0" {
			t.Errorf("%s rows of hers are left in %s", left, table)
		}
		return nil
	}); err != nil || tables < 8 {
		t.Errorf("of %d tables with something of a person: %v", tables, err)
	}
	wants(t, "coming again", store.Register(t.Context(), nowhere, people.Profile{Email: ada}, password), nil)
}

func TestPasswordsThatAreGuessedFirstAreRefused(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	for _, weak := range []string{"", "short", "aaaaaaaaaaaa", "ADA@example.ORG", "Ada Lovelace", strings.Repeat("ab", 101), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		wants(t, "the password "+weak, store.Register(t.Context(), nowhere, people.Profile{Email: ada, Name: "Ada Lovelace"}, weak), people.ErrPassword)
	}
	if len(letters.all) != 0 {
		t.Error("a letter came")
	}
	if _, err := people.NewKeys([]byte("short")); err == nil {
		t.Error("a short key is taken")
	}
}

// A crowd that comes at once is served in turn, or told to come again: it does not take
// all the memory there is.
func TestACrowdIsServedInTurn(t *testing.T) {
	t.Parallel()
	keys, err := people.NewKeys([]byte(rand.Text() + rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	store := people.New(devtest.Postgres(t), devtest.Redis(t), keys, nil)
	var wg sync.WaitGroup
	answers := make(chan error, 200)
	for i := range 200 {
		wg.Go(func() {
			_, err := store.SignIn(t.Context(), nowhere, fmt.Sprint("fan", i, "@example.org"), password, "")
			answers <- err
		})
	}
	wg.Wait()
	close(answers)
	served, busy := 0, 0
	for err := range answers {
		switch {
		case errors.Is(err, people.ErrSignIn):
			served++
		case errors.Is(err, people.ErrBusy):
			busy++
		default:
			t.Error(err)
		}
	}
	if served < 60 || busy == 0 {
		t.Errorf("%d of 200 are served, %d are to come again", served, busy)
	}
}

// Somebody else who registers an address first, with a password of theirs, gets nothing of
// its owner's opening a letter.
func TestWhoRegistersAnothersAddressGetsNoneOfIt(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	const theirs = "the thief's password"
	wants(t, "the thief", store.Register(t.Context(), nowhere, people.Profile{Email: ada, Name: "Thief"}, theirs), nil)
	thiefs, _ := letters.newest(t)
	wants(t, "Ada", store.Register(t.Context(), nowhere, people.Profile{Email: ada, Name: "Ada"}, password), nil)
	adas, n := letters.newest(t)
	if n != 2 || adas.To != ada || adas.Purpose != people.Confirm || adas.Token == thiefs.Token {
		t.Fatalf("%d letters came, the last %+v", n, adas)
	}
	wants(t, "Ada with the thief's letter", confirm(t, store, thiefs.Token, password), people.ErrWrong)
	wants(t, "Ada with hers", confirm(t, store, adas.Token, password), nil)
	_, err := store.SignIn(t.Context(), nowhere, ada, theirs, "")
	wants(t, "the thief's password", err, people.ErrSignIn)
	here, _ := signIn(t, store, password)
	if p, err := store.Person(t.Context(), here.Person); err != nil || p.Name != "Ada" {
		t.Errorf("she is %+v, %v", p, err)
	}
	wants(t, "the thief's letter afterwards", confirm(t, store, thiefs.Token, theirs), people.ErrLetter)
}

// many tries something wrong, all at once, and counts how often it was looked at.
func many(t *testing.T, n int, wrong error, try func(i int) error) (looked int) {
	t.Helper()
	answers := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = try(i) })
	}
	wg.Wait()
	for _, err := range answers {
		switch {
		case errors.Is(err, wrong):
			looked++
		case !errors.Is(err, people.ErrTries):
			t.Error(err)
		}
	}
	return looked
}

func TestPasswordsAreGuessedAFewTimesAndSprayedAFewTimes(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, _ := member(t, store, letters)
	guess := func(from, email string) error {
		_, err := store.SignIn(t.Context(), netip.MustParseAddr(from), email, "password1234", "")
		return err
	}
	if n := many(t, 40, people.ErrSignIn, func(int) error { return guess("203.0.113.1", ada) }); n != 5 {
		t.Errorf("one guesser was heard %d times", n)
	}
	_, err := store.SignIn(t.Context(), netip.MustParseAddr("203.0.113.1"), ada, password, "")
	wants(t, "the right password from there", err, people.ErrTries)
	if own, ok := errors.AsType[*ropeline.Error](err); !ok || own.RetryAfter < time.Minute || own.RetryAfter > 15*time.Minute {
		t.Errorf("it says when to come again: %+v", err)
	}
	_, err = store.SignIn(t.Context(), netip.MustParseAddr("203.0.113.2"), ada, password, "")
	wants(t, "the right password from elsewhere", err, nil)
	if n := many(t, 50, people.ErrSignIn, func(i int) error { return guess(fmt.Sprint("2001:db8::", i), fmt.Sprint("fan", i, "@example.org")) }); n != 30 {
		t.Errorf("who sprays from one /64 was heard %d times", n)
	}
	if n := many(t, 60, people.ErrSignIn, func(i int) error { return guess(fmt.Sprint("198.51.100.", i), ada) }); n != 25 {
		t.Errorf("guessers from everywhere were heard %d times more", n)
	}
	if n := many(t, 60, people.ErrSignIn, func(i int) error { return guess(fmt.Sprint("198.51.101.", i), "nobody@example.org") }); n != 30 {
		t.Errorf("for an account that there is not they were heard %d times", n)
	}
	wants(t, "a forgotten password", store.Forgot(t.Context(), nowhere, ada), nil)
	l, _ := letters.newest(t)
	wants(t, "another one", store.Reset(t.Context(), l.Token, "a longer walk home"), nil)
	_, err = store.SignIn(t.Context(), netip.MustParseAddr("203.0.113.3"), ada, "a longer walk home", "")
	wants(t, "that helps at once", err, nil)

	if n := many(t, 20, people.ErrWrong, func(int) error {
		return store.SetPassword(t.Context(), here.Person, here.SignIn, "password1234", "a longer walk home")
	}); n != 5 {
		t.Errorf("in a browser that was left open they were heard %d times", n)
	}
}

func TestCodesAreGuessedAFewTimes(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, _ := member(t, store, letters)
	enrolled(t, store, here)
	heard := many(t, 8, people.ErrSecond, func(int) error { return store.RemoveSecond(t.Context(), here.Person, "000000") })
	for range 4 { // a sign-in each has tries of its own
		token := half(t, store, password).Token
		heard += many(t, 4, people.ErrSecond, func(int) error {
			_, err := store.Second(t.Context(), token, "000000")
			return err
		})
	}
	if heard != 10 {
		t.Errorf("codes were heard %d times", heard)
	}
}

// Who lets us write to people is stopped, and who is written to is left in peace.
func TestLettersAreNoWeapon(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	member(t, store, letters)
	_, before := letters.newest(t)
	for i := range 10 {
		wants(t, "asking", store.Forgot(t.Context(), netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), ada), nil)
	}
	if _, n := letters.newest(t); n != before+4 { // one was written to confirm
		t.Errorf("%d letters came", n-before)
	}
	for i := range 20 {
		wants(t, "asking", store.Forgot(t.Context(), netip.MustParseAddr("203.0.113.1"), fmt.Sprint("fan", i, "@example.org")), nil)
	}
	wants(t, "asking very often", store.Forgot(t.Context(), netip.MustParseAddr("203.0.113.1"), ada), people.ErrTries)
	wants(t, "registering then", store.Register(t.Context(), netip.MustParseAddr("203.0.113.1"), people.Profile{Email: "x@example.org"}, password), people.ErrTries)
}

// For nobody as much is written as for somebody, and nothing of it stays.
func TestNobodysForgottenPasswordTakesAsLong(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	wants(t, "asking", store.Forgot(t.Context(), nowhere, "nobody@example.org"), nil)
	if l, n := letters.newest(t); n != 1 || l.Purpose != people.Reset || l.To != "nobody@example.org" { // in a transaction that leaves nothing: see package mail
		t.Errorf("%d letters were written, the last %+v", n, l)
	}
	var left int
	if err := db.QueryRow(t.Context(), `select (select count(*) from people) + (select count(*) from letters) + (select count(*) from mails)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
}

func TestSignInsOfAPersonAreBounded(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	here, first := member(t, store, letters)
	if _, err := db.Exec(t.Context(), `insert into sign_ins (id, person_id, token_hash, ends_at, created_at)
		select gen_random_uuid(), $1, sha256(convert_to(i::text, 'utf8')), now() + interval '1 day', now() + i * interval '1 millisecond' from generate_series(1, 49) i`, here.Person); err != nil {
		t.Fatal(err)
	}
	wants(t, "the fiftieth", find(t, store, first.Token), nil)
	signIn(t, store, password)
	all, err := store.SignIns(t.Context(), here.Person)
	if err != nil || len(all) != 50 {
		t.Errorf("there are %d, %v", len(all), err)
	}
	wants(t, "the oldest", find(t, store, first.Token), people.ErrSignedOut)
}

func find(t *testing.T, store *people.Store, token string) error {
	t.Helper()
	_, err := store.Find(t.Context(), token)
	return err
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	here, in := member(t, store, letters)
	wants(t, "registering", store.Register(t.Context(), nowhere, people.Profile{Email: "new@example.org"}, password), nil)
	left := func() (text string) {
		if err := db.QueryRow(t.Context(), `select concat_ws(' ', (select count(*) from people), (select count(*) from letters), (select count(*) from sign_ins))`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	wants(t, "sweeping", store.Sweep(t.Context()), nil)
	if left() != "2 2 1" {
		t.Errorf("left are %s", left())
	}
	for _, sql := range []string{`update people set created_at = now() - interval '8 days'`, `update letters set ends_at = now()`, `update sign_ins set ends_at = now()`} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, "a sign-in that is over", find(t, store, in.Token), people.ErrSignedOut)
	wants(t, "sweeping", store.Sweep(t.Context()), nil)
	if left() != "1 0 0" {
		t.Errorf("left are %s", left())
	}
	if _, err := store.Person(t.Context(), here.Person); err != nil {
		t.Error(err)
	}
}

func FuzzSealedTextIsOpenedWholeOrNotAtAll(f *testing.F) {
	keys, err := people.NewKeys(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		f.Fatal(err)
	}
	good, err := keys.Seal("a", []byte("a letter"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a", []byte{}, 0)
	f.Add("b", []byte{}, 0)
	f.Add("a", []byte{1}, 0)
	f.Add("a", []byte{}, 25)
	f.Add("a", bytes.Repeat([]byte{0}, 200), 0)
	// What is changed, and not what it is: each process of a fuzzing run seals it differently.
	f.Fuzz(func(t *testing.T, id string, noise []byte, cut int) {
		sealed := slices.Clone(good)
		for i, b := range noise {
			if i < len(sealed) {
				sealed[i] ^= b
			} else {
				sealed = append(sealed, b)
			}
		}
		sealed = sealed[:len(sealed)-min(max(cut, 0), len(sealed))]
		text, err := keys.Open(id, sealed)
		if (id == "a" && bytes.Equal(sealed, good)) != (err == nil && string(text) == "a letter") {
			t.Errorf("%q of %q opens with %q, %v", sealed, id, text, err)
		}
	})
}
