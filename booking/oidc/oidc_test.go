package oidc_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/oidc"
	"github.com/ropeline/ropeline/internal/devstack/elsewhere"
)

const base = "http://tickets.example"

// startOther runs a server with accounts, and returns its issuer.
func startOther(t *testing.T) string {
	t.Helper()
	issuer, _ := stoppable(t)
	return issuer
}

func stoppable(t *testing.T) (issuer string, stop func()) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer, err := elsewhere.Issuer(server.Listener)
	if err != nil {
		t.Fatal(err)
	}
	back := base + "/api/v1/accounts/providers/club/back"
	server.Config.Handler = elsewhere.New(issuer, map[string]string{"ours": back, "another": back},
		elsewhere.User{Name: "ada", Email: "ada@example.org", Verified: true}, elsewhere.User{Name: "eve", Email: "ada@example.org"})
	server.Start()
	t.Cleanup(server.Close)
	return issuer, server.Close
}

// written loads a file of one provider, beside which is its secret.
func written(t *testing.T, text string) ([]oidc.Config, error) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{"providers.json": text, "club.secret": elsewhere.Secret + "\n", "empty.secret": "\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return oidc.Load(filepath.Join(folder, "providers.json"))
}

func club(issuer, client string) string {
	return `[{"name": "club", "title": "The club", "issuer": "` + issuer + `", "client": "` + client + `", "secret_file": "club.secret"}]`
}

var key = bytes.Repeat([]byte("k"), 32)

