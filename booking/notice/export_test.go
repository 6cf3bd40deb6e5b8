package notice

import "context"

// What tests have to see.
const (
	Batch = batch
	Under = under
)

// Round goes on with one message, as Run does.
func (p *Poster) Round(ctx context.Context) (bool, error) { return p.round(ctx) }
