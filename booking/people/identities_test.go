package people_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/people"
)

// club says that somebody is Ada, whose address it has verified.
var club = people.Outside{Issuer: "https://club.example", Subject: "ada", Email: ada, Name: "Ada\x00 L.", Trusted: true}

func comesFrom(t *testing.T, store *people.Store, o people.Outside) (people.SignedIn, error) {
	t.Helper()
	return store.SignInOutside(t.Context(), o, "Chromium")
}

func TestWhoComesFromElsewhereHasOneAccount(t *testing.T) {
	t.Parallel()
	store, _, _ := open(t)
	var tabs sync.WaitGroup
	who := make([]string, 4)
	for i := range who {
		tabs.Go(func() {
			in, err := comesFrom(t, store, club)
			if err != nil {
				t.Error(err)
				return
			}
			who[i] = found(t, store, in.Token).Person
		})
	}
	tabs.Wait()
	for _, person := range who {
		if person != who[0] {
			t.Fatalf("they are %q", who)
		}
	}
	p, err := store.Person(t.Context(), who[0])
	if err != nil || p.Email != ada || p.Name != "Ada L." || !p.Confirmed || p.Password {
		t.Errorf("she is %+v, %v", p, err)
	}
	moved := club
	moved.Email = "ada@example.com" // there; here it stays as it is
	if in, err := comesFrom(t, store, moved); err != nil || found(t, store, in.Token).Person != who[0] {
		t.Errorf("with another address there: %v", err)
	}
	heir := club
	heir.Subject = "heir" // has her address there after her
	_, err = comesFrom(t, store, heir)
	wants(t, "another with the same address", err, people.ErrLinked)
	_, err = store.SignIn(t.Context(), nowhere, ada, "", "")
	wants(t, "signing in without a password", err, people.ErrSignIn)
	wants(t, "erasing without a password", store.Erase(t.Context(), who[0], ""), people.ErrNoSecret)
}

func TestAnAddressThatIsNotVerifiedJoinsNothing(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, _ := member(t, store, letters)
	for name, change := range map[string]func(*people.Outside){
		"not verified there": func(o *people.Outside) { o.Email = "" },
		"not trusted here":   func(o *people.Outside) { o.Trusted = false },
		"no address at all":  func(o *people.Outside) { o.Email = "ada" },
		"nobody":             func(o *people.Outside) { o.Subject = "" },
		"an endless name":    func(o *people.Outside) { o.Subject = strings.Repeat("x", 256) },
		"no issuer":          func(o *people.Outside) { o.Issuer = "" },
	} {
		o := club
		change(&o)
		_, err := comesFrom(t, store, o)
		wants(t, name, err, people.ErrUnlinked)
	}
	if all, err := store.Identities(t.Context(), here.Person); err != nil || len(all) != 0 {
		t.Errorf("joined are %+v, %v", all, err)
	}
	if in, err := comesFrom(t, store, club); err != nil || found(t, store, in.Token).Person != here.Person {
		t.Errorf("with a verified address: %v", err)
	}
}

// Whoever has registered somebody's address beforehand, and never confirmed it, has nothing
// of the account that its owner comes to.
func TestWhatNobodyConfirmedIsNotTheirs(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	const planted = "a password of another"
	if err := store.Register(t.Context(), nowhere, people.Profile{Email: ada, Name: "Eve"}, planted); err != nil {
		t.Fatal(err)
	}
	l, _ := letters.newest(t)
	in, err := comesFrom(t, store, club)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := store.Person(t.Context(), found(t, store, in.Token).Person); err != nil || p.Name != "Ada L." || p.Password {
		t.Errorf("she is %+v, %v", p, err)
	}
	_, err = store.SignIn(t.Context(), nowhere, ada, planted, "")
	wants(t, "the password of before", err, people.ErrSignIn)
	wants(t, "the letter of before", confirm(t, store, l.Token, planted), people.ErrLetter)
}

