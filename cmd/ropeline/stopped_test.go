package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// beProcess turns this test binary into ropeline if a test has started it as
// such. It ends with the test that started it, however that ends.
func beProcess() {
	if os.Getenv("ROPELINE_TEST_PROCESS") == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	main()
}

// testProgram is the program that plays ropeline: this one, or another build of it
// that is broken on purpose (loadtest/mutants).
func testProgram(t *testing.T) string {
	t.Helper()
	if other := os.Getenv("ROPELINE_TEST_PROGRAM"); other != "" {
		return other
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// process is one part of an installation.
type process struct {
	pid     int
	address string // that it logged
	log     *devtest.Logbook
}

var logged = regexp.MustCompile(`(?:address|ops)=(http://\S+)`)

// startProcess runs a command line and returns when it says where it listens.
func startProcess(t *testing.T, args ...string) process {
	t.Helper()
	cmd := exec.Command(testProgram(t), args...)
	cmd.Env = append(os.Environ(), "ROPELINE_TEST_PROCESS=1")
	alive, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, read, book := make(chan string, 1), make(chan struct{}), new(devtest.Logbook)
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(io.TeeReader(log, book)); lines.Scan(); {
			if found := logged.FindStringSubmatch(lines.Text()); found != nil {
				select {
				case address <- found[1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = alive.Close()
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait() // killed, as it should be
	})
	select {
	case at := <-address:
		return process{cmd.Process.Pid, at, book}
	case <-read:
		t.Fatalf("%v ended at once: %s", args, book)
	case <-time.After(time.Minute):
		t.Fatalf("%v does not say where it listens", args)
	}
	return process{}
}

// site is an installation of several processes and a crowd that uses it.
type site struct {
	t           *testing.T
	redis       *devtest.RedisServer
	store       *queue.Store
	sale        ropeline.Sale
	edges       []process
	controllers []process
	stop        time.Duration // how long processes are stopped

	ctx    context.Context // of the crowd
	client *http.Client
	crowd  sync.WaitGroup

	mu   sync.Mutex
	fans []*shopper
}

// shopper is a fan who polls, takes the offer, stays a second and leaves the
// shop.
type shopper struct {
	ticket  string
	joined  bool
	rank    int64 // in the line, −1 until it is known
	numbers []int64
	beside  bool
	begun   time.Time // the slot is in use from here on …
	ended   time.Time // … to here
	done    bool
}

const (
	crowdSize = 18
	crowdCap  = 3
)

// build starts everything on a Redis of its own, which can be stopped.
func build(t *testing.T, stop time.Duration) *site {
	t.Helper()
	r := devtest.PrivateRedis(t)
	s := assemble(t, r.URL, r.Client, stop, 1)
	s.redis = r
	return s
}

// assemble starts everything, for a sale of so many lines, and lets the crowd
// join. The sale's phases are long enough for a stop in each.
func assemble(t *testing.T, url string, rdb redis.UniversalClient, stop time.Duration, shards int) *site {
	t.Helper()
	s := &site{t: t, stop: stop}
	keys := keyFolder(filepath.Join(t.TempDir(), "keys"))
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	place, err := keys.secret(placeKey)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := keys.secret(seedKey)
	if err != nil {
		t.Fatal(err)
	}
	s.store = queue.New(rdb, queue.Keys{Place: place, Seed: seed})
	t.Cleanup(s.store.Close)
	for range 2 {
		s.controllers = append(s.controllers, startProcess(t, "admission", "--redis", url, "--keys", string(keys), "--listen", "127.0.0.1:0"))
		s.edges = append(s.edges, startProcess(t, "edge", "--redis", url, "--keys", string(keys), "--listen", "127.0.0.1:0",
			"--booking", "http://127.0.0.1:1", "--ops", "http://127.0.0.1:1", "--joins-limit=-1", "--requests-limit=-1"))
	}
	closes := time.Now().Add(4*time.Second + 3*stop/2)
	s.sale = ropeline.Sale{
		ID: "stopped", Version: 1, Title: "Stopped", LobbyClosesAt: closes, OpensAt: closes.Add(4*time.Second + 3*stop/2), EndsAt: closes.Add(time.Hour),
		Cap: crowdCap, Rate: 6000, ClaimWindow: ropeline.Seconds((30*time.Second + 3*stop) / time.Second), TokenLife: 10,
		SessionMax: 1800, Hold: 600, UnitsPerHold: 6, Shards: shards,
	}
	if err := s.store.PublishSale(t.Context(), s.sale); err != nil {
		t.Fatal(err)
	}
	s.gather()
	return s
}

// gather lets the crowd join and wait until everybody has been in the shop, or
// the test ends.
func (s *site) gather() {
	s.client = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: crowdSize}}
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(func() { cancel(); s.crowd.Wait(); s.client.CloseIdleConnections() })
	s.ctx = ctx
	for range crowdSize {
		s.arrive(-1)
	}
	s.await("everybody has joined", time.Minute, func() bool {
		return s.count(func(f *shopper) bool { return f.joined }) == crowdSize
	})
}

// arrive lets one more fan come, whose rank in the line is known or −1.
func (s *site) arrive(rank int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, w := &shopper{rank: rank}, walker{s, len(s.fans)}
	s.fans = append(s.fans, f)
	s.crowd.Go(func() {
		w.join(s.ctx, f)
		w.wait(s.ctx, f)
	})
}

// size is how many fans have come.
func (s *site) size() int { return s.count(func(*shopper) bool { return true }) }

// walker makes one fan's requests, at another edge when one does not answer.
type walker struct {
	*site
	edge int
}

// call returns the status of a success, else 0.
func (w *walker) call(ctx context.Context, method, path, ticket string, body, reply any) int {
	text, err := json.Marshal(body)
	if err != nil {
		return 0
	}
	base := w.edges[w.edge%len(w.edges)].address
	req, err := http.NewRequestWithContext(ctx, method, base+"/api/v1/sales/"+string(w.sale.ID)+path, bytes.NewReader(text))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(wire.AppHeader, "1")
	if ticket != "" {
		req.Header.Set("Authorization", "Bearer "+ticket)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.edge++
		return 0
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	switch {
	case err != nil || res.StatusCode >= 500:
		w.edge++
		return 0
	case res.StatusCode >= 300, reply != nil && json.Unmarshal(answer, reply) != nil:
		return 0
	}
	return res.StatusCode
}

// pause is the time between two requests of one fan; false when the test ends.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(250 * time.Millisecond):
		return true
	}
}

func (w *walker) join(ctx context.Context, f *shopper) {
	attempt := wire.Join{Attempt: rand.Text()} // who asks again, because nobody answered, has one place
	for more := true; more; more = pause(ctx) {
		var status wire.Status
		if w.call(ctx, "POST", "/place", "", attempt, &status) != 0 && status.Ticket != "" {
			w.mu.Lock()
			f.ticket, f.joined = status.Ticket, true
			w.mu.Unlock()
			return
		}
	}
}

func (w *walker) wait(ctx context.Context, f *shopper) {
	for pause(ctx) {
		var status wire.Status
		if w.call(ctx, "GET", "/place", f.ticket, struct{}{}, &status) == 0 {
			continue
		}
		w.mu.Lock()
		if status.Ticket != "" {
			f.ticket = status.Ticket
		}
		if f.rank < 0 && status.Position != nil && status.Served != nil {
			f.rank = *status.Position + *status.Served
		}
		if o := status.Offer; o != nil && !slices.Contains(f.numbers, o.Number) {
			f.numbers, f.beside, f.begun = append(f.numbers, o.Number), o.Beside, time.Now()
		}
		w.mu.Unlock()
		if status.State == ropeline.PlaceOffered && w.shop(ctx, f) {
			return
		}
	}
}

// shop takes the offer, stays a second and ends the session, or lets it run out.
func (w *walker) shop(ctx context.Context, f *shopper) bool {
	var given wire.Admission
	if w.call(ctx, "POST", "/place/claim", f.ticket, struct{}{}, &given) == 0 {
		return false
	}
	for range 4 {
		pause(ctx)
	}
	// The first end may have been one although nobody answered: a later answer does not say which was.
	ended, asked := given.ExpiresAt, time.Now()
	for time.Now().Before(given.ExpiresAt) {
		status := w.call(ctx, "DELETE", "/session", f.ticket, struct{}{}, nil)
		if status == http.StatusNoContent { // with 202 a gate may still take the token, until it expires
			ended = asked
		}
		if status != 0 || !pause(ctx) {
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.ended, f.done = ended, true
	return true
}

// count returns how many fans are so.
func (s *site) count(so func(*shopper) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.fans {
		if so(f) {
			n++
		}
	}
	return n
}

func (s *site) await(what string, limit time.Duration, done func() bool) {
	s.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for late := time.After(limit); !done(); {
		select {
		case <-look.C:
		case <-late:
			s.t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// freeze stops a process for a while, as a machine that swaps or a virtual one
// that is moved does.
func (s *site) freeze(pid int) {
	s.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			s.t.Fatal(err)
		}
	}()
	<-time.After(s.stop)
}

// judge looks at everything that was promised.
func (s *site) judge() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for i, f := range s.fans {
		if len(f.numbers) != 1 {
			s.t.Errorf("fan %d was offered %d times: %v", i, len(f.numbers), f.numbers)
		}
		changes = append(changes, change{f.begun, 1}, change{f.ended, -1})
	}
	slices.SortFunc(changes, func(a, b change) int { return a.at.Compare(b.at) })
	inside, most := 0, 0
	for _, c := range changes {
		inside += c.by
		most = max(most, inside)
	}
	if most > crowdCap {
		s.t.Errorf("%d had an offer or a session at once, the cap is %d", most, crowdCap)
	}
	slices.SortFunc(s.fans, func(a, b *shopper) int { return cmp.Compare(a.numbers[0], b.numbers[0]) })
	last := int64(-1)
	for _, f := range s.fans {
		if !f.beside && f.rank <= last {
			s.t.Errorf("offer %d went to number %d of the line, after number %d", f.numbers[0], f.rank, last)
		}
		last = max(last, f.rank)
	}
	state, err := s.store.State(context.Background(), s.sale.ID)
	if err != nil || state.MaxInUse > crowdCap {
		s.t.Errorf("%d slots were in use at once, %v; the cap is %d", state.MaxInUse, err, crowdCap)
	}
}

// stopTime is how long processes are stopped: longer than the controllers'
// lease of 1 s in every run, 30 s in `make test-faults`.
func stopTime(t *testing.T) time.Duration {
	text := os.Getenv("ROPELINE_TEST_STOP")
	if text == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A controller, an edge or Redis that is stopped for a while in each phase of a
// sale, and wakes up with what it knew before: nobody is offered twice, the cap
// and the order hold, and the line moves again.
func TestASaleOutlivesStoppedProcesses(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"controller", "edge", "redis"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			s := build(t, stopTime(t))
			// A fan comes during each stop. One who comes when offers are made stands at the
			// tail; before, the position tells where.
			tail := map[int]int64{3: 10 * crowdSize}
			phase := 0
			stop := func() {
				t.Helper()
				rank := cmp.Or(tail[phase], -1)
				time.AfterFunc(s.stop/4, func() { s.arrive(rank) }) // while something is stopped
				t.Logf("phase %d: stopping for %v, at %s", phase, s.stop, time.Now().Format("15:04:05"))
				switch who {
				case "controller":
					s.freezeController()
				case "edge":
					s.freeze(s.edges[phase%2].pid)
				default:
					s.freeze(s.redisPID())
				}
				phase++
			}
			stop() // in the lobby
			<-time.After(time.Until(s.sale.LobbyClosesAt.Add(-s.stop / 2)))
			stop() // while the lobby is to be drawn
			s.await("everybody knows their position", time.Minute, func() bool {
				return s.count(func(f *shopper) bool { return f.rank >= 0 }) == s.size()
			})
			stop() // in the line, before the opening
			s.await("some have had their turn", time.Minute+2*s.stop, func() bool {
				return s.count(func(f *shopper) bool { return f.done }) >= crowdSize/4
			})
			stop() // with offers and sessions
			s.await("everybody has had a turn", 2*time.Minute, func() bool {
				return s.count(func(f *shopper) bool { return f.done }) == s.size()
			})
			s.judge()
		})
	}
}

// The same programs on a Redis Cluster, with a sale that is spread over two of
// its masters.
func TestProcessesServeASaleThatIsSpreadOverACluster(t *testing.T) {
	t.Parallel()
	c := devtest.Cluster(t)
	s := assemble(t, c.URL, c.Client, 0, 2)
	s.await("everybody knows their position", time.Minute, func() bool {
		return s.count(func(f *shopper) bool { return f.rank >= 0 }) == crowdSize
	})
	s.await("everybody has had a turn", 2*time.Minute, func() bool {
		return s.count(func(f *shopper) bool { return f.done }) == crowdSize
	})
	s.judge()
	sum := int64(0)
	for shard := range s.sale.Shards {
		n, err := c.Client.ZCard(t.Context(), fmt.Sprintf("ropeline:{%s.%d}:order", s.sale.ID, shard)).Result()
		if err != nil || n == 0 || n == crowdSize {
			t.Errorf("line %d has %d of %d, %v", shard, n, crowdSize, err)
		}
		sum += n
	}
	if sum != crowdSize {
		t.Errorf("%d places in all lines, want %d", sum, crowdSize)
	}
}

// freezeController stops the controller that leads, and checks that the other
// one takes over.
func (s *site) freezeController() {
	s.t.Helper()
	leader := func() string {
		name, err := s.redis.Client.Get(context.Background(), "ropeline:{"+string(s.sale.ID)+"}:leader").Result()
		if err != nil {
			return ""
		}
		return name
	}
	s.await("a controller leads", time.Minute, func() bool { return leader() != "" })
	before := leader()
	// Meanwhile the cap is lowered: whoever wakes up cannot know.
	lowered := time.AfterFunc(s.stop/2, func() { s.steer(crowdCap - 1) })
	defer func() {
		lowered.Stop()
		state, err := s.store.State(context.Background(), s.sale.ID)
		if err != nil || state.Cap != crowdCap-1 || !state.Proof.Holds() {
			s.t.Errorf("after the stop the cap is %d, proved by %+v, %v", state.Cap, state.Proof, err)
		}
		s.steer(crowdCap)
	}()
	for range s.controllers { // which one leads is not told: it is the one whose stop changes it
		first := s.controllers[0]
		s.controllers = append(s.controllers[1:], first)
		s.freeze(first.pid)
		if after := leader(); after != "" && after != before {
			return
		}
	}
	s.t.Errorf("%q leads still after each controller was stopped for %v", before, s.stop)
}

// steer sets the cap.
func (s *site) steer(to int64) {
	if _, err := s.store.Steer(context.Background(), s.sale.ID, queue.Change{Set: queue.Settings{Cap: &to}, By: "sre", Reason: "a test"}); err != nil {
		s.t.Error(err)
	}
}

func (s *site) redisPID() int {
	s.t.Helper()
	info, err := s.redis.Client.InfoMap(context.Background(), "server").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(info["Server"]["process_id"])
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}
