package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/door"
)

func (s *server) routeDoor() error {
	return all(
		handle(s, "get-door", s.getDoor),
		handle(s, "put-door", s.putDoor),
		handle(s, "scan-ticket", s.scanTicket),
		handle(s, "merge-scans", s.mergeScans),
		handle(s, "undo-scan", s.undoScan),
		handle(s, "get-door-tickets", s.getDoorTickets),
		handle(s, "get-door-list", s.getDoorList),
		handle(s, "get-door-counts", s.getDoorCounts),
		handle(s, "list-double-entries", s.listDoubleEntries),
	)
}

// What is refused at the door.
var (
	ErrDoorOnly       = &ropeline.Error{Kind: ropeline.Forbidden, Code: "door-required", Detail: "The doors are for those who work there, for organizers and SREs."}
	ErrSupervisorOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "supervisor-required", Detail: "Only a supervisor, an organizer or an SRE takes a scan back."}
)

// DoorDesk is what a scanner has to know before it reads anything.
type DoorDesk struct {
	Who      string            `json:"who" doc:"staff: and a name, as in the ledger"`
	MayUndo  bool              `json:"may_undo" doc:"whether they may take a scan back"`
	MaySet   bool              `json:"may_set" doc:"whether they may set the rules"`
	Now      time.Time         `json:"now" doc:"by our clock: without a network codes are judged by it"`
	Settings door.Settings     `json:"settings"`
	ListKeys map[string]string `json:"list_keys" doc:"public halves of the keys that sign lists: x and y of 64 bytes in base64url, by id; none where there are no lists"`
}

type gotDoor struct {
	ETag string `header:"ETag"`
	Body DoorDesk
}

func (s *server) getDoor(ctx context.Context, in *performanceID) (*gotDoor, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	out := &gotDoor{Body: DoorDesk{Who: by(ctx), MayUndo: may(ctx, Supervisor), MaySet: may(ctx, Organizer), Now: s.now().UTC()}}
	if out.Body.Settings, err = s.doors.Settings(ctx, p.Map.ID); err != nil {
		return nil, err
	}
	if v := out.Body.Settings.Version; v > 0 {
		out.ETag = versionTag(v)
	}
	out.Body.ListKeys, err = s.doors.ListKeys()
	return out, err
}

func may(ctx context.Context, what Access) bool {
	return slices.ContainsFunc(rolesOf[what].roles, memberOf(ctx).is)
}

// DoorRules are the rules of a performance's doors as they are put.
type DoorRules struct {
	Printed bool        `json:"printed" doc:"whether printed codes open doors"`
	Reentry bool        `json:"reentry,omitempty" doc:"whether who was scanned out may come in again"`
	Doors   []door.Door `json:"doors" nullable:"false" maxItems:"50"`
}

type putDoor struct {
	ID string `path:"id" doc:"of the performance"`
	Edited
	Body DoorRules
}

func (s *server) putDoor(ctx context.Context, in *putDoor) (*versioned[door.Settings], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	k, err := s.doors.Put(ctx, p.Map.ID, door.Settings{Printed: in.Body.Printed, Reentry: in.Body.Reentry, Doors: in.Body.Doors}, by)
	if err != nil {
		return nil, err
	}
	return putAnswer(k.Version, true, &k), nil
}

// ScanRequest is what a scanner has read.
type ScanRequest struct {
	ID     string `json:"id" doc:"a UUID that the scanner makes: the same one is the same scan, and is answered as before"`
	Code   string `json:"code,omitempty" doc:"as it was read; or"`
	Ticket string `json:"ticket,omitempty" doc:"the id of a ticket that staff have looked up"`
	Door   string `json:"door"`
	Out    bool   `json:"out,omitempty" doc:"they go out"`
	Device string `json:"device" doc:"which scanner it is: 1 to 40 letters, digits, spaces, dots and hyphens"`
}

type scanTicket struct {
	ID   string `path:"id" doc:"of the performance"`
	Body ScanRequest
}

type scanned struct{ Body door.Answer }

