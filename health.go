package ropeline

// Health is how a core of the shop does, counted since it was started, so that
// whoever misses a report has lost nothing.
type Health struct {
	Tally

	// Orders are counted by themselves, too: each goes through all that a core
	// depends on, and a slow database hides among ten times as many requests that
	// never ask it.
	Orders Tally `json:"orders"`

	// Written are orders that were written. A declined card, or an answer that is asked
	// for again, is a request, and asks next to nothing of a shop.
	Written int64 `json:"written"`
}

// Tally is what became of requests. Times are without the wait for the payment
// provider.
type Tally struct {
	Requests int64   `json:"requests"` // answered
	Failed   int64   `json:"failed"`   // of those, with an error of the server
	TookMS   int64   `json:"took_ms"`  // all of them together
	Slower   []int64 `json:"slower"`   // for each of HealthSteps: answered, and took longer

	// What is under way tells of trouble before anything is answered late.
	InFlight int64   `json:"in_flight"` // now, but for those that wait for the payment provider
	Older    []int64 `json:"older"`     // for each of HealthSteps: not answered, and has taken longer already
}

// HealthSteps are how long a request may take to count as slow, in milliseconds.
var HealthSteps = [...]int64{25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000}

// SlowerThan is how many requests took longer than so many milliseconds, by the
// step at or below that.
func (t Tally) SlowerThan(ms int64) int64 {
	return atStep(t.Slower, ms, t.Requests)
}

// OlderThan is the same of those that are not answered.
func (t Tally) OlderThan(ms int64) int64 {
	return atStep(t.Older, ms, 0)
}

func atStep(counts []int64, ms, n int64) int64 {
	for i, step := range HealthSteps {
		if step <= ms && i < len(counts) {
			n = counts[i]
		}
	}
	return n
}
