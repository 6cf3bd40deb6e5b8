package admission_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestStaffTellEverybodySomething(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	ops, key := newOps(t, store)
	path := "/api/v1/ops/sales/" + string(sale.ID) + "/message"
	type message struct {
		Number  int64
		Texts   map[string]string
		Default string
		Until   *time.Time
	}
	send := func(body string, code int, problem string) (m message) {
		t.Helper()
		gotCode, gotProblem, answer := api(t, ops, "POST", path, key, body)
		if gotCode != code || gotProblem != problem {
			t.Fatalf("%.80s: %d %s, want %d %s", body, gotCode, gotProblem, code, problem)
		}
		if code == 200 {
			text, err := json.Marshal(answer)
			if err != nil || json.Unmarshal(text, &m) != nil {
				t.Fatalf("%v: %v", answer, err)
			}
		}
		return m
	}
	const good = `"texts":{"en":"Doors at 8","de":"Einlass um 8"},"default":"en"`
	send(`{`+good+`}`, 422, "reason-missing")
	send(`{"texts":{"en":"`+strings.Repeat("x", 501)+`"},"default":"en","reason":"r"}`, 422, "message-invalid")
	send(`{"texts":{"en":"x"},"default":"de","reason":"r"}`, 422, "message-invalid")
	send(`{`+good+`,"until":"2020-01-01T00:00:00Z","reason":"r"}`, 422, "message-invalid")
	send(`{`+good+`,"until":"tomorrow","reason":"r"}`, 400, "body-malformed")
	first := send(`{`+good+`,"until":"2999-01-01T00:00:00Z","expect":0,"reason":"they ask"}`, 200, "")
	if first.Number == 0 || first.Texts["de"] != "Einlass um 8" || first.Default != "en" || first.Until == nil {
		t.Errorf("the message is %+v", first)
	}
	send(`{`+good+`,"expect":0,"reason":"two at once"}`, 409, "message-changed")
	if b, err := store.Board(t.Context(), sale.ID); err != nil || b.Message == nil || b.Message.Number != first.Number {
		t.Errorf("the board has %+v, %v", b, err)
	}
	if m := send(`{"texts":{},"reason":"it is over"}`, 200, ""); m.Number != 0 || len(m.Texts) != 0 {
		t.Errorf("a message that was taken away: %+v", m)
	}
	if code, problem, _ := api(t, ops, "POST", strings.Replace(path, string(sale.ID), "nowhere", 1), key, `{`+good+`,"reason":"r"}`); code != 404 || problem != "sale-unknown" {
		t.Errorf("a sale that is not there: %d %s", code, problem)
	}
}
