// Package elsewhere is a server of OpenID Connect with accounts in it, for tests: the
// example server of a certified library, on an address of this machine.
package elsewhere

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Everybody's password there, and what clients show beside their name.
const (
	Password = "verysecure"
	Secret   = "secret"
)

// User has an account there; its id is its name.
type User struct {
	Name, Email string
	Verified    bool // the address is theirs, the server says
}

// users are found by their name.
type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User         { return u[id] }
func (u users) GetUserByUsername(name string) *storage.User { return u[name] }
func (u users) ExampleClientID() string                     { return "service" }

// Issuer is what a server on a listener of this machine is called.
func Issuer(ln net.Listener) (string, error) {
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return "", fmt.Errorf("naming an issuer: %w", err)
	}
	return "http://localhost:" + port + "/", nil // the example calls no other host its own
}

// New is a server with these accounts. Its clients are called by the keys of back, which
// says where each is sent back to.
func New(issuer string, back map[string]string, all ...User) http.Handler {
	known := users{}
	for _, u := range all {
		known[u.Name] = &storage.User{ID: u.Name, Username: u.Name, Password: Password, FirstName: "Test", LastName: "User", Email: u.Email, EmailVerified: u.Verified}
	}
	clients := map[string]*storage.Client{}
	for name, to := range back {
		clients[name] = storage.WebClient(name, Secret, to)
	}
	return exampleop.SetupServer(issuer, storage.NewStorageWithClients(known, clients), nil, false, op.WithAllowInsecure())
}

var formID = regexp.MustCompile(`name="id" value="([^"]*)"`)

// errBack ends the walk of a browser where it is sent back.
var errBack = errors.New("sent back")

// SignIn does what somebody's browser does from the address to which it is sent until it
// is sent back to another host, and returns that address.
func SignIn(address, user string) (back *url.URL, err error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("signing in elsewhere: %w", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("signing in elsewhere: %w", err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != at.Host {
			back = r.URL
			return errBack
		}
		return nil
	}}
	id, err := form(browser, address)
	if err != nil {
		return nil, fmt.Errorf("signing in elsewhere: %w", err)
	}
	done, err := browser.PostForm(at.Scheme+"://"+at.Host+"/login/username", url.Values{"id": {id}, "username": {user}, "password": {Password}})
	if back != nil {
		return back, nil
	}
	if err != nil {
		return nil, fmt.Errorf("signing in elsewhere: %w", err)
	}
	return nil, errors.Join(fmt.Errorf("signing in elsewhere: nobody was sent back: %s", done.Status), done.Body.Close())
}

// form is the id of a sign-in, from the form that the server shows.
func form(browser *http.Client, address string) (string, error) {
	page, err := browser.Get(address)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(page.Body)
	if err := errors.Join(err, page.Body.Close()); err != nil {
		return "", err
	}
	id := formID.FindSubmatch(text)
	if id == nil {
		return "", fmt.Errorf("there is no form: %s %s", page.Status, text)
	}
	return string(id[1]), nil
}
