package newsletter

import "context"

// MostUnder is what tests have to see.
const MostUnder = under

// Round goes on with one newsletter, as Run does.
func (p *Poster) Round(ctx context.Context) (bool, error) { return p.round(ctx) }

// AskSome writes to some who ticked a box, as Run does.
func (p *Poster) AskSome(ctx context.Context) (int, error) { return p.ask(ctx) }
