package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/mail"
)

func (s *server) routeDeadLetters() error {
	return all(
		handle(s, "list-dead-letters", s.listDeadLetters),
		handle(s, "retry-letter", s.retryLetter),
	)
}

// ErrNoLetters answers where nobody can read letters.
var ErrNoLetters = &ropeline.Error{Kind: ropeline.NotFound, Code: "letters-off", Detail: "No letter can be read here: the core has no people.key."}

// DeadLetterList is a page of letters that were given up.
type DeadLetterList struct {
	Letters []mail.Dead `json:"letters" nullable:"false" doc:"the newest first"`
	Next    string      `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotDeadLetters struct{ Body DeadLetterList }

func (s *server) listDeadLetters(ctx context.Context, in *Page) (*gotDeadLetters, error) {
	if s.letters == nil {
		return nil, ErrNoLetters
	}
	list, next, err := s.letters.Dead(ctx, in.of())
	return &gotDeadLetters{Body: DeadLetterList{append([]mail.Dead{}, list...), next}}, err
}

type gotDeadLetter struct{ Body mail.Dead }

func (s *server) retryLetter(ctx context.Context, in *struct {
	Letter string `path:"letter" doc:"its id"`
}) (*gotDeadLetter, error) {
	if s.letters == nil {
		return nil, ErrNoLetters
	}
	d, err := s.letters.Again(ctx, in.Letter)
	return &gotDeadLetter{Body: d}, err
}
