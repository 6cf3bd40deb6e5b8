package stripetest

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/stripe/stripe-go/v82/webhook"
)

// event is a webhook that is due.
type event struct {
	body  []byte
	times int
}

// cry has an event wait for Deliver. What it says is how things stood.
func (s *Server) cry(i *intent, kind string, about object) {
	times := 1
	if i.method == Twice {
		times = 2
	}
	s.cryOf(i.account, kind, about, times)
}

// cryOf says whose event it is if that is not the platform's.
func (s *Server) cryOf(account, kind string, about object, times int) {
	e := object{
		"id": s.id("evt"), "object": "event", "type": kind, "created": s.now().Unix(), "livemode": false,
		"api_version": "2025-08-27.basil", "data": object{"object": about},
	}
	if account != "" {
		e["account"] = account
	}
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // what we build of maps and strings has a text
	}
	s.events = append(s.events, event{body, times})
}

// Deliver sends the webhooks that are due. One that fails is due again, with
// all that come after it.
func (s *Server) Deliver(ctx context.Context) error {
	for {
		s.mu.Lock()
		if len(s.events) == 0 {
			s.mu.Unlock()
			return nil
		}
		e, at := s.events[0], s.now()
		s.events = s.events[1:]
		s.mu.Unlock()
		for range e.times {
			signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: e.body, Secret: Secret, Timestamp: at})
			header := http.Header{"Stripe-Signature": {signed.Header}, "Content-Type": {"application/json"}}
			if err := s.hook(ctx, header, e.body); err != nil {
				s.mu.Lock()
				s.events = append([]event{e}, s.events...)
				s.mu.Unlock()
				return err
			}
		}
	}
}
