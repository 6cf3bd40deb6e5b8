package ropeline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// MainLane is the lane of everybody who is in no other.
const MainLane = "main"

// Lane is a line of its own beside the main one, for members, say, or for those
// who need more time. While people wait in several lanes, each is given its share
// of the turns; what a lane does not use goes to the others. Within a lane the
// order is that of any line.
type Lane struct {
	Name  string      `json:"name"`  // a slug; part of its places' ids
	Title string      `json:"title"` // as fans read it
	Share int         `json:"share"` // of 100 turns; the main lane has what the others leave
	Entry []LaneEntry `json:"entry"` // how one comes in
}

// LaneEntry is a way into a lane.
type LaneEntry string

// The ways into a lane.
const (
	EntryCode       LaneEntry = "code"       // a code of the organizer's, at the join or while waiting
	EntryInvitation LaneEntry = "invitation" // an invitation that names the lane
)

// Bounds of lanes. A tick asks each of them, and names are part of place ids.
const (
	MaxLanes    = 8 // with the main one
	maxLaneName = 24
)

// Lane is the lane that a place is of: the part of its id behind a tilde.
func (id PlaceID) Lane() string {
	if _, lane, ok := strings.Cut(string(id), "~"); ok {
		return lane
	}
	return MainLane
}

// In is the place's id in a lane.
func (id PlaceID) In(lane string) PlaceID {
	bare, _, _ := strings.Cut(string(id), "~")
	if lane == MainLane || lane == "" {
		return PlaceID(bare)
	}
	return PlaceID(bare + "~" + lane)
}

// LaneNames are the names of all lanes of a sale, the main one first.
func (s Sale) LaneNames() []string {
	names := []string{MainLane}
	for _, l := range s.Lanes {
		names = append(names, l.Name)
	}
	return names
}

// MainShare is the share of the main lane.
func (s Sale) MainShare() int {
	share := 100
	for _, l := range s.Lanes {
		share -= l.Share
	}
	return share
}

// Lane returns a lane by its name; false for one that the sale has not. Of the
// main one there is no more than its share.
func (s Sale) Lane(name string) (Lane, bool) {
	if name == MainLane || name == "" {
		return Lane{Name: MainLane, Share: s.MainShare()}, true
	}
	i := slices.IndexFunc(s.Lanes, func(l Lane) bool { return l.Name == name })
	if i < 0 {
		return Lane{}, false
	}
	return s.Lanes[i], true
}

// Takes reports whether one comes into the lane in this way.
func (l Lane) Takes(entry LaneEntry) bool { return slices.Contains(l.Entry, entry) }

// validateLanes names the first lane that cannot be served.
func (s Sale) validateLanes() (field, why string) {
	if len(s.Lanes) >= MaxLanes {
		return "lanes", fmt.Sprintf("must be at most %d, beside the main one", MaxLanes-1)
	}
	names := map[string]bool{MainLane: true}
	for i, l := range s.Lanes {
		of := func(name string) string { return fmt.Sprintf("lanes[%d].%s", i, name) }
		switch {
		case !slug(l.Name) || len(l.Name) > maxLaneName:
			return of("name"), fmt.Sprintf("must be a slug of at most %d letters", maxLaneName)
		case names[l.Name]:
			return of("name"), "is that of another lane"
		case l.Title == "":
			return of("title"), "is missing"
		case l.Share < 1:
			return of("share"), "must be at least 1"
		case len(l.Entry) == 0:
			return of("entry"), "is missing: nobody would come in"
		}
		for _, e := range l.Entry {
			if e != EntryCode && e != EntryInvitation {
				return of("entry"), fmt.Sprintf("must be %s or %s", EntryCode, EntryInvitation)
			}
		}
		names[l.Name] = true
	}
	if s.MainShare() < 1 {
		return "lanes", "must leave a share of at least 1 to the main lane"
	}
	if s.Lines() > MaxShards {
		return "shards", fmt.Sprintf("make %d lines with the lanes, and must make at most %d", s.Lines(), MaxShards)
	}
	return "", ""
}

// Bypass is a rule by which somebody is let in past the line: staff, monitoring,
// people who cannot stand in one. Who comes by it shows a key; they count as
// everybody else, and the public is told how many they are.
type Bypass struct {
	Name  string   `json:"name"`  // a slug
	Title string   `json:"title"` // as fans read it
	Share int      `json:"share"` // of 100 people who are let in, at most
	Keys  []string `json:"keys"`  // SHA-256 of each key, in hexadecimal
}

// MaxBypass bounds the rules, and the keys of each.
const MaxBypass = 10

var sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)

// validateBypass names the first rule that cannot be kept.
func (s Sale) validateBypass() (field, why string) {
	if len(s.Bypass) > MaxBypass {
		return "bypass", fmt.Sprintf("must be at most %d rules", MaxBypass)
	}
	names := map[string]bool{}
	for i, b := range s.Bypass {
		of := func(name string) string { return fmt.Sprintf("bypass[%d].%s", i, name) }
		switch {
		case !slug(b.Name) || len(b.Name) > maxLaneName:
			return of("name"), fmt.Sprintf("must be a slug of at most %d letters", maxLaneName)
		case names[b.Name]:
			return of("name"), "is that of another rule"
		case b.Title == "":
			return of("title"), "is missing"
		case b.Share < 1 || b.Share > 50:
			return of("share"), "must lie between 1 and 50"
		case len(b.Keys) == 0 || len(b.Keys) > MaxBypass:
			return of("keys"), fmt.Sprintf("must be 1 to %d", MaxBypass)
		}
		for _, k := range b.Keys {
			if !sha256Text.MatchString(k) {
				return of("keys"), "must be SHA-256 values in lower-case hexadecimal, and not the keys themselves"
			}
		}
		names[b.Name] = true
	}
	return "", ""
}
