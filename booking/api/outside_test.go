package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/oidc"
	"github.com/ropeline/ropeline/booking/people"
	provider "github.com/ropeline/ropeline/internal/devstack/elsewhere"
)

const providersPath = "/api/v1/accounts/providers"

// withClub starts a core at which people may sign in with an account of a club's, whose
// settings are added to. Nobody answers for the choir.
func withClub(t *testing.T, settings string) *core {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer, err := provider.Issuer(server.Listener)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = provider.New(issuer, map[string]string{"ours": "https://tickets.example.org" + providersPath + "/club/back"},
		provider.User{Name: "ada", Email: ada, Verified: true}, provider.User{Name: "eve", Email: ada}, provider.User{Name: "bob", Email: "bob@example.org", Verified: true})
	server.Start()
	t.Cleanup(server.Close)
	folder := t.TempDir()
	for name, text := range map[string]string{"club.secret": provider.Secret, "providers.json": `[
		{"name": "club", "title": "The club", "issuer": "` + issuer + `", "client": "ours", "secret_file": "club.secret"` + settings + `},
		{"name": "choir", "title": "The choir", "issuer": "http://127.0.0.1:1", "client": "ours"}]`} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configs, err := oidc.Load(filepath.Join(folder, "providers.json"))
	if err != nil {
		t.Fatal(err)
	}
	providers, err := oidc.New(configs, "https://tickets.example.org", []byte(strings.Repeat("k", 32)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return startWith(t, slog.New(slog.DiscardHandler), func(_ *core, config *Config) { config.Outside = providers })
}

// begun is where a flow leads to, and what the browser keeps of it.
func (a answer) begun() (address, kept string) {
	a.t.Helper()
	var to OutsideAddress
	a.is(http.StatusOK, &to)
	res := http.Response{Header: a.Header}
	for _, c := range res.Cookies() {
		if c.Name == ropeline.FlowCookie && c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "" && c.MaxAge == 600 {
			return to.Address, c.Value
		}
	}
	a.t.Fatalf("there is no good cookie in %v", a.Header)
	return "", ""
}

// elsewhere signs a user in on the other side.
func (c *core) elsewhere(address, user string) url.Values {
	c.t.Helper()
	back, err := provider.SignIn(address, user)
	if err != nil {
		c.t.Fatal(err)
	}
	return back.Query()
}

// returns is what a browser gets that comes back with a query, what it has kept, and the
// cookie of who is signed in.
func (c *core) returns(query url.Values, kept, who string) (to string, a answer) {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodGet, c.url+providersPath+"/club/back?"+query.Encode(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Cookie", ropeline.FlowCookie+"="+kept+"; "+ropeline.AccountCookie+"="+strings.TrimPrefix(who, cookie))
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a = c.read(browser.Do(req))
	if a.Status != http.StatusSeeOther {
		c.t.Fatalf("%d %s", a.Status, a.Body)
	}
	if gone := strings.Join(a.Header.Values("Set-Cookie"), "\n"); !strings.Contains(gone, ropeline.FlowCookie+"=; ") {
		c.t.Errorf("the flow's cookie stays: %s", gone)
	}
	return a.Header.Get("Location"), a
}

// comes signs a user of the club in, from begin to end.
func (c *core) comes(user, next, who string) (to string, a answer) {
	c.t.Helper()
	address, kept := c.post(providersPath+"/club", m{"next": next}).begun()
	return c.returns(c.elsewhere(address, user), kept, who)
}

func (c *core) email(who string) string {
	c.t.Helper()
	var account MyAccount
	c.get(mePath, who).is(http.StatusOK, &account)
	return account.Email
}

func TestSomebodyComesFromElsewhere(t *testing.T) {
	t.Parallel()
	c := withClub(t, `, "emails": true`)
	var list SignInProviders
	if c.get(providersPath, "").is(http.StatusOK, &list); len(list.Providers) != 2 || list.Providers[0] != (SignInProvider{"club", "The club"}) {
		t.Errorf("there are %+v", list)
	}
	planted := strings.Repeat("A", 43) // nobody can give somebody a cookie beforehand
	to, a := c.comes("ada", "/desk/sales?of=1", planted)
	her := a.cookieOf()
	if to != "/desk/sales?of=1" || c.email(her) != ada || her == cookie+planted {
		t.Errorf("she comes to %s as %s", to, c.email(her))
	}
	c.get(mePath, cookie+planted).refused(http.StatusUnauthorized, "signed-out")
	if to, a := c.comes("ada", "https://evil.example", her); to != "/" || a.cookieOf() == her {
		t.Errorf("again, she comes to %s", to)
	}
	grace := c.member("grace@example.org")
	if _, a := c.comes("ada", "/", grace); c.email(a.cookieOf()) != ada { // and not joined with who was here
		t.Error("who was signed in is joined with her")
	}
	c.do(http.MethodPost, mePath+"/erase", her, c.json(m{"password": ""})).refused(http.StatusForbidden, "password-none")
	var export Export
	if c.get(mePath+"/export", her).is(http.StatusOK, &export); len(export.Identities) != 1 || export.Identities[0].Title != "The club" || export.Account.Password {
		t.Errorf("kept of her is %+v", export)
	}
	if to, _ := c.comes("eve", "/desk", ""); to != "/account?back=%2Fdesk#failed=sign-in-unlinked" {
		t.Errorf("whose address is not verified comes to %s", to)
	}
	c.proven()
	to, a = c.comes("ada", "/desk", "")
	c.get(mePath, a.cookieOf()).refused(http.StatusUnauthorized, "signed-out") // before she has shown a code
	if to != "/account?back=%2Fdesk#second" {
		t.Errorf("with a second factor she comes to %s", to)
	}
	c.post(providersPath+"/choir", m{}).refused(http.StatusServiceUnavailable, "sign-in-provider-away")
	c.post(providersPath+"/nobody", m{}).refused(http.StatusNotFound, "sign-in-provider-unknown")
	c.post(providersPath+"/club", m{}, "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
}

// What was begun in one browser signs nobody in in another one, and nobody twice.
func TestAFlowIsOneBrowsersAndGoodOnce(t *testing.T) {
	t.Parallel()
	c := withClub(t, `, "emails": true`)
	begin := func() (string, string) { return c.post(providersPath+"/club", m{"next": "/account/orders"}).begun() }
	address, eves := begin()
	back := c.elsewhere(address, "bob")
	_, hers := begin()
	over := func(what, want string, query url.Values, kept string) {
		t.Helper()
		to, a := c.returns(query, kept, "")
		if to != want || strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), ""), ropeline.AccountCookie) {
			t.Errorf("%s: %s, %v", what, to, a.Header)
		}
	}
	over("in the browser of somebody else", "/account#failed=sign-in-flow-over", back, hers)
	over("in one that has begun nothing", "/account#failed=sign-in-flow-over", back, "")
	over("refused there", "/account#failed=sign-in-refused", url.Values{"state": back["state"], "error": {"access_denied"}}, eves)
	over("the same flow again", "/account#failed=sign-in-flow-over", back, eves)
	address, kept := begin()
	back = c.elsewhere(address, "bob")
	if to, a := c.returns(back, kept, ""); to != "/account/orders" || c.email(a.cookieOf()) != "bob@example.org" {
		t.Errorf("what is theirs comes to %s", to)
	}
	over("once more", "/account#failed=sign-in-flow-over", back, kept)
}

// Who has no second factor of ours works by the one that the provider asks for.
func TestASecondFactorElsewhereCountsIfThatIsSaid(t *testing.T) {
	t.Parallel()
	c := withClub(t, `, "emails": true, "second_factor": true`)
	_, a := c.comes("bob", "/", "")
	his := a.cookieOf()
	c.invited(his, "bob@example.org", c.founded("opera"), people.Organizer)
	c.get(eventsPath, his).is(http.StatusOK, nil)
	c.proven()
	if to, _ := c.comes("bob", "/desk/sales", ""); to != "/desk/sales" {
		t.Errorf("with one of ours, which is not asked for, he comes to %s", to)
	}
}

// proven gives everybody a second factor.
func (c *core) proven() {
	c.t.Helper()
	if _, err := c.db.Exec(c.t.Context(), `insert into second_factors (person_id, sealed, confirmed_at) select id, '', now() from people`); err != nil {
		c.t.Fatal(err)
	}
}

func TestAnAccountIsJoinedByItsOwner(t *testing.T) {
	t.Parallel()
	c := withClub(t, "") // which is trusted with no addresses
	if to, _ := c.comes("ada", "/", ""); to != "/account#failed=sign-in-unlinked" {
		t.Errorf("before, she comes to %s", to)
	}
	her, grace := c.member(ada), c.member("grace@example.org")
	join := func(who, user, as string) string {
		address, kept := c.do(http.MethodPut, mePath+"/providers/club", who, c.json(m{"password": password, "next": "/account/security"})).begun()
		to, _ := c.returns(c.elsewhere(address, user), kept, as)
		return to
	}
	c.do(http.MethodPut, mePath+"/providers/club", her, c.json(m{"password": "not the one"})).refused(http.StatusForbidden, "password-wrong")
	if to := join(her, "ada", grace); to != "/account#failed=sign-in-flow-over" {
		t.Errorf("while another is signed in: %s", to)
	}
	if to := join(her, "ada", ""); to != "/account#failed=signed-out" {
		t.Errorf("while nobody is: %s", to)
	}
	if to := join(her, "ada", her); to != "/account/security" {
		t.Errorf("joining leads to %s", to)
	}
	if to := join(grace, "ada", grace); to != "/account#failed=sign-in-linked" {
		t.Errorf("what is another's: %s", to)
	}
	to, a := c.comes("ada", "/", "")
	came := a.cookieOf()
	if to != "/" || c.email(came) != ada {
		t.Errorf("then she comes to %s as %s", to, c.email(came))
	}
	var list Identities
	if c.get(mePath+"/identities", her).is(http.StatusOK, &list); len(list.Identities) != 1 || list.Identities[0].Title != "The club" {
		t.Fatalf("joined are %+v", list)
	}
	path := mePath + "/identities/" + list.Identities[0].ID
	c.do(http.MethodDelete, path, grace, "").is(http.StatusNoContent, nil) // another person's stays
	if c.email(came) != ada {
		t.Error("another has parted them")
	}
	c.do(http.MethodDelete, path, her, "").is(http.StatusNoContent, nil)
	c.get(mePath, came).refused(http.StatusUnauthorized, "signed-out")
	if to, _ := c.comes("ada", "/", ""); to != "/account#failed=sign-in-unlinked" {
		t.Errorf("then she comes to %s", to)
	}
}
