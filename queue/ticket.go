package queue

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"hash"
	"strconv"
	"strings"
	"sync"

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
	Terms      int              `json:"terms,omitempty"`  // the version of the sale's terms when it joined
}

// MainLane is the lane that everybody is in who is in no other.
const MainLane = ropeline.MainLane

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
	k := s.ticketKey(t.Sale)
	w := k.borrow()
	defer k.giveBack(w)
	w.doc = t.appendJSON(w.doc[:0])
	w.text = append(w.text[:0], k.head...)
	w.text = base64.RawURLEncoding.AppendEncode(w.text, w.doc)
	mac := w.sign(w.text)
	w.text = base64.RawURLEncoding.AppendEncode(append(w.text, '.'), mac)
	return string(w.text), nil
}

// ReadTicket returns what a ticket of this sale says, or ErrTicketInvalid.
// Nothing of it is believed, or even parsed, before the signature holds.
func (s *Store) ReadTicket(sale ropeline.SaleID, raw string) (Ticket, error) {
	k := s.ticketKey(sale)
	dot := strings.LastIndexByte(raw, '.')
	if len(raw) > maxTicket || dot < len(k.head) || raw[:len(k.head)] != k.head {
		return Ticket{}, ErrTicketInvalid
	}
	w := k.borrow()
	defer k.giveBack(w)
	w.text = append(w.text[:0], raw...)
	// Texts are compared, not decoded bytes: a base64 decoder skips line breaks
	// and ignores spare bits, so that several texts would be one ticket.
	w.doc = base64.RawURLEncoding.AppendEncode(w.doc[:0], w.sign(w.text[:dot]))
	if subtle.ConstantTimeCompare(w.doc, w.text[dot+1:]) != 1 {
		return Ticket{}, ErrTicketInvalid
	}
	doc, err := base64.RawURLEncoding.AppendDecode(w.doc[:0], w.text[len(k.head):dot])
	if err != nil {
		return Ticket{}, ErrTicketInvalid.Because(err)
	}
	w.doc = doc
	var t Ticket
	if err := json.Unmarshal(doc, &t); err != nil {
		return Ticket{}, ErrTicketInvalid.Because(err)
	}
	if t.Sale != sale || t.Place == "" {
		return Ticket{}, ErrTicketInvalid
	}
	return t, nil
}

// appendJSON appends what encoding/json makes of a ticket, which takes that four
// times as long: every join signs one.
func (t Ticket) appendJSON(b []byte) []byte {
	field := func(name, value string) {
		b = append(append(append(b, ',', '"'), name...), '"', ':')
		b = appendText(b, value)
	}
	b = append(b, `{"sale":`...)
	b = appendText(b, string(t.Sale))
	field("lane", t.Lane)
	field("place", string(t.Place))
	if t.Member != "" {
		field("member", t.Member)
	}
	if t.Party != "" {
		field("party", string(t.Party))
	}
	if t.Generation != 0 {
		b = strconv.AppendInt(append(b, `,"gen":`...), int64(t.Generation), 10)
	}
	field("visitor", t.Visitor)
	if t.Score != "" {
		field("score", t.Score)
	}
	if t.Epoch != "" {
		field("epoch", t.Epoch)
	}
	if t.Terms != 0 {
		b = strconv.AppendInt(append(b, `,"terms":`...), int64(t.Terms), 10)
	}
	return append(b, '}')
}

// appendText appends a text as JSON. Ours are plain; any other goes through
// encoding/json.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string can always be written
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// ticketKey derives the key of a sale and its id, so that a ticket of one sale
// is worth nothing in another and a replaced key is told from a forgery.
func (s *Store) ticketKey(sale ropeline.SaleID) *ticketKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.tickets[sale]
	if k == nil {
		sum := sha256.Sum256(s.keys.Place)
		id := base64.RawURLEncoding.EncodeToString(sum[:6])
		k = &ticketKey{head: ticketFormat + "." + id + ".", key: sign(s.keys.Place, "place ticket of "+string(sale))}
		if s.seen[sale].shards > 0 { // what is asked for may be any text, and is not to be kept
			s.tickets[sale] = k
		}
	}
	return k
}

// ticketKey is what all tickets of a sale have in common.
type ticketKey struct {
	head    string // format.keyid.
	key     []byte
	scribes sync.Pool // of *scribe: what HMAC makes of the key is half of its work
}

// scribe is what one ticket at a time is written or read with.
type scribe struct {
	mac            hash.Hash
	text, doc, sum []byte
}

func (k *ticketKey) borrow() *scribe {
	if w, ok := k.scribes.Get().(*scribe); ok {
		return w
	}
	return &scribe{mac: hmac.New(sha256.New, k.key)}
}

func (k *ticketKey) giveBack(w *scribe) { k.scribes.Put(w) }

// sign returns the HMAC of a text, good until the next.
func (w *scribe) sign(text []byte) []byte {
	w.mac.Reset()
	w.mac.Write(text)
	w.sum = w.mac.Sum(w.sum[:0])
	return w.sum
}

func sign(k []byte, text string) []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
