package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	gomail "github.com/wneessen/go-mail"
)

const (
	// Every is how often a Sender looks for what is due.
	Every = time.Second
	// patience is how long the mail server may take for a batch.
	patience = time.Minute
	// batch is how many letters one connection carries.
	batch = 20
)

// Server is the mail server that letters are handed to.
type Server struct {
	host     string
	port     int
	tls      bool // from the first byte; else STARTTLS, if there is a user or the server offers it
	user     string
	Password string
}

// ParseServer reads smtp://user@host:587 or smtps://user@host:465. A server that asks who
// we are is talked to over TLS only.
func ParseServer(text string) (Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return Server{}, errors.New("a mail server is smtp://user@host:587 or smtps://user@host:465")
	}
	if _, said := u.User.Password(); said {
		return Server{}, errors.New("the password of the mail server does not belong into its address: give a file")
	}
	s := Server{host: u.Hostname(), port: 587, tls: u.Scheme == "smtps", user: u.User.Username()}
	if s.tls {
		s.port = 465
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return Server{}, fmt.Errorf("a mail server has no port %s", p)
		}
	}
	return s, nil
}

func (s Server) client() (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(15 * time.Second)}
	switch {
	case s.tls:
		options = append(options, gomail.WithSSL())
	case s.user != "":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	}
	if s.user != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.user), gomail.WithPassword(s.Password))
	}
	return gomail.NewClient(s.host, options...)
}

// Sender hands over what is due. Several may run.
type Sender struct {
	store  *Store
	server Server
	from   string
	every  time.Duration
	log    *slog.Logger

	tries       *prometheus.CounterVec
	due, oldest prometheus.Gauge
}

// NewSender returns a Sender for letters from an address, that looks every so often.
func NewSender(s *Store, server Server, from string, every time.Duration, reg prometheus.Registerer, log *slog.Logger) (*Sender, error) {
	if _, err := mail.ParseAddress(from); err != nil {
		return nil, fmt.Errorf("letters cannot come from %q: %w", from, err)
	}
	add := promauto.With(reg)
	out := &Sender{store: s, server: server, from: from, every: every, log: log,
		tries: add.NewCounterVec(prometheus.CounterOpts{Name: "ropeline_mail_tries_total",
			Help: "Times that a letter was sent, by whether the mail server took it (yes) or not (no)."}, []string{"taken"}),
		due: add.NewGauge(prometheus.GaugeOpts{Name: "ropeline_mail_due", Help: "Letters that are still to be sent."}),
		oldest: add.NewGauge(prometheus.GaugeOpts{Name: "ropeline_mail_oldest_seconds",
			Help: "How old the oldest letter is that is still to be sent."}),
	}
	out.tries.WithLabelValues("yes")
	out.tries.WithLabelValues("no")
	return out, nil
}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) error {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var swept time.Time
	for {
		if err := s.round(ctx, &swept); err != nil && ctx.Err() == nil {
			s.log.Warn("letters are not sent", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round sends what is due.
func (s *Sender) round(ctx context.Context, swept *time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	due, oldest, err := s.store.waiting(ctx)
	if err != nil {
		return err
	}
	s.due.Set(float64(due))
	s.oldest.Set(oldest)
	if time.Since(*swept) > time.Hour {
		*swept = time.Now()
		if err := s.store.forget(ctx); err != nil {
			return err
		}
	}
	for due > 0 {
		parcels, err := s.store.take(ctx, batch)
		if err != nil || len(parcels) == 0 {
			return err
		}
		s.hand(ctx, parcels)
	}
	return nil
}

// hand sends letters over one connection. Where that cannot be had each is tried again.
func (s *Sender) hand(ctx context.Context, parcels []parcel) {
	client, err := s.server.client()
	if err == nil {
		err = client.DialWithContext(ctx)
	}
	if err == nil {
		defer func() { _ = client.Close() }() // the letters are taken, or not, whatever it says to QUIT
	}
	for _, p := range parcels {
		o := outcome{problem: "the mail server cannot be reached"}
		if err == nil {
			o = s.send(client, p)
		}
		if ctx.Err() != nil && o.problem != "" {
			return // we end: it is due again when its lease is over
		}
		s.tries.WithLabelValues(map[bool]string{true: "yes", false: "no"}[o.problem == ""]).Inc()
		if o.problem != "" {
			s.log.Debug("a letter was not taken", "letter", p.id, "try", p.tries, "problem", o.problem, "err", err)
		}
		if err := s.note(ctx, p, o); err != nil {
			s.log.Warn("a letter may be sent again", "letter", p.id, "err", err)
		}
	}
	if err != nil {
		s.log.Warn("the mail server cannot be reached", "err", err)
	}
}

// note writes down what came of a try, even if we end.
func (s *Sender) note(ctx context.Context, p parcel, o outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.store.tried(ctx, p, o)
}

func (s *Sender) send(client *gomail.Client, p parcel) outcome {
	if err := p.read(s.store.seal); err != nil {
		return outcome{"it cannot be read", true}
	}
	m := gomail.NewMsg()
	if err := errors.Join(m.From(s.from), m.To(p.To)); err != nil {
		return outcome{"its address is none", true}
	}
	m.Subject(p.Subject)
	m.SetMessageIDWithValue(p.id + "@" + hostOf(s.from))
	m.SetDate()
	m.SetGenHeader("Auto-Submitted", "auto-generated") // so that no robot answers
	m.SetBodyString(gomail.TypeTextPlain, p.Text)
	err := client.Send(m)
	if err == nil {
		return outcome{}
	}
	if e, ok := errors.AsType[*gomail.SendError](err); ok && !e.IsTemp() && e.ErrorCode() >= 500 {
		return outcome{"the mail server refused it for good, with " + strconv.Itoa(e.ErrorCode()), true}
	}
	return outcome{"the mail server did not take it", false}
}

// hostOf is the domain of an address that may have a name before it.
func hostOf(from string) string {
	a, err := mail.ParseAddress(from)
	if err != nil { // NewSender has read it
		return "localhost"
	}
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}
