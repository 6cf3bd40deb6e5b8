package edge

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"math/rand/v2"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/look"
	"github.com/ropeline/ropeline/queue"
)

// The waiting room without scripts: one page that the browser loads again when
// the Refresh header says so, and whose buttons are forms. It lies below the
// API's path, because that is where the place ticket's cookie goes.

//go:embed plain.html
var plainSource string

var plainPage = template.Must(template.New("plain").Funcs(template.FuncMap{
	"args":  func(v plainView, do, text, kind string) button { return button{v, do, text, kind} },
	"count": thousands, "span": span, "people": people, "wait": waitText,
	"hour": func(t time.Time) string { return t.UTC().Format("15:04 UTC") },
	"day":  dayText, "change": changeText, "seconds": func(s ropeline.Seconds) string { return span(s.Duration()) },
}).Parse(plainSource))

// plainView is what the page shows.
type plainView struct {
	Head   template.HTML // styles and icon of the built pages, and of the look
	Look   look.Page
	Action string // where its forms go
	Key    string // a random text: a form that is sent twice does one thing
	Shop   string
	// Returns is where the returns lists are joined.
	Returns string

	Sale    wire.Sale
	Scene   string
	Status  wire.Status
	Left    time.Duration // until the opening, or to come in
	Again   int           // seconds until the page loads itself again, 0 for never
	Code    wire.Handover
	Minutes int // about so long before the turn a letter comes
	Invite  wire.Invite
	News    plainNews
	Offer   wire.LaneOffer // where a code leads
	Typed   string         // the code
	QR      template.URL
	Problem ropeline.Problem
}

// button is a form with one button.
type button struct {
	View           plainView
	Do, Text, Kind string
}

func plainPath(sale ropeline.SaleID) string { return placePath(sale) + "/plain" }

