// Package wire is what an edge and a fan say to each other: the JSON documents
// of the place routes and the frames and close codes of its WebSocket.
//
// One document, Status, answers a join, a poll and every push, so a client
// has one thing to draw. The examples in testdata are read by the Go tests and
// by the tests of the pages: a change that breaks one side is red on both.
// It does not decide anything; package queue does.
package wire

import (
	"encoding/json"
	"time"

	"github.com/ropeline/ropeline"
)

// Join is what somebody brings who joins: what the sale's rule asks for. A sale
// without a rule asks for nothing.
type Join struct {
	// Proof is the solved challenge of a browser, as ALTCHA's libraries write it.
	Proof string `json:"proof,omitempty"`
	// Invitation is the organizer's text.
	Invitation string `json:"invitation,omitempty"`
	// Token is a JWT of the seller's own login.
	Token string `json:"token,omitempty"`
	// Code leads to a lane; it may also be brought later.
	Code string `json:"code,omitempty"`
	// Bypass is the key of a rule that lets its holder past the line; Attempt names
	// the person.
	Bypass string `json:"bypass,omitempty"`
	// Attempt is a random text of the client's, 16 to 64 letters, digits, - and _,
	// the same when it repeats a join whose answer was lost. A proof is its own.
	Attempt string `json:"attempt,omitempty"`
	// Plain says that a page without scripts joins, which can prove nothing. It is
	// never read from a body.
	Plain bool `json:"-"`
}

// Status tells a fan where their place stands. Positions never rise within an
// epoch.
type Status struct {
	State ropeline.PlaceState `json:"state"`
	Sale  SaleStatus          `json:"sale"`

	// Lane is the one in which the place stands, absent in a sale that has no others.
	// Position counts those of the lane; how often its turn comes says the sale.
	Lane string `json:"lane,omitempty"`

	// Position is how many people are still ahead, set while waiting.
	Position *int64 `json:"position,omitempty"`
	// Served is the number of the last offer made when Position was true, so
	// that anybody can check: own offer number - Served - 1 <= Position. In a sale with
	// lanes the offers of the others come between.
	Served *int64 `json:"served,omitempty"`
	// Epoch names the stretch in which positions are comparable.
	Epoch string `json:"epoch,omitempty"`
	// Wait is the estimated wait, absent while the line stands still or too
	// little has been seen of it.
	Wait *Wait `json:"wait,omitempty"`

	// Odds are how likely it is that something is left when the turn of the place
	// comes, for each who shares it, while it waits; absent where nobody says what
	// is left.
	Odds *Odds `json:"odds,omitempty"`
	// Terms is the version of the sale's terms that the place joined under:
	// where Sale.Terms is higher, they have changed since.
	Terms int `json:"terms,omitempty"`
	// Message is what the organizer says, in the reader's language. It is in each
	// answer to a poll, and in the first frame of a socket that has it: Sale.Message
	// says whether it still holds.
	Message *Message `json:"message,omitempty"`

	// Back says that the place was passed over, or missed its turn, and stands
	// before everybody now.
	Back bool `json:"back,omitempty"`
	// ReturnBy is until when a place that was passed over (by being here) or
	// missed its turn (by joining again with its ticket) may return to the front.
	ReturnBy *time.Time `json:"return_by,omitempty"`

	// Reentry says that the shop failed this fan: when the session is over, joining
	// again with the ticket puts the place before everybody, once. It is set there, too.
	Reentry bool `json:"reentry,omitempty"`

	// Elsewhere says that the place was moved to another device: with this
	// ticket it can only be watched.
	Elsewhere bool `json:"elsewhere,omitempty"`

	// Party is who shares the place, absent for a place of one.
	Party *Party `json:"party,omitempty"`

	Offer   *Offer   `json:"offer,omitempty"`   // set while offered
	Session *Session `json:"session,omitempty"` // set while active

	// NextContact is when to poll again, in seconds; 0 in a WebSocket frame.
	NextContact int `json:"next_contact,omitempty"`
	// Ticket is the signed place ticket, only for clients that sent the app
	// header (AppHeader); browsers get it as a cookie.
	Ticket string `json:"ticket,omitempty"`
}

