package loadtest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What is measured, in the order of the report.
const (
	spanJoin  = "join"
	spanLet   = "let in"     // by a safety net, at once
	spanOffer = "offer wait" // from the join, or the opening, to the offer
	spanPush  = "push"       // from when the offer was made to its frame
	spanClaim = "claim"
	spanHold  = "hold"
	spanOrder = "order"
	spanEnd   = "end session" // until every gate has acknowledged it
)

var spanNames = []string{spanJoin, spanLet, spanOffer, spanPush, spanClaim, spanHold, spanOrder, spanEnd}

// meter counts answers and measures how long things took. All fans share one.
type meter struct {
	mu       sync.Mutex
	faults   Faults
	statuses map[string]int // "POST /api/v1/holds 409 units-taken" → times
	counts   map[string]int
	spans    map[string]*hdrhistogram.Histogram
}

// maxStatuses bounds the table of answers: routes times statuses are few.
const maxStatuses = 1000

func newMeter() *meter {
	m := &meter{statuses: map[string]int{}, counts: map[string]int{}, spans: map[string]*hdrhistogram.Histogram{}}
	for _, name := range spanNames {
		m.spans[name] = hdrhistogram.New(1, time.Hour.Microseconds(), 3)
	}
	return m
}

// took notes how long something took, at least a microsecond.
func (m *meter) took(name string, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.spans[name].RecordValue(min(max(d.Microseconds(), 1), time.Hour.Microseconds())) // within its bounds by construction
}

// count counts something that happens often.
func (m *meter) count(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[what]++
}

// answered notes an answer to a request.
func (m *meter) answered(r request, a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults.Answers++
	line := strings.TrimSpace(fmt.Sprintf("%s %s %d %s", r.method, route(r.path), a.Status, a.Code))
	if _, known := m.statuses[line]; known || len(m.statuses) < maxStatuses {
		m.statuses[line]++
	}
	if a.Status == http.StatusInternalServerError {
		m.faults.Internal++
		if len(m.faults.Examples) < maxExamples {
			m.faults.Examples = append(m.faults.Examples, fmt.Sprintf("%s: %.200s", line, a.body))
		}
	}
}

// route replaces the id in a path, so that answers can be counted by route.
func route(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) > 4 { // "", api, v1, what, id, …
		parts[4] = "{id}"
	}
	return strings.Join(parts, "/")
}

// board says how a run stands: who decides when it is over looks here.
type board struct {
	arrived, finished, waiting, inside atomic.Int64
	offers                             atomic.Int64
	lastOffer                          atomic.Int64 // Moment
	woke                               atomic.Int64 // Moment at which the last one came back who was away
	cap                                atomic.Int64 // the highest that was set in the middle
}

// raise notes a cap that was set.
func (b *board) raise(to int) { b.cap.Store(max(b.cap.Load(), int64(to))) }

// offer notes that some fan saw an offer.
func (b *board) offer(now Moment) {
	b.offers.Add(1)
	b.lastOffer.Store(int64(now))
}
