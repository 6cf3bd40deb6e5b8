// Package optin makes the links of letters by which somebody says yes, or no more: double
// opt-in, and one press that ends it (RFC 8058). A link that is followed asks; what it is
// about is done once a button is pressed.
package optin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/ropeline/ropeline/booking/wording"
)

// Step is what a link does once a button is pressed.
type Step string

// The steps.
const (
	Confirm Step = "confirm"
	Leave   Step = "leave"
)

// Keys makes the keys of links: whoever has one may do that one thing, and needs no sign-in.
type Keys struct {
	What   string // which links: one key is no key of others
	Path   string // where they lead, with a slash at its end
	Secret []byte
}

// Key is that of a step of what has an id.
func (k Keys) Key(id string, step Step) string {
	m := hmac.New(sha256.New, k.Secret)
	m.Write([]byte(k.What + "\x00" + string(step) + "\x00" + id))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// Opens reports whether a key is that of a step.
func (k Keys) Opens(id string, step Step, key string) bool {
	return (step == Confirm || step == Leave) && hmac.Equal([]byte(key), []byte(k.Key(id, step)))
}

// Link is where a step is taken, below a site.
func (k Keys) Link(site, id string, step Step) string {
	return site + k.Path + id + "/" + string(step) + "?key=" + k.Key(id, step)
}

// Words are what the page of a link says, in leads %s is what it is about.
type Words struct{ Heading, Lead, Button, Done, DoneLead string }

// Pages are the words of each step, by language; en is there.
type Pages map[string]map[Step]Words

// Page is what whoever follows a link sees: it asks, or says what was done. It needs no script.
func (p Pages) Page(language, about string, step Step, done bool) ([]byte, error) {
	words, ok := p[language][step]
	if !ok {
		words = p["en"][step]
	}
	q := wording.Question{Language: language, Heading: words.Heading, Lead: fmt.Sprintf(words.Lead, about), Button: words.Button}
	if done {
		q.Heading, q.Lead, q.Button = words.Done, fmt.Sprintf(words.DoneLead, about), ""
	}
	return q.Page()
}
