package api

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/returns"
)

func (s *server) routeReturns() error {
	return all(
		handle(s, "show-returns", s.showReturns),
		handle(s, "join-returns", s.joinReturns),
		handle(s, "get-return", s.getReturn),
		handle(s, "leave-returns", s.leaveReturns),
		handle(s, "claim-return", s.claimReturn),
		handle(s, "list-returns", s.listReturns),
		handle(s, "list-returns-history", s.listReturnsHistory),
	)
}

// What can be wrong with a request that brings a key of a place or a pass of an offer.
// Which places there are is not told.
var (
	ErrListKeyMissing = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "returns-key-missing", Detail: "Open this with the link of your place on the returns list."}
	ErrListKeyInvalid = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "returns-key-invalid", Detail: "This link opens no place on a returns list."}
	ErrPassMissing    = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "pass-missing", Detail: "Claim an offer with its own pass."}
	ErrClaimFirst     = &ropeline.Error{Kind: ropeline.Conflict, Code: "claim-first", Detail: "Claim your offer first: it is paid for then as any other hold."}
)

type (
	listPlace struct{} // key of the place whose key a request carries
	offered   struct{} // key of the place whose pass it carries
)

func (s *server) needListKey(c *fiber.Ctx) error {
	key := ropeline.Bearer(c.Get(fiber.HeaderAuthorization))
	if key == "" {
		return ErrListKeyMissing
	}
	id, ok := s.returns.Keys().ReadPlace(key)
	if !ok || id != c.Params("id") {
		return ErrListKeyInvalid
	}
	c.Locals(listPlace{}, id)
	return c.Next()
}

func (s *server) needPass(c *fiber.Ctx) error {
	raw := ropeline.Bearer(c.Get(fiber.HeaderAuthorization))
	if raw == "" {
		return ErrPassMissing
	}
	e, err := s.readPass(c.UserContext(), raw)
	if err != nil {
		return err
	}
	if e.ID != c.Params("id") {
		return returns.ErrPassInvalid
	}
	c.Locals(offered{}, e)
	return c.Next()
}

// passOr lets the holder of a pass whose offer is claimed do with its hold what others
// do with theirs; everybody else needs a token.
func (s *server) passOr(token fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		raw := ropeline.Bearer(c.Get(fiber.HeaderAuthorization))
		if !returns.IsPass(raw) {
			return token(c)
		}
		e, err := s.readPass(c.UserContext(), raw)
		if err != nil {
			return err
		}
		if e.State == returns.Offered {
			return ErrClaimFirst
		}
		c.Locals(offered{}, e)
		return c.Next()
	}
}

// readPass finds the place to which a pass was given. While the sale is stopped nobody
// passes, as at the gate.
func (s *server) readPass(ctx context.Context, raw string) (returns.Entry, error) {
	of, ok := s.returns.Keys().ReadPass(raw)
	if !ok {
		return returns.Entry{}, returns.ErrPassInvalid
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e, err := s.returns.OfHold(ctx, of)
	if errors.Is(err, returns.ErrUnknown) {
		return returns.Entry{}, returns.ErrPassInvalid
	}
	if err != nil {
		return returns.Entry{}, err
	}
	p, err := s.shows.Performance(ctx, e.Performance)
	if err == nil && s.gate.Mode(p.Sale.ID) == ropeline.ModeStop {
		err = gate.ErrStopped
	}
	return e, err
}

// guest is what a fan with a pass would have in an admission token.
func (s *server) guest(ctx context.Context, e returns.Entry) (token.Claims, error) {
	p, err := s.shows.Performance(ctx, e.Performance)
	return token.Claims{Sale: p.Sale.ID, Place: e.Person, Session: e.Session()}, err
}

// ReturnsWish is what somebody waits for.
type ReturnsWish struct {
	Tier     string `json:"tier"`
	Quantity int    `json:"quantity" doc:"1 or more, at most what one person may hold in this sale"`
	Together bool   `json:"together,omitempty" doc:"side by side, where there are seats"`
	Email    string `json:"email" doc:"one place on the list for each address and performance"`
}

// Return is a place on a returns list as whoever has it sees it.
type Return struct {
	ID          string                 `json:"id"`
	Performance ropeline.PerformanceID `json:"performance"`
	Sale        ropeline.SaleID        `json:"sale"`
	Tier        string                 `json:"tier"`
	Quantity    int                    `json:"quantity"`
	Together    bool                   `json:"together"`
	State       returns.State          `json:"state" enum:"waiting,offered,claimed,bought,lapsed,left,closed"`
	Ahead       *int                   `json:"ahead,omitempty" doc:"how many wait for the tier before this place, a second ago at most; while it waits"`
	JoinedAt    time.Time              `json:"joined_at"`
	Key         string                 `json:"key,omitempty" doc:"opens this place; only in the answer to its making"`
	Offer       *ReturnsOffer          `json:"offer,omitempty"`
}

// ReturnsOffer is what a place is offered, or has claimed.
type ReturnsOffer struct {
	Hold      string           `json:"hold"`
	Units     []int            `json:"units"`
	Lines     []catalogue.Line `json:"lines"`
	Total     booking.Money    `json:"total" doc:"what is to pay"`
	ExpiresAt time.Time        `json:"expires_at"`
	Pass      string           `json:"pass" doc:"claims and pays for exactly this, sent as a bearer token; it is good for nothing else"`
}

type joinReturns struct {
	ID   string `path:"id" doc:"of the performance"`
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body gets the same place"`
	Body ReturnsWish
}

type returnAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         Return
}

