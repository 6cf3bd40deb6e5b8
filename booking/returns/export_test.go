package returns

import "context"

// Offer is the second and the third step of an offer, as a Tender does them that was
// asleep since the first.
func (t *Tender) Offer(ctx context.Context, e Entry) error {
	p, err := t.store.shows.Performance(ctx, e.Performance)
	if err != nil {
		return err
	}
	return t.offer(ctx, p, e)
}
