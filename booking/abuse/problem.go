package abuse

import (
	"time"

	"github.com/ropeline/ropeline"
)

// What somebody is answered who has to wait, is blocked, or has come to a limit. All
// of them say what to do, and when to try again.
var (
	ErrSlowedHolds     = &ropeline.Error{Kind: ropeline.Limited, Code: "slowed-holds", Detail: "You have taken places and not bought them many times. Wait a moment, then choose again."}
	ErrSlowedPayments  = &ropeline.Error{Kind: ropeline.Limited, Code: "slowed-payments", Detail: "Several payments did not go through, or very many were begun. This one is not charged; wait a moment, then try again."}
	ErrSlowedNetwork   = &ropeline.Error{Kind: ropeline.Limited, Code: "slowed-network", Detail: "Very many tries have come from your network, which you may share with others. Wait a moment, then try again."}
	ErrSlowedCard      = &ropeline.Error{Kind: ropeline.Limited, Code: "slowed-card", Detail: "This card was tried several times. Nothing is charged; pay with another card, or wait a moment."}
	ErrBlockedHolds    = &ropeline.Error{Kind: ropeline.Forbidden, Code: "blocked-holds", Detail: "You have taken places and not bought them too often, so you cannot take any more for a while. What you hold and what you have bought stays yours. If this is a mistake, give the organizer the reference."}
	ErrBlockedPayments = &ropeline.Error{Kind: ropeline.Forbidden, Code: "blocked-payments", Detail: "Too many payments did not go through, so you cannot pay for a while. What you have bought stays yours. If this is a mistake, give the organizer the reference."}
	ErrBlockedNetwork  = &ropeline.Error{Kind: ropeline.Forbidden, Code: "blocked-network", Detail: "Your network, which you may share with others, has been blocked for a while: too many tries have come from it. Use another network, or give the organizer the reference. What you have bought stays yours."}
	ErrBlockedCard     = &ropeline.Error{Kind: ropeline.Forbidden, Code: "blocked-card", Detail: "This card was declined too often and cannot be used for a while. Nothing is charged; pay with another card. If this is a mistake, give the organizer the reference."}
	ErrBlockedStaff    = &ropeline.Error{Kind: ropeline.Forbidden, Code: "blocked-staff", Detail: "The organizer has blocked you from buying for a while. What you have bought stays yours. If this is a mistake, give the organizer the reference."}
	ErrCardLimit       = &ropeline.Error{Kind: ropeline.Conflict, Code: "card-limit", Detail: "With these, more tickets of this sale would be paid with this card than one card may pay for. Nothing is charged and your places are still held: pay with another card."}
	ErrNetworkLimit    = &ropeline.Error{Kind: ropeline.Conflict, Code: "network-limit", Detail: "With these, more tickets of this sale would be bought from your network than one network may buy. Nothing is charged: use another network, or write to the organizer."}
)

// slowed is the answer to who waits.
func slowed(m mark, wait time.Duration) error {
	e := ErrSlowedHolds
	switch {
	case m.Kind == Address:
		e = ErrSlowedNetwork
	case m.Kind == Card:
		e = ErrSlowedCard
	case m.signal == Payments:
		e = ErrSlowedPayments
	}
	return after(e, wait, "")
}

// blocked is the answer to who is blocked.
func blocked(b Block, now time.Time) error {
	e := ErrBlockedHolds
	switch {
	case b.Kind == Address:
		e = ErrBlockedNetwork
	case b.Kind == Card:
		e = ErrBlockedCard
	case b.Signal == Staff:
		e = ErrBlockedStaff
	case b.Signal == Payments:
		e = ErrBlockedPayments
	}
	return after(e, b.Until.Sub(now), b.ID)
}

func after(e *ropeline.Error, wait time.Duration, reference string) error {
	told := *e
	told.RetryAfter, told.Reference = max(wait, time.Second), reference
	return &told
}

// limited is the answer to who has come to a limit. Where it is of tickets, waiting
// is not what helps.
func limited(c counter, wait time.Duration) error {
	if c.tickets {
		return c.refusal
	}
	return after(c.refusal, wait, "")
}
