package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/booking/guide"
)

func (s *server) routeEvents() error {
	return all(
		handle(s, "list-events", s.listEvents),
		handle(s, "get-event", s.getEvent),
		handle(s, "list-event-categories", s.listEventCategories),
		handle(s, "list-own-events", s.listOwnEvents),
		handle(s, "create-event", s.createEvent),
		handle(s, "get-own-event", s.getOwnEvent),
		handle(s, "put-event", s.putEvent),
		handle(s, "delete-event", s.deleteEvent),
		handle(s, "copy-event", s.copyEvent),
		handle(s, "set-event-state", s.setEventState),
		handle(s, "set-performance-state", s.setPerformanceState),
		handle(s, "get-performance-state", s.getPerformanceState),
	)
}

type someEvents struct {
	Page
	Category  string `query:"category" doc:"its id"`
	Performer string `query:"performer" doc:"the id of one who performs in them"`
	Tour      string `query:"tour" doc:"its id"`
	Venue     string `query:"venue" doc:"the id of one where they are"`
	Have      string `header:"If-None-Match"`
}

// EventList is a page of events.
type EventList struct {
	Events []guide.Listed `json:"events"`
	Next   string         `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

// listEvents keeps the page that everybody begins with.
func (s *server) listEvents(ctx context.Context, in *someEvents) (*seen, error) {
	choice := guide.Choice{Category: in.Category, Performer: in.Performer, Tour: in.Tour, Venue: in.Venue}
	see := func(ctx context.Context) (sight, error) {
		list, next, err := s.guide.Public(ctx, choice, in.of())
		if err != nil {
			return sight{}, err
		}
		return sightOf(EventList{list, next})
	}
	look := see
	if in.Page == (Page{}) && choice == (guide.Choice{}) {
		look = func(ctx context.Context) (sight, error) { return s.glances.look(ctx, "events", see) }
	}
	page, err := look(ctx)
	if err != nil {
		return nil, err
	}
	return page.answer(in.Have, soon), nil
}

// known asks for something by its id, unless the caller has it already.
type known struct {
	ID   string `path:"id"`
	Have string `header:"If-None-Match"`
}

// getEvent keeps the page for a moment: when a sale opens everybody looks at one.
func (s *server) getEvent(ctx context.Context, in *known) (*seen, error) {
	page, err := s.glances.look(ctx, "event "+in.ID, func(ctx context.Context) (sight, error) {
		e, err := s.guide.PublicEvent(ctx, in.ID)
		if err != nil {
			return sight{}, err
		}
		return sightOf(e)
	})
	if err != nil {
		return nil, err
	}
	s.finder.Seen(in.ID, find.Viewed)
	return page.answer(in.Have, soon), nil
}

// EventCategoryList is a page of categories.
type EventCategoryList struct {
	Categories []guide.Category `json:"categories"`
	Next       string           `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

func (s *server) listEventCategories(ctx context.Context, in *somePage) (*fresh[EventCategoryList], error) {
	list, next, err := s.guide.Categories(ctx, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, EventCategoryList{list, next})
}

// OwnEventList is a page of an organization's events.
type OwnEventList struct {
	Events []guide.KeptEvent `json:"events"`
	Next   string            `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotOwnEvents struct{ Body OwnEventList }

func (s *server) listOwnEvents(ctx context.Context, in *Page) (*gotOwnEvents, error) {
	list, next, err := s.guide.Events(ctx, in.of())
	return &gotOwnEvents{Body: OwnEventList{list, next}}, err
}

// Creating is what whoever creates something says beside what it is.
type Creating struct {
	Key    string `header:"Idempotency-Key" doc:"required; the same key with the same body makes one"`
	Reason string `query:"reason" doc:"1 to 200 characters: why"`
}

func (c Creating) change(ctx context.Context) (audit.Change, error) {
	if c.Key == "" {
		return audit.Change{}, booking.ErrKey
	}
	return audit.Change{Who: by(ctx), Reason: c.Reason, Key: c.Key}, nil
}

// created is something new, with where it is from now on.
type created[T any] struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     T
}

type createEvent struct {
	Creating
	Body guide.Event
}

func (s *server) createEvent(ctx context.Context, in *createEvent) (*created[guide.KeptEvent], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.CreateEvent(ctx, in.Body, by)
	return &created[guide.KeptEvent]{eventsPath + "/" + k.ID, versionTag(k.Version), k}, err
}

func (s *server) getOwnEvent(ctx context.Context, in *known) (*versioned[guide.KeptEvent], error) {
	k, err := s.guide.Event(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, k.Version, &k), nil
}

// replacing is Edited for what has an id of ours, so that nobody can make it.
func (e Edited) replacing(ctx context.Context) (audit.Change, error) {
	change, err := e.change(ctx)
	if err == nil && change.Seen == 0 {
		err = ErrUnseen
	}
	return change, err
}

type putEvent struct {
	ID string `path:"id" doc:"of the event"`
	Edited
	Body guide.Event
}

func (s *server) putEvent(ctx context.Context, in *putEvent) (*versioned[guide.KeptEvent], error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	return s.eventAnswer(s.guide.PutEvent(ctx, in.ID, in.Body, by))
}

// eventAnswer is an event that was changed.
func (s *server) eventAnswer(k guide.KeptEvent, err error) (*versioned[guide.KeptEvent], error) {
	if err != nil {
		return nil, err
	}
	return putAnswer(k.Version, false, &k), nil
}

type deleteEvent struct {
	ID string `path:"id" doc:"of the event"`
	Edited
}

func (s *server) deleteEvent(ctx context.Context, in *deleteEvent) (*struct{}, error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.guide.DeleteEvent(ctx, in.ID, by)
}

type copyEvent struct {
	ID string `path:"id" doc:"of the event"`
	Creating
}

func (s *server) copyEvent(ctx context.Context, in *copyEvent) (*created[guide.KeptEvent], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.CopyEvent(ctx, in.ID, by)
	return &created[guide.KeptEvent]{eventsPath + "/" + k.ID, versionTag(k.Version), k}, err
}

// EventState says how an event is to stand.
type EventState struct {
	State guide.State `json:"state" enum:"published,postponed,canceled"`
}

type setEventState struct {
	ID string `path:"id" doc:"of the event"`
	Edited
	Body EventState
}

// setEventState ends sales at once on this core, and within a minute on others: what their
// fans hold then is refused when they pay.
func (s *server) setEventState(ctx context.Context, in *setEventState) (*versioned[guide.KeptEvent], error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.guide.SetState(ctx, in.ID, in.Body.State, by)
	s.shows.Forget(k.Performances...)
	return s.eventAnswer(k, err)
}

type gotStanding struct{ Body guide.Standing }

func (s *server) getPerformanceState(ctx context.Context, in *AtPerformance) (*gotStanding, error) {
	st, err := s.guide.Standing(ctx, ropeline.PerformanceID(in.ID))
	return &gotStanding{Body: st}, err
}

// PerformanceState says how a performance is to stand.
type PerformanceState struct {
	State guide.ShowState `json:"state" enum:"scheduled,postponed,canceled"`
}

type setPerformanceState struct {
	AtPerformance
	Edited
	Body PerformanceState
}

func (s *server) setPerformanceState(ctx context.Context, in *setPerformanceState) (*versioned[guide.KeptEvent], error) {
	by, err := in.replacing(ctx)
	if err != nil {
		return nil, err
	}
	id := ropeline.PerformanceID(in.ID)
	k, err := s.guide.SetShow(ctx, id, in.Body.State, by)
	s.shows.Forget(id)
	return s.eventAnswer(k, err)
}
