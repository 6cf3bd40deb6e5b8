package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	gomail "github.com/wneessen/go-mail"

	"github.com/ropeline/ropeline/internal/batch"
)

const (
	// Every is how often a Sender looks whether it has not heard of a letter, and counts them.
	Every = time.Second
	// patience is how long a letter may take, also where the mail server is slow: ten answers of
	// 40 s, from its greeting over STARTTLS and our password to the end of the letter.
	patience = 7 * time.Minute
	// drawing is how long what goes with a letter may take to be made.
	drawing = 20 * time.Second
	// farewell is how long a Sender that ends waits for it.
	farewell = 5 * time.Second
	// sulk is for how long a mail server that could not be reached is not asked again: who is
	// left waiting by one that is dead holds up nobody else.
	sulk = 5 * time.Second

	// Hands is how many letters are handed over at a time that somebody waits for, bulkHands how
	// many of the others: so many connections has the mail server, at most. Others are fetched
	// meanwhile, so that Postgres is asked for several together: abreast of them. A letter takes
	// 13 ms from being fetched to being written down, so 32 of them were 2,400 a second; of a
	// server that takes a minute over each, the last of 96 has its turn within patience.
	Hands, bulkHands = 16, 4
	abreast          = 6 * Hands
	// textHands is how many text messages are handed over at a time: gateways take a few a second.
	textHands = 4
	// pause is for how long letters gather that are fetched together; bulkPause bounds those that
	// go to many to bulkHands in it, which is 200 a second.
	pause, bulkPause = 5 * time.Millisecond, 20 * time.Millisecond
)

