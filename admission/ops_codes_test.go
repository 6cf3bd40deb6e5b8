package admission_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

func TestStaffMakeAndRevokeCodes(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	sale.ID += "-laned"
	sale.Lanes = []ropeline.Lane{{Name: "members", Title: "Members", Share: 30, Entry: []ropeline.LaneEntry{ropeline.EntryCode}}}
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	ops, key := newOps(t, store)
	path := "/api/v1/ops/sales/" + string(sale.ID) + "/codes"
	send := func(method, path, body string, code int, problem string) map[string]any {
		t.Helper()
		gotCode, gotProblem, answer := api(t, ops, method, path, key, body)
		if gotCode != code || gotProblem != problem {
			t.Fatalf("%s %.80s: %d %s, want %d %s", path, body, gotCode, gotProblem, code, problem)
		}
		return answer
	}
	send("POST", path, `{"lane":"members","count":3}`, 422, "reason-missing")
	send("POST", path, `{"lane":"members","count":0,"reason":"r"}`, 422, "codes-invalid")
	send("POST", path, `{"lane":"nowhere","count":3,"reason":"r"}`, 422, "codes-invalid")
	send("POST", strings.Replace(path, string(sale.ID), "nowhere", 1), `{"lane":"members","count":3,"reason":"r"}`, 404, "sale-unknown")
	made := send("POST", path, `{"lane":"members","count":3,"uses":2,"batch":"fans","reason":"for the fan club"}`, 201, "")
	codes, _ := made["codes"].([]any)
	if len(codes) != 3 || made["batch"] != "fans" {
		t.Fatalf("made %v", made)
	}
	send("POST", path+"/revoke", `{"reason":"r"}`, 422, "codes-invalid")
	send("POST", path+"/revoke", `{"batch":"nothing","reason":"r"}`, 404, "codes-unknown")
	one, _ := codes[0].(string)
	send("POST", path+"/revoke", `{"code":"`+one+`","reason":"it got out"}`, 200, "")
	send("POST", path+"/revoke", `{"batch":"fans","reason":"all of them"}`, 200, "")
	batches, _ := send("GET", path, "", 200, "")["batches"].([]any)
	if len(batches) != 1 {
		t.Fatalf("the batches are %v", batches)
	}
	b, _ := batches[0].(map[string]any)
	if b["batch"] != "fans" || b["codes"] != 3.0 || b["uses"] != 2.0 || b["used"] != 0.0 || b["revoked"] != true {
		t.Errorf("the batch is %v", b)
	}
}
