package admission

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"

	_ "embed"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// Ops is the HTTP interface for SREs below /api/v1/ops. Edges forward to it.
type Ops struct {
	store *queue.Store
	staff *Staff
	log   *slog.Logger
	mux   *http.ServeMux
}

// StaffCookie carries a signed-in member's key. HttpOnly, SameSite=Strict and
// of this path only.
const StaffCookie = "ropeline_staff"

const opsPath = "/api/v1/ops"

//go:embed openapi.json
var openAPI []byte

// OpenAPI describes the routes of Ops.
func OpenAPI() []byte { return openAPI }

// access says who may call a route.
type access string

const (
	public access = "public"
	staff  access = "staff"
)

type opsRoute struct {
	method, pattern string
	who             access
	serve           func(*Ops, http.ResponseWriter, *http.Request) error
}

// opsRoutes is every route there is; a test walks it.
var opsRoutes = []opsRoute{
	{"POST", opsPath + "/sign-in", public, (*Ops).signIn},
	{"DELETE", opsPath + "/sign-in", public, (*Ops).signOut},
	{"GET", opsPath + "/sales", staff, (*Ops).list},
	{"GET", opsPath + "/sales/{sale}", staff, (*Ops).show},
	{"GET", opsPath + "/sales/{sale}/history", staff, (*Ops).history},
	{"GET", opsPath + "/edges", staff, (*Ops).edges},
	{"POST", opsPath + "/sales/{sale}/limits", staff, (*Ops).setLimits},
	{"POST", opsPath + "/sales/{sale}/pause", staff, (*Ops).pause},
	{"POST", opsPath + "/sales/{sale}/resume", staff, (*Ops).resume},
	{"GET", opsPath + "/sales/{sale}/message", staff, (*Ops).showMessage},
	{"POST", opsPath + "/sales/{sale}/message", staff, (*Ops).setMessage},
	{"POST", opsPath + "/sales/{sale}/beacon", staff, (*Ops).giveBeacon},
}

// Route is a route of Ops and whether only staff may call it.
type Route struct {
	Method, Path string
	Staff        bool
}

// Routes lists every route of Ops.
func Routes() []Route {
	routes := make([]Route, len(opsRoutes))
	for i, r := range opsRoutes {
		routes[i] = Route{Method: r.method, Path: r.pattern, Staff: r.who == staff}
	}
	return routes
}

// NewOps returns the handler.
func NewOps(store *queue.Store, members *Staff, log *slog.Logger) *Ops {
	o := &Ops{store: store, staff: members, log: log, mux: http.NewServeMux()}
	for _, route := range opsRoutes {
		o.mux.HandleFunc(route.method+" "+route.pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := o.answer(route, w, r); err != nil {
				if status := ropeline.WriteProblem(w, err); status >= http.StatusInternalServerError {
					log.Error("ops request failed", "method", r.Method, "path", r.URL.Path, "err", err)
				}
			}
		})
	}
	o.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { ropeline.WriteProblem(w, ropeline.ErrRouteUnknown) })
	return o
}

func (o *Ops) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.mux.ServeHTTP(w, r) }

func (o *Ops) answer(route opsRoute, w http.ResponseWriter, r *http.Request) error {
	if err := ropeline.CheckOrigin(r.Method, r.Host, r.Header.Get); err != nil {
		return err
	}
	if route.who == staff {
		m, err := o.staff.Find(staffKey(r))
		if err != nil {
			return err
		}
		r = r.WithContext(context.WithValue(r.Context(), memberKey{}, m))
	}
	return route.serve(o, w, r)
}

type memberKey struct{}

// who is the member of staff that a request comes from.
func who(r *http.Request) string {
	m, _ := r.Context().Value(memberKey{}).(Member)
	return m.Name
}

