package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Text is a text message to a phone. Whoever is handed the same id again sends nothing more.
type Text struct{ ID, To, Text string }

// Texter hands text messages to whoever sends them. It fails with a TextError where it knows
// what is to be done.
type Texter interface {
	Text(ctx context.Context, t Text) error
}

// TextError is of a text message that was not taken.
type TextError struct {
	Status int
	Final  bool          // it never will be
	After  time.Duration // not before; 0: nobody has said
}

func (e *TextError) Error() string { return "the gateway answered with " + strconv.Itoa(e.Status) }

// Gateway is a provider of text messages that is asked by HTTP, in whichever form it wants.
type Gateway struct {
	client  *http.Client
	url     string
	headers map[string]string
	body    any
	secret  string
}

// gatewayFile is how one is described.
type gatewayFile struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
	Secret  string            `json:"secret_file"`
}

const (
	// gatewayPatience is how long a gateway may take.
	gatewayPatience = 20 * time.Second
	// mostAnswer is how much of an answer is read, so that its connection is used again.
	mostAnswer = 64 << 10
)

// OpenGateway reads the description of a gateway: its address, and headers and a body in whose
// texts {to}, {text}, {id} and {secret} are put in.
func OpenGateway(path string) (*Gateway, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the gateway of text messages: %w", err)
	}
	var f gatewayFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("reading the gateway of text messages: %s: %w", path, err)
	}
	g := &Gateway{url: f.URL, headers: f.Headers, body: f.Body, client: &http.Client{Timeout: gatewayPatience,
		// What an answer leads to is nobody that we know: it would get the secret.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if f.Secret != "" {
		if !filepath.IsAbs(f.Secret) {
			f.Secret = filepath.Join(filepath.Dir(path), f.Secret)
		}
		secret, err := os.ReadFile(f.Secret)
		if err != nil {
			return nil, fmt.Errorf("reading the secret of the gateway: %w", err)
		}
		g.secret = strings.TrimSpace(string(secret))
	}
	if err := g.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

func (g *Gateway) check() error {
	u, err := url.Parse(g.url)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !net.ParseIP(u.Hostname()).IsLoopback()) {
		return errors.New("url: a gateway is an address as https://sms.example.org/messages, without a password in it")
	}
	body, err := json.Marshal(g.body)
	if err != nil {
		return err
	}
	for _, name := range []string{"{to}", "{text}"} {
		if !bytes.Contains(body, []byte(name)) {
			return fmt.Errorf("body: there is no %s in it", name)
		}
	}
	all := string(body)
	for name, value := range g.headers {
		if strings.Contains(value, "{to}") || strings.Contains(value, "{text}") {
			return fmt.Errorf("headers: %s: {to} and {text} belong into the body", name)
		}
		all += value
	}
	if !strings.Contains(all, "{id}") {
		return errors.New("there is no {id}, by which a gateway knows that a message comes again: put it into a header, as Idempotency-Key, or into the body")
	}
	if strings.Contains(all, "{secret}") != (g.secret != "") {
		return errors.New("secret_file: it is named, and not empty, where {secret} is put in, and only there")
	}
	return nil
}

// Text hands a text message over.
func (g *Gateway) Text(ctx context.Context, t Text) error {
	put := strings.NewReplacer("{to}", t.To, "{text}", t.Text, "{id}", t.ID, "{secret}", g.secret) // once: what is put in is text
	body, err := json.Marshal(fillIn(g.body, put))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range g.headers {
		r.Header.Set(name, put.Replace(value))
	}
	res, err := g.client.Do(r)
	if err != nil {
		return errGatewayAway
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, mostAnswer)) // it said what it thinks
	if res.StatusCode/100 == 2 {
		return nil
	}
	e := &TextError{Status: res.StatusCode}
	switch {
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable:
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			e.After = min(time.Duration(seconds)*time.Second, lastDelay)
		}
	case res.StatusCode == http.StatusRequestTimeout || res.StatusCode == http.StatusTooEarly || res.StatusCode == http.StatusConflict || res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		// Ours to mend, or over soon: another try may be taken.
	case res.StatusCode/100 == 4:
		e.Final = true
	}
	return e
}

// errGatewayAway says nothing of the request: it has the secret and the number.
var errGatewayAway = errors.New("the gateway cannot be reached")

// fillIn puts values into the texts of a document.
func fillIn(document any, put *strings.Replacer) any {
	switch v := document.(type) {
	case string:
		return put.Replace(v)
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			out[i] = fillIn(each, put)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, each := range v {
			out[name] = fillIn(each, put)
		}
		return out
	}
	return document
}
