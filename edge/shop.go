package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/passage"
	"github.com/ropeline/ropeline/edge/relay"
)

// The reverse proxy in front of shops that are not ours.

func newPools(routes *passage.Table) (map[*passage.Host]*relay.Pool, error) {
	pools := map[*passage.Host]*relay.Pool{}
	if routes == nil {
		return pools, nil
	}
	for _, h := range routes.Hosts {
		if h.Upstream == nil {
			continue
		}
		secure, err := secureTo(h)
		if err != nil {
			return nil, fmt.Errorf("the routes of %s: %w", h.Names[0], err)
		}
		address := h.Upstream.Host
		if h.Upstream.Port() == "" {
			port := ":80"
			if secure != nil {
				port = ":443"
			}
			address += port
		}
		pools[h] = relay.New(address, secure, h.Connections)
	}
	return pools, nil
}

// secureTo is how the certificate of an https upstream is checked: by its name in
// the routes, and the system's authorities or those of the host's file.
func secureTo(h *passage.Host) (*tls.Config, error) {
	if h.Upstream.Scheme != "https" {
		return nil, nil
	}
	c := &tls.Config{ServerName: h.Upstream.Hostname(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if h.CA == "" {
		return c, nil
	}
	text, err := os.ReadFile(h.CA)
	if err != nil {
		return nil, fmt.Errorf("reading its authorities: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", h.CA)
	}
	return c, nil
}

// pass lets a request through to its shop, or says why not.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, p passage.Passage) error {
	toll := s.tolls.at(p)
	e, err := s.judge(p, r.Header)
	if err != nil {
		e, err = s.caught(w, r, p, err)
	}
	if err != nil {
		toll.turned(err)
		return s.refuse(w, r, p, r.Method, err, true)
	}
	v := &errand{s: s, w: w, r: r, p: p, e: e, toll: toll}
	defer v.sent() // if it was not
	pool := s.shops[p.Host]
	if pool == nil {
		toll.count(outRefused)
		return passage.ErrRouteClosed // a proxy of theirs is in front of it, and not asked
	}
	s.prolong(w, r, e)
	w.Header().Del("X-Content-Type-Options") // the shop's business
	v.began = time.Now()
	err = pool.Forward(w, relay.Call{
		In: r, Target: p.Path.Target(), Body: p.Route.Body, Timeout: p.Route.Timeout,
		Skip: staysHere, Extra: s.speaks(w, r, p, e),
		Sent: v.sent, Answered: v.answered, Still: v.still,
	})
	if err != nil {
		toll.unanswered(err)
	}
	if errors.Is(err, relay.ErrAway) || errors.Is(err, relay.ErrSilent) {
		if shopFailed(r.Method, http.StatusBadGateway) {
			s.owe(e.claims)
		}
	}
	return err
}

// errand is one request that was let through to its shop.
type errand struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	p     passage.Passage
	e     entry
	toll  *toll
	began time.Time
}

// sent gives a newcomer the token while the shop works already.
func (v *errand) sent() {
	if err := v.s.welcome(v.w, v.r, &v.e); err != nil {
		v.s.log.Warn("a newcomer got no token", "sale", v.e.claims.Sale, "session", v.e.claims.Session, "err", err)
	}
}

// staysHere reports whether a client's header does not reach the shop: what only
// we may say, what would let a framework take path or method from elsewhere, and
// names with "_", which CGI cannot tell from "-". Cookies are written anew.
func staysHere(name string) bool {
	switch name {
	case "Cookie", "Forwarded", "Ropeline-Session", "X-Real-Ip", requestID,
		"X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override":
		return true
	}
	for _, prefix := range []string{"X-Ropeline-", "X-Forwarded-", "X-Original-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.Contains(name, "_")
}

// speaks is what we tell the shop of a request, as name, value, name, …
func (s *Server) speaks(w http.ResponseWriter, r *http.Request, p passage.Passage, e entry) []string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if from, ok := parseAddress(r.RemoteAddr); ok && within(from, s.config.TrustedProxies) && r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	said := append(make([]string, 0, 20),
		"Cookie", shopCookies(r.Header),
		"X-Forwarded-Host", r.Host, "X-Forwarded-Proto", scheme, requestID, w.Header().Get(requestID),
		headerSale, string(p.Host.Sale), headerSession, e.claims.Session, headerPlace, string(e.claims.Place),
	)
	if client := s.client(r); client.IsValid() {
		said = append(said, "X-Forwarded-For", client.String())
	}
	if e.blind {
		said = append(said, headerGate, "blind")
	}
	return said
}

