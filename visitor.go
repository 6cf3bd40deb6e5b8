package ropeline

import "fmt"

// VisitorKind names what a sale takes for one visitor. A visitor has one place,
// so it decides who has how many lots in the draw.
type VisitorKind string

// The kinds of visitor that are built in. An edge may know more.
const (
	VisitorAnybody    VisitorKind = ""           // nobody is asked: a place for each ticket
	VisitorBrowser    VisitorKind = "browser"    // a browser that has done some work
	VisitorInvitation VisitorKind = "invitation" // whoever an organizer has invited
	VisitorAccount    VisitorKind = "account"    // an account of the seller's, by a token of its login
)

// VisitorRule is what a sale asks of whoever joins.
type VisitorRule struct {
	Kind VisitorKind `json:"kind"`

	// Of browsers only. Work is how many keys a browser derives at most for its
	// proof: 1,000 are about a third of a second of a laptop. PerNetwork is how many
	// places a network (IPv4 /24, IPv6 /64) gets in a minute. WithoutProof is how many
	// of them browsers without scripts get, which cannot work: 0 refuses them.
	Work         int   `json:"work,omitempty"`
	PerNetwork   int64 `json:"per_network,omitempty"`
	WithoutProof int64 `json:"without_proof,omitempty"`
}

// Bounds of a rule. A phone derives some 1,000 keys a second.
const (
	MaxWork             = 100_000
	MaxPlacesPerNetwork = 10_000_000
)

// validate names the first setting of the rule that makes no sense.
func (r VisitorRule) validate() (field, why string) {
	of := func(name string) string { return "visitor." + name }
	switch {
	case r.Kind != VisitorBrowser && (r.Work != 0 || r.PerNetwork != 0 || r.WithoutProof != 0):
		return of("work"), "per_network and without_proof are of browsers only"
	case r.Kind != VisitorBrowser:
		return "", ""
	case r.Work < 1 || r.Work > MaxWork:
		return of("work"), fmt.Sprintf("must lie between 1 and %d", MaxWork)
	case r.PerNetwork < 1 || r.PerNetwork > MaxPlacesPerNetwork:
		return of("per_network"), fmt.Sprintf("must lie between 1 and %d", MaxPlacesPerNetwork)
	case r.WithoutProof < 0 || r.WithoutProof > r.PerNetwork:
		return of("without_proof"), "must lie between 0 and per_network"
	}
	return "", ""
}
