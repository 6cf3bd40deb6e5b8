package booking

import (
	"fmt"
	"time"
	_ "time/tzdata" // zones are data of ours: a server may have none, or old ones

	"github.com/ropeline/ropeline"
)

// LocalForm is how a time by the clocks of a place is written.
const LocalForm = "2006-01-02T15:04"

// Refusals of a time by the clocks of a place.
var (
	ErrLocal   = &ropeline.Error{Kind: ropeline.Invalid, Code: "local-time-invalid", Detail: "A time by the clocks of a place is written as 2027-03-27T20:00."}
	ErrSkipped = &ropeline.Error{Kind: ropeline.Invalid, Code: "local-time-skipped"}
)

// At is when the clocks of a zone show a time in LocalForm. ErrSkipped if they never do,
// because they go forward over it; if they show it twice, because they go back, it is the
// first of the two.
func At(local string, zone *time.Location) (time.Time, error) {
	wall, err := time.Parse(LocalForm, local)
	if err != nil || !IsTime(wall) {
		return time.Time{}, ErrLocal
	}
	// The offset is that of a day before or of a day after: no zone changes twice in two days.
	var found time.Time
	for _, day := range []int{1, -1} {
		_, offset := wall.AddDate(0, 0, day).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if at.In(zone).Format(LocalForm) == local && (found.IsZero() || at.Before(found)) {
			found = at
		}
	}
	if found.IsZero() {
		e := *ErrSkipped
		e.Detail = fmt.Sprintf("The clocks of %s never show %s: they go forward over it that day.", zone, local)
		return time.Time{}, &e
	}
	return found, nil
}
