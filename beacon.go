package ropeline

import (
	"fmt"
	"regexp"
	"time"
)

// Beacon is a public random value that goes into a draw: nobody knows it before
// the entrants are bound. Its time counts from the publication of the root over
// them, so however late that is, the value comes later.
type Beacon struct {
	Name  string  `json:"name"`  // of a source that the admission part is configured with
	After Seconds `json:"after"` // from the root to the beacon's time
	Wait  Seconds `json:"wait"`  // for the value, from then on; the draw goes on without it
}

var beaconName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// maxBeaconTime bounds how long a draw may wait.
const maxBeaconTime Seconds = 600

// Rule is the text that the draw's commitment binds: what is announced before
// anybody joins.
func (b Beacon) Rule() string {
	return fmt.Sprintf("%s, %d s after the root; none if it is not there %d s later", b.Name, b.After, b.Wait)
}

// ParseBeacon reads what Rule wrote.
func ParseBeacon(rule string) (b Beacon, ok bool) {
	var name string
	n, err := fmt.Sscanf(rule, "%s %d s after the root; none if it is not there %d s later", &name, &b.After, &b.Wait)
	if err != nil || n != 3 || name == "" {
		return Beacon{}, false
	}
	b.Name = name[:len(name)-1] // without the comma
	return b, b.Rule() == rule && beaconName.MatchString(b.Name)
}

// At is the beacon's time, a whole second.
func (b Beacon) At(root time.Time) time.Time {
	return root.Add(b.After.Duration() + time.Second - 1).Truncate(time.Second)
}

// validate names the first setting that makes no sense; closes and opens are the
// sale's.
func (b Beacon) validate(closes, opens time.Time) (field, why string) {
	switch {
	case !beaconName.MatchString(b.Name) || b.Name == "none":
		return "beacon.name", "must have lower-case letters, digits and hyphens, and not be none"
	case b.After < 1 || b.After > maxBeaconTime:
		return "beacon.after", fmt.Sprintf("must lie between 1 and %d seconds", maxBeaconTime)
	case b.Wait < 1 || b.Wait > maxBeaconTime:
		return "beacon.wait", fmt.Sprintf("must lie between 1 and %d seconds", maxBeaconTime)
	case closes.Add((b.After + b.Wait).Duration()).After(opens):
		return "beacon", "must be over before opens_at"
	}
	return "", ""
}
