package queue

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ropeline/ropeline"
)

// Ticket is a place ticket: what a fan keeps to prove which place is theirs.
// The signature makes it ours, so a line that lost its store can be rebuilt
// from the tickets that fans present.
type Ticket struct {
	Sale       ropeline.SaleID  `json:"sale"`
	Lane       string           `json:"lane"`
	Place      ropeline.PlaceID `json:"place"`
	Member     string           `json:"member,omitempty"` // of the party, none for who took the place
	Party      Party            `json:"party,omitempty"`  // as it was last seen, to put it back after a loss
	Generation int              `json:"gen,omitempty"`    // of the device that holds the place
	Visitor    string           `json:"visitor"`          // an HMAC of what the sale says a visitor is
	Score      string           `json:"score,omitempty"`  // none for a lobby place: the draw gives it
	Epoch      string           `json:"epoch,omitempty"`  // in which the place was last seen
}

// MainLane is the lane that everybody is in who is in no other.
const MainLane = "main"

// ErrTicketInvalid means that a place ticket is not one of ours for this sale.
var ErrTicketInvalid = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "place-ticket-invalid",
	Detail: "This place ticket is not one of ours for this sale."}

// ticketFormat is the version of the ticket's text form:
// format.keyid.base64url(JSON).base64url(HMAC of all before).
const ticketFormat = "1"

// maxTicket bounds what ReadTicket looks at; our tickets are under 400 bytes.
const maxTicket = 1024

// SignTicket returns a ticket's text form. It needs the place key.
func (s *Store) SignTicket(t Ticket) (string, error) {
	doc, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("writing a place ticket: %w", err)
	}
	k, id := s.ticketKey(t.Sale)
	text := ticketFormat + "." + id + "." + base64.RawURLEncoding.EncodeToString(doc)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign(k, text)), nil
}

// ReadTicket returns what a ticket of this sale says, or ErrTicketInvalid.
// Nothing of it is believed, or even parsed, before the signature holds.
func (s *Store) ReadTicket(sale ropeline.SaleID, raw string) (Ticket, error) {
	dot := strings.LastIndexByte(raw, '.')
	if len(raw) > maxTicket || dot < 0 {
		return Ticket{}, ErrTicketInvalid
	}
	text := raw[:dot]
	parts := strings.Split(text, ".")
	k, id := s.ticketKey(sale)
	// Texts are compared, not decoded bytes: a base64 decoder skips line breaks
	// and ignores spare bits, so that several texts would be one ticket.
	mac := base64.RawURLEncoding.EncodeToString(sign(k, text))
	if len(parts) != 3 || parts[0] != ticketFormat || parts[1] != id ||
		subtle.ConstantTimeCompare([]byte(mac), []byte(raw[dot+1:])) != 1 {
		return Ticket{}, ErrTicketInvalid
	}
	doc, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return Ticket{}, ErrTicketInvalid.Because(err)
	}
	var t Ticket
	if err := json.Unmarshal(doc, &t); err != nil {
		return Ticket{}, ErrTicketInvalid.Because(err)
	}
	if t.Sale != sale || t.Place == "" {
		return Ticket{}, ErrTicketInvalid
	}
	return t, nil
}

// ticketKey derives the key of a sale and its id, so that a ticket of one sale
// is worth nothing in another and a replaced key is told from a forgery.
func (s *Store) ticketKey(sale ropeline.SaleID) (k []byte, id string) {
	if known, ok := s.tickets.Load(sale); ok {
		return known.(ticketKey).key, known.(ticketKey).id
	}
	k = sign(s.keys.Place, "place ticket of "+string(sale))
	sum := sha256.Sum256(s.keys.Place)
	id = base64.RawURLEncoding.EncodeToString(sum[:6])
	if s.wasSeen(sale) { // what is asked for may be any text, and is not to be kept
		s.tickets.Store(sale, ticketKey{k, id})
	}
	return k, id
}

// ticketKey is what is derived once for each sale: a third of the work of a
// ticket.
type ticketKey struct {
	key []byte
	id  string
}

func sign(k []byte, text string) []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
