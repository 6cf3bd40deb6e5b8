package queue

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/ropeline/ropeline"
)

// Party is who shares a place, as the tags of its members, separated by spaces;
// "" for a place of one. A party is one place: one leaf in the draw, one
// position, one offer, one session. It counts by its size against the cap.
//
// A member is known by a tag in the place ticket, so that one may leave without
// the others. Who took the place has the tag "0" and no other right than they.
type Party string

// Size is how many people share the place.
func (p Party) Size() int { return max(1, len(strings.Fields(string(p)))) }

// Seat is the number of a ticket's holder among the members, from 1; 0 for one
// who is not, or not any more, a member.
func (p Party) Seat(t Ticket) int {
	if p == "" {
		p = holderTag
	}
	if string(p) == t.tag() { // a place of one, as nearly all are
		return 1
	}
	return slices.Index(strings.Fields(string(p)), t.tag()) + 1
}

const holderTag = "0"

// tag is how the scripts know the ticket's holder among the members.
func (t Ticket) tag() string {
	if t.Member == "" {
		return holderTag
	}
	return t.Member
}

// party is what the ticket tells of a party: itself is in it, whoever else is.
func (t Ticket) party() Party {
	if t.Party == "" && t.Member == "" || t.Party.Seat(t) > 0 {
		return t.Party
	}
	return Party(strings.TrimSpace(string(t.Party) + " " + t.tag()))
}

// partiesAside is how many parties that do not fit a tick looks past.
const partiesAside = 16

// credit is how many slots a party may have been given that the rate had no room
// for.
func credit(sale ropeline.Sale) int64 { return int64(max(0, sale.PartyMax-1)) }

// NewMember makes a member's tag: from a key of the friend's own if there is
// one, so that a joining whose answer was lost is repeated as the same member.
func NewMember(id ropeline.PlaceID, key string) string {
	if key == "" {
		key = rand.Text()
	}
	sum := sha256.Sum256([]byte(string(id) + " " + key))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// What a friend may be told about a party.
var (
	ErrInviteInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "party-code-invalid",
		Detail: "This is not an invitation to a party of this sale. Please ask your friend for the link again."}
	ErrPartyOver = &ropeline.Error{Kind: ropeline.Gone, Code: "party-over", Detail: "Nobody of this party is in the line any more."}
	ErrPartyFull = &ropeline.Error{Kind: ropeline.Conflict, Code: "party-full", Detail: "This party has as many members as it may have."}
	// ErrPartyLarge is for a party that could never be let in as things are.
	ErrPartyLarge = &ropeline.Error{Kind: ropeline.Conflict, Code: "party-too-large",
		Detail: "With one more member this party would be larger than the number of people who may be inside at once."}
	ErrPartyOffered = &ropeline.Error{Kind: ropeline.Conflict, Code: "party-offered", Detail: "The turn of this place has come: nobody can join it any more."}
	// ErrPartyShared: a copy for another device would make the other members' old.
	ErrPartyShared = &ropeline.Error{Kind: ropeline.Conflict, Code: "party-shared",
		Detail: "A place that friends share cannot be moved to another device."}
	ErrParted = &ropeline.Error{Kind: ropeline.Gone, Code: "party-left", Detail: "You are not a member of this party any more."}
)

// Invite returns the code by which friends join the party of a place. It is
// signed and so needs no record; it is worth something as long as the party.
func (s *Store) Invite(sale ropeline.SaleID, id ropeline.PlaceID) string {
	return string(id) + "." + base64.RawURLEncoding.EncodeToString(s.inviteMAC(sale, id))
}

// ReadInvite returns the place that a code invites to, or ErrInviteInvalid.
func (s *Store) ReadInvite(sale ropeline.SaleID, code string) (ropeline.PlaceID, error) {
	id, mac, _ := strings.Cut(code, ".")
	// Texts are compared, not decoded bytes, for the reason that ReadTicket gives.
	want := base64.RawURLEncoding.EncodeToString(s.inviteMAC(sale, ropeline.PlaceID(id)))
	if !hmac.Equal([]byte(mac), []byte(want)) {
		return "", ErrInviteInvalid
	}
	return ropeline.PlaceID(id), nil
}

