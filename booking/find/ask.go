package find

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// What may be asked for.
const (
	MaxText  = 100 // characters
	MaxWords = 10

	DefaultRadius = 10.0 // km
	MinRadius     = 1.0
	MaxRadius     = 500.0
)

// ErrInvalid refuses a question; its detail says why.
var ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "search-invalid"}

func invalid(format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...) + "."
	return &e
}

// Order is in which order something is listed.
type Order string

// The orders.
const (
	Relevant Order = "relevant" // how well the words fit, and how popular it is
	Popular  Order = "popular"
	Soonest  Order = "soonest" // events by the first of their performances that is as asked for
)

// Asked is what somebody asks for, as it came. What is empty was not asked for.
type Asked struct {
	Text      string
	Kind      string
	Category  string
	From, To  string // days, 2026-12-31, where the show is
	City      string
	Country   string
	Near      string // latitude,longitude
	Radius    string // km
	PriceFrom string // minor units
	PriceTo   string
	Currency  string
	Available string // true: only what is not sold out
	Order     string
	Page      booking.Page
}

// Query is what somebody asks for, understood.
type Query struct {
	text      string
	kind      Kind // empty: any
	category  string
	from, to  string
	city      string
	country   string
	circle    *circle
	priceFrom int64
	priceTo   int64 // negative: any
	currency  string
	available bool
	order     Order
	after     *mark // nil: from the first
	size      int
}

