package edge

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// shared is what the frames of all who wait in a lane have in common while one
// view is the newest. encoding/json would make it again for each: a frame would
// cost twice as much.
type shared struct {
	view *queue.View
	sale wire.SaleStatus
	head []byte // {"state":"waiting","sale":{…}
	tail []byte // ,"served":…,"epoch":…
}

func shareOf(v *queue.View, s wire.Status) *shared {
	c := &shared{view: v, sale: s.Sale}
	head := mustMarshal(wire.Status{State: ropeline.PlaceWaiting, Sale: s.Sale, Lane: s.Lane})
	both := mustMarshal(wire.Status{State: ropeline.PlaceWaiting, Sale: s.Sale, Lane: s.Lane, Served: s.Served, Epoch: s.Epoch})
	c.head = bytes.TrimSuffix(head, []byte("}"))
	c.tail = bytes.TrimSuffix(bytes.TrimPrefix(both, c.head), []byte("}"))
	return c
}

// mustMarshal cannot fail: a Status has no type that JSON lacks.
func mustMarshal(s any) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return text
}

// encode appends a status as JSON. It knows the plain status of somebody who
// waits, which is nearly every frame and answer; whatever has more goes through
// encoding/json.
func (m *room) encode(b []byte, v *queue.View, s wire.Status) []byte {
	plain := wire.Status{State: ropeline.PlaceWaiting, Sale: s.Sale, Lane: s.Lane, Position: s.Position, Served: s.Served, Epoch: s.Epoch, Wait: s.Wait,
		Odds: s.Odds, Terms: s.Terms, Message: s.Message, NextContact: s.NextContact}
	if s != plain || s.Position == nil || s.Served == nil {
		return append(b, mustMarshal(s)...)
	}
	at := &m.shared[v.LaneNumber(s.Lane)]
	c := at.Load()
	if c == nil || c.view != v || c.sale != s.Sale {
		c = shareOf(v, s)
		at.Store(c)
	}
	b = append(b, c.head...)
	b = strconv.AppendInt(append(b, `,"position":`...), *s.Position, 10)
	b = append(b, c.tail...)
	if s.Wait != nil {
		b = strconv.AppendInt(append(b, `,"wait":{"low":`...), s.Wait.Low, 10)
		b = strconv.AppendInt(append(b, `,"high":`...), s.Wait.High, 10)
		if s.Wait.Longer != "" { // a word of ours, nothing to escape
			b = append(append(append(b, `,"longer":"`...), s.Wait.Longer...), '"')
		}
		b = append(b, '}')
	}
	if s.Odds != nil {
		b = appendOdds(append(b, `,"odds":`...), s.Odds)
	}
	if s.Terms != 0 {
		b = strconv.AppendInt(append(b, `,"terms":`...), int64(s.Terms), 10)
	}
	if s.Message != nil {
		b = append(append(b, `,"message":`...), mustMarshal(s.Message)...)
	}
	if s.NextContact != 0 {
		b = strconv.AppendInt(append(b, `,"next_contact":`...), int64(s.NextContact), 10)
	}
	return append(b, '}')
}
