package paper_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/paper"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

const site = "https://tickets.example.org"

// scripts are names as organizers have them, and such as nobody should.
var scripts = map[string]string{
	"latin": "Gala", "greek": "Ερωτόκριτος", "cyrillic": "Щелкунчик", "arabic": "ليلة القدر", "hebrew": "כנר על הגג", "han": "紅樓夢", "kana": "となりのトトロ",
	"thai": "โขน", "devanagari": "रामलीला", "emoji": "👩🏽‍🎤 🎻", "combining": "Z̸̡͙a̷l̶g̵o̸", "markup": "<b>(\\)</b> %PDF \\n; a,b:c", "word": strings.Repeat("Wagner", 60),
	"long": strings.Repeat("a very long night of it ", 40), "control": "a\x00b\r\nBEGIN:VALARM\x7f", "broken": "a\xffb", "empty": "",
}

func event(title string) paper.Occasion {
	doors := time.Date(2026, 12, 1, 18, 30, 0, 0, time.UTC)
	return paper.Occasion{Title: title, State: "scheduled", StartsAt: doors.Add(time.Hour), DoorsAt: &doors, Zone: "Europe/Lisbon", Venue: title, Address: title + "\n" + title,
		City: title, Country: "PT", Organizer: title, Tiers: map[string]string{"t": title}}
}

func of(tickets int, label string) order.Order {
	o := order.Order{ID: "0192f0a1-7c3d-7000-8000-00000000abcd", State: order.Paid, Total: booking.Money{Currency: "EUR"}, CreatedAt: time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)}
	for i := range tickets {
		o.Tickets = append(o.Tickets, order.Ticket{ID: fmt.Sprint(i), Label: label, Tier: "t", Price: booking.Money{Amount: 7500, Currency: "EUR"}, State: ticket.Valid,
			Code: strings.Repeat("ABCDEFG"[i%7:i%7+1], 28) + "2345"})
	}
	return o
}

// The holder's name is a line of the page, and nothing is there where tickets bear none.
func TestAPageBearsTheNameOfItsHolder(t *testing.T) {
	t.Parallel()
	lines := func(name string) int {
		o := of(1, "A-1")
		o.Tickets[0].Name = name
		file, err := event("Gala").Print(o, nil, site+"/tickets/"+o.ID)
		if err != nil {
			t.Fatal(err)
		}
		return len(heights(t, file))
	}
	if named, nameless := lines("Ada Lovelace"), lines(""); named != nameless+1 {
		t.Errorf("a page has %d lines with a name, and %d without", named, nameless)
	}
}