var (
	slug     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)
	country  = regexp.MustCompile(`^[A-Z]{2}$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
)

// Understand reads a question, or says what of it cannot be read.
func Understand(a Asked) (q Query, err error) {
	q.priceTo = -1
	for _, read := range []func(*Query, Asked) error{readText, readWhat, readDays, readPlace, readPrice, readPage} {
		if err := read(&q, a); err != nil {
			return Query{}, err
		}
	}
	return q, nil
}

// plainText bounds a text. What joins letters of some scripts is no letter itself.
func plainText(what, s string, most int) (string, error) {
	s = strings.TrimSpace(strings.NewReplacer("\u200c", "", "\u200d", "").Replace(s))
	if utf8.RuneCountInString(s) > most || !booking.IsPlain(s) {
		return "", invalid("%s has at most %d characters that can be printed", what, most)
	}
	return s, nil
}

func readText(q *Query, a Asked) (err error) {
	if q.text, err = plainText("A text to look for", a.Text, MaxText); err != nil || a.Text == "" {
		return err
	}
	words := strings.FieldsFunc(q.text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 || len(words) > MaxWords {
		return invalid("A text to look for has 1 to %d words of letters or digits", MaxWords)
	}
	return nil
}

func readWhat(q *Query, a Asked) error {
	switch q.kind = Kind(a.Kind); q.kind {
	case "", Event, Performer, Venue, Tour:
	default:
		return invalid("A kind is event, performer, venue or tour")
	}
	if q.category = a.Category; q.category != "" && !slug.MatchString(q.category) {
		return invalid("A category is named by its id, as music")
	}
	switch a.Available {
	case "", "false":
	case "true":
		q.available = true
	default:
		return invalid("available is true or false")
	}
	return nil
}

func readDays(q *Query, a Asked) error {
	for _, day := range []struct {
		name, text string
		to         *string
	}{{"from", a.From, &q.from}, {"to", a.To, &q.to}} {
		if *day.to = day.text; day.text == "" {
			continue
		}
		if at, err := time.Parse(time.DateOnly, day.text); err != nil || !booking.IsTime(at) {
			return invalid("%s is a day of the calendar, as 2026-12-31", day.name)
		}
	}
	if q.from != "" && q.to != "" && q.to < q.from {
		return invalid("The last day (to) is before the first (from)")
	}
	return nil
}

func readPlace(q *Query, a Asked) (err error) {
	if q.city, err = plainText("A city", a.City, 100); err != nil {
		return err
	}
	if q.country = a.Country; q.country != "" && !country.MatchString(q.country) {
		return invalid("A country is two capital letters, as PT")
	}
	if a.Near == "" {
		if a.Radius != "" {
			return invalid("A radius needs a place to be near of")
		}
		return nil
	}
	lat, lon, found := strings.Cut(a.Near, ",")
	latitude, okLat := number(lat)
	longitude, okLon := number(lon)
	if !found || !okLat || !okLon || math.Abs(latitude) > 90 || math.Abs(longitude) > 180 {
		return invalid("near is a latitude from -90 to 90 and a longitude from -180 to 180 degrees, as 38.72,-9.14")
	}
	radius, ok := DefaultRadius, true
	if a.Radius != "" {
		radius, ok = number(a.Radius)
	}
	if !ok || radius < MinRadius || radius > MaxRadius {
		return invalid("A radius has %g to %g km", MinRadius, MaxRadius)
	}
	q.circle = &circle{latitude, longitude, radius}
	return nil
}

var decimal = regexp.MustCompile(`^-?[0-9]{1,3}(\.[0-9]{1,12})?$`)

// number reads what people write, and nothing of what else Go takes for a number.
func number(s string) (float64, bool) {
	if !decimal.MatchString(s) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// maxPrice bounds prices as tiers do.
const maxPrice = 1_000_000_000_000

func readPrice(q *Query, a Asked) error {
	for _, price := range []struct {
		name, text string
		to         *int64
	}{{"price_from", a.PriceFrom, &q.priceFrom}, {"price_to", a.PriceTo, &q.priceTo}} {
		if price.text == "" {
			continue
		}
		n, err := strconv.ParseUint(price.text, 10, 63)
		if err != nil || n > maxPrice {
			return invalid("%s is an amount in minor units, from 0 to %d", price.name, maxPrice)
		}
		*price.to = int64(n)
	}
	if q.currency = a.Currency; q.currency != "" && !currency.MatchString(q.currency) {
		return invalid("A currency is three capital letters, as EUR")
	}
	if (a.PriceFrom != "" || a.PriceTo != "") && q.currency == "" {
		return invalid("A price needs its currency")
	}
	if q.priceTo >= 0 && q.priceTo < q.priceFrom {
		return invalid("The highest price (price_to) is below the lowest (price_from)")
	}
	return nil
}

// ofShows reports whether performances are chosen, and not only what has some.
func (q Query) ofShows() bool {
	return q.from != "" || q.to != "" || q.city != "" || q.country != "" || q.circle != nil || q.currency != "" || q.available
}

func readPage(q *Query, a Asked) (err error) {
	if q.kind == "" && (q.text == "" || q.category != "" || q.ofShows() || Order(a.Order) == Soonest) {
		q.kind = Event // nothing else has such
	}
	if q.kind != Event && (q.category != "" || q.ofShows() || Order(a.Order) == Soonest) {
		return invalid("Days, places, prices and categories are those of events")
	}
	switch q.order = Order(a.Order); {
	case q.order == "" && q.text == "":
		q.order = Popular
	case q.order == "":
		q.order = Relevant
	case q.order == Relevant && q.text == "":
		return invalid("Without a text there is nothing to be relevant to")
	case q.order != Relevant && q.order != Popular && q.order != Soonest:
		return invalid("An order is relevant, popular or soonest")
	}
	if q.size, err = a.Page.Size(); err != nil {
		return err
	}
	if a.Page.Cursor != "" {
		if q.after, err = parseMark(q.order, a.Page.Cursor); err != nil {
			return err
		}
	}
	return nil
}

// mark is where in an order a page ends: what it is ordered by, and the id behind that.
type mark struct {
	by float64 // popularity or score
	at int64   // µs since 1970
	id string

	show string // its id stands in the place of id where shows are ordered
}

// text writes a mark as a cursor of an order.
func (m mark) text(o Order) string {
	bits, id := math.Float64bits(m.by), m.id
	if o == Soonest {
		bits, id = uint64(m.at), m.show
	}
	return string(o[:1]) + hex.EncodeToString(binary.BigEndian.AppendUint64(nil, bits)) + id
}

func parseMark(o Order, cursor string) (*mark, error) {
	const digits = 16
	if len(cursor) < 1+digits || cursor[:1] != string(o[:1]) || !booking.IsID(cursor[1+digits:]) {
		return nil, booking.ErrPage
	}
	raw, err := hex.DecodeString(cursor[1 : 1+digits])
	if err != nil {
		return nil, booking.ErrPage
	}
	bits := binary.BigEndian.Uint64(raw)
	m := &mark{by: math.Float64frombits(bits), id: cursor[1+digits:]}
	if o == Soonest {
		m.by, m.at = 0, int64(bits)
		if !booking.IsTime(time.UnixMicro(m.at)) {
			return nil, booking.ErrPage
		}
	} else if math.IsNaN(m.by) || math.IsInf(m.by, 0) {
		return nil, booking.ErrPage
	}
	return m, nil
}

// circle is around a place on the earth.
type circle struct{ latitude, longitude, radius float64 }

// kmPerDegree is a degree of latitude; a little less than it is, so that a box is rather
// too large.
const kmPerDegree = 110.5

// box is what holds the circle: latitudes, and longitudes, which go on at 180 degrees
// where west is greater than east.
func (c circle) box() (south, north, west, east float64) {
	d := c.radius / kmPerDegree
	south, north = c.latitude-d, c.latitude+d
	if south <= -89 || north >= 89 { // a pole is near: all longitudes are
		return south, north, -180, 180
	}
	w := d / math.Cos(math.Max(math.Abs(south), math.Abs(north))*math.Pi/180)
	if w >= 180 {
		return south, north, -180, 180
	}
	if west = c.longitude - w; west < -180 {
		west += 360
	}
	if east = c.longitude + w; east > 180 {
		east -= 360
	}
	return south, north, west, east
}
