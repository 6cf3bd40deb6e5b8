package mail

import "context"

// Sweep forgets what is old, as a Sender does each hour.
func (s *Store) Sweep(ctx context.Context) error { return s.sweep(ctx) }