// isPlain reports whether somebody without scripts reads the answer.
func isPlain(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/plain") }

// waitingPage serves the waiting room, or leads to the one without scripts.
func (s *Server) waitingPage(w http.ResponseWriter, r *http.Request) error {
	if id := ropeline.SaleID(r.PathValue("sale")); r.URL.Query().Has("plain") && id.Valid() {
		w.Header().Set("Location", plainPath(id))
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return s.salePage("waiting.html")(w, r)
}

// plain shows where the caller's place stands, or how to get one.
func (s *Server) plain(w http.ResponseWriter, r *http.Request) error {
	room, view, err := s.plainView(r)
	if err != nil {
		return err
	}
	ticket, err := s.ticket(w, r, room.id)
	if errors.Is(err, errTicketMissing) || errors.Is(err, queue.ErrTicketInvalid) {
		view.Scene = "none"
		return s.writePlain(w, http.StatusOK, view)
	}
	place, err := s.whereabouts(r.Context(), room, ticket, isPhone(r))
	if errors.Is(err, queue.ErrPlaceUnknown) {
		view.Scene = "gone"
		return s.writePlain(w, http.StatusOK, view)
	}
	if err != nil {
		return err
	}
	status, seen, err := s.answer(w, r, room, ticket, place, http.StatusOK)
	if err != nil {
		return err
	}
	view.Status = status
	if view.News, err = newsOf(room.id, seen, status); err != nil {
		return err
	}
	view.see()
	view.ask(r.URL.Query().Get("ask"))
	return s.writePlain(w, http.StatusOK, view)
}

// ask shows a question instead of the line, on a page that does not load itself
// again: it would fold up, and forget what was typed, every few seconds.
func (v *plainView) ask(what string) {
	if v.Asks(what) {
		v.Scene, v.Again = what, 0
	}
}

// Asks reports whether the page has the question.
func (v plainView) Asks(what string) bool {
	if v.Again == 0 || v.Status.Elsewhere || !slices.Contains([]string{"lobby", "drawing", "waiting", "offered"}, v.Scene) {
		return false
	}
	return what == "leave" || what == "letter" && v.Scene != "offered" || what == "code" && v.Codes() && v.Scene != "offered"
}

// plainView begins a view of the sale that the path names.
func (s *Server) plainView(r *http.Request) (*room, plainView, error) {
	room, err := s.room(r)
	if err != nil {
		return nil, plainView{}, err
	}
	sale, err := s.describe(r, room)
	if err != nil {
		return nil, plainView{}, err
	}
	key := make([]byte, 16)
	if _, err := io.ReadFull(s.config.Rand, key); err != nil {
		return nil, plainView{}, fmt.Errorf("naming a form: %w", err)
	}
	worn, style := s.plainLook(r)
	return room, plainView{
		Look: worn, Head: style,
		Action: plainPath(room.id), Shop: shopPath(room.id), Returns: "/sales/" + string(room.id) + "/returns", Sale: sale,
		Key: base64.RawURLEncoding.EncodeToString(key),
	}, nil
}

func shopPath(sale ropeline.SaleID) string { return "/sales/" + string(sale) + "/shop" }

// see picks the scene of a place, as the page with scripts does, and when to
// look again: as a poller is told, but not so often that nobody could read, and
// often enough not to miss a claim window.
func (v *plainView) see() {
	st := v.Status
	v.Scene = string(st.State)
	switch {
	case st.Sale.Phase == ropeline.PhaseEnded && (st.State == ropeline.PlaceCollected || st.State == ropeline.PlaceWaiting):
		v.Scene = "ended"
		return
	case st.State == ropeline.PlaceCollected && st.Sale.Phase == ropeline.PhaseLobby:
		v.Scene = "lobby"
	case st.State == ropeline.PlaceCollected:
		v.Scene = "drawing"
	}
	if st.NextContact == 0 {
		return
	}
	const readable = 5
	v.Again = max(st.NextContact, min(readable, 1+int(v.Sale.ClaimWindow)/3))
	v.Left = st.Sale.OpensAt.Sub(st.Sale.Now)
	if st.Offer != nil {
		v.Left = st.Offer.ClaimBy.Sub(st.Sale.Now)
		v.Again = max(1, min(2*readable, int(v.Left/time.Second)+1))
	}
}

func (s *Server) writePlain(w http.ResponseWriter, status int, v plainView) error {
	v.Head = s.pages.head() + v.Head
	var page bytes.Buffer
	if err := plainPage.Execute(&page, v); err != nil {
		return fmt.Errorf("writing the plain page: %w", err)
	}
	h := w.Header()
	h.Del("Retry-After") // the page says it in its own way
	if v.Again > 0 {
		h.Set("Refresh", strconv.Itoa(v.Again)+";url="+v.Action)
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policyWith(policy, v.Look))
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the client may be gone
	return nil
}

// plainProblem answers with the page that says what went wrong. It returns the
// status, as ropeline.WriteProblem does.
func (s *Server) plainProblem(w http.ResponseWriter, r *http.Request, err error) int {
	problem, retry := ropeline.ProblemOf(err)
	sale := ropeline.SaleID(r.PathValue("sale"))
	v := plainView{Scene: "problem", Problem: problem, Action: plainPath(sale)}
	v.Look, v.Head = s.plainLook(r)
	if retry > 0 {
		v.Again = int(math.Ceil(retry.Seconds() * (1 + rand.Float64()/2))) // never earlier, and crowds spread
	}
	if err := s.writePlain(w, problem.Status, v); err != nil {
		return ropeline.WriteProblem(w, err)
	}
	return problem.Status
}

// maxForm is more than any form of the page sends.
const maxForm = 4 << 10

var errForm = &ropeline.Error{Kind: ropeline.Invalid, Code: "form-malformed", Status: http.StatusBadRequest,
	Detail: "This form was not understood. Please go back and try again."}

// act does what a button of the page asks for, and leads back to the page, so
// that loading it again repeats nothing.
func (s *Server) act(w http.ResponseWriter, r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return errForm
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.Because(err)
	}
	id := ropeline.SaleID(r.PathValue("sale"))
	next, do := plainPath(id), r.PostForm.Get("do")
	if err := s.countForm(w, r, do); err != nil {
		return err
	}
	switch do {
	case "join":
		var place queue.Place
		if place, err = s.plainJoin(w, r); place.State == ropeline.PlaceActive && !place.Elsewhere {
			next = shopPath(id) // a safety net where nobody waits
		}
	case "claim":
		_, err = s.admission(w, r, s.store.ClaimAs)
		next = shopPath(id)
	case "leave":
		_, err = s.depart(w, r)
	case "handover":
		return s.plainHandover(w, r)
	case "letter":
		return s.plainLetter(w, r)
	case "exchange":
		err = s.plainExchange(w, r)
	case "code":
		if r.PostForm.Get("confirm") == "" {
			return s.plainOffer(w, r)
		}
		err = s.plainMove(w, r)
	case "invite":
		return s.plainInvite(w, r)
	case "befriend":
		err = s.plainBefriend(w, r)
	default:
		err = errForm
	}
	if err != nil {
		return err
	}
	w.Header().Set("Location", next)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (s *Server) plainJoin(w http.ResponseWriter, r *http.Request) (queue.Place, error) {
	room, err := s.room(r)
	if err != nil {
		return queue.Place{}, err
	}
	ticket, place, status, err := s.enter(w, r, room, wire.Join{Plain: true, Attempt: formKey(r)})
	if err != nil {
		return queue.Place{}, err
	}
	_, _, err = s.answer(w, r, room, ticket, place, status)
	return place, err
}

// Quiet reports whether nobody waits in a room where people do not have to.
func (v plainView) Quiet() bool {
	st := v.Sale.Status
	return v.Sale.SafetyNet && st.Entrants == 0 && !st.Paused && st.Trouble == ""
}

// formKey names the form: the same one sent twice is one wish.
func formKey(r *http.Request) string {
	if key := r.PostForm.Get("key"); randomName.MatchString(key) {
		return key
	}
	return ""
}

func (s *Server) plainHandover(w http.ResponseWriter, r *http.Request) error {
	room, view, err := s.plainView(r)
	if err != nil {
		return err
	}
	ticket, err := s.ticket(w, r, room.id)
	if err != nil {
		return err
	}
	if view.Code, err = s.offerCode(w, r, room, ticket); err != nil {
		return err
	}
	view.Scene = "handover"
	// Ours, and made of digits and letters: nothing in it could leave the attribute.
	view.QR = template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(view.Code.QR)))
	return s.writePlain(w, http.StatusOK, view)
}