// staffKey finds the key in the Authorization header or else the cookie.
func staffKey(r *http.Request) string {
	if key := ropeline.Bearer(r.Header.Get("Authorization")); key != "" {
		return key
	}
	c, err := r.Cookie(StaffCookie)
	if err != nil {
		return ""
	}
	return c.Value
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
	http.SetCookie(w, staffCookie(body.Key, 12*time.Hour))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (o *Ops) signOut(w http.ResponseWriter, _ *http.Request) error {
	http.SetCookie(w, staffCookie("", -time.Second))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func staffCookie(value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: StaffCookie, Value: value, Path: opsPath, MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
}

// live is what an SRE sees of a sale.
type live struct {
	Sale               ropeline.SaleID `json:"sale"`
	Title              string          `json:"title"`
	Phase              ropeline.Phase  `json:"phase"`
	Paused             bool            `json:"paused"`
	Reason             string          `json:"reason"`
	Cap                int64           `json:"cap"`
	Rate               int64           `json:"rate"`
	Waiting            int64           `json:"waiting"`
	Offered            int64           `json:"offered"`
	Active             int64           `json:"active"`
	AdmittedLastMinute int64           `json:"admitted_last_minute"` // offers made in the last 60 s
	LastOffer          int64           `json:"last_offer"`
	MaxInUse           int64           `json:"max_in_use"` // the most that offered + active ever was
	Now                time.Time       `json:"now"`
	OpensAt            time.Time       `json:"opens_at"`
}

func (o *Ops) look(r *http.Request, id ropeline.SaleID) (live, error) {
	sale, err := o.store.Sale(r.Context(), id)
	if err != nil {
		return live{}, err
	}
	s, err := o.store.State(r.Context(), id)
	if err != nil {
		return live{}, err
	}
	return live{
		Sale: id, Title: sale.Title, Phase: s.Phase(), Paused: s.Paused(), Reason: s.Reason, Cap: s.Cap, Rate: s.Rate,
		Waiting: s.Waiting(), Offered: s.Offered, Active: s.Active, AdmittedLastMinute: s.LastOffer - s.PastOffer,
		LastOffer: s.LastOffer, MaxInUse: s.MaxInUse, Now: s.Now, OpensAt: s.OpensAt,
	}, nil
}

func (o *Ops) list(w http.ResponseWriter, r *http.Request) error {
	ids, err := o.store.Sales(r.Context())
	if err != nil {
		return err
	}
	doc := struct {
		Sales []live `json:"sales"`
	}{Sales: []live{}}
	for _, id := range ids {
		l, err := o.look(r, id)
		if err != nil {
			return err
		}
		doc.Sales = append(doc.Sales, l)
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}

func (o *Ops) show(w http.ResponseWriter, r *http.Request) error {
	l, err := o.look(r, ropeline.SaleID(r.PathValue("sale")))
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, l)
}

var (
	errReasonMissing = &ropeline.Error{Kind: ropeline.Invalid, Code: "reason-missing",
		Detail: "Every change needs a reason of at most 500 characters and one line; a pause's reason is shown to the fans."}
	errLimitsInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "limits-invalid",
		Detail: "Give cap, rate and, as expect, the values you saw; none negative or above ten million."}
)

type limitsBody struct {
	Cap    *int64        `json:"cap"`
	Rate   *int64        `json:"rate"`
	Expect *queue.Limits `json:"expect"`
	Reason string        `json:"reason"`
}

func (b limitsBody) check() error {
	if b.Cap == nil || b.Rate == nil || b.Expect == nil ||
		*b.Cap < 0 || *b.Cap > ropeline.MaxCap || *b.Rate < 0 || *b.Rate > ropeline.MaxRate {
		return errLimitsInvalid
	}
	return checkReason(b.Reason)
}

func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" || len([]rune(reason)) > 500 || strings.ContainsFunc(reason, unicode.IsControl) {
		return errReasonMissing
	}
	return nil
}

func (o *Ops) setLimits(w http.ResponseWriter, r *http.Request) error {
	var body limitsBody
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	sale, to := ropeline.SaleID(r.PathValue("sale")), queue.Limits{Cap: *body.Cap, Rate: *body.Rate}
	if err := o.known(r, sale); err != nil {
		return err
	}
	change := queue.Change{By: who(r), Reason: body.Reason,
		Set: queue.Settings{Cap: &to.Cap, Rate: &to.Rate}, Expect: queue.Settings{Cap: &body.Expect.Cap, Rate: &body.Expect.Rate}}
	if _, err := o.store.Steer(r.Context(), sale, change); err != nil {
		return err
	}
	o.log.Info("limits changed", "who", who(r), "sale", sale, "from", *body.Expect, "to", to, "reason", body.Reason)
	return o.show(w, r)
}

func (o *Ops) pause(w http.ResponseWriter, r *http.Request) error  { return o.setPaused(w, r, true) }
func (o *Ops) resume(w http.ResponseWriter, r *http.Request) error { return o.setPaused(w, r, false) }

func (o *Ops) setPaused(w http.ResponseWriter, r *http.Request, paused bool) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if err := checkReason(body.Reason); err != nil {
		return err
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	mode := ropeline.ModeRun
	if paused {
		mode = ropeline.ModePause
	}
	if _, err := o.store.Steer(r.Context(), sale, queue.Change{By: who(r), Reason: body.Reason, Set: queue.Settings{Mode: &mode}}); err != nil {
		return err
	}
	o.log.Info("pause changed", "who", who(r), "sale", sale, "paused", paused, "reason", body.Reason)
	return o.show(w, r)
}

var errBeaconInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "beacon-invalid",
	Detail: "A beacon's value has 64 hexadecimal digits, not all of them zero."}

// giveBeacon enters the value of a beacon by hand, for a source that this part
// cannot reach. Anybody can compare it with what the source has published.
func (o *Ops) giveBeacon(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Value  string `json:"value"`
		Reason string `json:"reason"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if err := checkReason(body.Reason); err != nil {
		return err
	}
	value, err := readBeacon([]byte(body.Value))
	if err != nil {
		return errBeaconInvalid.Because(err)
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	if _, err := o.store.GiveBeacon(r.Context(), sale, &value); err != nil {
		return err
	}
	o.log.Info("beacon entered", "who", who(r), "sale", sale, "value", body.Value, "reason", body.Reason)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// known refuses names that are no sale before they reach a key.
func (o *Ops) known(r *http.Request, id ropeline.SaleID) error {
	_, err := o.store.Sale(r.Context(), id)
	return err
}