func TestASecondFactorIsAskedForOrTakenAsGiven(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	opera := organization(t, store, "opera")
	hired(t, store, letters, opera, ada, people.Organizer)
	in, err := comesFrom(t, store, club)
	if err != nil || !in.Waits || time.Until(in.Ends) > time.Hour {
		t.Errorf("without one there: %+v, %v", in, err)
	}
	_, err = store.Find(t.Context(), in.Token)
	wants(t, "half a sign-in", err, people.ErrSignedOut)
	proven := club
	proven.Second = true
	in, err = comesFrom(t, store, proven)
	if err != nil || in.Waits || time.Until(in.Ends) < 11*time.Hour || time.Until(in.Ends) > 13*time.Hour {
		t.Errorf("with one there: %+v, %v", in, err)
	}
	if roles, err := store.Roles(t.Context(), found(t, store, in.Token)); err != nil || len(roles) != 1 {
		t.Errorf("her roles are %+v, %v", roles, err)
	}

	// Who has none of ours works by the one there, and only as long as they came by it.
	noah := people.Outside{Issuer: club.Issuer, Subject: "noah", Email: "noah@example.org", Trusted: true}
	plain, err := comesFrom(t, store, noah)
	if err != nil || plain.Waits {
		t.Fatal(plain, err)
	}
	his := found(t, store, plain.Token)
	if _, err := store.Invite(t.Context(), opera, noah.Email, []string{people.Organizer}, root); err != nil {
		t.Fatal(err)
	}
	l, _ := letters.newest(t)
	if _, err := store.Accept(t.Context(), his.Person, l.Token); err != nil {
		t.Fatal(err)
	}
	_, err = store.Roles(t.Context(), his)
	wants(t, "his roles without a second factor", err, people.ErrUnproven)
	noah.Second = true
	in, err = comesFrom(t, store, noah)
	if err != nil {
		t.Fatal(err)
	}
	if roles, err := store.Roles(t.Context(), found(t, store, in.Token)); err != nil || len(roles) != 1 {
		t.Errorf("his roles are %+v, %v", roles, err)
	}
	_, err = store.Roles(t.Context(), his)
	wants(t, "his roles in the sign-in of before", err, people.ErrUnproven)
}

func TestAccountsAreJoinedAndPart(t *testing.T) {
	t.Parallel()
	store, letters, _ := open(t)
	here, mine := member(t, store, letters)
	untrusted := club
	untrusted.Trusted, untrusted.Email = false, ""
	wants(t, "joining", store.Join(t.Context(), untrusted, here.Person), nil)
	wants(t, "joining again", store.Join(t.Context(), untrusted, here.Person), nil)
	second := untrusted
	second.Subject = "ada2"
	wants(t, "a second one there", store.Join(t.Context(), second, here.Person), people.ErrLinked)
	other := hired(t, store, letters, organization(t, store, "opera"), "eve@example.org", people.Door)
	wants(t, "another person", store.Join(t.Context(), untrusted, other.Person), people.ErrLinked)

	in, err := comesFrom(t, store, untrusted)
	if err != nil || found(t, store, in.Token).Person != here.Person {
		t.Fatal(in, err)
	}
	all, err := store.Identities(t.Context(), here.Person)
	if err != nil || len(all) != 1 || all[0].Issuer != club.Issuer {
		t.Fatal(all, err)
	}
	wants(t, "another parts them", store.Part(t.Context(), other.Person, all[0].ID), nil)
	found(t, store, in.Token)
	wants(t, "parting", store.Part(t.Context(), here.Person, all[0].ID), nil)
	_, err = store.Find(t.Context(), in.Token)
	wants(t, "what came by it", err, people.ErrSignedOut)
	found(t, store, mine.Token) // that came with the password
	_, err = comesFrom(t, store, untrusted)
	wants(t, "coming again", err, people.ErrUnlinked)

	wants(t, "joining anew", store.Join(t.Context(), untrusted, here.Person), nil)
	wants(t, "erasing", store.Erase(t.Context(), here.Person, password), nil)
	_, err = comesFrom(t, store, untrusted)
	wants(t, "who is erased", err, people.ErrUnlinked)
}

func TestWhoIsShutOutStaysSo(t *testing.T) {
	t.Parallel()
	store, letters, db := open(t)
	here, _ := member(t, store, letters)
	wants(t, "joining", store.Join(t.Context(), club, here.Person), nil)
	if _, err := db.Exec(t.Context(), `update people set state = 'closed' where id = $1`, here.Person); err != nil {
		t.Fatal(err)
	}
	_, err := comesFrom(t, store, club)
	wants(t, "by what was joined", err, people.ErrSignIn)
	heir := club
	heir.Issuer = "https://choir.example"
	_, err = comesFrom(t, store, heir)
	wants(t, "by the address", err, people.ErrSignIn)
}

func TestAFlowComesBackOnce(t *testing.T) {
	t.Parallel()
	store, _, _ := open(t)
	wants(t, "the first time", store.Once(t.Context(), "state", time.Minute), nil)
	wants(t, "the second", store.Once(t.Context(), "state", time.Minute), people.ErrReplayed)
	wants(t, "another", store.Once(t.Context(), "other", time.Minute), nil)
}
