package admission

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	_ "embed"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/badge"
	"github.com/ropeline/ropeline/queue"
)

// Ops is the HTTP interface for SREs below /api/v1/ops. Edges forward to it.
type Ops struct {
	store    *queue.Store
	staff    *Staff
	badges   *badge.Verifier // nil: keys of the file alone
	audit    *Audit
	schedule *Schedule
	presets  presets
	terms    Terms    // nil: they are not published here
	payments Payments // nil: nobody knows them here
	plans    Plans    // nil: nothing is limited
	owners   Owners   // nil: whose a sale is is not known
	log      *slog.Logger
	mux      *http.ServeMux

	mu     sync.Mutex // guards what follows
	faults throttle   // of lists, which are asked for twice a second
}

const opsPath = ropeline.OpsPath

//go:embed openapi.json
var openAPI []byte

// OpenAPI describes the routes of Ops.
func OpenAPI() []byte { return openAPI }

// access says who may call a route.
type access string

const (
	public access = "public"
	staff  access = "staff"
	seller access = "shop" // staff, and the backends of shops
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
	{"GET", opsPath + "/sign-in", staff, (*Ops).showSignIn},
	{"GET", opsPath + "/sales", staff, (*Ops).list},
	{"GET", opsPath + "/sales/{sale}", staff, (*Ops).show},
	{"POST", opsPath + "/sales/{sale}/sessions/{id}/revoke", seller, (*Ops).revoke},
	{"POST", opsPath + "/sales/{sale}/sessions/{id}/reentry", seller, (*Ops).reenter},
	{"GET", opsPath + "/sales/{sale}/history", staff, (*Ops).history},
	{"GET", opsPath + "/edges", staff, (*Ops).edges},
	{"GET", opsPath + "/payments", staff, (*Ops).listPayments},
	{"POST", opsPath + "/sales/{sale}/steer", staff, (*Ops).steer},
	{"GET", opsPath + "/sales/{sale}/audit", staff, (*Ops).listAudit},
	{"GET", opsPath + "/sales/{sale}/schedule", staff, (*Ops).listSchedule},
	{"POST", opsPath + "/sales/{sale}/schedule", staff, (*Ops).plan},
	{"POST", opsPath + "/sales/{sale}/schedule/{id}/cancel", staff, (*Ops).cancel},
	{"GET", opsPath + "/presets", staff, (*Ops).listPresets},
	{"PUT", opsPath + "/presets/{name}", staff, (*Ops).savePreset},
	{"POST", opsPath + "/presets/{name}/remove", staff, (*Ops).removePreset},
	{"GET", opsPath + "/sales/{sale}/message", staff, (*Ops).showMessage},
	{"POST", opsPath + "/sales/{sale}/message", staff, (*Ops).setMessage},
	{"GET", opsPath + "/sales/{sale}/terms", staff, (*Ops).showTerms},
	{"POST", opsPath + "/sales/{sale}/terms", staff, (*Ops).publishTerms},
	{"POST", opsPath + "/sales/{sale}/beacon", staff, (*Ops).giveBeacon},
	{"GET", opsPath + "/sales/{sale}/codes", staff, (*Ops).listCodes},
	{"POST", opsPath + "/sales/{sale}/codes", staff, (*Ops).makeCodes},
	{"POST", opsPath + "/sales/{sale}/codes/revoke", staff, (*Ops).revokeCodes},
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
		routes[i] = Route{Method: r.method, Path: r.pattern, Staff: r.who != public}
	}
	return routes
}

// NewOps returns the handler. What staff do goes to the log alone.
func NewOps(store *queue.Store, members *Staff, log *slog.Logger) *Ops {
	o := &Ops{store: store, staff: members, audit: (&Audit{log: log}).WithMetrics(nil), schedule: &Schedule{}, log: log, mux: http.NewServeMux()}
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

// WithRecords keeps what staff do in the audit, and makes what they plan.
func (o *Ops) WithRecords(a *Audit, s *Schedule) *Ops {
	o.audit, o.schedule, o.presets = a, s, presets{a.db}
	return o
}

func (o *Ops) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.mux.ServeHTTP(w, r) }

func (o *Ops) answer(route opsRoute, w http.ResponseWriter, r *http.Request) error {
	if err := ropeline.CheckOrigin(r.Method, r.Host, r.Header.Get); err != nil {
		return err
	}
	if route.who != public {
		m, err := o.whoIs(r)
		if err != nil {
			return err
		}
		switch {
		case m.Role == RoleVendor:
			return errVendorOnly
		case m.Role == RoleOrganizer:
			return errOrganizerOnly
		case m.Role == RoleBoxOffice:
			return errBoxOfficeOnly
		case m.Role == RoleDoor || m.Role == RoleSupervisor:
			return errDoorOnly
		case m.Role == RoleShop && route.who != seller:
			return errShopOnly
		case m.Role != RoleShop && m.Role != RoleSRE:
			return ropeline.ErrStaffRequired // a role that somebody adds opens nothing here by itself
		}
		if err := o.mine(r, m); err != nil {
			return err
		}
		r = r.WithContext(context.WithValue(r.Context(), memberKey{}, m))
	}
	return route.serve(o, w, r)
}

