package paper

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/internal/qr"
)

// Lengths are millimeters of an A4 page.
const (
	margin        = 18.0
	width         = 210 - 2*margin
	pictureHeight = 62.0 // at most: what must be read has the room first
	leastPicture  = 20.0
	belowPicture  = 7.0
	aboveCode     = 14.0
	belowCode     = 12.0
	foot          = 297 - margin // where the last line is
	codeSize      = 60.0
	pictureWidth  = 1200 // pixels: 175 dpi
	blank         = 4    // modules around the code
	mostPlace     = 5    // lines of an address
)

// PDF writes the valid tickets of an order, a page each, with their printed codes: 15 ms
// and 40 KB for two, and the picture. Errors: ErrPending, ErrNone.
func (s *Store) PDF(ctx context.Context, o order.Order) ([]byte, error) {
	tickets, err := valid(o)
	if err != nil {
		return nil, err
	}
	e, err := s.Occasion(ctx, o.Performance)
	if err != nil {
		return nil, err
	}
	picture, err := s.picture(ctx, e.Picture)
	if err != nil {
		return nil, err
	}
	return e.pdf(o, tickets, picture, s.page(o))
}

func (e Occasion) pdf(o order.Order, tickets []order.Ticket, picture []byte, page string) ([]byte, error) {
	p := newPDF(e, o, picture)
	for i, t := range tickets {
		if err := p.ticket(t, i+1, len(tickets), page); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	if err := p.Output(&b); err != nil {
		return nil, fmt.Errorf("writing the tickets of %s: %w", o.ID, err)
	}
	return b.Bytes(), nil
}

// page is where the phone's codes are, without the key that opens it: paper is shown
// around. Empty: nowhere that we know.
func (s *Store) page(o order.Order) string {
	if s.site == "" {
		return ""
	}
	return s.site + "/tickets/" + o.ID
}

type pdf struct {
	*fpdf.Fpdf
	event   Occasion
	order   order.Order
	picture *fpdf.ImageInfoType // nil: none

	measuring bool // what is written takes its room, and is not there
}

func newPDF(e Occasion, o order.Order, picture []byte) *pdf {
	p := &pdf{Fpdf: fpdf.New("P", "mm", "A4", ""), event: e, order: o}
	p.AddUTF8FontFromBytes("go", "", goregular.TTF)
	p.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	p.SetTitle(plain(e.Title), true)
	p.SetLang("en")
	p.SetCreationDate(o.CreatedAt) // the same tickets are the same bytes
	p.SetModificationDate(o.CreatedAt)
	p.SetCatalogSort(true)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(false, 0)
	if picture != nil {
		p.picture = p.RegisterImageOptionsReader("picture", fpdf.ImageOptions{ImageType: "JPG"}, bytes.NewReader(picture))
	}
	return p
}

func (p *pdf) ticket(t order.Ticket, number, of int, page string) error {
	p.AddPage()
	rules := append(p.says(page, p.event.noPaper), p.rules()...)
	p.image(p.room(rules))
	p.head()
	y := p.GetY() + aboveCode
	p.Line(margin, y-8, margin+width, y-8)
	if err := p.code(t.Code, margin, y); err != nil {
		return err
	}
	p.seat(t, number, of, y)
	p.SetXY(margin, y+codeSize+belowCode)
	p.small(rules)
	p.SetXY(margin, foot)
	p.SetTextColor(80, 80, 80)
	p.write("", 9, 4.4, 1, "Order "+p.order.ID+" · sold for "+p.event.Organizer)
	p.SetTextColor(0, 0, 0)
	return p.Error()
}

// room is how high a picture may be: with long names and many rules the last of these were
// written over the foot of the page.
func (p *pdf) room(rules []string) float64 {
	p.measuring = true
	p.head()
	p.small(rules)
	text := p.GetY() - margin
	p.measuring = false
	return min(pictureHeight, foot-margin-belowPicture-text-aboveCode-codeSize-belowCode-2)
}

// head says what it is, when and where.
func (p *pdf) head() {
	e := p.event
	p.write("B", 22, 9.5, 2, e.Title)
	p.Ln(1.5)
	switch e.State {
	case "canceled":
		p.write("B", 13, 6, 1, "CANCELED: this ticket opens no door.")
	case "postponed":
		p.write("B", 13, 6, 1, "POSTPONED: the new date is not known yet. This ticket stays good.")
	}
	p.write("B", 13, 6.5, 1, e.when())
	if e.DoorsAt != nil {
		p.write("", 11, 5.5, 1, "Doors "+e.DoorsAt.In(e.zone()).Format("15:04"))
	}
	p.Ln(1.5)
	p.write("B", 12, 6, 1, e.Venue)
	p.SetTextColor(80, 80, 80)
	for i, line := range e.place() {
		if i == mostPlace { // the code stays on the page
			break
		}
		p.write("", 10, 5, 1, line)
	}
	p.SetTextColor(0, 0, 0)
}

// small writes what holds for a ticket.
func (p *pdf) small(rules []string) {
	for _, rule := range rules {
		p.write("", 9, 4.4, 6, rule)
		p.Ln(1.2)
	}
}

// image fills the head of the page, so high, with the middle of the picture.
func (p *pdf) image(high float64) {
	p.SetXY(margin, margin)
	if p.picture == nil || p.picture.Width() <= 0 || high < leastPicture {
		return
	}
	w := width
	h := w * p.picture.Height() / p.picture.Width()
	if h < high {
		w, h = high*w/h, high
	}
	p.ClipRect(margin, margin, width, high, false)
	p.ImageOptions("picture", margin-(w-width)/2, margin-(h-high)/2, w, h, false, fpdf.ImageOptions{ImageType: "JPG"}, 0, "")
	p.ClipEnd()
	p.SetXY(margin, margin+high+belowPicture)
}

// code draws the printed code and writes it below, for who has to type it.
func (p *pdf) code(text string, x, y float64) error {
	size, runs, err := qr.Runs(text)
	if err != nil {
		return err
	}
	module := codeSize / float64(size+2*blank)
	for _, r := range runs {
		p.Rect(x+module*float64(r.X+blank), y+module*float64(r.Y+blank), module*float64(r.Length), module, "F")
	}
	p.SetXY(x, y+codeSize)
	p.SetFont("go", "", 9)
	var groups []string
	for ; len(text) > 4; text = text[4:] {
		groups = append(groups, text[:4])
	}
	groups = append(groups, text)
	half := (len(groups) + 1) / 2
	for _, line := range [][]string{groups[:half], groups[half:]} {
		p.SetX(x)
		p.CellFormat(codeSize, 4.4, strings.Join(line, " "), "", 1, "C", false, 0, "")
	}
	return nil
}

// seat says beside the code what it is for.
func (p *pdf) seat(t order.Ticket, number, of int, y float64) {
	const left = margin + codeSize + 10
	p.SetLeftMargin(left)
	defer p.SetLeftMargin(margin)
	p.SetXY(left, y+3)
	tier := p.event.Tiers[t.Tier]
	seat := t.Label
	if seat == "" {
		seat = tier
	}
	p.write("B", 24, 10.5, 3, seat)
	if tier != seat {
		p.write("", 13, 6.5, 2, tier)
	}
	if t.Name != "" {
		p.write("B", 13, 6.5, 2, t.Name)
	}
	p.Ln(3)
	p.write("", 11, 5.5, 1, tariff.Decimal(t.Price.Amount, t.Price.Currency)+" "+t.Price.Currency)
	p.write("", 11, 5.5, 1, fmt.Sprintf("Ticket %d of %d", number, of))
}

// write writes a text in so many lines at most, and cuts what does not fit.
func (p *pdf) write(style string, size, height float64, most int, text string) {
	left, _, right, _ := p.GetMargins()
	room := 210 - left - right
	p.SetFont("go", style, size)
	lines := p.SplitText(plain(text), room)
	for i, line := range lines {
		if i == most {
			break
		}
		if i == most-1 && len(lines) > most {
			line += "…"
		}
		if p.measuring {
			p.Ln(height)
			continue
		}
		p.SetX(left)
		p.CellFormat(room, height, p.fitted(strings.TrimSpace(line), room), "", 1, "L", false, 0, "")
	}
}

// fitted cuts a line that is wider than its room: a word that is longer than a line is
// not parted.
func (p *pdf) fitted(text string, room float64) string {
	if p.GetStringWidth(text) <= room {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && p.GetStringWidth(string(runes)+"…") > room {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// says is what holds for every printed ticket.
func (p *pdf) says(page string, noPaper bool) []string {
	says := []string{"Whoever shows this code first gets in. Show no picture of it to anybody, and buy no ticket of which you have been shown one."}
	phone := "The code of the ticket on a phone changes every 15 seconds and cannot be copied like that"
	if page != "" {
		phone += ": " + page
	}
	if noPaper {
		return []string{"This page opens no door: the organizer lets in by phones only. " + phone + "."}
	}
	return append(says, phone+". This page opens the doors as well, unless the organizer says otherwise before the show.")
}

// rules are the organizer's, of giving tickets back, and to others.
func (p *pdf) rules() []string {
	e, zone := p.event, p.event.zone()
	cancel := "By the organizer’s rules tickets cannot be canceled."
	if until := e.rules.Closes(e.StartsAt); !until.IsZero() {
		cancel = "Tickets can be canceled on the page of the order until " + moment(until, zone) + "."
		if e.rules.Refund.KeepRate > 0 {
			cancel += " Of what was paid the organizer keeps " + percent(e.rules.Refund.KeepRate) + "."
		}
		if e.rules.Refund.KeepFee {
			cancel += " The booking fee is kept."
		}
	}
	exchange := "Tickets cannot be exchanged for others."
	if until := e.rules.ExchangeCloses(e.StartsAt); !until.IsZero() {
		exchange = "Tickets can be exchanged there for others until " + moment(until, zone)
		if fee := e.rules.Exchange.Fee; fee > 0 {
			exchange += ", for " + tariff.Decimal(fee, p.order.Total.Currency) + " " + p.order.Total.Currency + " each"
		}
		exchange += "."
	}
	give := "Tickets cannot be given to others."
	if until := e.GiveUntil(); !until.IsZero() {
		give = "Tickets can be given to others on their page until " + moment(until, zone) + "; once one is accepted, its printed page opens no door any more."
	}
	return []string{cancel + " " + exchange, give}
}

// when says when it starts by the clocks of the venue.
func (e Occasion) when() string { return moment(e.StartsAt, e.zone()) }

func moment(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("Monday, 2 January 2006, 15:04 MST")
}

// percent writes basis points.
func percent(points int) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", points/100, points%100), "0"), ".") + " %"
}

// plain is a line without what the library cannot write.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xffff {
			return '\ufffd'
		}
		return r
	}, line(text))
}
