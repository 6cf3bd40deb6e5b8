package edge

import (
	"errors"
	"net/http"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

var errForgotten = &ropeline.Error{Kind: ropeline.Gone, Code: "place-forgotten",
	Detail: "Nothing is known of this place any more but what the draw and the public ledger say."}

// placeReceipt tells whoever has the ticket of a place what became of it. It changes nothing:
// nobody is put back, let in again or kept present by asking.
func (s *Server) placeReceipt(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.caller(w, r)
	if err != nil {
		return err
	}
	story, err := s.store.StoryOf(r.Context(), room.id, ticket.Place)
	if errors.Is(err, queue.ErrPlaceUnknown) {
		return errForgotten
	}
	if err != nil {
		return err
	}
	doc := wire.PlaceReceipt{Sale: room.id, Place: ticket.Place, State: story.State, Lobby: story.Lobby, Claimed: story.Claimed, Bought: story.Bought,
		Back: story.Back, Members: max(1, story.Party.Size()), Moved: story.Generation > 0, Terms: ticket.Terms}
	if ticket.Lane != queue.MainLane {
		doc.Lane = ticket.Lane
	}
	if !story.Lobby {
		view, err := room.view(r.Context())
		if err != nil {
			return err
		}
		at := view.ClosesAt.Add(story.Behind).UTC()
		doc.JoinedAt = &at
	}
	if story.Ordinal >= 0 && story.Epoch != "" && !story.Back { // who is back stands before the line
		rank := story.Ordinal + 1
		doc.Rank = &rank
	}
	if story.Offer != nil {
		doc.Offer, doc.Beside = story.Offer.Number, story.Offer.Beside
	}
	if !story.MissedAt.IsZero() {
		at := story.MissedAt.UTC()
		doc.MissedAt = &at
	}
	switch {
	case story.Pass.Open():
		doc.Reentry = "open"
	case story.Pass.Used():
		doc.Reentry = "used"
	}
	w.Header().Set("Cache-Control", "no-store")
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}