func providers(t *testing.T, now func() time.Time, client, issuer string) *oidc.Providers {
	t.Helper()
	configs, err := written(t, club(issuer, client))
	if err != nil {
		t.Fatal(err)
	}
	p, err := oidc.New(configs, base, key, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func begin(t *testing.T, p *oidc.Providers, next, person string) (address, kept string) {
	t.Helper()
	address, kept, err := p.Begin(t.Context(), "club", next, person)
	if err != nil {
		t.Fatal(err)
	}
	return address, kept
}

// signIn is what somebody's browser brings back from the other side.
func signIn(t *testing.T, address, user string) url.Values {
	t.Helper()
	back, err := elsewhere.SignIn(address, user)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Scheme + "://" + back.Host + back.Path; got != base+"/api/v1/accounts/providers/club/back" {
		t.Fatalf("it leads back to %s", got)
	}
	return back.Query()
}

// end is both halves of a flow's end.
func end(t *testing.T, p *oidc.Providers, kept string, back url.Values) (oidc.Flow, oidc.Who, error) {
	t.Helper()
	f, err := p.Back("club", kept, back.Get("state"))
	if err != nil {
		return f, oidc.Who{}, err
	}
	w, err := p.Who(t.Context(), f, back.Get("code"))
	return f, w, err
}

func TestSomebodySignsInElsewhere(t *testing.T) {
	t.Parallel()
	o := startOther(t)
	p := providers(t, time.Now, "ours", o)
	address, kept := begin(t, p, "/account?tab=orders", "somebody")
	for _, wants := range []string{"code_challenge_method=S256", "code_challenge=", "nonce=", "state=", "response_type=code", "scope=openid+email+profile"} {
		if !strings.Contains(address, wants) {
			t.Errorf("the address has no %s: %s", wants, address)
		}
	}
	back := signIn(t, address, "ada")
	f, who, err := end(t, p, kept, back)
	if err != nil {
		t.Fatal(err)
	}
	if told := fmt.Sprintf("%+v", who); strings.Contains(told, "secret:"+elsewhere.Secret) {
		t.Errorf("its secret is told: %s", told)
	}
	if who.Issuer != o || who.Subject != "ada" || who.Email != "ada@example.org" || who.Name != "Test User" || f.Next != "/account?tab=orders" || f.Person != "somebody" {
		t.Errorf("it is %+v, in %+v", who, f)
	}
	if _, _, err := end(t, p, kept, back); !errors.Is(err, oidc.ErrToken) {
		t.Errorf("the same code again: %v", err)
	}
	address, kept = begin(t, p, "/", "")
	if _, who, err := end(t, p, kept, signIn(t, address, "eve")); err != nil || who.Email != "" || who.Subject != "eve" {
		t.Errorf("whose address is not verified is %+v, %v", who, err)
	}
}

// What somebody brings back is good in the browser and the time in which it was begun, and
// as the other side made it.
func TestNobodyComesBackWithWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	o, now := startOther(t), time.Now()
	clock := func() time.Time { return now }
	p := providers(t, clock, "ours", o)
	address, mine := begin(t, p, "/", "")
	back := signIn(t, address, "ada")
	_, theirs := begin(t, p, "/", "")
	with := func(name, value string) url.Values {
		changed := url.Values{"state": back["state"], "code": back["code"]}
		changed.Set(name, value)
		return changed
	}
	late := providers(t, func() time.Time { return now.Add(oidc.FlowLife) }, "ours", o)
	for name, try := range map[string]struct {
		by   *oidc.Providers
		kept string
		back url.Values
		want error
	}{
		"another browser's flow":          {p, theirs, back, oidc.ErrFlow},
		"no flow":                         {p, "", back, oidc.ErrFlow},
		"a flow that was changed":         {p, mine[:len(mine)-2] + "AA", back, oidc.ErrFlow},
		"another state":                   {p, mine, with("state", "x"), oidc.ErrFlow},
		"no state":                        {p, mine, with("state", ""), oidc.ErrFlow},
		"too late":                        {late, mine, back, oidc.ErrFlow},
		"no code":                         {p, mine, with("code", ""), oidc.ErrRefused},
		"a code that is none":             {p, mine, with("code", "x"), oidc.ErrToken},
		"a code that another client asks": {providers(t, clock, "another", o), mine, back, oidc.ErrToken},
	} {
		if _, _, err := end(t, try.by, try.kept, try.back); !errors.Is(err, try.want) {
			t.Errorf("%s: %v, want %v", name, err, try.want)
		}
	}
	if _, err := p.Back("choir", mine, back.Get("state")); !errors.Is(err, oidc.ErrFlow) {
		t.Errorf("at another provider: %v", err)
	}
	if _, _, err := end(t, p, mine, back); err != nil {
		t.Errorf("what is theirs, after all that: %v", err)
	}
}

// A code that was put into somebody's flow by somebody else carries another nonce and
// another challenge, and either is enough to refuse it.
func TestACodeOfAnotherFlowSignsNobodyIn(t *testing.T) {
	t.Parallel()
	o := startOther(t)
	p := providers(t, time.Now, "ours", o)
	changed := func(names ...string) error {
		address, kept := begin(t, p, "/", "")
		theirs, _ := begin(t, p, "/", "")
		at, other := query(t, address), query(t, theirs)
		for _, name := range names {
			at.Set(name, other.Get(name))
		}
		path, _, _ := strings.Cut(address, "?")
		_, _, err := end(t, p, kept, signIn(t, path+"?"+at.Encode(), "ada"))
		return err
	}
	if err := changed(); err != nil {
		t.Errorf("what nobody has changed: %v", err)
	}
	if err := changed("nonce"); !errors.Is(err, oidc.ErrToken) {
		t.Errorf("another nonce: %v", err)
	}
	if err := changed("code_challenge"); !errors.Is(err, oidc.ErrToken) {
		t.Errorf("another challenge: %v", err)
	}
}

func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func TestNobodyIsSentElsewhereAfterwards(t *testing.T) {
	t.Parallel()
	p := providers(t, time.Now, "ours", startOther(t))
	for next, want := range map[string]string{"": "/", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "evil": "/", "/a\r\nSet-Cookie: x": "/", "javascript:alert(1)": "/",
		"/" + strings.Repeat("x", 600): "/", "/%0d%0aa": "/%0d%0aa", "/desk/sales?of=1": "/desk/sales?of=1"} {
		address, kept := begin(t, p, next, "")
		f, err := p.Back("club", kept, query(t, address).Get("state"))
		if err != nil || f.Next != want {
			t.Errorf("%q leads to %q, %v", next, f.Next, err)
		}
	}
}

func TestAProviderThatIsAwayKeepsNobodyFromStarting(t *testing.T) {
	t.Parallel()
	o := startOther(t)
	away := func(name, issuer string) {
		t.Helper()
		if _, _, err := providers(t, time.Now, "ours", issuer).Begin(t.Context(), "club", "/", ""); !errors.Is(err, oidc.ErrAway) {
			t.Errorf("%s: %v", name, err)
		}
	}
	away("one that does not answer", "http://127.0.0.1:1/")
	away("one that says it is another", strings.Replace(o, "localhost", "127.0.0.1", 1))
	if _, _, err := providers(t, time.Now, "ours", o).Begin(t.Context(), "none", "/", ""); !errors.Is(err, oidc.ErrProvider) {
		t.Errorf("one that nobody knows: %v", err)
	}
	leaving, stop := stoppable(t)
	p := providers(t, time.Now, "ours", leaving)
	address, kept := begin(t, p, "/", "")
	back := signIn(t, address, "ada")
	stop()
	if _, _, err := end(t, p, kept, back); !errors.Is(err, oidc.ErrAway) {
		t.Errorf("one that is gone when somebody is back: %v", err)
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	away("one that answers without end", endless.URL)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer broken.Close()
	away("one that is broken", broken.URL)
}

func TestAFileOfProvidersThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	good := club("https://club.example", "ours")
	for want, change := range map[string][2]string{
		"title: want":             {`"The club"`, `" "`},
		"client: want":            {`"ours"`, `""`},
		"name: want":              {`"club",`, `"a/b",`},
		"issuer: want":            {"https://club.example", "http://club.example"},
		`not "club"`:              {"https://club.example", "club"},
		"secret_file: want":       {"club.secret", "../club.secret"},
		"reading its secret":      {"club.secret", "none.secret"},
		"empty.secret, is empty":  {"club.secret", "empty.secret"},
		`unknown field "secret"`:  {"secret_file", "secret"},
		"there is more behind it": {"]", "] []"},
		"is there twice":          {"]", "," + strings.Trim(good, "[]") + "]"},
		"unexpected EOF":          {"]", ""},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if _, err := written(t, text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "providers.json") {
			t.Errorf("%s is refused with %v, want %s", text, err, want)
		}
	}
	if all, err := oidc.Load(filepath.Join(t.TempDir(), "none.json")); err != nil || len(all) != 0 {
		t.Errorf("no file: %v, %v", all, err)
	}
	if _, err := oidc.New(nil, base, []byte("short"), time.Now); err == nil {
		t.Error("a short key is taken")
	}
}

// Whatever a browser sends as its cookie, or stands in the file, ends in an error of ours
// and in nothing else.
func FuzzWhatABrowserKeptIsOursOrRefused(f *testing.F) {
	p, err := oidc.New(nil, base, key, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", "")
	f.Add("AAAA", "x")
	f.Add(strings.Repeat("A", 100), "")
	f.Fuzz(func(t *testing.T, kept, state string) {
		if _, err := p.Back("club", kept, state); !errors.Is(err, oidc.ErrFlow) {
			t.Errorf("%q with %q: %v", kept, state, err)
		}
	})
}