func (s *Server) plainExchange(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	body := wire.Exchange{Code: r.PostForm.Get("code"), Device: formKey(r)}
	ticket, err := s.takeOver(w, r, room, body)
	if err != nil {
		return err
	}
	place, err := s.store.Find(r.Context(), room.id, ticket.Place)
	if err != nil {
		return err
	}
	_, _, err = s.answer(w, r, room, ticket, place, http.StatusCreated)
	return err
}

func (s *Server) plainInvite(w http.ResponseWriter, r *http.Request) error {
	room, view, err := s.plainView(r)
	if err != nil {
		return err
	}
	_, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	if view.Invite, err = s.invitation(r, room, ticket); err != nil {
		return err
	}
	view.Scene = "invite"
	return s.writePlain(w, http.StatusOK, view)
}

// plainOffer says where a code leads.
func (s *Server) plainOffer(w http.ResponseWriter, r *http.Request) error {
	room, view, err := s.plainView(r)
	if err != nil {
		return err
	}
	_, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	view.Typed = r.PostForm.Get("code")
	offer, moved, err := s.changeLane(r, room, ticket, wire.LaneCode{Code: view.Typed})
	if err != nil {
		return err
	}
	if moved != nil { // an answer was lost
		if _, _, err := s.answer(w, r, room, moved.ticket, moved.place, http.StatusCreated); err != nil {
			return err
		}
		w.Header().Set("Location", view.Action)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	view.Scene, view.Offer = "lane", offer
	return s.writePlain(w, http.StatusOK, view)
}

// plainMove moves the place to the lane of a code.
func (s *Server) plainMove(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.holder(w, r)
	if err != nil {
		return err
	}
	_, moved, err := s.changeLane(r, room, ticket, wire.LaneCode{Code: r.PostForm.Get("code"), Confirm: true})
	if err != nil {
		return err
	}
	_, _, err = s.answer(w, r, room, moved.ticket, moved.place, http.StatusCreated)
	return err
}

// Lane is the lane that the place is in; nil in a sale that has no others.
func (v plainView) Lane() *wire.Lane {
	for i, l := range v.Sale.Lanes {
		if l.Name == v.Status.Lane {
			return &v.Sale.Lanes[i]
		}
	}
	return nil
}

// Codes reports whether the sale has a lane that a code leads to.
func (v plainView) Codes() bool {
	return slices.ContainsFunc(v.Sale.Lanes, func(l wire.Lane) bool { return slices.Contains(l.Entry, ropeline.EntryCode) })
}

// plainBefriend takes the whole link of a party, too: its code is in the
// fragment, which a browser without scripts tells nobody.
func (s *Server) plainBefriend(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	code := strings.TrimSpace(r.PostForm.Get("code"))
	if _, after, ok := strings.Cut(code, "#"+partyFragment); ok {
		code = after
	}
	body := wire.JoinParty{Code: code, Device: formKey(r)}
	ticket, place, status, err := s.befriend(w, r, room, body)
	if err != nil {
		return err
	}
	_, _, err = s.answer(w, r, room, ticket, place, status)
	return err
}

var headLinks = regexp.MustCompile(`<link rel="(?:stylesheet|icon)"[^>]*>`)

// head is what the built waiting room links to for its looks; nothing where it
// is not built, and the page does without.
func (p *pages) head() template.HTML {
	links := headLinks.FindAll(p.files["waiting.html"].plain, -1)
	return template.HTML(bytes.Join(links, []byte("\n"))) // from our own build
}

// thousands writes 4,210.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func people(n int64) string {
	if n == 1 {
		return "1 person"
	}
	return thousands(n) + " people"
}