// SaleStatus is the part of a sale that moves.
type SaleStatus struct {
	ID      ropeline.SaleID `json:"id"`
	Phase   ropeline.Phase  `json:"phase"`
	OpensAt time.Time       `json:"opens_at"`
	Now     time.Time       `json:"now"` // the line's own clock, for countdowns
	Paused  bool            `json:"paused"`
	// Mode is how it is paused: pause, queue or stop. Reason is why, in the organizer's
	// words, and ReasonLang their language (BCP 47) where they are known in several.
	Mode       ropeline.Mode `json:"mode,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	ReasonLang string        `json:"reason_lang,omitempty"`
	Entrants   int64         `json:"entrants"` // in the lobby, or still waiting in the line
	// Comebacks is how many people go before everybody in the line, because
	// they were away when their turn came and are back.
	Comebacks int64 `json:"comebacks,omitempty"`
	// Stock is what is left, absent where nobody says.
	Stock Stock `json:"stock,omitzero"`
	// Terms is the newest version of the sale's terms, absent while it has none.
	Terms int `json:"terms,omitempty"`
	// Message is the number of the organizer's message, absent while there is none.
	Message int64 `json:"message,omitempty"`
	// Trouble says why the line stands still for reasons of ours.
	Trouble Trouble `json:"trouble,omitempty"`
}

// Trouble is something of ours that keeps the line from moving.
type Trouble string

// The troubles. Places are safe in all of them.
const (
	TroubleAway     Trouble = "away"     // our store does not answer
	TroubleSettling Trouble = "settling" // it lost the line, which is being put together again
)

// Stock is what can still be had of all tiers together. GET …/stock has each.
type Stock struct {
	Units int64 `json:"units"`
	Free  int64 `json:"free"`
	Held  int64 `json:"held"` // in holds and payments: it may come back
}

// Chance is how likely it is to get something, in a word that promises nothing.
type Chance string

// The chances. None is said while too little is known of what people buy.
const (
	ChanceGood    Chance = "good"
	ChanceEven    Chance = "even"
	ChanceSlim    Chance = "slim"
	ChanceReturns Chance = "returns"  // nothing is left now; what is held may come back, or more is released
	ChanceSoldOut Chance = "sold-out" // and nothing is held
)

// Odds are the chances of one place: that there is something for each who shares
// it.
type Odds struct {
	Chance Chance   `json:"chance,omitempty"` // of any tier; for friends, of one performance
	Tiers  []Chance `json:"tiers,omitempty"`  // of each tier, in the order of GET …/stock
	// Together is, of each of them, the most free seats side by side where those are
	// fewer than somebody may take, else 0; absent where that is so of all.
	Together []int64 `json:"together,omitempty"`
}

// Message is what the organizer tells everybody: plain text.
type Message struct {
	Number int64      `json:"number"` // a higher one is newer
	Lang   string     `json:"lang"`   // BCP 47
	Text   string     `json:"text"`
	Until  *time.Time `json:"until,omitempty"` // absent: until it is taken away
}

// Terms is one version of a sale's terms.
type Terms struct {
	Version int    `json:"version"`
	Newest  int    `json:"newest"`
	Hash    string `json:"hash"`   // SHA-256 of the sheet's canonical text, in hexadecimal
	Signed  string `json:"signed"` // that text as a compact JWS, by a key of /.well-known/terms-jwks.json
	// Sheet is the same text, for reading.
	Sheet json.RawMessage `json:"sheet"`
}

// Wait is an estimated waiting time as a range, in seconds.
type Wait struct {
	Low  int64 `json:"low"`
	High int64 `json:"high"`
	// Longer says why estimates rose, for a minute after they did; they never
	// rise without.
	Longer Longer `json:"longer,omitempty"`
}

// Longer is why everybody waits longer than was said before.
type Longer string

// The reasons.
const (
	LongerLimits   Longer = "limits"   // fewer are let in than before
	LongerReturns  Longer = "returns"  // people who were away, or put back after a loss, go first
	LongerParties  Longer = "parties"  // a group went in, which takes several slots
	LongerLanes    Longer = "lanes"    // people came into another lane, which has its share
	LongerSlower   Longer = "slower"   // those inside take longer, or fewer of those ahead are away
	LongerRestored Longer = "restored" // the line was put together again
)

// Offer says that it is this fan's turn.
type Offer struct {
	Number int64 `json:"number"` // rising through the sale, one per offer
	// Beside says that it did not come by the order of the line: a return to
	// the front, or a place put back after a loss. It is not among those that
	// Position counts.
	Beside  bool      `json:"beside,omitempty"`
	ClaimBy time.Time `json:"claim_by"`
}

// Session is an admitted fan's time in the protected zone.
type Session struct {
	ID     string    `json:"id"`      // the token's sid
	EndsAt time.Time `json:"ends_at"` // the latest end, however often renewed
}

// Party is who shares a place, as one of its members sees it.
type Party struct {
	Size int `json:"size"` // members
	You  int `json:"you"`  // which of them, from 1
	// TooLarge says that fewer may be inside at once than the party has members:
	// it waits, beside the line, until some leave or more are let in.
	TooLarge bool `json:"too_large,omitempty"`
}

// Invite is what friends need to join a party. It works until the turn of the
// place comes.
type Invite struct {
	Code string `json:"code"`
	URL  string `json:"url"` // the page that joins
	Size int    `json:"size"`
	Max  int    `json:"max"`
}

// JoinParty asks for a seat in a party.
type JoinParty struct {
	Code string `json:"code"`
	// GiveUp agrees to give up the place that the caller has alone.
	GiveUp bool `json:"give_up,omitempty"`
	// Device is a random text by which the caller, asking again because the
	// answer was lost, is the same member.
	Device string `json:"device,omitempty"`
}

// Admission answers a claim and a renewal. The token is also set as a cookie.
type Admission struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"` // of this token; renew before it
	Session   Session   `json:"session"`
}

