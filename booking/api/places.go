package api

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/guide"
)

func (s *server) routePlaces() error {
	return all(
		handle(s, "list-places", s.listPlaces),
		handle(s, "get-place", s.getPlace),
		handle(s, "get-venue-details", s.getVenueDetails),
		handle(s, "put-venue-details", s.putVenueDetails),
		handle(s, "get-clashes", s.getClashes),
		handle(s, "list-calendar", s.listCalendar),
		handle(s, "list-approvals", s.listApprovals),
		handle(s, "approve-seating", s.approveSeating),
	)
}

// PlaceList is a page of venues as people read of them.
type PlaceList struct {
	Venues []guide.KeptVenue `json:"venues"`
	Next   string            `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

func (s *server) listPlaces(ctx context.Context, in *somePage) (*fresh[PlaceList], error) {
	list, next, err := s.guide.Venues(ctx, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, PlaceList{list, next})
}

func (s *server) getPlace(ctx context.Context, in *known) (*fresh[guide.KeptVenue], error) {
	k, err := s.guide.Venue(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, k)
}

func (s *server) getVenueDetails(ctx context.Context, in *known) (*versioned[guide.KeptVenue], error) {
	k, err := s.guide.Venue(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, k.Version, &k), nil
}

type putVenueDetails struct {
	ID string `path:"id" doc:"of the venue"`
	Edited
	Body guide.Details
}

func (s *server) putVenueDetails(ctx context.Context, in *putVenueDetails) (*versioned[guide.KeptVenue], error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.PutDetails(ctx, in.ID, in.Body, by)
	if err != nil {
		return nil, err
	}
	return putAnswer(k.Version, false, &k), nil
}

type askClashes struct {
	ID    string    `path:"id" doc:"of the venue"`
	At    time.Time `query:"at" doc:"when a performance is to start"`
	Local string    `query:"local" doc:"the same by the clocks of the venue, as 2027-03-27T20:00"`
	But   string    `query:"but" doc:"the id of a performance that does not count: the one that is to be moved"`
}

// Clashes are what is too near to a time, 20 at most.
type Clashes struct {
	At      time.Time     `json:"at"`
	Clashes []guide.Clash `json:"clashes"`
}

type gotClashes struct{ Body Clashes }

func (s *server) getClashes(ctx context.Context, in *askClashes) (*gotClashes, error) {
	at, err := s.when(ctx, in)
	if err != nil {
		return nil, err
	}
	but := []string{}
	if in.But != "" {
		but = append(but, in.But)
	}
	list, err := s.guide.Clashes(ctx, in.ID, at, but)
	return &gotClashes{Body: Clashes{at, list}}, err
}

// when is the time that is asked about, by the clocks of the venue or by itself.
func (s *server) when(ctx context.Context, in *askClashes) (time.Time, error) {
	venue, err := s.guide.Venue(ctx, in.ID)
	if err != nil {
		return time.Time{}, err
	}
	switch {
	case in.Local != "" && in.At.IsZero():
		zone, err := time.LoadLocation(venue.TimeZone)
		if err != nil {
			return time.Time{}, err
		}
		at, err := booking.At(in.Local, zone)
		return at.UTC(), err
	case in.Local == "" && booking.IsTime(in.At):
		return in.At.UTC(), nil
	}
	return time.Time{}, ErrWhen
}

// ErrWhen refuses a question about no time, or about two.
var ErrWhen = &ropeline.Error{Kind: ropeline.Invalid, Code: "time-missing", Detail: "Say when: in at, or by the clocks of the venue in local."}

type someCalendar struct {
	ID   string    `path:"id" doc:"of the venue"`
	From time.Time `query:"from" doc:"what starts then or later; now, if left out"`
	Page
}

// Calendar is a page of what happens in a venue.
type Calendar struct {
	TimeZone string         `json:"time_zone" doc:"of the venue, as Europe/Lisbon"`
	Shows    []guide.Booked `json:"performances" doc:"by when they start, but for what is canceled"`
	Next     string         `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotCalendar struct{ Body Calendar }

func (s *server) listCalendar(ctx context.Context, in *someCalendar) (*gotCalendar, error) {
	if in.From.IsZero() {
		in.From = s.now()
	} else if !booking.IsTime(in.From) {
		return nil, ErrWhen
	}
	zone, list, next, err := s.guide.Calendar(ctx, in.ID, in.From, in.of())
	return &gotCalendar{Body: Calendar{zone, list, next}}, err
}

type someApprovals struct {
	ID string `path:"id" doc:"of the venue"`
	Page
}

// ApprovalList is a page of them.
type ApprovalList struct {
	Approvals []guide.Approval `json:"approvals"`
	Next      string           `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotApprovals struct{ Body ApprovalList }

func (s *server) listApprovals(ctx context.Context, in *someApprovals) (*gotApprovals, error) {
	list, next, err := s.guide.Approvals(ctx, in.ID, in.of())
	return &gotApprovals{Body: ApprovalList{list, next}}, err
}

// SeatingApproval is what the manager of a venue says.
type SeatingApproval struct {
	Version  int    `json:"version" minimum:"1" doc:"of the seat map that was looked at: one that is not asked for any more is not approved"`
	Approved bool   `json:"approved"`
	Reason   string `json:"reason" doc:"1 to 200 characters"`
}

type approveSeating struct {
	ID    string `path:"id" doc:"of the venue"`
	Event string `path:"event" doc:"its id"`
	Body  SeatingApproval
}

type gotApproval struct{ Body SeatingApproval }

// approveSeating needs no key: the same again is the same.
func (s *server) approveSeating(ctx context.Context, in *approveSeating) (*gotApproval, error) {
	err := s.guide.Approve(ctx, in.ID, in.Body.Version, in.Event, in.Body.Approved, audit.Change{Who: by(ctx), Reason: in.Body.Reason})
	return &gotApproval{Body: in.Body}, err
}