// span writes how long it is still, for a page that does not count down.
func span(d time.Duration) string {
	seconds := int64(max(d, 0)+time.Second-1) / int64(time.Second)
	switch minutes := (seconds + 59) / 60; {
	case seconds < 100:
		return plural(seconds, "second")
	case minutes < 100:
		return plural(minutes, "minute")
	default:
		return plural((minutes+59)/60, "hour")
	}
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return thousands(n) + " " + unit + "s"
}

// waitText says an estimate, and why it rose, in the words of the page with
// scripts.
func waitText(w *wire.Wait) string {
	return waitRange(w.Low/60, (w.High+59)/60) + longerTexts[w.Longer]
}

func waitRange(from, to int64) string {
	switch {
	case to <= 1:
		return "About a minute or less to go"
	case from < 1:
		return "Less than " + plural(to, "minute") + " to go"
	case from == to:
		return "About " + plural(to, "minute") + " to go"
	}
	return "About " + thousands(from) + " to " + plural(to, "minute") + " to go"
}

var longerTexts = map[wire.Longer]string{
	wire.LongerLimits:   ". Longer than before: fewer people are let in",
	wire.LongerReturns:  ". Longer than before: people who were away go first",
	wire.LongerParties:  ". Longer than before: groups go in together",
	wire.LongerLanes:    ". Longer than before: people came into another lane",
	wire.LongerSlower:   ". Longer than before: the line moves more slowly",
	wire.LongerRestored: ". Longer than before: the line was put together again",
}

// reason is why the line is paused, in the organizer's words.
func (v plainView) Reason() string {
	return cmp.Or(v.Status.Sale.Reason, pausedTexts[v.Status.Sale.Mode])
}

// pausedTexts say what a pause is where nobody said why.
var pausedTexts = map[ropeline.Mode]string{
	ropeline.ModePause: "No reason was given.",
	ropeline.ModeQueue: "No reason was given. Nobody goes past the line.",
	ropeline.ModeStop:  "No reason was given. Those inside wait as well; nobody loses time.",
}