func TestEachPageHasItsCodeWhateverTheNames(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys(scripts))
	for first := 0; first < len(names); first += 3 { // each name in one place at least, and beside others
		name := func(i int) string { return scripts[names[(first+i)%len(names)]] }
		e, o := event(name(0)), of(2, name(1))
		o.Tickets[0].Name = strings.Repeat(name(2), 3)
		e.Venue, e.Address, e.City, e.Organizer, e.Tiers["t"] = name(2), strings.Repeat(name(0)+"\n", 100), name(1), name(2), name(0)
		file, err := e.Print(o, picture(t, 300, 100), site+"/tickets/"+o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("ROPELINE_TEST_LOOK"); dir != "" { // to look at it
			if err := os.WriteFile(filepath.Join(dir, names[first]+".pdf"), file, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if pages := codes(t, file); len(pages) != 2 || pages[0] != o.Tickets[0].Code || pages[1] != o.Tickets[1].Code {
			t.Errorf("%s: a scanner reads %q", names[first], pages)
		}
	}
}

func TestTheSameTicketsAreTheSameBytes(t *testing.T) {
	t.Parallel()
	var files [3][]byte
	for i := range files {
		var err error
		if files[i], err = event("Gala, Щелкунчик").Print(of(2, "Stalls-A-1"), picture(t, 300, 100), site); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) || !bytes.Equal(files[0], files[2]) {
		t.Error("they are not")
	}
	if all, orders := bytes.Count(files[0], []byte("(D:")), bytes.Count(files[0], []byte("(D:20261127200000")); all != 2 || orders != 2 {
		t.Errorf("%d of its %d dates are the order's", orders, all)
	}
}

func TestATicketIsPrintedWithAnyPicture(t *testing.T) {
	t.Parallel()
	o := of(1, "Stalls-A-1")
	for _, p := range [][]byte{nil, picture(t, 100, 100), picture(t, 100, 3000), picture(t, 3000, 100)} {
		file, err := event("Gala").Print(o, p, "")
		if err != nil || len(codes(t, file)) != 1 {
			t.Errorf("a picture of %d bytes: %v", len(p), err)
		}
	}
}

func picture(t *testing.T, width, height int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{90, 40, 120, 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	stream = regexp.MustCompile(`(?s)/FlateDecode[^>]*>>\s*stream\r?\n(.*?)\r?\nendstream`)
	filled = regexp.MustCompile(`(?m)^([\d.]+) ([\d.]+) ([\d.]+) (-?[\d.]+) re f`)
)

// codes reads the QR code of each page, drawn as a printer draws it.
func codes(t *testing.T, file []byte) (read []string) {
	t.Helper()
	for _, s := range stream.FindAllSubmatch(file, -1) {
		z, err := zlib.NewReader(bytes.NewReader(s[1]))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		boxes := filled.FindAllSubmatch(content, -1)
		if len(boxes) == 0 {
			continue // a font
		}
		img := image.NewGray(image.Rect(0, 0, 596, 842)) // points of A4
		draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
		for _, b := range boxes {
			var n [4]float64
			for i := range n {
				if n[i], err = strconv.ParseFloat(string(b[i+1]), 64); err != nil {
					t.Fatal(err)
				}
			}
			x, y, w, h := n[0], 842-n[1], n[2], -n[3]
			draw.Draw(img, image.Rect(int(x+.5), int(y+.5), int(x+w+.5), int(y+h+.5)), image.Black, image.Point{}, draw.Src)
		}
		bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
		if err != nil {
			t.Fatal(err)
		}
		result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
		if err != nil {
			t.Fatalf("a scanner cannot read a page: %v", err)
		}
		read = append(read, result.GetText())
	}
	return read
}

// A calendar reads what was written, whatever is in it: it takes lines of 75 bytes apart
// and escapes back (RFC 5545, 3.1 and 3.3.11).
func TestACalendarReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	check := func(t rapid.TB, title string) {
		e, o := event(title), of(2, title)
		file, err := e.Note(o, site+"/tickets/"+o.ID)
		if err != nil {
			t.Fatal(err)
		}
		text := string(file)
		if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") || !strings.HasSuffix(text, "END:VCALENDAR\r\n") {
			t.Fatalf("its lines do not end as they should: %q", text)
		}
		for line := range strings.SplitSeq(text, "\r\n") {
			if len(line) > 75 {
				t.Fatalf("a line has %d bytes: %q", len(line), line)
			}
		}
		has := map[string]string{}
		for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n ", ""), "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			if _, twice := has[name]; twice && name != "BEGIN" && name != "END" {
				t.Fatalf("%s is there twice: %q", name, text)
			}
			has[name] = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\;`, `;`, `\,`, `,`).Replace(value)
		}
		want := strings.ToValidUTF8(one(title), "\ufffd")
		if has["SUMMARY"] != want {
			t.Fatalf("the title is %q, want %q", has["SUMMARY"], want)
		}
		for name, value := range map[string]string{"UID": "order-" + o.ID + "@ropeline", "DTSTART": "20261201T193000Z", "STATUS": "CONFIRMED", "METHOD": "PUBLISH", "VERSION": "2.0", "URL": site + "/tickets/" + o.ID} {
			if has[name] != value {
				t.Fatalf("%s is %q, want %q", name, has[name], value)
			}
		}
		if strings.Count(text, "BEGIN:") != 2+strings.Count(title, "BEGIN:")*8 && !strings.Contains(title, "BEGIN:") {
			t.Fatalf("something else is in it: %q", text)
		}
	}
	for script, name := range scripts {
		t.Run(script, func(t *testing.T) { check(t, name) })
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "title")) })
}

// one is a text in one line.
func one(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// rig is a performance and an order of it.
type rig struct {
	t     *testing.T
	db    *pgxpool.Pool
	store *paper.Store
	order order.Order
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, db: devtest.Postgres(t), order: of(2, "Stalls-A-1")}
	r.store = paper.New(r.db, site)
	opens := time.Now().UTC().Truncate(time.Second)
	shows := catalogue.New(r.db, time.Now)
	sale, err := shows.Seed(t.Context(), catalogue.Plan{
		Sale: ropeline.Sale{ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala", LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
			ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6},
		Venue: "Opera", StartsAt: opens.Add(time.Hour), General: 5, Seats: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.order.Performance = sale.Performances[0]
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.db.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

// entry reads a line of the calendar's entry.
func (r *rig) entry(name string) string {
	r.t.Helper()
	file, err := r.store.Calendar(r.t.Context(), r.order)
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(string(file), "\r\n ", ""), "\r\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return value
		}
	}
	return ""
}

func TestACalendarTakesEachChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	last, err := strconv.Atoi(r.entry("SEQUENCE"))
	if err != nil || r.entry("STATUS") != "CONFIRMED" {
		t.Fatal(r.entry("STATUS"), err)
	}
	for _, change := range []struct {
		sql, status string
	}{
		{`update events e set state = 'postponed', version = version + 1 from performances p where p.id = $1 and e.id = p.event_id`, "TENTATIVE"},
		{`update venues v set time_zone = 'Asia/Tokyo', details = details + 1 from performances p where p.id = $1 and v.id = p.venue_id`, "TENTATIVE"},
		{`update events e set state = 'published', version = version + 1 from performances p where p.id = $1 and e.id = p.event_id`, "CONFIRMED"},
		{`with moved as (update events e set version = version + 1 from performances p where p.id = $1 and e.id = p.event_id) update performances set state = 'canceled' where id = $1`, "CANCELLED"},
	} {
		r.exec(change.sql, r.order.Performance)
		now, err := strconv.Atoi(r.entry("SEQUENCE"))
		if err != nil || now <= last || r.entry("STATUS") != change.status {
			t.Errorf("%s: the sequence went from %d to %d, it is %s, %v", change.sql, last, now, r.entry("STATUS"), err)
		}
		last = now
	}
	for i := range r.order.Tickets {
		r.order.Tickets[i].State = ticket.Canceled
		if now, err := strconv.Atoi(r.entry("SEQUENCE")); err != nil || now <= last {
			t.Errorf("a ticket less: the sequence is %d, %v", now, err)
		} else {
			last = now
		}
	}
	if r.entry("STATUS") != "CANCELLED" || strings.Contains(r.entry("DESCRIPTION"), "Stalls") {
		t.Errorf("without tickets it is %s: %s", r.entry("STATUS"), r.entry("DESCRIPTION"))
	}
}

func TestNothingIsWrittenOfWhatIsNotPaid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file, err := r.store.PDF(t.Context(), r.order)
	if err != nil || len(codes(t, file)) != 2 {
		t.Fatal(err)
	}
	r.order.Tickets[0].State = ticket.Blocked
	file, err = r.store.PDF(t.Context(), r.order)
	if got := codes(t, file); err != nil || len(got) != 1 || got[0] != r.order.Tickets[1].Code {
		t.Errorf("with a ticket blocked there are %q, %v", got, err)
	}
	r.order.Tickets[1].State = ticket.Void
	if _, err := r.store.PDF(t.Context(), r.order); !errors.Is(err, paper.ErrNone) {
		t.Errorf("without any: %v", err)
	}
	r.order.State = order.Pending
	_, unpaid := r.store.PDF(t.Context(), r.order)
	_, unnoted := r.store.Calendar(t.Context(), r.order)
	if !errors.Is(unpaid, paper.ErrPending) || !errors.Is(unnoted, paper.ErrPending) {
		t.Errorf("while it is paid: %v and %v", unpaid, unnoted)
	}
	r.db.Close()
	r.order = of(1, "")
	if _, err := r.store.PDF(t.Context(), r.order); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("without a database: %v", err)
	}
}

func BenchmarkPDF(b *testing.B) {
	o := of(2, "Stalls-A-1")
	for b.Loop() {
		if _, err := event("Gala").Print(o, nil, site); err != nil {
			b.Fatal(err)
		}
	}
}