// Owners tell whether a sale is an organization's, by the organization's slug. An error is of
// a store that is away.
type Owners interface {
	Owns(ctx context.Context, organization string, sale ropeline.SaleID) (bool, error)
}

// WithOwners knows whose sales are.
func (o *Ops) WithOwners(w Owners) *Ops {
	o.owners = w
	return o
}

// mine refuses who works for an organization the sales of another, as if there were none.
func (o *Ops) mine(r *http.Request, m Member) error {
	if m.Organization == "" {
		return nil
	}
	if o.owners == nil {
		return ropeline.ErrStoreAway.Because(errors.New("without a database, whose a sale is is not known"))
	}
	owns, err := o.owners.Owns(r.Context(), m.Organization, ropeline.SaleID(r.PathValue("sale")))
	if err != nil {
		return ropeline.ErrStoreAway.Because(err)
	}
	if !owns {
		return ropeline.ErrSaleUnknown
	}
	return nil
}

type memberKey struct{}

// member is who of the staff a request comes from.
func member(r *http.Request) Member {
	m, _ := r.Context().Value(memberKey{}).(Member)
	return m
}

// live is what an SRE sees of a sale.
type live struct {
	Sale   ropeline.SaleID `json:"sale"`
	Title  string          `json:"title"`
	Phase  ropeline.Phase  `json:"phase"`
	Paused bool            `json:"paused"`
	queue.Limits
	Auto               json.RawMessage `json:"auto,omitempty"`
	Shares             json.RawMessage `json:"shares,omitempty"`
	Proof              queue.Proof     `json:"proof"` // that the cap holds, since when
	Holds              bool            `json:"holds"` // whether it did
	Waiting            int64           `json:"waiting"`
	Offered            int64           `json:"offered"`
	Active             int64           `json:"active"`
	AdmittedLastMinute int64           `json:"admitted_last_minute"` // offers made in the last 60 s
	LastOffer          int64           `json:"last_offer"`
	MaxInUse           int64           `json:"max_in_use"` // the most that offered + active ever was
	Now                time.Time       `json:"now"`
	OpensAt            time.Time       `json:"opens_at"`
	Stock              *ropeline.Stock `json:"stock,omitempty"`    // what can still be sold, as the core told it
	Pace               string          `json:"pace,omitempty"`     // a warning: everything would be held too soon
	AutoWhy            string          `json:"auto_why,omitempty"` // why the automatic mode changed the rate last
}

func (o *Ops) look(ctx context.Context, id ropeline.SaleID) (live, error) {
	sale, err := o.store.Sale(ctx, id)
	if err != nil {
		return live{}, err
	}
	s, err := o.store.State(ctx, id)
	if err != nil {
		return live{}, err
	}
	return live{
		Sale: id, Title: sale.Title, Phase: s.Phase(), Paused: s.Paused(), Limits: s.Limits,
		Auto: json.RawMessage(s.Auto), Shares: json.RawMessage(s.Shares),
		Proof: s.Proof, Holds: s.Proof.Holds(),
		Waiting: s.Waiting(), Offered: s.Offered, Active: s.Active, AdmittedLastMinute: s.LastMinute(),
		LastOffer: s.LastOffer, MaxInUse: s.MaxInUse, Now: s.Now, OpensAt: s.OpensAt,
		Stock: s.Stock, Pace: pace(s, sale.Hold.Duration()), AutoWhy: s.AutoWhy,
	}, nil
}

// unread is a sale that cannot be read now, and why.
type unread struct {
	Sale    ropeline.SaleID  `json:"sale"`
	Problem ropeline.Problem `json:"problem"`
}

// list tells of all sales. One that cannot be read, its server may be away or its
// document damaged, hides none of the others.
func (o *Ops) list(w http.ResponseWriter, r *http.Request) error {
	ids, err := o.store.Sales(r.Context())
	if err != nil {
		return err
	}
	doc := struct {
		Sales  []live   `json:"sales"`
		Failed []unread `json:"failed,omitempty"`
	}{Sales: []live{}}
	for _, id := range ids {
		l, err := o.look(r.Context(), id)
		if err == nil {
			doc.Sales = append(doc.Sales, l)
			continue
		}
		if r.Context().Err() != nil { // nobody waits any more
			return err
		}
		problem, _ := ropeline.ProblemOf(err)
		o.complain(id, err)
		doc.Failed = append(doc.Failed, unread{id, problem})
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}

func (o *Ops) complain(sale ropeline.SaleID, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.faults.allow(time.Now()) {
		o.log.Error("a sale cannot be read", "sale", sale, "err", err)
	}
}

func (o *Ops) show(w http.ResponseWriter, r *http.Request) error {
	l, err := o.look(r.Context(), ropeline.SaleID(r.PathValue("sale")))
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, l)
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
	value, err := readBeacon([]byte(body.Value))
	if err != nil {
		return errBeaconInvalid.Because(err)
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	err = o.audited(r, act{sale: sale, action: "enter beacon", reason: body.Reason, wanted: map[string]string{"value": body.Value},
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			_, err := o.store.GiveBeacon(ctx, sale, &value)
			return struct{}{}, time.Time{}, err
		}})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// known refuses names that are no sale before they reach a key.
func (o *Ops) known(r *http.Request, id ropeline.SaleID) error {
	_, err := o.store.Sale(r.Context(), id)
	return err
}