// shopCookies is a request's cookies without ours.
func shopCookies(h http.Header) string {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return ""
	}
	var kept []string
	for _, line := range lines {
		if !strings.Contains(line, "ropeline_") {
			kept = append(kept, line)
			continue
		}
		for pair := range strings.SplitSeq(line, ";") {
			if pair = strings.TrimSpace(pair); pair != "" && !strings.HasPrefix(strings.TrimPrefix(pair, "__Host-"), "ropeline_") {
				kept = append(kept, pair)
			}
		}
	}
	return strings.Join(kept, "; ")
}

// answered takes what is meant for us out of a shop's answer: what becomes of the
// session of the request that is answered, and of no other.
func (v *errand) answered(status int, h http.Header) {
	s, w, r, c := v.s, v.w, v.r, v.e.claims
	v.toll.answered(status, time.Since(v.began))
	says := wishOf(h)
	h.Del(requestID) // ours is set already
	for name := range h {
		if strings.HasPrefix(name, "X-Ropeline-") {
			delete(h, name)
		}
	}
	if says.reentry || shopFailed(r.Method, status) {
		s.owe(c)
	}
	if !says.end || c.Session == "" {
		return
	}
	w.Header().Del("Set-Cookie") // a token that was renewed in passing
	s.dropCookie(w, token.Cookie(c.Sale), "/")
	s.endOf(c)
}

// still says whether somebody who came in may stay connected: their session goes on.
// A WebSocket asks for no new token, so the session is renewed here; its slot is not
// counted beyond its newest token.
func (v *errand) still() bool {
	s, c := v.s, &v.e.claims
	if c.Session == "" {
		return true
	}
	over, err := s.config.Sight.Ended(c.Session)
	if err != nil {
		return v.p.Route.Fail == passage.FailOpen
	}
	now := s.now()
	if over || !now.Before(c.Expires) {
		return false
	}
	if now.Before(c.IssuedAt.Add(c.Expires.Sub(c.IssuedAt) / 2)) {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), renewPatience)
	defer cancel()
	if session, err := s.store.Renew(ctx, c.Sale, c.Place); err == nil && session.ID == c.Session {
		c.IssuedAt, c.Expires = session.IssuedAt, session.ExpiresAt
	}
	return true
}

const renewPatience = time.Second

//go:embed trouble.html
var troubleSource string

var troublePage = template.Must(template.New("trouble").Parse(troubleSource))

// refuseShopper answers somebody at a shop's host with what is wrong: whoever opens a
// page with one that people can read, and that tries again by itself.
func (s *Server) refuseShopper(w http.ResponseWriter, r *http.Request, err error) {
	if !opensPage(r.Method, r.Header) || errors.Is(err, context.Canceled) {
		s.fail(w, r, err)
		return
	}
	problem, retry := ropeline.ProblemOf(err)
	var page bytes.Buffer
	if troublePage.Execute(&page, struct {
		Head    template.HTML
		Problem ropeline.Problem
		Again   bool
	}{s.pages.head(), problem, retry > 0}) != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	if retry > 0 {
		h.Set("Retry-After", ropeline.RetryAfter(retry))
		h.Set("Refresh", ropeline.RetryAfter(retry))
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	w.WriteHeader(problem.Status)
	_, _ = w.Write(page.Bytes()) // the client may be gone
	if problem.Status >= http.StatusInternalServerError {
		s.log.Warn("a shop's page failed", "request", h.Get(requestID), "path", r.URL.Path, "status", problem.Status, "err", err)
	}
}
