package mail_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/ropeline/ropeline/booking/mail"
)

// guarded is a mail server that takes letters only from who has said a password.
type guarded struct {
	once bool // it asks for no password, and ends a connection at its second letter

	mu    sync.Mutex // guards what follows
	heard []string
}

func (g *guarded) note(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard = append(g.heard, what)
}

func (g *guarded) NewSession(*smtp.Conn) (smtp.Session, error) { return &visit{guarded: g}, nil }

type visit struct {
	*guarded
	known bool
}

func (*visit) Reset()                   {}
func (*visit) Logout() error            { return nil }
func (*visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "ada" || password != "secret" {
			return errors.New("no")
		}
		v.known = true
		return nil
	}), nil
}

func (v *visit) Mail(string, *smtp.MailOptions) error {
	switch {
	case v.once && v.known:
		return &smtp.SMTPError{Code: 421, Message: "enough"}
	case v.once:
		v.known = true
	case !v.known:
		return smtp.ErrAuthRequired
	}
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.note(to)
	return nil
}

func (v *visit) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// A server that asks who we are is told so over TLS, from the first byte or by STARTTLS; one
// that nobody signs for hears nothing.
func TestAPasswordIsSaidOverTLSOnly(t *testing.T) {
	t.Parallel()
	house := httptest.NewTLSServer(nil) // for its certificate
	defer house.Close()
	ours := x509.NewCertPool()
	ours.AddCert(house.Certificate())
	for name, c := range map[string]struct {
		scheme string
		roots  *x509.CertPool
		plain  bool // the server has no TLS
		sent   bool
	}{
		"from the first byte": {"smtps", ours, false, true}, "by STARTTLS": {"smtp", ours, false, true},
		"from the first byte, and nobody signs for it": {"smtps", x509.NewCertPool(), false, false}, "by STARTTLS, and nobody signs for it": {"smtp", x509.NewCertPool(), false, false},
		"not at all": {"smtp", ours, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, g := open(t), &guarded{}
			secure := &tls.Config{Certificates: house.TLS.Certificates}
			s := smtp.NewServer(g)
			s.AllowInsecureAuth, s.ErrorLog = c.plain, log.New(io.Discard, "", 0)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := ln.Addr().String()
			switch {
			case c.scheme == "smtps":
				ln = tls.NewListener(ln, secure)
			case !c.plain:
				s.TLSConfig = secure
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(ln) }()
			defer func() { <-served }()
			defer func() { _ = s.Close() }()

			server, err := mail.ParseServer(c.scheme + "://ada@" + address)
			if err != nil {
				t.Fatal(err)
			}
			server.Password = "secret"
			sender, err := mail.NewSender(r.store, server.Trusting(c.roots), "tickets@example.org", mail.Every, nil, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			r.write(false, "bert@example.org")
			r.until(sender.Run, func() bool { return r.count(`select count(*) from mails where state = 'sent' or problem <> ''`) == 1 })
			g.mu.Lock()
			defer g.mu.Unlock()
			if c.sent && (r.states() != "sent" || !slices.Equal(g.heard, []string{"bert@example.org"})) || !c.sent && (r.states() != "due*" || len(g.heard) != 0) {
				t.Errorf("the letter is %s, and the server heard %v", r.states(), g.heard)
			}
		})
	}
}
