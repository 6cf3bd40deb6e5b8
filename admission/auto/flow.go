package auto

import "math"

// flow is what is known of the requests of a kind: how many a person makes and how
// long after the offer, how many are answered, and how long one takes.
type flow struct {
	lags     [len(delays)]lag
	comes    decaying // requests that came, by seconds, of late
	full     decaying // requests answered, by seconds, while there is too much to do
	takes    decaying // seconds of all requests together, by requests
	late     decaying // the same of a longer time
	quick    float64  // the least that a request has ever taken; 0: nobody says
	written  decaying // orders that were written, by requests answered
	answered float64  // of late, a second
	inFlight float64
}

// lag is how requests would come if people asked so long after the offer.
type lag struct {
	inside float64  // people who are let in and will still ask
	asked  decaying // requests that came, by people who were due to ask
	miss   decaying // squares of how many came that were not due, by seconds
}

func (l *lag) see(came, offered, seconds, delay float64) {
	l.inside += offered
	due := l.inside * (1 - math.Exp(-seconds/delay))
	l.inside -= due
	if expected := due * l.asked.mean(1); l.asked.by > 0 {
		l.miss.add((came-expected)*(came-expected), seconds, seconds, askedMemory)
	}
	l.asked.add(came, due, seconds, askedMemory)
}

// likely is the lag that fits best what was seen.
func (f *flow) likely() (l *lag, delay float64) {
	best := 0
	for i := range f.lags {
		if f.lags[i].miss.mean(1) < f.lags[best].miss.mean(1) {
			best = i
		}
	}
	return &f.lags[best], delays[best]
}

// decaying are sums in which the older counts less.
type decaying struct{ of, by, seconds float64 }

// mean is of as many as that at least.
func (d decaying) mean(least float64) float64 { return d.of / max(least, d.by) }

func (d *decaying) add(of, by, seconds, memory float64) {
	keep := math.Exp(-seconds / memory)
	d.of, d.by, d.seconds = d.of*keep+of, d.by*keep+by, d.seconds*keep+seconds
}

func (f *flow) see(k Kind, offered, seconds float64) {
	came := max(0, k.Requests+k.InFlight-f.inFlight) // what is answered late came before
	f.inFlight, f.answered = k.InFlight, k.Requests/seconds
	for i := range f.lags {
		f.lags[i].see(came, offered, seconds, delays[i])
	}
	f.comes.add(came, seconds, seconds, comesMemory)
	f.takes.add(k.Spent, k.Requests, seconds, takesMemory)
	f.late.add(k.Spent, k.Requests, seconds, lateMemory)
	if f.takes.of > 0 && f.takes.by >= sparse && f.takes.seconds >= settled && k.Failed == 0 && (f.quick == 0 || f.takes.mean(1) < f.quick) {
		f.quick = f.takes.mean(1)
	}
}

// wrote is told how many orders were written. Requests that write none (a card is declined, an
// answer is asked for again) need next to nothing of the shop, and when all of its
// connections are taken they wait with the others and come out all at once: what is
// written says what it can answer.
func (f *flow) wrote(orders, seconds float64) {
	f.written.add(orders, f.answered*seconds, seconds, askedMemory)
	if part := f.written.mean(few); part > 0 {
		f.answered = orders / seconds / part
	}
}

// waits says that more is under way than what is answered in so many seconds.
func (f *flow) waits(seconds float64) bool {
	return f.full.by > 0 && f.inFlight > f.full.mean(1)*seconds
}

// bears measures what the shop can answer. A stretch at whose end no more is under way
// than what is answered in so many seconds says nothing: it could have answered more.
func (f *flow) bears(took, mayWait float64) {
	if f.full.by == 0 || f.inFlight > f.answered*mayWait {
		f.full.add(f.answered*took, took, took, fullMemory)
	}
}

// people is how many people a minute ask for so much a second.
func (f *flow) people(requests float64) float64 {
	l, _ := f.likely()
	return 60 * requests * l.asked.by / l.asked.of
}

// fits is how many requests a second may be caused by those who are let in from now
// on, so that in some seconds no more waits than may, if so many a second are
// answered: who was let in before still asks, by so many the fewer the longer ago.
func (f *flow) fits(answered, mayWait, in float64) float64 {
	_, delay := f.likely()
	waits := max(0, f.inFlight+(f.comes.mean(1)-answered)*deaf)
	still := delay * (1 - math.Exp(-in/delay))
	return (mayWait - waits + answered*in - f.comes.mean(1)*still) / (in - still)
}

// fresh forgets how long requests took.
func (f flow) fresh() flow {
	f.takes, f.late, f.full = decaying{}, decaying{}, decaying{}
	return f
}
