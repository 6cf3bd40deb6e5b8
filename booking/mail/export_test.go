package mail

import (
	"context"
	"crypto/x509"
	"time"
)

// Sweep forgets what is old, as a Sender does each hour.
func (s *Store) Sweep(ctx context.Context) error { return s.sweep(ctx) }

// Delay is in how long a letter is tried again after so many tries.
func Delay(tries int) time.Duration { return attempt{parcel: parcel{tries: tries}}.delay() }

// Trusting is the server if these sign for it.
func (s Server) Trusting(roots *x509.CertPool) Server {
	s.roots = roots
	return s
}

// Answers is how long the mail server may take for each answer.
func (s *Sender) Answers(within time.Duration) { s.lines.answer = within }
