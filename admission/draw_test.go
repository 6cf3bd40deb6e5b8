package admission_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/internal/devstack"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/migrations"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/draw"
)

// beaten publishes a sale with a beacon, lets people in and closes the lobby.
func beaten(t *testing.T, store *queue.Store, people int) ropeline.Sale {
	t.Helper()
	now := time.Now()
	sale := ropeline.Sale{
		ID: ropeline.SaleID(fmt.Sprintf("b-%d", now.UnixNano())), Version: 1, Title: "Test",
		LobbyClosesAt: now.Add(time.Hour), OpensAt: now.Add(2 * time.Hour), EndsAt: now.Add(3 * time.Hour),
		Beacon: &ropeline.Beacon{Name: "drand", After: 1, Wait: 2},
		Cap:    2, Rate: 6000, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
	}
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	for i := range people {
		if _, err := store.Join(t.Context(), sale.ID, ropeline.PlaceID(fmt.Sprintf("place-%d", i)), ""); err != nil {
			t.Fatal(err)
		}
	}
	sale.Version, sale.LobbyClosesAt = 2, time.Now().Truncate(time.Millisecond)
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	return sale
}

// until waits for a condition, and looks as often as a line ticks.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(queue.TickInterval / 4)
	defer look.Stop()
	for late := time.After(time.Minute); !holds(); {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func drawn(t *testing.T, store *queue.Store, sale ropeline.SaleID) draw.File {
	t.Helper()
	var f draw.File
	until(t, "the draw", func() (done bool) {
		var err error
		f, err = store.DrawFile(t.Context(), sale)
		return err == nil
	})
	for _, c := range f.Verify() {
		if c.Err != nil {
			t.Errorf("%s: %v", c.What, c.Err)
		}
	}
	return f
}

// source is a beacon on this machine.
func source(t *testing.T, answer http.HandlerFunc) *admission.Beacons {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	b, err := admission.NewBeacons(map[string]string{"drand": s.URL + "/at/{time}"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestADrawTakesTheBeaconOfItsTime(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("0a", 32)
	asked := make(chan string, 100)
	for name, answer := range map[string]http.HandlerFunc{
		"at once": func(w http.ResponseWriter, r *http.Request) {
			asked <- r.URL.Path
			fmt.Fprintf(w, `{"round":1,"randomness":%q}`, value)
		},
		"after a while": func() http.HandlerFunc {
			first := time.Now()
			return func(w http.ResponseWriter, _ *http.Request) {
				if time.Since(first) < 3*time.Second {
					http.Error(w, "too early", http.StatusNotFound)
					return
				}
				fmt.Fprintln(w, value)
			}
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := ownStore(t)
			sale := beaten(t, store, 5)
			run(t, admission.NewController(store, quiet).WithBeacons(source(t, answer)))
			f := drawn(t, store, sale.ID)
			beacon, at, there := f.BeaconSource()
			if beacon != "drand" || !there || fmt.Sprintf("%x", f.Value) != value || len(f.Places) != 5 {
				t.Errorf("drawn with %x of %q, %d places", f.Value, beacon, len(f.Places))
			}
			if name == "at once" {
				if path := <-asked; path != fmt.Sprintf("/at/%d", at.Unix()) {
					t.Errorf("asked for %s, the beacon is of %d", path, at.Unix())
				}
			}
		})
	}
}

func TestABeaconThatNeverComesStopsNothing(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"no answer":    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"nonsense":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "tomorrow") },
		"zeros":        func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, strings.Repeat("0", 64)) },
		"another site": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"huge":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := ownStore(t)
			sale := beaten(t, store, 3)
			run(t, admission.NewController(store, quiet).WithBeacons(source(t, answer)))
			if f := drawn(t, store, sale.ID); f.Value != (draw.Hash{}) || len(f.Places) != 3 {
				t.Errorf("drawn with %x, %d places", f.Value, len(f.Places))
			}
		})
	}
}