func (s *server) joinReturns(ctx context.Context, in *joinReturns) (*returnAnswer, error) {
	e, err := s.returns.Join(ctx, ropeline.PerformanceID(in.ID),
		returns.Wish{Tier: in.Body.Tier, Quantity: in.Body.Quantity, Together: in.Body.Together, Email: in.Body.Email}, in.Key)
	if err != nil {
		return nil, err
	}
	answer, err := s.returnAnswer(ctx, e)
	if err != nil {
		return nil, err
	}
	answer.Body.Key = s.returns.Keys().Place(e.ID)
	return answer, nil
}

type returnID struct {
	ID string `path:"id" doc:"of the place"`
}

func (s *server) getReturn(ctx context.Context, _ *returnID) (*returnAnswer, error) {
	id, _ := ctx.Value(listPlace{}).(string)
	e, err := s.returns.Entry(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.returnAnswer(ctx, e)
}

func (s *server) leaveReturns(ctx context.Context, _ *returnID) (*struct{}, error) {
	id, _ := ctx.Value(listPlace{}).(string)
	return nil, s.returns.Leave(ctx, id)
}

func (s *server) claimReturn(ctx context.Context, _ *returnID) (*holdAnswer, error) {
	e, ok := ctx.Value(offered{}).(returns.Entry)
	if !ok {
		return nil, ErrPassMissing
	}
	h, err := s.returns.Claim(ctx, e)
	if err != nil {
		return nil, err
	}
	return s.loweredAnswer(ctx, h)
}

// ends says what becomes of a place when the hold of its offer is over.
var ends = map[hold.State]returns.State{hold.Expired: returns.Lapsed, hold.Released: returns.Left, hold.Sold: returns.Bought}

// returnAnswer describes a place. What is offered is as long good as its hold says.
func (s *server) returnAnswer(ctx context.Context, e returns.Entry) (*returnAnswer, error) {
	p, err := s.shows.Performance(ctx, e.Performance)
	if err != nil {
		return nil, err
	}
	answer := &returnAnswer{CacheControl: "no-store", Body: Return{ID: e.ID, Performance: e.Performance, Sale: p.Sale.ID, Tier: e.Tier,
		Quantity: e.Quantity, Together: e.Together, State: e.State, JoinedAt: e.JoinedAt}}
	switch e.State {
	case returns.Offering: // it may come to nothing
		answer.Body.State = returns.Waiting
		fallthrough
	case returns.Waiting:
		ahead, err := s.returns.Ahead(ctx, e)
		answer.Body.Ahead = &ahead
		return answer, err
	case returns.Offered, returns.Claimed:
	default:
		return answer, nil
	}
	h, err := s.holds.Get(ctx, e.Performance, e.Hold, e.Session())
	if err != nil && !errors.Is(err, hold.ErrUnknown) {
		return nil, err
	}
	if err != nil { // lost, and about to be restored
		return answer, nil
	}
	if over, ok := ends[h.State]; ok { // the worker is about to say so
		answer.Body.State = over
		return answer, nil
	}
	lines, total, err := p.Map.Lines(e.Units)
	if err != nil {
		return nil, err
	}
	answer.Body.Offer = &ReturnsOffer{Hold: e.Hold, Units: e.Units, Lines: lines, Total: total, ExpiresAt: h.Expires, Pass: s.returns.Keys().Pass(e.Hold)}
	return answer, nil
}

// ReturnsLists are the returns lists of a performance.
type ReturnsLists struct {
	Window int           `json:"window" doc:"seconds in which an offer has to be claimed"`
	Most   int           `json:"most" doc:"how many tickets one place may wait for"`
	Lists  []ReturnsList `json:"lists" doc:"of the tiers that were sold out when somebody began to wait"`
}

// ReturnsList is the returns list of a tier.
type ReturnsList struct {
	Tier    string `json:"tier"`
	Waiting int    `json:"waiting" doc:"how many wait, a second ago at most"`
}

type showReturns struct {
	ID   string `path:"id" doc:"of the performance"`
	Have string `header:"If-None-Match"`
}

func (s *server) showReturns(ctx context.Context, in *showReturns) (*fresh[ReturnsLists], error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	lists, err := s.returns.Lists(ctx, p.Map.ID)
	if err != nil {
		return nil, err
	}
	out := ReturnsLists{Window: int(returns.WindowOf(p.Sale).Seconds()), Most: p.Sale.UnitsPerHold, Lists: make([]ReturnsList, len(lists))}
	for i, l := range lists {
		out.Lists[i] = ReturnsList{Tier: l.Tier, Waiting: l.Waiting}
	}
	return answerFresh(in.Have, out)
}

// ReturnsPage is a page of the places on the returns lists of a performance. Whose they
// are is not said.
type ReturnsPage struct {
	Places []ReturnsPlace `json:"places"`
	Next   string         `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

// ReturnsPlace is a place as staff see it.
type ReturnsPlace struct {
	Number    int64         `json:"number" doc:"the order of the list"`
	ID        string        `json:"id"`
	Tier      string        `json:"tier"`
	Quantity  int           `json:"quantity"`
	Together  bool          `json:"together"`
	State     returns.State `json:"state" enum:"waiting,offering,offered,claimed,bought,lapsed,left,closed"`
	Units     []int         `json:"units,omitempty"`
	ExpiresAt *time.Time    `json:"expires_at,omitempty"`
	JoinedAt  time.Time     `json:"joined_at"`
}

type listReturns struct {
	Page
	ID string `path:"id" doc:"of the performance"`
}

// numbered is a page of a list whose cursors are numbers: how many it has at most, and
// behind which it begins.
func (in *listReturns) numbered() (size int, after int64, err error) {
	if size, err = in.of().Size(); err != nil || in.Cursor == "" {
		return size, 0, err
	}
	if after, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || after < 0 {
		return 0, 0, booking.ErrPage
	}
	return size, after, nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

type returnsPage struct{ Body ReturnsPage }

func (s *server) listReturns(ctx context.Context, in *listReturns) (*returnsPage, error) {
	size, after, err := in.numbered()
	if err != nil {
		return nil, err
	}
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	list, err := s.returns.Page(ctx, p.Map.ID, after, size+1)
	if err != nil {
		return nil, err
	}
	list, next := booking.Cut(list, size, func(e returns.Entry) string { return number(e.Number) })
	out := &returnsPage{Body: ReturnsPage{Places: make([]ReturnsPlace, len(list)), Next: next}}
	for i, e := range list {
		out.Body.Places[i] = ReturnsPlace{Number: e.Number, ID: e.ID, Tier: e.Tier, Quantity: e.Quantity, Together: e.Together,
			State: e.State, Units: e.Units, JoinedAt: e.JoinedAt}
		if len(e.Units) > 0 {
			out.Body.Places[i].ExpiresAt = &e.Expires
		}
	}
	return out, nil
}

// ReturnsHistory is a page of what happened.
type ReturnsHistory struct {
	Events []ReturnsEvent `json:"events"`
	Next   string         `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

// ReturnsEvent is something that happened to a place.
type ReturnsEvent struct {
	ID    int64     `json:"id"`
	Place string    `json:"place"`
	Event string    `json:"event" enum:"waiting,offered,claimed,bought,lapsed,left,closed,withdrawn" doc:"withdrawn: Redis lost the offer, and the place waits where it stood"`
	Units []int     `json:"units,omitempty"`
	At    time.Time `json:"at"`
}

type returnsHistory struct{ Body ReturnsHistory }

func (s *server) listReturnsHistory(ctx context.Context, in *listReturns) (*returnsHistory, error) {
	size, after, err := in.numbered()
	if err != nil {
		return nil, err
	}
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	list, err := s.returns.History(ctx, p.Map.ID, after, size+1)
	if err != nil {
		return nil, err
	}
	list, next := booking.Cut(list, size, func(e returns.Event) string { return number(e.ID) })
	out := &returnsHistory{Body: ReturnsHistory{Events: make([]ReturnsEvent, len(list)), Next: next}}
	for i, e := range list {
		out.Body.Events[i] = ReturnsEvent{ID: e.ID, Place: e.Entry, Event: e.Event, Units: e.Units, At: e.At.UTC()}
	}
	return out, nil
}