func (s *Store) inviteMAC(sale ropeline.SaleID, id ropeline.PlaceID) []byte {
	return sign(s.keys.Place, "party of "+string(sale)+" at "+string(id))[:16]
}

//go:embed lua/party_join.lua
var partyJoinSource string
var partyJoinScript = newScript("party join", partyJoinSource)

// OpenParty lets others join a place: those who get its code. Opening it again
// changes nothing.
func (s *Store) OpenParty(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Party, error) {
	return s.JoinParty(ctx, sale, Ticket{Place: id}, 1)
}

// JoinParty takes the member that the ticket names into the party of its place,
// of at most most members; a member stays one. It fails with ErrPartyOver,
// ErrPartyOffered, ErrPartyFull or ErrPartyLarge.
func (s *Store) JoinParty(ctx context.Context, sale ropeline.SaleID, t Ticket, most int) (Party, error) {
	reply, err := s.runOn(ctx, sale, partyJoinScript, keysOf(sale, "state", "limits", "numbers", "parties"),
		string(t.Place), t.tag(), min(most, ropeline.MaxParty))
	if err != nil {
		return "", err
	}
	members, _ := reply.(string)
	s.announce(ctx, sale, t.Place)
	return Party(members), nil
}

//go:embed lua/party_leave.lua
var partyLeaveSource string
var partyLeaveScript = newScript("party leave", partyLeaveSource)

// LeaveAs gives up what the holder of a ticket has of a place: a member leaves
// the party, and the last one the place, as Leave does. While others stay,
// acknowledged is false if a token of the leaver may live on: it is not renewed,
// and the slot is free when it has expired. given reports whether the place
// itself was given up.
func (s *Store) LeaveAs(ctx context.Context, sale ropeline.SaleID, t Ticket) (given, acknowledged bool, err error) {
	left, active, err := s.leaveParty(ctx, sale, t)
	if err != nil || left {
		return false, !active, err
	}
	acknowledged, err = s.Leave(ctx, sale, t.Place)
	return true, acknowledged, err
}

// EndAs ends what the holder of a ticket has of a session: a member's time, and
// the last one's as End does.
func (s *Store) EndAs(ctx context.Context, sale ropeline.SaleID, t Ticket) (acknowledged bool, err error) {
	left, active, err := s.leaveParty(ctx, sale, t)
	if err != nil || left {
		return !active, err
	}
	return s.End(ctx, sale, t.Place)
}

// leaveParty reports whether others keep the place, and whether a token of the
// leaver may live on.
func (s *Store) leaveParty(ctx context.Context, sale ropeline.SaleID, t Ticket) (left, active bool, err error) {
	reply, err := s.runOn(ctx, sale, partyLeaveScript, keysOf(sale, "state", "offered", "active", "numbers", "parties"),
		string(t.Place), t.tag(), string(t.party()))
	if err != nil || reply == "alone" {
		return false, false, err
	}
	s.announce(ctx, sale, t.Place)
	return true, reply == "active", nil
}

//go:embed lua/party_recall.lua
var partyRecallSource string
var partyRecallScript = newScript("party recall", partyRecallSource)

// RecallParty puts the member of a ticket back into a party that a loss forgot,
// with those whom the ticket remembers.
func (s *Store) RecallParty(ctx context.Context, sale ropeline.SaleID, t Ticket) error {
	return s.recallParties(ctx, sale, []Place{{ID: t.Place, Party: t.party()}})
}

func (s *Store) recallParties(ctx context.Context, sale ropeline.SaleID, places []Place) error {
	args := []any{ropeline.MaxParty}
	for _, p := range places {
		args = append(args, string(p.ID), string(p.Party))
	}
	_, err := s.runOn(ctx, sale, partyRecallScript, keysOf(sale, "state", "numbers", "parties"), args...)
	if err != nil {
		return fmt.Errorf("recalling parties: %w", err)
	}
	return nil
}

// parties are those of the places that are shared.
func parties(places []Place) []Place {
	return slices.DeleteFunc(slices.Clone(places), func(p Place) bool { return p.Party == "" })
}