// Handover is what moves a place to another device: a code that works once,
// for two minutes or until the offer.
type Handover struct {
	Code      string    `json:"code"` // for typing
	URL       string    `json:"url"`  // for opening; the code is in its fragment
	QR        string    `json:"qr"`   // the URL as a QR code, an SVG document
	ExpiresAt time.Time `json:"expires_at"`
}

// AskLetter asks for an e-mail when the turn is near.
type AskLetter struct {
	Email string `json:"email"`
}

// LetterAsked says that it comes.
type LetterAsked struct {
	Minutes int `json:"minutes"` // about so long before the turn
}

// Exchange is what the other device sends.
type Exchange struct {
	Code string `json:"code"`
	// Device names it by 16 to 64 random letters, digits, - and _: with the same
	// name the exchange can be repeated if its answer was lost.
	Device string `json:"device,omitempty"`
}

// Sale is the public description of a sale.
type Sale struct {
	Status         SaleStatus               `json:"status"`
	Title          string                   `json:"title"`
	LobbyClosesAt  time.Time                `json:"lobby_closes_at"`
	EndsAt         time.Time                `json:"ends_at"`
	Performances   []ropeline.PerformanceID `json:"performances"`
	ClaimWindow    ropeline.Seconds         `json:"claim_window"`
	SessionMax     ropeline.Seconds         `json:"session_max"`
	Hold           ropeline.Seconds         `json:"hold"`
	HoldExtensions int                      `json:"hold_extensions"`
	UnitsPerHold   int                      `json:"units_per_hold"`
	UnitsPerPlace  int                      `json:"units_per_place,omitempty"` // absent: any number
	PartyMax       int                      `json:"party_max,omitempty"`       // members of a party; absent: no parties
	// SafetyNet says that the room is always open, without lobby and draw: nobody
	// waits until a limit is met, and then by arrival.
	SafetyNet bool `json:"safety_net,omitempty"`
	// Visitor is whom the sale gives one place: absent for anybody.
	Visitor ropeline.VisitorKind `json:"visitor,omitempty"`
	// Lanes are those of the sale, the main one first; absent where it is the only one.
	Lanes []Lane `json:"lanes,omitempty"`
	// Bypass are the rules by which somebody is let in past the line.
	Bypass []Bypass `json:"bypass,omitempty"`
	Draw   Draw     `json:"draw"`
}

// Bypass is a rule by which somebody is let in past the line.
type Bypass struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Share  int    `json:"share"`  // of 100 people who are let in, at most
	People int64  `json:"people"` // who came by it so far
}

// LaneCode is a code that leads to a lane.
type LaneCode struct {
	Code string `json:"code"`
	// Confirm moves the place there; without it the answer says where that is.
	Confirm bool `json:"confirm,omitempty"`
}

// LaneOffer is where a code leads.
type LaneOffer struct {
	Lane  Lane `json:"lane"`
	Lobby bool `json:"lobby,omitempty"` // the place would take part in the lane's draw
	// Ahead is how many people would be before the place, Now how many are.
	Ahead int64  `json:"ahead"`
	Now   *int64 `json:"now,omitempty"`
}

// Lane is a line of its own, and what it is given.
type Lane struct {
	Name  string               `json:"name"`
	Title string               `json:"title,omitempty"` // absent of the main lane
	Share int                  `json:"share"`           // of 100 turns, while people wait in all lanes
	Entry []ropeline.LaneEntry `json:"entry,omitempty"` // how one comes in; absent of the main lane
	// Waiting is how many stand in it, and People how many it has let in so far.
	Waiting int64 `json:"waiting"`
	People  int64 `json:"people"`
}

