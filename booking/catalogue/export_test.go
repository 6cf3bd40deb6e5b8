package catalogue

import "time"

// LastPlaces is for tests.
var LastPlaces = lastPlaces

// SetPlanTime has plans go by a clock.
func (s *Store) SetPlanTime(now func() time.Time) { s.planTime = now }
