package api

import (
	"context"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/review"
	"github.com/ropeline/ropeline/internal/qr"
)

func (s *server) routeMe() error {
	return all(
		handle(s, "get-me", s.getMe),
		handle(s, "put-me", s.putMe),
		handle(s, "export-me", s.exportMe),
		handle(s, "erase-me", s.eraseMe),
		handle(s, "set-password", s.setPassword),
		handle(s, "move-me", s.moveMe),
		handle(s, "get-sign-ins", s.getSignIns),
		handle(s, "end-sign-in", s.endSignIn),
		handle(s, "end-other-sign-ins", s.endOtherSignIns),
		handle(s, "begin-second-factor", s.beginSecondFactor),
		handle(s, "prove-second-factor", s.proveSecondFactor),
		handle(s, "remove-second-factor", s.removeSecondFactor),
		handle(s, "list-my-orders", s.listMyOrders),
		handle(s, "get-my-order", s.getMyOrder),
		handle(s, "claim-orders", s.claimOrders),
		handle(s, "get-my-tickets", s.getMyTickets),
		handle(s, "list-followed", s.listFollowed),
		handle(s, "get-followed", s.getFollowed),
		handle(s, "follow", s.follow),
		handle(s, "unfollow", s.unfollow),
	)
}

// ProfileBody is what a person may say of themselves; all of it may be left out.
type ProfileBody struct {
	Name     string `json:"name,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Address  string `json:"address,omitempty" doc:"text of several lines"`
	City     string `json:"city,omitempty"`
	Country  string `json:"country,omitempty" doc:"ISO 3166-1, as PT"`
	Language string `json:"language,omitempty" doc:"BCP 47, as pt"`
	TimeZone string `json:"time_zone,omitempty" doc:"IANA, as Europe/Lisbon"`
	Born     int    `json:"born,omitempty" doc:"year"`
	Counted  bool   `json:"counted,omitempty" doc:"organizers may count the country and the age of who has their tickets, in groups of ten at least"`
	Gender   string `json:"gender,omitempty" doc:"in their own words"`
}

// MyAccount is the account that is signed in.
type MyAccount struct {
	ID            string      `json:"id"`
	Email         string      `json:"email"`
	Profile       ProfileBody `json:"profile"`
	Password      bool        `json:"password" doc:"they have one: who came from elsewhere may have none"`
	SecondFactor  bool        `json:"second_factor" doc:"signing in takes a code, too"`
	RecoveryCodes int         `json:"recovery_codes" doc:"how many are left"`
}

type gotMe struct {
	ETag string `header:"ETag"`
	Body MyAccount
}

func (s *server) getMe(ctx context.Context, _ *struct{}) (*gotMe, error) {
	p, err := s.people.Person(ctx, me(ctx).Person)
	if err != nil {
		return nil, err
	}
	return s.account(ctx, p)
}

func (s *server) account(ctx context.Context, p people.Person) (*gotMe, error) {
	has, codes, err := s.people.HasSecond(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return &gotMe{ETag: versionTag(p.Version), Body: MyAccount{ID: p.ID, Email: p.Email, Password: p.Password, SecondFactor: has, RecoveryCodes: codes,
		Profile: ProfileBody{p.Name, p.Phone, p.Address, p.City, p.Country, p.Language, p.TimeZone, p.Born, p.Counted, p.Gender}}}, nil
}

type putMe struct {
	Seen string `header:"If-Match" doc:"ETag of the version that this replaces"`
	Body ProfileBody
}

func (s *server) putMe(ctx context.Context, in *putMe) (*gotMe, error) {
	seen, err := seenVersion(in.Seen, people.ErrChanged)
	if err != nil {
		return nil, err
	}
	b := in.Body
	p, err := s.people.Put(ctx, me(ctx).Person, seen, people.Profile{Name: b.Name, Phone: b.Phone, Address: b.Address, City: b.City, Country: b.Country,
		Language: b.Language, TimeZone: b.TimeZone, Born: b.Born, Counted: b.Counted, Gender: b.Gender})
	if err != nil {
		return nil, err
	}
	return s.account(ctx, p)
}

// PasswordRequest has the password of who is signed in.
type PasswordRequest struct {
	Password string `json:"password"`
}

func (s *server) eraseMe(ctx context.Context, in *struct{ Body PasswordRequest }) (*signedOut, error) {
	if err := s.people.Erase(ctx, me(ctx).Person, in.Body.Password); err != nil {
		return nil, err
	}
	return &signedOut{signInCookie("", time.Unix(1, 0))}, nil
}

// NewPasswordRequest has that, and another one.
type NewPasswordRequest struct {
	Password string `json:"password" doc:"as it is"`
	New      string `json:"new" doc:"10 to 200 characters"`
}

func (s *server) setPassword(ctx context.Context, in *struct{ Body NewPasswordRequest }) (*nothing, error) {
	here := me(ctx)
	return &nothing{}, s.people.SetPassword(ctx, here.Person, here.SignIn, in.Body.Password, in.Body.New)
}

// MoveRequest has that, and another address.
type MoveRequest struct {
	Password string `json:"password"`
	Email    string `json:"email"`
}

func (s *server) moveMe(ctx context.Context, in *struct{ Body MoveRequest }) (*sentAnswer, error) {
	return s.askedFor(func(p *people.Store) error { return p.Move(ctx, me(ctx).Person, in.Body.Password, in.Body.Email) })
}

// MySignIn is a place where somebody is signed in.
type MySignIn struct {
	people.SignInLine
	Here bool `json:"here" doc:"it is the one that asks"`
}

// SignInList has all of them.
type SignInList struct {
	SignIns []MySignIn `json:"sign_ins" doc:"the newest first"`
}

type gotSignIns struct{ Body SignInList }

func (s *server) getSignIns(ctx context.Context, _ *struct{}) (*gotSignIns, error) {
	list, err := s.signIns(ctx)
	return &gotSignIns{Body: SignInList{list}}, err
}

func (s *server) signIns(ctx context.Context) ([]MySignIn, error) {
	here := me(ctx)
	lines, err := s.people.SignIns(ctx, here.Person)
	list := make([]MySignIn, len(lines))
	for i, l := range lines {
		list[i] = MySignIn{l, l.ID == here.SignIn}
	}
	return list, err
}

type signInID struct {
	ID string `path:"id" doc:"of the sign-in"`
}

func (s *server) endSignIn(ctx context.Context, in *signInID) (*nothing, error) {
	return &nothing{}, s.people.SignOut(ctx, me(ctx).Person, in.ID)
}

func (s *server) endOtherSignIns(ctx context.Context, _ *struct{}) (*nothing, error) {
	here := me(ctx)
	return &nothing{}, s.people.SignOutOthers(ctx, here.Person, here.SignIn)
}

// Authenticator is what an authenticator needs.
type Authenticator struct {
	Address string `json:"address" doc:"otpauth://"`
	QR      string `json:"qr" doc:"the address as a QR code, SVG"`
}

type gotAuthenticator struct{ Body Authenticator }

func (s *server) beginSecondFactor(ctx context.Context, in *struct{ Body PasswordRequest }) (*gotAuthenticator, error) {
	address, err := s.people.Enroll(ctx, me(ctx).Person, in.Body.Password, "Ropeline")
	if err != nil {
		return nil, err
	}
	picture, err := qr.SVG(address)
	return &gotAuthenticator{Body: Authenticator{address, picture}}, err
}

// RecoveryCodes are for who has lost their authenticator.
type RecoveryCodes struct {
	Codes []string `json:"codes" doc:"each is good once; they are shown once"`
}

type gotRecoveryCodes struct{ Body RecoveryCodes }

func (s *server) proveSecondFactor(ctx context.Context, in *struct{ Body CodeRequest }) (*gotRecoveryCodes, error) {
	here := me(ctx)
	codes, err := s.people.Prove(ctx, here.Person, here.SignIn, in.Body.Code)
	return &gotRecoveryCodes{Body: RecoveryCodes{codes}}, err
}

func (s *server) removeSecondFactor(ctx context.Context, in *struct{ Body CodeRequest }) (*nothing, error) {
	return &nothing{}, s.people.RemoveSecond(ctx, me(ctx).Person, in.Body.Code)
}

// MyOrders is a page of orders.
type MyOrders struct {
	Orders []order.Mine `json:"orders" doc:"those with unused tickets first, by when it begins; then the newest first"`
	Next   string       `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotMyOrders struct{ Body MyOrders }

func (s *server) listMyOrders(ctx context.Context, in *Page) (*gotMyOrders, error) {
	list, next, err := s.orders.OfPerson(ctx, me(ctx).Person, in.of())
	return &gotMyOrders{Body: MyOrders{append([]order.Mine{}, list...), next}}, err
}

// getMyOrder has the key of the order's link, too. Another person's is answered as one
// that there is not.
func (s *server) getMyOrder(ctx context.Context, in *orderID) (*gotOrder, error) {
	if !booking.IsID(in.ID) {
		return nil, order.ErrUnknown
	}
	o, err := s.orders.Order(ctx, in.ID)
	if err == nil && o.Person != me(ctx).Person {
		err = order.ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	body, err := orderAnswer(o)
	body.Key = s.links.Key(o.ID)
	return &gotOrder{Body: body}, err
}

// ClaimedOrders says how many there were.
type ClaimedOrders struct {
	Claimed int64 `json:"claimed"`
}

type gotClaimedOrders struct{ Body ClaimedOrders }

// claimOrders is for an address that is confirmed: nobody is signed in with another.
func (s *server) claimOrders(ctx context.Context, _ *struct{}) (*gotClaimedOrders, error) {
	p, err := s.people.Person(ctx, me(ctx).Person)
	if err != nil {
		return nil, err
	}
	if err := s.newsletters.Claim(ctx, p.ID, p.Email); err != nil {
		return nil, err
	}
	n, err := s.orders.Claim(ctx, p.ID, p.Email)
	return &gotClaimedOrders{Body: ClaimedOrders{n}}, err
}

// Export is everything that is kept of a person.
type Export struct {
	Account MyAccount    `json:"account"`
	SignIns []MySignIn   `json:"sign_ins" doc:"50 at most"`
	Orders  []order.Mine `json:"orders"`

	Tickets   []MyTicket  `json:"tickets" doc:"that others have given them"`
	Reminders int         `json:"reminders" doc:"how many days before they are reminded of what they have bought; 0: not at all"`
	Channels  mail.Chosen `json:"channels" doc:"how they want to be told"`

	Messages []mail.Received `json:"messages" doc:"what was told to them, of the last 90 days"`

	Newsletters []newsletter.Subscribed `json:"newsletters" doc:"that they get or may, with the words to which they agreed"`

	Posts []review.Own `json:"posts" doc:"what they have said of events"`

	Performers []people.Followed `json:"performers" doc:"whom they follow"`
	Events     []people.Watched  `json:"events" doc:"of which they are told when a sale opens"`
	Identities []MyIdentity      `json:"identities" doc:"accounts elsewhere with which they sign in"`
}

type gotExport struct {
	Disposition string `header:"Content-Disposition"`
	Body        Export
}

func (s *server) exportMe(ctx context.Context, _ *struct{}) (*gotExport, error) {
	account, err := s.getMe(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := &gotExport{Disposition: `attachment; filename="account.json"`, Body: Export{Account: account.Body, Orders: []order.Mine{}, Messages: []mail.Received{}, Newsletters: []newsletter.Subscribed{}, Performers: []people.Followed{}, Events: []people.Watched{}}}
	if out.Body.SignIns, err = s.signIns(ctx); err != nil {
		return nil, err
	}
	if out.Body.Channels, err = s.letters.Channels(ctx, account.Body.ID); err != nil {
		return nil, err
	}
	if out.Body.Identities, err = s.identities(ctx); err != nil {
		return nil, err
	}
	if out.Body.Tickets, err = s.given(ctx, account.Body.ID, exportMost); err != nil {
		return nil, err
	}
	if out.Body.Posts, err = s.postsOf(ctx, account.Body.ID); err != nil {
		return nil, err
	}
	reminders, err := s.reminders.OfPerson(ctx, account.Body.ID)
	if err != nil {
		return nil, err
	}
	out.Body.Reminders = reminders.Days
	for page := (booking.Page{Limit: booking.PageMost}); ; {
		some, next, _, err := s.letters.Inbox(ctx, account.Body.ID, page)
		if err != nil {
			return nil, err
		}
		out.Body.Messages = append(out.Body.Messages, some...)
		if page.Cursor = next; next == "" {
			break
		}
	}
	for page := (booking.Page{Limit: booking.PageMost}); ; {
		some, next, err := s.newsletters.OfPerson(ctx, account.Body.ID, page)
		if err != nil {
			return nil, err
		}
		out.Body.Newsletters = append(out.Body.Newsletters, some...)
		if page.Cursor = next; next == "" {
			break
		}
	}
	for page := (booking.Page{Limit: booking.PageMost}); ; {
		watched, next, err := s.people.Watching(ctx, account.Body.ID, page)
		if err != nil {
			return nil, err
		}
		out.Body.Events = append(out.Body.Events, watched...)
		if page.Cursor = next; next == "" {
			break
		}
	}
	for page := (booking.Page{Limit: booking.PageMost}); ; {
		followed, next, err := s.people.Following(ctx, account.Body.ID, page)
		if err != nil {
			return nil, err
		}
		out.Body.Performers = append(out.Body.Performers, followed...)
		if page.Cursor = next; next == "" {
			break
		}
	}
	for page := (booking.Page{Limit: booking.PageMost}); ; {
		orders, next, err := s.orders.OfPerson(ctx, account.Body.ID, page)
		if err != nil {
			return nil, err
		}
		out.Body.Orders = append(out.Body.Orders, orders...)
		if page.Cursor = next; next == "" {
			return out, nil
		}
	}
}
