// Package mailbox is a mail server, and a gateway for text messages, for development and tests:
// it takes everything and delivers nothing. What came can be read in a browser, and by programs.
package mailbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// most is how many letters are kept: the newest.
const most = 200

// Letter is what came.
type Letter struct {
	ID      string    `json:"id"` // its Message-ID
	From    string    `json:"from"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html,omitempty"`
	Files   []File    `json:"files,omitempty"` // that go with it
	Header  string    `json:"header"`          // the lines before it, as they came
	At      time.Time `json:"at"`
}

// File goes with a letter.
type File struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Content []byte `json:"content"`
}

// Box is a mail server with what came.
type Box struct {
	// Refuse says how a letter to an address is refused; nil, or 0, takes it. It is for
	// tests and set before Serve.
	Refuse func(to string) (code int)

	mu  sync.Mutex // guards all
	all []Letter   // the newest last
}

// Letters are those that came, the newest first.
func (b *Box) Letters() []Letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Clone(b.all)
	slices.Reverse(all)
	return all
}

// Serve takes letters from ln until ctx ends.
func (b *Box) Serve(ctx context.Context, ln net.Listener) error {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }))
	s.Domain, s.MaxMessageBytes, s.MaxRecipients, s.EnableSMTPUTF8 = "localhost", 10<<20, 10, true
	s.ReadTimeout, s.WriteTimeout = time.Minute, time.Minute
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving the mailbox: %w", err)
	case <-ctx.Done():
		err := s.Close()
		_ = ln.Close() // which it does not know of yet, if it was not begun
		<-ended
		return err
	}
}

// session is one connection's letter, as it comes.
type session struct {
	box  *Box
	from string
	to   []string
}

func (s *session) Reset()        { s.from, s.to = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.box.Refuse != nil {
		if code := s.box.Refuse(to); code != 0 {
			return &smtp.SMTPError{Code: code, Message: "not now, or never"}
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return &smtp.SMTPError{Code: 554, Message: "this is no letter"}
	}
	var l Letter
	if err := l.read(textproto.MIMEHeader(m.Header), m.Body); err != nil {
		return &smtp.SMTPError{Code: 554, Message: "this letter cannot be read"}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		subject = m.Header.Get("Subject")
	}
	header, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	l.ID, l.From, l.To, l.Subject, l.Header, l.At = strings.Trim(m.Header.Get("Message-Id"), "<>"), s.from, strings.Join(s.to, ", "), subject, string(header), time.Now().UTC()
	s.box.keep(l)
	return nil
}

// keep keeps what came, and forgets what is old.
func (b *Box) keep(l Letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, l)
	if len(b.all) > most {
		b.all = b.all[1:]
	}
}

// text takes a text message, as a gateway does: to and text, in JSON.
func (b *Box) text(w http.ResponseWriter, r *http.Request) {
	var in struct{ To, Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil || in.To == "" || in.Text == "" {
		http.Error(w, "a text message has to and text", http.StatusBadRequest)
		return
	}
	b.keep(Letter{ID: r.Header.Get("Idempotency-Key"), To: in.To, Text: in.Text, At: time.Now().UTC()})
	w.WriteHeader(http.StatusAccepted)
}

// read reads a part of a letter, or all of it: its text, its HTML, and the files.
func (l *Letter) read(header textproto.MIMEHeader, r io.Reader) error {
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err == nil && strings.HasPrefix(media, "multipart/") {
		return l.parts(multipart.NewReader(r, params["boundary"]))
	}
	content, err := body(header.Get("Content-Transfer-Encoding"), r)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch how, params, _ := mime.ParseMediaType(header.Get("Content-Disposition")); {
	case how == "attachment":
		l.Files = append(l.Files, File{params["filename"], header.Get("Content-Type"), content})
	case media == "text/html":
		l.HTML = cmp.Or(l.HTML, text)
	default:
		l.Text = cmp.Or(l.Text, text)
	}
	return nil
}

func (l *Letter) parts(r *multipart.Reader) error {
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.read(part.Header, part); err != nil {
			return err
		}
	}
}

func body(encoding string, r io.Reader) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	}
	return io.ReadAll(r)
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Letters</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark } pre { white-space: pre-wrap; overflow-wrap: anywhere }</style>
<h1>Letters</h1>
{{range .}}<article><h2>{{.Subject}}</h2><p>to {{.To}}, {{.At.Format "15:04:05"}}</p><pre>{{.Text}}</pre>{{range .Files}}<p>with it: {{.Name}}, {{len .Content}} bytes</p>{{end}}</article>
{{else}}<p>None came yet.</p>{{end}}`))

// Handler shows what came: a page at /, and JSON at /letters. At /texts it is a gateway for
// text messages, of which it shows each that is handed over.
func (b *Box) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(w, b.Letters())
	})
	mux.HandleFunc("GET /letters", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(b.Letters())
	})
	mux.HandleFunc("POST /texts", b.text)
	return mux
}
