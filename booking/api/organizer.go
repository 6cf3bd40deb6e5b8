package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/picture"
	"github.com/ropeline/ropeline/booking/venue"
	"github.com/ropeline/ropeline/internal/tenant"
)

func (s *server) routeOrganizer() error {
	return all(
		handle(s, "list-venues", s.listVenues),
		handle(s, "create-venue", s.createVenue),
		handle(s, "get-venue", s.getVenue),
		handle(s, "put-venue", s.putVenue),
		handle(s, "list-programs", s.listPrograms),
		handle(s, "get-program", s.getProgram),
		handle(s, "put-program", s.putProgram),
		handle(s, "list-reserves", s.listReserves),
		handle(s, "create-reserve", s.createReserve),
		handle(s, "release-reserve", s.releaseReserve),
		handle(s, "list-changes", s.listChanges),
	)
}

// What can be wrong with what an organizer asks for.
var (
	ErrOrganizerOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "organizer-required", Detail: "Events, venues, programs, plans, orders and their money are for organizers and SREs."}
	ErrUnseen        = &ropeline.Error{Kind: ropeline.Conflict, Code: "if-match-missing", Status: http.StatusPreconditionRequired,
		Detail: "Say which version you have seen, in If-Match, or If-None-Match: * for one that is not there yet."}
	ErrNotItself = &ropeline.Error{Kind: ropeline.Invalid, Code: "program-invalid", Detail: "sale.id is not what the address says."}
)

// documents are the routes that read or write their body by themselves, and what it is:
// a file of an organizer's, or what many look at.
var documents = map[string]reflect.Type{
	"get-listing":      reflect.TypeFor[find.Listing](),
	"list-events":      reflect.TypeFor[EventList](),
	"get-event":        reflect.TypeFor[guide.Shown](),
	"get-performance":  reflect.TypeFor[catalogue.Map](),
	"get-availability": reflect.TypeFor[Availability](),

	"create-venue": reflect.TypeFor[venue.Map](),
	"get-venue":    reflect.TypeFor[venue.Map](),
	"put-venue":    reflect.TypeFor[venue.Map](),
	"put-program":  reflect.TypeFor[catalogue.Program](),
}

// uploadTime is how long such a file may take to come.
const uploadTime = time.Minute

