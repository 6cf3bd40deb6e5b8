package api

import (
	"context"

	"github.com/ropeline/ropeline/booking/tidings"
)

func (s *server) routeReminders() error {
	return all(
		handle(s, "get-reminder", s.getReminder),
		handle(s, "put-reminder", s.putReminder),
		handle(s, "get-my-reminders", s.getMyReminders),
		handle(s, "put-my-reminders", s.putMyReminders),
	)
}

// ReminderDays is how many days before somebody wants to be reminded.
type ReminderDays struct {
	Days int `json:"days" minimum:"0" maximum:"14" doc:"0: not at all"`
}

type gotReminder struct{ Body tidings.Setting }

func (s *server) getReminder(ctx context.Context, in *orderID) (*gotReminder, error) {
	if err := s.opens(ctx, in.ID); err != nil {
		return nil, err
	}
	set, err := s.reminders.OfOrder(ctx, in.ID)
	return &gotReminder{set}, err
}

type putReminder struct {
	ID   string `path:"id" doc:"of the order"`
	Body ReminderDays
}

func (s *server) putReminder(ctx context.Context, in *putReminder) (*gotReminder, error) {
	if err := s.opens(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := s.reminders.SetOrder(ctx, in.ID, in.Body.Days); err != nil {
		return nil, err
	}
	return s.getReminder(ctx, &orderID{ID: in.ID})
}

func (s *server) getMyReminders(ctx context.Context, _ *struct{}) (*gotReminder, error) {
	set, err := s.reminders.OfPerson(ctx, me(ctx).Person)
	return &gotReminder{set}, err
}

func (s *server) putMyReminders(ctx context.Context, in *struct{ Body ReminderDays }) (*gotReminder, error) {
	if err := s.reminders.SetPerson(ctx, me(ctx).Person, in.Body.Days); err != nil {
		return nil, err
	}
	return s.getMyReminders(ctx, nil)
}