// Server is the mail server that letters are handed to.
type Server struct {
	host     string
	port     int
	tls      bool // from the first byte; else STARTTLS, if there is a user or the server offers it
	user     string
	Password string

	roots *x509.CertPool // that sign for it; nil: those of the machine
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

// client is go-mail's, over a connection of ours, that may be encrypted already.
func (s Server) client(connect gomail.DialContextFunc) (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(reach), gomail.WithDialContextFunc(connect), gomail.WithTLSConfig(s.secure())}
	switch {
	case s.tls:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
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

func (s Server) secure() *tls.Config {
	return &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
}

// Sender hands over what is due. Several may run.
type Sender struct {
	// Writer writes the letters of what has happened; nil: whoever else sends them does. It is
	// set before Run.
	Writer Writer
	// Encloser makes what goes with letters; nil: nothing does. It is set before Run.
	Encloser Encloser
	// Texter hands over text messages; nil: nobody does, and they are given up in their time. It
	// is set before Run.
	Texter Texter

	store  *Store
	server Server
	from   string
	every  time.Duration
	log    *slog.Logger
	lines  *lines
	behind atomic.Int64  // how many letters were due a moment ago
	hands  chan struct{} // one for each letter that is handed over, of those that somebody waits for

	tries       *prometheus.CounterVec
	due, oldest prometheus.Gauge
}

// NewSender returns a Sender for letters from an address, that looks every so often for what
// it has not heard of.
func NewSender(s *Store, server Server, from string, every time.Duration, reg prometheus.Registerer, log *slog.Logger) (*Sender, error) {
	if _, err := mail.ParseAddress(from); err != nil {
		return nil, fmt.Errorf("letters cannot come from %q: %w", from, err)
	}
	add := promauto.With(reg)
	out := &Sender{store: s, server: server, from: from, every: every, log: log, lines: &lines{server: server, answer: answer}, hands: make(chan struct{}, Hands),
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
	defer s.lines.close()
	for {
		err := s.work(ctx)
		if ctx.Err() != nil {
			if err != nil {
				s.log.Warn("letters may be sent again", "err", err)
			}
			return nil
		}
		s.log.Warn("letters are not sent", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.every):
		}
	}
}

// work has river's jobs done until ctx ends.
func (s *Sender) work(ctx context.Context) error {
	books := newBooks(s.store)
	defer books.close()
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{sender: s, books: books}); err != nil {
		return fmt.Errorf("sending letters: %w", err)
	}
	if s.Writer != nil {
		if err := river.AddWorkerSafely(workers, &scribe{sender: s}); err != nil {
			return fmt.Errorf("writing letters: %w", err)
		}
	}
	client, err := river.NewClient(riverpgxv5.New(s.store.db), &river.Config{
		Workers: workers, Logger: slog.New(quiet{s.log.Handler()}), JobTimeout: patience, FetchPollInterval: max(s.every, pause, bulkPause), FetchCooldown: pause,
		ReindexerIndexNames: indexes(), RescueStuckJobsAfter: lease, CompletedJobRetentionPeriod: time.Hour, FetchOnlyKnownKinds: true,
		Queues: map[string]river.QueueConfig{letters: {MaxWorkers: abreast}, bulk: {MaxWorkers: bulkHands, FetchCooldown: bulkPause}, texts: {MaxWorkers: textHands}},
	})
	if err != nil {
		return fmt.Errorf("sending letters: %w", err)
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("sending letters: %w", err)
	}
	s.watch(ctx)
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if client.Stop(soon) == nil {
		return nil
	}
	return client.StopAndCancel(context.WithoutCancel(ctx))
}

// indexes are river's, but for two that migration 79 has taken away.
func indexes() []string {
	return slices.DeleteFunc(river.ReindexerIndexNamesDefault(), func(name string) bool {
		return name == "river_job_args_index" || name == "river_job_metadata_index"
	})
}

// watch counts letters until ctx ends.
func (s *Sender) watch(ctx context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var swept time.Time
	for {
		s.lines.tidy()
		due, oldest, err := s.store.waiting(ctx)
		if err == nil && s.Texter != nil {
			err = s.store.SayTexting(ctx)
		}
		if err == nil {
			s.due.Set(float64(due))
			s.behind.Store(int64(due))
			s.oldest.Set(oldest)
			if time.Since(swept) > time.Hour {
				swept = time.Now()
				err = s.store.sweep(ctx)
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("letters are not counted", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// books write down what several workers have to say, together.
type books struct {
	claims *batch.Gatherer[string, claimed]
	tries  *batch.Gatherer[attempt, struct{}]
}

func newBooks(s *Store) *books {
	return &books{
		claims: batch.New(abreast, 10*abreast, 10*time.Second, func(ctx context.Context, ids []string) []batch.Result[claimed] {
			all, err := s.claim(ctx, ids)
			out := make([]batch.Result[claimed], len(ids))
			for i, id := range ids {
				out[i] = batch.Result[claimed]{Value: all[id], Err: err}
				if all[id].ok { // it was taken once, and two jobs may have asked
					all[id] = claimed{wait: firstDelay}
				}
			}
			return out
		}),
		tries: batch.New(abreast, 10*abreast, 10*time.Second, func(ctx context.Context, all []attempt) []batch.Result[struct{}] {
			out := make([]batch.Result[struct{}], len(all))
			err := s.tried(ctx, all)
			for i, a := range all {
				if err != nil && len(all) > 1 { // what was in the way of one is not in the way of all
					err = s.tried(ctx, []attempt{a})
				}
				out[i].Err = err
			}
			return out
		}),
	}
}

func (b *books) close() {
	b.claims.Close()
	b.tries.Close()
}

// worker does jobs.
type worker struct {
	river.WorkerDefaults[letter]
	sender *Sender
	books  *books
}

// Work sends a letter, if it may be sent now.
func (w *worker) Work(ctx context.Context, job *river.Job[letter]) error {
	began := time.Now()
	c, err := w.books.claims.Do(ctx, job.Args.ID)
	if err != nil {
		return err
	}
	wait := c.wait
	if c.ok {
		if wait, err = w.hand(ctx, c.parcel, job.Queue); err != nil {
			return err
		}
	}
	if wait == 0 {
		return nil
	}
	// River reckons from our clock, and compares with Postgres's, by which it was attempted.
	next := job.AttemptedAt.Add(time.Since(began) + wait)
	return river.JobSnooze(max(0, time.Until(next)))
}

// hand sends a letter, and says in how long somebody is to look at it again.
func (w *worker) hand(ctx context.Context, p parcel, queue string) (wait time.Duration, err error) {
	s := w.sender
	if queue == letters {
		select {
		case s.hands <- struct{}{}:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return lease - patience, nil // its turn has not come: it is due again when its lease is over
			}
			return 0, ctx.Err()
		}
	}
	o := s.send(ctx, p)
	if queue == letters {
		<-s.hands
	}
	if ctx.Err() != nil && o.problem != "" {
		return 0, ctx.Err() // we end: it is due again when its lease is over
	}
	s.tries.WithLabelValues(map[bool]string{true: "yes", false: "no"}[o.problem == ""]).Inc()
	a := attempt{p, o}
	if o.problem != "" {
		s.log.Debug("a letter was not taken", "letter", p.id, "try", p.tries, "problem", o.problem)
	}
	if o.problem != "" && !o.final {
		wait = a.delay() // if it was given up by then, that is all there is to see
	}
	// It is written down even if we end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if _, err = w.books.tries.Do(ctx, a); err != nil {
		s.log.Warn("a letter may be sent again", "letter", p.id, "err", err)
	}
	return wait, err
}

// scribe has letters written.
type scribe struct {
	river.WorkerDefaults[Cause]
	sender *Sender
}

const (
	// stale is how old what happened may be when it is first told.
	stale = 3 * 24 * time.Hour
	// ahead is how many letters may be due before those that go to many are written: while the
	// mail server is away what is left of 100,000 is jobs of 300 bytes, not letters of 8 KB.
	ahead, later = 20_000, 10 * time.Second
)

// Work writes the letter of a cause, unless all that is long ago: no mail server was named.
func (s *scribe) Work(ctx context.Context, job *river.Job[Cause]) error {
	if time.Since(job.CreatedAt) > stale {
		return nil
	}
	if job.Queue == bulk && s.sender.behind.Load() > ahead {
		return river.JobSnooze(later)
	}
	return s.sender.Writer.Write(ctx, job.Args)
}

func (s *Sender) send(ctx context.Context, p parcel) outcome {
	if err := p.read(s.store.seal); err != nil {
		return outcome{problem: "it cannot be read", final: true}
	}
	if p.Phone != "" {
		return s.text(ctx, p)
	}
	m, err := s.compose(p)
	if err != nil {
		return outcome{problem: "its address is none", final: true}
	}
	if err := s.enclose(ctx, p, m); err != nil {
		s.log.Warn("what goes with a letter cannot be made", "letter", p.id, "try", p.tries, "err", err)
		if p.tries < bare {
			return outcome{problem: "what goes with it could not be made"}
		}
	}
	err = s.lines.send(ctx, m)
	if err == nil {
		return outcome{}
	}
	if code := refusal(err); code >= 500 {
		return outcome{problem: "the mail server refused it for good, with " + strconv.Itoa(code), final: true}
	}
	if errors.Is(err, errNoLine) {
		s.log.Warn("the mail server cannot be reached", "err", err)
		return outcome{problem: "the mail server cannot be reached"}
	}
	return outcome{problem: "the mail server did not take it"}
}

// text hands a text message over.
func (s *Sender) text(ctx context.Context, p parcel) outcome {
	if s.Texter == nil {
		return outcome{problem: "there is no gateway for text messages"}
	}
	err := s.Texter.Text(ctx, Text{ID: p.id, To: p.Phone, Text: p.Text})
	if err == nil {
		return outcome{}
	}
	if e, ok := errors.AsType[*TextError](err); ok {
		if e.Final {
			return outcome{problem: "the gateway refused it for good, with " + strconv.Itoa(e.Status), final: true}
		}
		return outcome{problem: "the gateway answered with " + strconv.Itoa(e.Status), after: e.After}
	}
	s.log.Warn("the gateway of text messages cannot be reached", "err", err)
	return outcome{problem: "the gateway cannot be reached"}
}

// bare is the try at which a letter goes alone if what goes with it still cannot be made: 25 s
// after the first. It says where that is to be had.
const bare = 3

// enclose puts files to a letter, all or none. A library that panics takes no letter with it.
func (s *Sender) enclose(ctx context.Context, p parcel, m *gomail.Msg) (err error) {
	if p.Encloses == "" || s.Encloser == nil {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			m.SetAttachments(nil)
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, drawing)
	defer cancel()
	files, err := s.Encloser.Enclose(ctx, p.Encloses)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := m.AttachReader(f.Name, bytes.NewReader(f.Content), gomail.WithFileContentType(gomail.ContentType(f.Type))); err != nil {
			m.SetAttachments(nil)
			return err
		}
	}
	return nil
}

// compose makes what goes over the wire.
func (s *Sender) compose(p parcel) (*gomail.Msg, error) {
	m := gomail.NewMsg()
	if err := errors.Join(m.From(s.from), m.To(p.To)); err != nil {
		return nil, err
	}
	m.Subject(strings.Join(strings.FieldsFunc(p.Subject, unicode.IsControl), " ")) // whoever wrote it: a line that ends here would begin a header
	m.SetMessageIDWithValue(p.id + "@" + hostOf(s.from))
	m.SetDate()
	m.SetGenHeader("Auto-Submitted", "auto-generated") // so that no robot answers
	m.SetBodyString(gomail.TypeTextPlain, p.Text)
	if p.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, p.HTML)
	}
	if p.Unsubscribe != "" {
		m.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+p.Unsubscribe+">")
		m.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	return m, nil
}

// hostOf is the domain of an address that may have a name before it.
func hostOf(from string) string {
	a, err := mail.ParseAddress(from)
	if err != nil { // NewSender has read it
		return "localhost"
	}
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}

// quiet tells of warnings and errors alone.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}