// scanTicket does not look whether there is the performance: its guard has, for everybody who
// works for an organization, and no ticket is of one that is not there.
func (s *server) scanTicket(ctx context.Context, in *scanTicket) (*scanned, error) {
	id, err := performanceOf(in.ID)
	if err != nil {
		return nil, err
	}
	b := in.Body
	a, err := s.doors.Scan(ctx, door.Scan{Performance: id, ID: b.ID, Code: b.Code, Ticket: b.Ticket, Door: b.Door, Out: b.Out, Device: b.Device, Who: by(ctx)})
	return &scanned{a}, err
}

func performanceOf(id string) (ropeline.PerformanceID, error) {
	if !booking.IsID(id) {
		return "", catalogue.ErrPerformanceUnknown
	}
	return ropeline.PerformanceID(id), nil
}

// MergeRequest is what a scanner has decided without a network.
type MergeRequest struct {
	Device    string          `json:"device"`
	Decisions []door.Decision `json:"decisions" nullable:"false" minItems:"1" maxItems:"100"`
}

type mergeScans struct {
	ID   string `path:"id" doc:"of the performance"`
	Body MergeRequest
}

// Merged is what came of it.
type Merged struct {
	Answers []door.Answer `json:"answers" nullable:"false" doc:"in the order of the times; one that passed and has a reason should not have"`
}

type gotMerged struct{ Body Merged }

func (s *server) mergeScans(ctx context.Context, in *mergeScans) (*gotMerged, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	answers, err := s.doors.Merge(ctx, p.Map.ID, in.Body.Device, by(ctx), in.Body.Decisions)
	return &gotMerged{Merged{answers}}, err
}

type undoScan struct {
	ID   string `path:"id" doc:"of the performance"`
	Scan string `path:"scan"`
	Body struct {
		Reason string `json:"reason" doc:"1 to 200 characters; no personal data"`
	}
}

func (s *server) undoScan(ctx context.Context, in *undoScan) (*struct{}, error) {
	id, err := performanceOf(in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.doors.Undo(ctx, id, in.Scan, audit.Change{Who: by(ctx), Reason: in.Body.Reason})
}

type getDoorTickets struct {
	ID    string `path:"id" doc:"of the performance"`
	Query string `query:"q" doc:"2 characters or more: the beginning of an address, a seat, or eight characters of the number of a ticket or an order"`
}

// DoorTickets are what a look-up has found.
type DoorTickets struct {
	Tickets []door.Found `json:"tickets" nullable:"false"`
}

type gotDoorTickets struct{ Body DoorTickets }

func (s *server) getDoorTickets(ctx context.Context, in *getDoorTickets) (*gotDoorTickets, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	found, err := s.doors.Find(ctx, p.Map.ID, in.Query)
	return &gotDoorTickets{DoorTickets{found}}, err
}

type getDoorList struct {
	ID   string `path:"id" doc:"of the performance"`
	Have string `header:"If-None-Match"`
}

type gotDoorList struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *door.SignedList
}

func (s *server) getDoorList(ctx context.Context, in *getDoorList) (*gotDoorList, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	version, err := s.doors.Version(ctx, p.Map.ID)
	if err != nil {
		return nil, err
	}
	if tag := `"` + version + `"`; names(in.Have, tag) {
		return &gotDoorList{Status: http.StatusNotModified, ETag: tag}, nil
	}
	l, err := s.doors.List(ctx, p.Map.ID)
	if err != nil {
		return nil, err
	}
	return &gotDoorList{Status: http.StatusOK, ETag: `"` + l.Version + `"`, Body: &l}, nil
}

type gotDoorCounts struct{ Body door.Counts }

func (s *server) getDoorCounts(ctx context.Context, in *performanceID) (*gotDoorCounts, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	c, err := s.doors.Counts(ctx, p.Map.ID)
	return &gotDoorCounts{c}, err
}

type someDoubles struct {
	ID string `path:"id" doc:"of the performance"`
	Page
}

// DoubleList is a page of entries that should not have been.
type DoubleList struct {
	Doubles []door.Double `json:"doubles"`
	Next    string        `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotDoubles struct{ Body DoubleList }

func (s *server) listDoubleEntries(ctx context.Context, in *someDoubles) (*gotDoubles, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	list, next, err := s.doors.Doubles(ctx, p.Map.ID, in.of())
	return &gotDoubles{DoubleList{list, next}}, err
}
