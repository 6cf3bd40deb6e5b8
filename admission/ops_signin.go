package admission

import (
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/badge"
)

// staffPaths are where the cookie of a key goes: the operations, and what the booking
// core has for staff, of which the counter takes it.
var staffPaths = []string{opsPath, "/api/v1/organizer"}

// keyLife is how long a browser keeps a key.
const keyLife = 12 * time.Hour

// WithBadges lets SREs in who signed in to an account, by what a booking core says of them.
func (o *Ops) WithBadges(v *badge.Verifier) *Ops {
	o.badges = v
	return o
}

// whoIs finds who of the staff a request comes from: by a key in the header, which counts; by
// the badge of an account; or by the key of who signed in on our page. A badge that is over
// hides no key.
func (o *Ops) whoIs(r *http.Request) (Member, error) {
	if key := ropeline.Bearer(r.Header.Get("Authorization")); key != "" {
		return o.staff.Find(key)
	}
	var worn error = ropeline.ErrStaffRequired
	if c, err := r.Cookie(ropeline.BadgeCookie); err == nil && o.badges != nil {
		b, err := o.badges.Verify(c.Value)
		if err == nil {
			return Member{Name: b.Who, Role: b.Role, until: b.Expires}, nil
		}
		worn = err
	}
	if c, err := r.Cookie(ropeline.StaffCookie); err == nil {
		return o.staff.Find(c.Value)
	}
	return Member{}, worn
}

func (o *Ops) signIn(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Key string `json:"key"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	m, err := o.staff.Find(body.Key)
	if err != nil {
		return err
	}
	o.log.Info("staff signed in", "who", m.Name, "role", m.Role)
	setStaffCookies(w, body.Key, keyLife)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (o *Ops) signOut(w http.ResponseWriter, _ *http.Request) error {
	setStaffCookies(w, "", -time.Second)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// setStaffCookies keeps a key in the browser, or none, and takes the badge off: whoever shows
// a key is who has it.
func setStaffCookies(w http.ResponseWriter, key string, life time.Duration) {
	set := func(name, value, path string, life time.Duration) {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: path, MaxAge: int(life.Seconds()),
			HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode})
	}
	for _, path := range staffPaths {
		set(ropeline.StaffCookie, key, path, life)
	}
	set(ropeline.BadgeCookie, "", opsPath, -time.Second)
}

// signedIn is who of the staff somebody is here.
type signedIn struct {
	Who string `json:"who"` // as it is written down what they do
	By  string `json:"by"`  // key, or account
	// Left is how many seconds an account's badge is good; its page gets another before.
	Left int64 `json:"left,omitempty"`
}

func (o *Ops) showSignIn(w http.ResponseWriter, r *http.Request) error {
	m := member(r)
	doc := signedIn{Who: m.Name, By: "key"}
	if !m.until.IsZero() {
		doc.By, doc.Left = "account", max(int64(time.Until(m.until)/time.Second), 1)
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}
