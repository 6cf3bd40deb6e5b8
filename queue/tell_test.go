package queue

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// publicEvents returns the kinds of what the public was told of a sale.
func publicEvents(t *testing.T, rdb redis.UniversalClient, sale ropeline.SaleID) (kinds []string, data map[string]string) {
	t.Helper()
	events, err := rdb.XRange(t.Context(), key(sale, "events"), "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	data = map[string]string{}
	for _, e := range events {
		kind, _ := e.Values["kind"].(string)
		data[kind], _ = e.Values["data"].(string)
		kinds = append(kinds, kind)
	}
	return kinds, data
}

func TestThePublicIsToldOfTheSaleAndOfEachStepOfItsDrawOnce(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	for range 2 { // again: nothing new happened
		if err := store.PublishSale(t.Context(), sale); err != nil {
			t.Fatal(err)
		}
		if err := store.Draw(t.Context(), sale.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Tell(t.Context(), sale.ID, "message", map[string]any{"text": "hello"}); err != nil {
		t.Fatal(err)
	}
	kinds, data := publicEvents(t, rdb, sale.ID)
	if want := []string{"published", "draw-committed", "draw-bound", "drawn", "message"}; !slices.Equal(kinds, want) {
		t.Fatalf("told %v, want %v", kinds, want)
	}
	d, err := store.Drawing(t.Context(), sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(data["draw-committed"], d.Commitment) || !strings.Contains(data["draw-bound"], d.Root) || !strings.Contains(data["drawn"], d.Seed) {
		t.Errorf("told %v of the draw %+v", data, d)
	}
}

func TestTellingIsNeverWhatMakesAScriptFail(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	if err := rdb.Del(t.Context(), key(sale.ID, "events")).Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Set(t.Context(), key(sale.ID, "events"), "not a stream", 0).Err(); err != nil {
		t.Fatal(err)
	}
	sale.Version++
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatalf("publishing where nothing can be told: %v", err)
	}
	if err := store.Tell(t.Context(), sale.ID, "message", map[string]any{}); err != nil {
		t.Fatal(err)
	}
}