func TestABeaconIsEnteredByHand(t *testing.T) {
	t.Parallel()
	store, _ := ownStore(t)
	ops, key := newOps(t, store)
	sale := beaten(t, store, 3)
	value := strings.Repeat("0b", 32)
	give := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v1/ops/sales/"+string(sale.ID)+"/beacon", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		ops.ServeHTTP(w, r)
		return w
	}
	const reason = `","reason":"the source is blocked here"}`
	if w := give(`{"value":"` + value + reason); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "beacon-not-awaited") {
		t.Errorf("before the root: %d %s", w.Code, w.Body)
	}
	run(t, admission.NewController(store, quiet)) // knows no source
	until(t, "the value is taken", func() bool { return give(`{"value":"`+value+reason).Code == http.StatusNoContent })
	for body, code := range map[string]string{
		`{"value":"` + strings.Repeat("0c", 32) + reason: "beacon-decided",
		`{"value":"0b` + reason:                          "beacon-invalid",
		`{"value":"` + value + `"}`:                      "reason-missing",
	} {
		if w := give(body); !strings.Contains(w.Body.String(), code) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if f := drawn(t, store, sale.ID); fmt.Sprintf("%x", f.Value) != value {
		t.Errorf("drawn with %x", f.Value)
	}
}

func TestABeaconIsNoWayIntoTheNetwork(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0/", "http://224.0.0.1/"} {
		b, err := admission.NewBeacons(map[string]string{"drand": address})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Value(t.Context(), "drand", time.Now()); err == nil || !strings.Contains(err.Error(), "is not to be asked") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"", "file:///etc/passwd", "ftp://x", "://"} {
		if _, err := admission.NewBeacons(map[string]string{"drand": address}); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}

// The draw and the opening need no Postgres: it is stopped before the close, and
// what it missed is entered when it is there again. Then Redis loses the entrants,
// and the draw is published from what was kept.
func TestADrawIsMadeWithPostgresDown(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // it makes a cluster, and starts it twice; it need not outlive the machine
	defer cancel()
	folder, err := devstack.OpenTemporary(ctx, devstack.Volatile)
	check(t, err)
	t.Cleanup(func() { check(t, folder.Remove()) })
	postgres, err := folder.StartPostgres(ctx, devstack.Volatile)
	check(t, err)
	_, err = migrations.Run(ctx, postgres.DSN("postgres"))
	check(t, err)
	db, err := dial.Postgres(ctx, postgres.DSN("postgres"))
	check(t, err)
	t.Cleanup(db.Close)
	files := filepath.Join(t.TempDir(), "archive")
	archive, err := admission.NewArchive(db, files, quiet)
	check(t, err)
	store, rdb := ownStore(t)
	store.UseArchive(archive)
	sale := beaten(t, store, 50)
	check(t, postgres.Close())

	run(t, admission.NewController(store, quiet).WithBeacons(source(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("0a", 32))
	})))
	before := drawn(t, store, sale.ID)
	until(t, "the line opens", func() bool {
		state, err := store.State(t.Context(), sale.ID)
		return err == nil && state.Phase() == ropeline.PhaseOpen
	})
	if left, err := os.ReadDir(files); err != nil || len(left) != 1 {
		t.Fatalf("%d files, %v; want the entrants in one", len(left), err)
	}
	// Where Redis has lost the root, too, the archive tells what was bound last; of
	// an earlier sale of that name it must not.
	newest := func(since time.Time) (string, error) {
		root, there, err := archive.Newest(ctx, sale.ID, since)
		return fmt.Sprint(root == before.Root, there), err
	}
	after := time.Now().Add(time.Minute)
	if got, err := newest(sale.LobbyClosesAt.Add(-time.Minute)); err != nil || got != "true true" {
		t.Errorf("the newest in a file: %s, %v", got, err)
	}
	if _, err := newest(after); err == nil {
		t.Error("without Postgres it is said that nothing newer was kept")
	}

	postgres, err = folder.StartPostgres(ctx, devstack.Volatile)
	check(t, err)
	t.Cleanup(func() { check(t, postgres.Close()) })
	run(t, archive)
	until(t, "the file is entered", func() bool {
		left, err := os.ReadDir(files)
		return err == nil && len(left) == 0
	})
	if got, err := newest(sale.LobbyClosesAt.Add(-time.Minute)); err != nil || got != "true true" {
		t.Errorf("the newest in Postgres: %s, %v", got, err)
	}
	if got, err := newest(after); err != nil || got != "false false" {
		t.Errorf("the newest of what was kept later: %s, %v", got, err)
	}
	lose := rdb.Del(t.Context(), "ropeline:{"+string(sale.ID)+".0}:entrants")
	if n, err := lose.Result(); err != nil || n != 1 {
		t.Fatalf("losing the entrants: %d, %v", n, err)
	}
	if after := drawn(t, store, sale.ID); !slices.Equal(after.Places, before.Places) {
		t.Error("another draw is published")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