// Draw is what is public of a draw, all in hexadecimal: note it down, and check
// the published draw against it later.
type Draw struct {
	Commitment string `json:"commitment"`         // to the seed, from the sale's creation on
	Root       string `json:"root,omitempty"`     // over the entrants, from the close on
	Entrants   int64  `json:"entrants,omitempty"` // how many the root is of
	Seed       string `json:"seed,omitempty"`     // from the draw on

	// Of a draw with a beacon: the rule from the sale's creation on, when the root
	// was published, from which the beacon's time counts, and its value once it is
	// decided on, zeros if it did not come.
	BeaconRule string     `json:"beacon_rule,omitempty"`
	RootAt     *time.Time `json:"root_at,omitempty"`
	Beacon     string     `json:"beacon,omitempty"`
}

// DrawProof shows the holder of a place that it took part in the draw, and where
// the draw put it: all that is needed to compute both oneself. Hashes are in
// hexadecimal; docs/draw.md says how they fit together.
type DrawProof struct {
	Place  ropeline.PlaceID `json:"place"`
	Index  int              `json:"index"` // among the sorted places, from 0
	Count  int              `json:"count"` // of all places
	Path   []string         `json:"path"`  // hashes beside the way from the leaf up to the root
	Score  int64            `json:"score"` // below 2^52
	Rank   int              `json:"rank"`  // in the drawn order of its lane, from 1
	Root   string           `json:"root"`
	Seed   string           `json:"seed"`
	Beacon string           `json:"beacon"`

	// What the commitment binds.
	Sale       ropeline.SaleID `json:"sale"`
	Close      int64           `json:"close"` // of the lobby, ms since 1970
	BeaconRule string          `json:"beacon_rule"`
	Commitment string          `json:"commitment"`
}

// PlaceReceipt tells the holder of a place what became of it. When that was the public ledger
// says: an offer's number, as its admissions count them, names the minute.
type PlaceReceipt struct {
	Sale     ropeline.SaleID     `json:"sale"`
	Place    ropeline.PlaceID    `json:"place"`
	Lane     string              `json:"lane,omitempty"` // left out: the one that everybody is in
	State    ropeline.PlaceState `json:"state"`
	Lobby    bool                `json:"lobby"`               // it was taken before the lobby closed: it takes part in the draw
	JoinedAt *time.Time          `json:"joined_at,omitempty"` // left out in the lobby, where it decides nothing and is not kept
	Rank     *int64              `json:"rank,omitempty"`      // in the line, from 1, once there is an order
	Offer    int64               `json:"offer,omitempty"`     // number of its last turn
	Beside   bool                `json:"beside,omitempty"`    // that turn did not come by the order of the line
	MissedAt *time.Time          `json:"missed_at,omitempty"` // passed over, or the turn not taken, then
	Back     bool                `json:"back,omitempty"`      // and it stands before everybody now
	Claimed  bool                `json:"claimed"`             // its fan came in
	Bought   bool                `json:"bought"`
	Reentry  string              `json:"reentry,omitempty"` // open or used: the shop failed its fan, who may come in again
	Members  int                 `json:"members"`           // who share it
	Moved    bool                `json:"moved,omitempty"`   // to another device
	Terms    int                 `json:"terms,omitempty"`   // the version of the terms that it joined under
}

// AppHeader asks for credentials in the body rather than as cookies: a client
// without cookies sends it with the value "1" on every place route.
const AppHeader = "Ropeline-App"

// PlaceCookie names a sale's place ticket cookie: one per sale.
func PlaceCookie(sale ropeline.SaleID) string { return "ropeline_place_" + string(sale) }

// BrowserCookie names the cookie that a browser is known by in a sale that gives
// one place to each: one per sale.
func BrowserCookie(sale ropeline.SaleID) string { return "ropeline_browser_" + string(sale) }

// WebSocket close codes. 4000-4499 say come back, 4500-4999 say stop.
const (
	CloseRestart  = 4000 // the edge is going down: reconnect with jitter
	CloseSlow     = 4001 // frames were not read in time: reconnect
	CloseOverload = 4002 // too many sockets here: poll instead
	CloseFinal    = 4500 // the place has reached a final state, sent before in a frame
	CloseInvalid  = 4501 // a client frame was not understood; none is expected
)
