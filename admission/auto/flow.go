package auto

import "math"

// flow is what is known of the requests of a kind: how many a person makes and how
// long after the offer, how many are answered, and how long one takes.
type flow struct {
	Lags     [len(delays)]lag
	Comes    decaying // requests that came, by seconds, of late
	Full     decaying // requests answered, by seconds, while there is too much to do
	Takes    decaying // seconds of all requests together, by requests
	Late     decaying // the same of a longer time
	Quick    float64  // the least that a request has ever taken; 0: nobody says
	Written  decaying // orders that were written, by requests answered
	Answered float64  // of late, a second
	InFlight float64
}

// lag is how requests would come if people asked so long after the offer.
type lag struct {
	Age    float64  // seconds since it began
	Inside float64  // people who are let in and will still ask
	Asked  decaying // requests that came, by people who were due to ask
	Miss   decaying // squares of how many came that were not due, by seconds
}

func (l *lag) see(came, offered, seconds, delay float64) {
	if l.Age == 0 { // they were let in like this before, too
		l.Inside = offered / seconds * delay
	}
	l.Age += seconds
	memory := min(askedMemory, max(l.Age/2, few))
	l.Inside += offered
	due := l.Inside * (1 - math.Exp(-seconds/delay))
	l.Inside -= due
	if expected := due * l.Asked.mean(1); l.Asked.By > 0 {
		l.Miss.add((came-expected)*(came-expected), seconds, seconds, askedMemory)
	}
	l.Asked.add(came, due, seconds, memory)
}

// likely is the lag that fits best what was seen.
func (f *flow) likely() (l *lag, delay float64) {
	best := 0
	for i := range f.Lags {
		if f.Lags[i].Miss.mean(1) < f.Lags[best].Miss.mean(1) {
			best = i
		}
	}
	return &f.Lags[best], delays[best]
}

// decaying are sums in which the older counts less.
type decaying struct{ Of, By, Seconds float64 }

// mean is of as many as that at least.
func (d decaying) mean(least float64) float64 { return d.Of / max(least, d.By) }

func (d *decaying) add(of, by, seconds, memory float64) {
	keep := math.Exp(-seconds / memory)
	d.Of, d.By, d.Seconds = d.Of*keep+of, d.By*keep+by, d.Seconds*keep+seconds
}

func (f *flow) see(k Kind, offered, seconds float64) {
	came := max(0, k.Requests+k.InFlight-f.InFlight) // what is answered late came before
	f.InFlight, f.Answered = k.InFlight, k.Requests/seconds
	for i := range f.Lags {
		f.Lags[i].see(came, offered, seconds, delays[i])
	}
	f.Comes.add(came, seconds, seconds, comesMemory)
	f.Takes.add(k.Spent, k.Requests, seconds, takesMemory)
	f.Late.add(k.Spent, k.Requests, seconds, lateMemory)
	if f.Takes.Of > 0 && f.Takes.By >= sparse && f.Takes.Seconds >= settled && k.Failed == 0 && (f.Quick == 0 || f.Takes.mean(1) < f.Quick) {
		f.Quick = f.Takes.mean(1)
	}
}

// wrote is told how many orders were written. Requests that write none (a card is declined, an
// answer is asked for again) need next to nothing of the shop, and when all of its
// connections are taken they wait with the others and come out all at once: what is
// written says what it can answer.
func (f *flow) wrote(orders, seconds float64) {
	f.Written.add(orders, f.Answered*seconds, seconds, askedMemory)
	if part := f.Written.mean(few); part > 0 {
		f.Answered = orders / seconds / part
	}
}

// waits says that more is under way than what is answered in so many seconds.
func (f *flow) waits(seconds float64) bool {
	return f.Full.By > 0 && f.InFlight > f.Full.mean(1)*seconds
}

// bears measures what the shop can answer. A stretch at whose end no more is under way
// than what is answered in so many seconds says nothing: it could have answered more.
func (f *flow) bears(took, mayWait float64) {
	if f.Full.By == 0 || f.InFlight > f.Answered*mayWait {
		f.Full.add(f.Answered*took, took, took, fullMemory)
	}
}

// people is how many people a minute ask for so much a second.
func (f *flow) people(requests float64) float64 {
	l, _ := f.likely()
	return 60 * requests * l.Asked.By / l.Asked.Of
}

// fits is how many requests a second may be caused by those who are let in from now
// on, so that in some seconds no more waits than may, if so many a second are
// answered: who was let in before still asks, by so many the fewer the longer ago.
func (f *flow) fits(answered, mayWait, in float64) float64 {
	_, delay := f.likely()
	waits := max(0, f.InFlight+(f.Comes.mean(1)-answered)*deaf)
	still := delay * (1 - math.Exp(-in/delay))
	return (mayWait - waits + answered*in - f.Comes.mean(1)*still) / (in - still)
}

// fresh forgets how long requests took.
func (f flow) fresh() flow {
	f.Takes, f.Late, f.Full = decaying{}, decaying{}, decaying{}
	return f
}
