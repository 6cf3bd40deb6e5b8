package admission_test

import (
	"testing"
	"time"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/queue"
)

func TestChartsShowHowASaleStood(t *testing.T) {
	t.Parallel()
	store, _ := ownStore(t)
	sale := publish(t, store, -2*time.Minute, -time.Minute)
	ops, key := newOps(t, store)
	base := "/api/v1/ops/sales/" + string(sale.ID)
	run(t, admission.NewController(store, quiet))
	for deadline := time.Now().Add(15 * time.Second); ; {
		code, _, doc := api(t, ops, "GET", base+"/history", key, "")
		samples, _ := doc["samples"].([]any)
		if code != 200 {
			t.Fatalf("history: %d %v", code, doc)
		}
		if len(samples) > 0 {
			first := samples[0].(map[string]any)
			if first["cap"] != 2.0 || first["rate"] != 6000.0 || first["waiting"] != 0.0 {
				t.Errorf("the first sample is %v", first)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the controller keeps no samples")
		}
		await(t, store, sale.ID, func(queue.State) bool { return true })
	}
	if code, problem, _ := api(t, ops, "GET", base+"/history?after=yesterday", key, ""); code != 422 || problem != "after-invalid" {
		t.Errorf("a bad after: %d %s", code, problem)
	}
	if code, _, _ := api(t, ops, "GET", "/api/v1/ops/sales/no-such/history", key, ""); code != 404 {
		t.Errorf("an unknown sale: %d", code)
	}
}

func TestEveryEdgeIsShown(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	ops, key := newOps(t, store)
	if err := store.SayReport(t.Context(), queue.Report{Host: "here", Sockets: 7, Rooms: 1}); err != nil {
		t.Fatal(err)
	}
	code, _, doc := api(t, ops, "GET", "/api/v1/ops/edges", key, "")
	edges, _ := doc["edges"].([]any)
	if code != 200 || len(edges) == 0 {
		t.Fatalf("edges: %d %v", code, doc)
	}
	for _, each := range edges {
		if e := each.(map[string]any); e["host"] == "here" && e["sockets"] == 7.0 && e["age_ms"] != nil {
			return
		}
	}
	t.Errorf("it is not among %v", edges)
}