// bodies says how large the body of a request may be. Only who has the key of an
// organizer may send more than is sent to all other routes, because it is kept in memory.
func (s *server) bodies(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, most := string(h.RequestURI()), ropeline.MaxDocument
	switch {
	case strings.HasPrefix(path, picturesPath):
		most = picture.MaxBytes
	case strings.HasPrefix(path, salesPath):
		most = catalogue.MaxLogoBytes + 1 // which is refused in words of its own
	case !strings.HasPrefix(path, venuesPath) && !strings.HasPrefix(path, programsPath):
		return fasthttp.RequestConfig{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	who, err := s.identify(ctx, credentialsOf(Route{Access: Venues}, string(h.Peek(fiber.HeaderAuthorization)), string(h.Cookie(ropeline.StaffCookie)), string(h.Cookie(ropeline.AccountCookie))))
	if err != nil || !who.keepsFiles() {
		return fasthttp.RequestConfig{}
	}
	return fasthttp.RequestConfig{ReadTimeout: uploadTime, MaxRequestBodySize: most}
}

// keepsFiles reports whether somebody may send files at all; which, the guard says.
func (i identity) keepsFiles() bool {
	if i.scopes != nil {
		return slices.ContainsFunc(i.scopes, func(scope string) bool { return strings.HasSuffix(scope, ":write") })
	}
	return slices.ContainsFunc(i.places, func(p place) bool {
		return slices.ContainsFunc(p.roles, func(role string) bool { return slices.Contains(rolesOf[Venues].roles, role) })
	})
}

// hasDocument describes the body of a route that reads or writes it by itself.
func (s *server) hasDocument(op *huma.Operation, kind reflect.Type) {
	content := map[string]*huma.MediaType{"application/json": {Schema: s.spec.OpenAPI().Components.Schemas.Schema(kind, true, "")}}
	if op.Method == http.MethodGet {
		op.Responses[strconv.Itoa(op.DefaultStatus)].Content = content
		return
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: content}
}

// Edited is what whoever edits something has seen of it.
type Edited struct {
	Seen   string `header:"If-Match" doc:"ETag of the version that this replaces"`
	Fresh  string `header:"If-None-Match" doc:"* for what must not be there yet"`
	Reason string `query:"reason" doc:"1 to 200 characters: why; needed to replace something"`
}

// change says by whom and on what terms something is edited.
func (e Edited) change(ctx context.Context) (audit.Change, error) {
	c := audit.Change{Who: by(ctx), Reason: e.Reason}
	if e.Fresh == "*" && e.Seen == "" {
		return c, nil
	}
	var err error
	c.Seen, err = seenVersion(e.Seen, audit.ErrChanged)
	return c, err
}

// seenVersion reads the tag of what somebody has seen; changed refuses one that we never gave.
func seenVersion(tag string, changed error) (int, error) {
	if tag == "" {
		return 0, ErrUnseen
	}
	seen, err := strconv.Atoi(strings.Trim(tag, `"`))
	if err != nil || seen < 1 || tag != versionTag(seen) {
		return 0, changed
	}
	return seen, nil
}

func versionTag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// VenueList is a page of venues.
type VenueList struct {
	Venues []catalogue.VenueLine `json:"venues"`
	Next   string                `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotVenues struct{ Body VenueList }

func (s *server) listVenues(ctx context.Context, in *Page) (*gotVenues, error) {
	list, next, err := s.shows.Venues(ctx, in.of())
	return &gotVenues{Body: VenueList{list, next}}, err
}

// KeptVenue is a version of a venue's map that was taken in.
type KeptVenue struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	Units   int    `json:"units" doc:"how many places it has"`
}

type keptVenue struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     KeptVenue
}

func venueAnswer(v catalogue.Venue, err error) (*keptVenue, error) {
	if err != nil {
		return nil, err
	}
	return &keptVenue{Location: venuesPath + "/" + v.ID, ETag: versionTag(v.Version),
		Body: KeptVenue{ID: v.ID, Name: v.Map.Name, Version: v.Version, Units: v.Map.Layout().Units}}, nil
}

type createVenue struct {
	Key     string `header:"Idempotency-Key" doc:"required; the same key with the same map makes one venue"`
	Reason  string `query:"reason" doc:"1 to 200 characters: why"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) createVenue(ctx context.Context, in *createVenue) (*keptVenue, error) {
	if in.Key == "" {
		return nil, booking.ErrKey
	}
	m, err := venue.Parse(in.RawBody)
	if err != nil {
		return nil, err
	}
	return venueAnswer(s.shows.KeepVenue(ctx, "", m, audit.Change{Who: by(ctx), Reason: in.Reason, Key: in.Key}))
}

// VersionOf asks for a version of something, unless the caller has it already.
type VersionOf struct {
	Version int    `query:"version" minimum:"1" doc:"the newest if left out"`
	Have    string `header:"If-None-Match"`
}

// versioned is a version of something that can be put back as it is.
type versioned[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *T
}

// versionAnswer leaves the body out if the caller has that version.
func versionAnswer[T any](have string, version int, body *T) *versioned[T] {
	out := &versioned[T]{Status: http.StatusOK, ETag: versionTag(version), Body: body}
	if names(have, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out
}

// putAnswer says whether something was made; fresh: by this request.
func putAnswer[T any](version int, fresh bool, body *T) *versioned[T] {
	out := &versioned[T]{Status: http.StatusOK, ETag: versionTag(version), Body: body}
	if fresh && version == 1 {
		out.Status = http.StatusCreated
	}
	return out
}

type oneVenue struct {
	ID string `path:"id" doc:"of the venue"`
	VersionOf
}

// document is a file of an organizer's as they may put it back.
type document struct {
	Status int
	Type   string `header:"Content-Type"`
	ETag   string `header:"ETag"`
	Body   []byte
}

func documentAnswer(have string, version int, text []byte) *document {
	out := &document{Status: http.StatusOK, Type: "application/json", ETag: versionTag(version), Body: text}
	if names(have, out.ETag) {
		out.Status, out.Type, out.Body = http.StatusNotModified, "", nil
	}
	return out
}

// getVenue answers with the map as it can be put, a seat a line.
func (s *server) getVenue(ctx context.Context, in *oneVenue) (*document, error) {
	v, err := s.shows.Venue(ctx, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	text, err := v.Map.Text()
	if err != nil {
		return nil, err
	}
	return documentAnswer(in.Have, v.Version, text), nil
}

type putVenue struct {
	ID string `path:"id" doc:"of the venue"`
	Edited
	RawBody []byte `contentType:"application/json"`
}

// putVenue makes the next version; performances stay with theirs.
func (s *server) putVenue(ctx context.Context, in *putVenue) (*keptVenue, error) {
	m, err := venue.Parse(in.RawBody)
	if err != nil {
		return nil, err
	}
	change, err := in.change(ctx)
	if err == nil && change.Seen == 0 {
		err = ErrUnseen // ids of venues are ours
	}
	if err != nil {
		return nil, err
	}
	return venueAnswer(s.shows.KeepVenue(ctx, in.ID, m, change))
}

// ProgramList is a page of programs.
type ProgramList struct {
	Programs []catalogue.ProgramLine `json:"programs"`
	Next     string                  `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotPrograms struct{ Body ProgramList }

func (s *server) listPrograms(ctx context.Context, in *Page) (*gotPrograms, error) {
	list, next, err := s.shows.Programs(ctx, in.of())
	return &gotPrograms{Body: ProgramList{list, next}}, err
}

type oneProgram struct {
	Sale string `path:"sale" doc:"of the program"`
	VersionOf
}

func (s *server) getProgram(ctx context.Context, in *oneProgram) (*versioned[catalogue.Program], error) {
	k, err := s.shows.Program(ctx, ropeline.SaleID(in.Sale), in.Version)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, k.Version, &k.Program), nil
}

type putProgram struct {
	Sale string `path:"sale" doc:"of the program"`
	Edited
	RawBody []byte `contentType:"application/json"`
}

// putProgram makes a sale, or changes it. Nobody waits for it before it is published.
func (s *server) putProgram(ctx context.Context, in *putProgram) (*versioned[catalogue.Program], error) {
	p, err := catalogue.ParseProgram(in.RawBody)
	if err != nil {
		return nil, err
	}
	if string(p.Sale.ID) != in.Sale {
		return nil, ErrNotItself
	}
	change, err := in.change(ctx)
	if err == nil {
		err = s.mayUse(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	k, err := s.shows.Put(ctx, p, change)
	if err != nil {
		return nil, err
	}
	return putAnswer(k.Version, k.Fresh, &k.Program), nil
}

// mayUse refuses a program of another organization's event, or that pays its account:
// that a row is there is all that a reference checks, whosever it is. One that is not there
// is refused here, too: else what is refused later, of a program that is made, would tell
// the one from the other.
func (s *server) mayUse(ctx context.Context, p catalogue.Program) error {
	m := memberOf(ctx)
	for _, used := range []struct{ word, id string }{{"events", p.EventID}, {"accounts", p.Account}} {
		if used.id == "" || m.organization == "" {
			continue
		}
		owner, err := s.owner(tenant.With(ctx, ""), used.word, used.id)
		if err != nil {
			return err
		}
		if owner != m.organization {
			return owned[used.word].unknown
		}
	}
	return nil
}

// Reserve is a set of units that is not on sale.
type Reserve struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Kind      string            `json:"kind" enum:"blocked,guests,production,batch,boxoffice"`
	Units     int               `json:"units" doc:"how many it has"`
	Ranges    []catalogue.Range `json:"ranges" doc:"which: runs of their numbers"`
	ReleaseAt *time.Time        `json:"release_at,omitempty" doc:"from when on they are on sale; left out: not before somebody says so"`
}

func reserveAnswer(r catalogue.Reserve) Reserve {
	if r.ReleaseAt != nil {
		at := r.ReleaseAt.UTC()
		r.ReleaseAt = &at
	}
	return Reserve{ID: r.ID, Name: r.Name, Kind: r.Kind, Units: r.Units(), Ranges: r.Ranges, ReleaseAt: r.ReleaseAt}
}

// AtPerformance names a performance in the path.
type AtPerformance struct {
	ID string `path:"id" doc:"of the performance"`
}

// theirs refuses a performance that is not of the organization whose staff asks: what is
// kept of performances in memory is everybody's.
func (s *server) theirs(ctx context.Context, performance string) error {
	_, err := s.guide.EventOf(ctx, ropeline.PerformanceID(performance))
	return err
}

type someReserves struct {
	AtPerformance
	Page
}

// ReserveList is a page of the reserves in force.
type ReserveList struct {
	Reserves []Reserve `json:"reserves" doc:"that are in force, by name"`
	Next     string    `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotReserves struct{ Body ReserveList }

func (s *server) listReserves(ctx context.Context, in *someReserves) (*gotReserves, error) {
	size, err := in.of().Size()
	if err != nil {
		return nil, err
	}
	after, err := in.of().After()
	if err != nil {
		return nil, err
	}
	if err := s.theirs(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := s.shows.Reserves(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	out := &gotReserves{}
	out.Body.Reserves = []Reserve{}
	for _, r := range list { // 1,000 at most
		if after == nil {
			out.Body.Reserves = append(out.Body.Reserves, reserveAnswer(r))
		} else if r.ID == *after {
			after = nil
		}
	}
	out.Body.Reserves, out.Body.Next = booking.Cut(out.Body.Reserves, size, func(r Reserve) string { return r.ID })
	return out, nil
}

type createReserve struct {
	AtPerformance
	Key    string `header:"Idempotency-Key" doc:"required; the same key with the same body makes one reserve"`
	Reason string `query:"reason" doc:"1 to 200 characters: why"`
	Body   catalogue.ReservePlan
}

type oneReserve struct{ Body Reserve }

func (s *server) createReserve(ctx context.Context, in *createReserve) (*oneReserve, error) {
	if in.Key == "" {
		return nil, booking.ErrKey
	}
	if err := s.theirs(ctx, in.ID); err != nil {
		return nil, err
	}
	r, err := s.shows.Reserve(ctx, ropeline.PerformanceID(in.ID), in.Body, audit.Change{Who: by(ctx), Reason: in.Reason, Key: in.Key})
	return &oneReserve{Body: reserveAnswer(r)}, err
}

// ReserveRelease says when, and why.
type ReserveRelease struct {
	At     *time.Time `json:"at,omitempty" doc:"when they come on sale; at once if left out, or over"`
	Reason string     `json:"reason" doc:"1 to 200 characters"`
}

type releaseReserve struct {
	AtPerformance
	Reserve string `path:"reserve" doc:"its id"`
	Body    ReserveRelease
}

// releaseReserve needs no key: what is released is released.
func (s *server) releaseReserve(ctx context.Context, in *releaseReserve) (*oneReserve, error) {
	at := time.Time{}
	if in.Body.At != nil {
		at = *in.Body.At
	}
	if !booking.IsID(in.Reserve) {
		return nil, catalogue.ErrReserveUnknown
	}
	if err := s.theirs(ctx, in.ID); err != nil {
		return nil, err
	}
	r, err := s.shows.Release(ctx, ropeline.PerformanceID(in.ID), in.Reserve, at, audit.Change{Who: by(ctx), Reason: in.Body.Reason})
	return &oneReserve{Body: reserveAnswer(r)}, err
}

type someChanges struct {
	Page
	Subject string `query:"subject" doc:"a venue, a sale, or a performance; all if left out"`
}

// ChangeList is a page of what organizers have changed.
type ChangeList struct {
	Changes []audit.Edit `json:"changes" doc:"the newest first"`
	Next    string       `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotChanges struct{ Body ChangeList }

func (s *server) listChanges(ctx context.Context, in *someChanges) (*gotChanges, error) {
	list, next, err := s.shows.Changes(ctx, in.Subject, in.of())
	return &gotChanges{Body: ChangeList{list, next}}, err
}
