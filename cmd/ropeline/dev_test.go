package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"go.uber.org/goleak"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) {
	beProcess()
	// fasthttp, below Fiber, keeps a goroutine for the Date header for ever, and one of each closed server up to 10 s more.
	devtest.Main(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// running is `ropeline dev` in this process.
type running struct {
	devFile
	data  string
	stop  context.CancelFunc
	ended chan struct{}
	code  int          // read after ended
	log   bytes.Buffer // read after ended
}

// startDev runs the command line until the program says that it is ready.
func startDev(t *testing.T, data string, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{data: data, stop: stop, ended: make(chan struct{})}
	out, in := io.Pipe()
	go func() {
		defer close(r.ended)
		r.code = execute(ctx, append([]string{"dev", "--data", data, "--listen", "127.0.0.1:0"}, args...), in, &r.log)
		_ = in.Close()
	}()
	t.Cleanup(func() { // also when the test gives up half-way
		stop()
		<-r.ended
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "Ctrl-C stops everything." {
	}
	if lines.Text() == "" {
		<-r.ended
		t.Fatalf("dev ended with code %d:\n%s", r.code, &r.log)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends when dev does
	text, err := os.ReadFile(filepath.Join(data, "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r.devFile); err != nil {
		t.Fatal(err)
	}
	return r
}

// end stops the program as Ctrl-C does and checks that it went well.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	<-r.ended
	if r.code != 0 {
		t.Fatalf("dev ended with code %d:\n%s", r.code, &r.log)
	}
	if _, err := os.Stat(filepath.Join(r.data, "dev.json")); err == nil {
		t.Error("dev.json outlives the program")
	}
}

// call makes one request and reads the answer into reply.
func (r *running) call(t *testing.T, method, path, credential string, body, reply any, status int) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.Edge+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // leaves no connection behind
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(wire.AppHeader, "1")
	req.Header.Set("Idempotency-Key", "the-one-and-only-attempt")
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status {
		t.Fatalf("%s %s answers %d, want %d:\n%s", method, path, res.StatusCode, status, answer)
	}
	if err := json.Unmarshal(answer, reply); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
}

// awaitOffer watches the place's socket until it is its turn.
func (r *running) awaitOffer(t *testing.T, ticket string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := strings.Replace(r.Edge, "http", "ws", 1) + "/api/v1/sales/" + string(r.Sale) + "/place/live"
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + ticket}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for {
		var s wire.Status
		if err := wsjson.Read(ctx, conn, &s); err != nil {
			t.Fatal(err)
		}
		if s.State == ropeline.PlaceOffered {
			return
		}
	}
}

type receipt struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Key     string `json:"key"`
	Tickets []struct {
		Label string `json:"label"`
		State string `json:"state"`
	} `json:"tickets"`
}

// buy walks a fan from the door to the ticket.
func (r *running) buy(t *testing.T) receipt {
	t.Helper()
	sale := "/api/v1/sales/" + string(r.Sale)
	var place wire.Status
	r.call(t, "POST", sale+"/place", "", struct{}{}, &place, http.StatusCreated)
	r.awaitOffer(t, place.Ticket)
	var admitted wire.Admission
	r.call(t, "POST", sale+"/place/claim", place.Ticket, struct{}{}, &admitted, http.StatusOK)
	var hold struct{ ID string }
	r.call(t, "POST", "/api/v1/holds", admitted.Token,
		map[string]any{"performance": r.Performance, "units": []int{0, 1}}, &hold, http.StatusCreated)
	var bought receipt
	r.call(t, "POST", "/api/v1/orders", admitted.Token,
		map[string]any{"hold": hold.ID, "email": "fan@example.com", "payment_method": "sandbox_ok"}, &bought, http.StatusCreated)
	return bought
}

func TestAFanBuysAndFindsTheOrderAfterARestart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "demo.json")
	text := `{"opens_in": 2, "lobby_close": 1, "seats": 40, "general": 10, "token_life": 5, "claim_window": 30}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	first := startDev(t, data, "--demo", file)
	bought := first.buy(t)
	if bought.State != "paid" || len(bought.Tickets) != 2 || bought.Tickets[0].Label != "Stalls Left-A-1" {
		t.Fatalf("bought %+v", bought)
	}
	first.end(t)

	second := startDev(t, data, "--demo", file, "--requests-limit=100000")
	if second.Performance != first.Performance || second.StaffKey != first.StaffKey {
		t.Errorf("after the restart performance %s and staff key %s, before it %s and %s",
			second.Performance, second.StaffKey, first.Performance, first.StaffKey)
	}
	var found receipt
	second.call(t, "GET", "/api/v1/orders/"+bought.ID, bought.Key, nil, &found, http.StatusOK)
	if found.State != "paid" || len(found.Tickets) != 2 || found.Tickets[0].State != "valid" {
		t.Errorf("after the restart the order is %+v", found)
	}
	agrees(t, second, `"sold": 2`)
	second.servesAll(t)
	second.end(t)

	third := startDev(t, data, "--reset")
	if third.Performance == first.Performance {
		t.Error("--reset kept the performance")
	}
	agrees(t, third, `"sold": 0`)
	third.end(t)
}

// agrees runs check, check ledger and check inventory on the running stack.
func agrees(t *testing.T, r *running, want string) {
	t.Helper()
	var out bytes.Buffer
	code := execute(t.Context(), []string{"check", "--redis", r.Redis, "--postgres", r.Postgres,
		"--keys", filepath.Join(r.data, "keys")}, &out, &out)
	if code != 0 {
		t.Errorf("check: code %d\n%s", code, &out)
	}
	out.Reset()
	if code = execute(t.Context(), []string{"check", "ledger", "--postgres", r.Postgres}, &out, &out); code != 0 {
		t.Errorf("check ledger: code %d\n%s", code, &out)
	}
	out.Reset()
	code = execute(t.Context(), []string{"check", "inventory", "--json", "--redis", r.Redis, "--postgres", r.Postgres}, &out, &out)
	if code != 0 || !strings.Contains(out.String(), want) {
		t.Errorf("check inventory: code %d, want it to say %s\n%s", code, want, &out)
	}
}

func TestAServerThatIsKilledStopsEverythingAndIsNamed(t *testing.T) {
	t.Parallel()
	for name, pid := range map[string]func(*running) int{
		"redis-server": func(r *running) int { return r.RedisPID },
		"postgres":     func(r *running) int { return r.PostgresPID },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			r := startDev(t, data)
			if err := syscall.Kill(pid(r), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-r.ended
			if r.code != 1 || !strings.Contains(r.log.String(), "servers: "+name+": it ended on its own") {
				t.Errorf("code %d\n%s", r.code, &r.log)
			}
			next := startDev(t, data)
			if next.Performance != r.Performance {
				t.Errorf("after the restart performance %s, before it %s", next.Performance, r.Performance)
			}
			next.end(t)
		})
	}
}
