package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
)

// organizerOperations make and change what there is to sell, under names that are
// those of a buyer: key for the sale, order for the venue, hold for the reserve.
func (s *shop) organizerOperations() []operation {
	const desk = "/api/v1/organizer"
	hall, err := os.ReadFile("../../docs/venue.json")
	if err != nil {
		s.t.Fatal(err)
	}
	send := func(method, path string, body any, key string, headers ...string) (int, map[string]any) {
		return s.do(&buyer{token: s.staff}, method, desk+path, body, key, headers...)
	}
	makeVenue := func(b *buyer) int {
		status, answer := send(http.MethodPost, "/venues", json.RawMessage(hall), b.key)
		b.order, _ = answer["id"].(string)
		return status
	}
	changeVenue := func(b *buyer) int {
		wider := strings.Replace(string(hall), `"x":3.5`, `"x":3.6`, 1)
		status, _ := send(http.MethodPut, "/venues/"+b.order+"?reason=wider", json.RawMessage(wider), "", "If-Match", `"1"`)
		return status
	}
	program := func(b *buyer, price int) map[string]any {
		return map[string]any{"currency": "EUR",
			"performances": []any{map[string]any{"venue": b.order, "starts_at": "2037-05-01T18:00:00Z", "prices": map[string]int{"Stalls": price, "Circle": 5500, "Floor": 4500}}},
			"sale": map[string]any{"id": b.key, "title": "Evenings", "lobby_closes_at": "2037-01-10T08:59:55Z", "opens_at": "2037-01-10T09:00:00Z", "ends_at": "2037-05-01T16:00:00Z",
				"cap": 500, "rate": 1200, "claim_window": 60, "token_life": 60, "session_max": 1800, "hold": 600, "units_per_hold": 6,
				"lanes": []any{map[string]any{"name": "members", "title": "Members", "share": 30, "entry": []string{"code"}}}}}
	}
	makeSale := func(b *buyer) int {
		status, answer := send(http.MethodPut, "/programs/"+b.key, program(b, 7500), "", "If-None-Match", "*")
		if sale, ok := answer["sale"].(map[string]any); ok && status < http.StatusBadRequest {
			b.link, _ = sale["performances"].([]any)[0].(string)
		}
		return status
	}
	built := func(times int) func(*buyer) int {
		return func(b *buyer) int {
			s.built(b.link, times)
			return http.StatusOK
		}
	}
	changeSale := func(b *buyer) int {
		status, _ := send(http.MethodPut, "/programs/"+b.key+"?reason=dearer", program(b, 7900), "", "If-Match", `"1"`)
		return status
	}
	reserve := func(b *buyer) int {
		status, answer := send(http.MethodPost, "/performances/"+b.link+"/reserves", map[string]any{"name": "Guests", "kind": "guests", "area": "Floor", "places": 10}, b.key+"-reserve")
		b.hold, _ = answer["id"].(string)
		return status
	}
	release := func(b *buyer) int {
		status, _ := send(http.MethodPost, "/performances/"+b.link+"/reserves/"+b.hold+"/release", map[string]any{"reason": "nobody comes"}, "")
		return status
	}
	// A plan is named as the buyer's key, and so is the account that chooses it.
	makePlan := func(b *buyer) int {
		status, _ := send(http.MethodPut, "/plans/"+b.key, map[string]any{"id": b.key, "name": "A plan", "period": "month", "entitlements": map[string]int{"rooms": 1}}, "", "If-None-Match", "*")
		return status
	}
	account := func(b *buyer) int {
		if _, err := s.db.Exec(s.t.Context(), `insert into payment_accounts (name, provider_account, charges) values ($1, $1, true)`, b.key); err != nil {
			s.t.Fatal(err)
		}
		return http.StatusOK
	}
	choosePlan := func(b *buyer) int {
		status, _ := send(http.MethodPut, "/accounts/"+b.key+"/plan", map[string]any{"plan": b.key}, "")
		return status
	}
	dress := func(title string, headers ...string) func(*buyer) int {
		return func(b *buyer) int {
			status, _ := send(http.MethodPut, "/sales/"+b.key+"/look?reason=a+new+season", map[string]any{"title": title}, "", headers...)
			return status
		}
	}
	makeLook, changeLook := dress("The opera", "If-None-Match", "*"), dress("The old opera", "If-Match", `"1"`)
	logo := drawnLogo(s.t)
	makeLogo := func(b *buyer) int {
		status, _ := send(http.MethodPut, "/sales/"+b.key+"/look/logo", logo, "", "If-None-Match", "*")
		return status
	}
	dropLogo := func(b *buyer) int {
		status, _ := send(http.MethodDelete, "/sales/"+b.key+"/look/logo?reason=another+comes", nil, "", "If-Match", `"1"`)
		return status
	}
	askFor := func(b *buyer) int {
		status, _ := send(http.MethodPut, "/sales/"+b.key+"/publication", map[string]any{"version": 1}, "")
		return status
	}
	told := func(b *buyer) int { // the line, as whoever publishes a sale does
		seed, err := s.keys.secret(seedKey)
		if err != nil {
			s.t.Fatal(err)
		}
		sale, err := s.shows.Sale(s.t.Context(), ropeline.SaleID(b.key))
		if err != nil {
			s.t.Fatal(err)
		}
		rdb, err := dial.Redis(s.redis)
		if err != nil {
			s.t.Fatal(err)
		}
		defer rdb.Close()
		line := queue.New(rdb, queue.Keys{Seed: seed})
		defer line.Close()
		if err := line.PublishSale(s.t.Context(), sale); err != nil {
			s.t.Fatal(err)
		}
		return http.StatusOK
	}
	shown := map[*buyer]any{} // the codes, when they were told first
	makeCodes := func(b *buyer) int {
		status, answer := send(http.MethodPost, "/sales/"+b.key+"/codes", map[string]any{"name": "fans", "lane": "members", "count": 3}, b.key+"-codes")
		if codes, ok := answer["codes"]; ok && shown[b] == nil {
			shown[b] = codes
		} else if ok && !reflect.DeepEqual(codes, shown[b]) {
			s.t.Errorf("told %v, and before %v", codes, shown[b])
		}
		return status
	}
	withdrawCodes := func(b *buyer) int {
		status, _ := send(http.MethodDelete, "/sales/"+b.key+"/codes/fans?reason=they+got+out", nil, "")
		return status
	}
	after := func(steps ...func(*buyer) int) func(*buyer) {
		return func(b *buyer) {
			for _, step := range steps {
				if status := step(b); status != http.StatusOK && status != http.StatusCreated {
					s.t.Fatalf("preparing: %d", status)
				}
			}
		}
	}
	// once asks again, and counts what was written down of it.
	once := func(act func(*buyer) int, want int, what string, of func(*buyer) string) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); status != http.StatusOK && status != http.StatusCreated && status != http.StatusNoContent {
				s.t.Errorf("asked again: %d", status)
			}
			var n int
			err := s.db.QueryRow(s.t.Context(), `select count(*) from catalogue_changes where what = $1 and subject = $2`, what, of(b)).Scan(&n)
			if err != nil || n != want {
				s.t.Errorf("%d changes of the %s, want %d: %v", n, what, want, err)
			}
			return "made once"
		}
	}
	word := func(b *buyer) int {
		status, _ := send(http.MethodPut, "/letters/confirmation/en", map[string]string{"subject": "For " + b.key, "text": "{link}"}, "", "If-None-Match", "*")
		return status
	}
	unworded := func(*buyer) {
		if _, err := s.db.Exec(s.t.Context(), `delete from wordings`); err != nil {
			s.t.Fatal(err)
		}
	}
	worded := func(b *buyer) string {
		if status := word(b); status != http.StatusOK && status != http.StatusCreated || s.count(`select count(*) from wordings where subject = $1`, "For "+b.key) != 1 {
			s.t.Errorf("asked again: %d", status)
		}
		return "made once"
	}
	giveUp := func(b *buyer) int {
		status, _ := send(http.MethodDelete, "/letters/confirmation/en?reason=ours+were+worse", nil, "", "If-Match", `"1"`)
		return status
	}
	givenUp := func(b *buyer) string {
		if status := giveUp(b); status != http.StatusOK || s.count(`select count(*) from wordings where version = 2 and subject is null and $1 <> ''`, b.key) != 1 || s.count(`select count(*) from wordings where $1 <> ''`, b.key) != 2 {
			s.t.Errorf("asked again: %d", status)
		}
		return "made once"
	}
	venueOf, saleOf, showOf := func(b *buyer) string { return b.order }, func(b *buyer) string { return b.key }, func(b *buyer) string { return b.link }
	return []operation{
		{name: "make a venue", routes: []string{"create-venue"}, prepare: after(), act: makeVenue, want: http.StatusCreated, finish: once(makeVenue, 1, "venue", venueOf)},
		{name: "change a venue", routes: []string{"put-venue"}, prepare: after(makeVenue), act: changeVenue, want: http.StatusOK, finish: once(changeVenue, 2, "venue", venueOf)},
		{name: "make a sale", routes: []string{"put-program"}, prepare: after(makeVenue), act: makeSale, want: http.StatusCreated, finish: once(makeSale, 1, "program", saleOf)},
		{name: "change a sale", prepare: after(makeVenue, makeSale, built(1)), act: changeSale, want: http.StatusOK, finish: once(changeSale, 2, "program", saleOf)},
		{name: "make a look", routes: []string{"put-look"}, prepare: after(makeVenue, makeSale, built(1)), act: makeLook, want: http.StatusCreated, finish: once(makeLook, 1, "look", saleOf)},
		{name: "change a look", prepare: after(makeVenue, makeSale, built(1), makeLook), act: changeLook, want: http.StatusOK, finish: once(changeLook, 2, "look", saleOf)},
		{name: "put a logo", routes: []string{"put-logo"}, prepare: after(makeVenue, makeSale, built(1)), act: makeLogo, want: http.StatusCreated, finish: once(makeLogo, 1, "look", saleOf)},
		{name: "take a logo away", routes: []string{"delete-logo"}, prepare: after(makeVenue, makeSale, built(1), makeLogo), act: dropLogo, want: http.StatusOK, finish: once(dropLogo, 2, "look", saleOf)},
		{name: "word a letter", routes: []string{"put-wording"}, prepare: unworded, act: word, want: http.StatusCreated, finish: worded},
		{name: "give words up", routes: []string{"reset-wording"}, prepare: func(b *buyer) { unworded(b); after(word)(b) }, act: giveUp, want: http.StatusOK, finish: givenUp},
		{name: "ask for a publication", routes: []string{"put-publication"}, prepare: after(makeVenue, makeSale, built(1)), act: askFor, want: http.StatusOK, finish: once(askFor, 1, "publication", saleOf)},
		{name: "make codes", routes: []string{"create-codes"}, prepare: after(makeVenue, makeSale, built(1), told), act: makeCodes, want: http.StatusCreated, finish: once(makeCodes, 1, "codes", saleOf)},
		{name: "withdraw codes", routes: []string{"withdraw-codes"}, prepare: after(makeVenue, makeSale, built(1), told, makeCodes), act: withdrawCodes, want: http.StatusNoContent, finish: once(withdrawCodes, 2, "codes", saleOf)},
		{name: "reserve units", routes: []string{"create-reserve"}, prepare: after(makeVenue, makeSale, built(1)), act: reserve, want: http.StatusCreated, finish: once(reserve, 1, "reserve", showOf)},
		{name: "make a plan", routes: []string{"put-plan"}, prepare: after(), act: makePlan, want: http.StatusCreated, finish: once(makePlan, 1, "plan", saleOf)},
		{name: "choose a plan", routes: []string{"choose-plan"}, prepare: after(account, makePlan), act: choosePlan, want: http.StatusOK, finish: once(choosePlan, 1, "subscription", saleOf)},
		{name: "release units", routes: []string{"release-reserve"}, prepare: after(makeVenue, makeSale, built(1), reserve, built(2)), act: release, want: http.StatusOK, finish: once(release, 1, "release", showOf)},
	}
}

// drawnLogo is a file with a picture.
func drawnLogo(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 300, 120))); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
