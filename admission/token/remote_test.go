package token

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// site is a JWKS address in a bubble of fake time: no sockets, so that time may
// stand still.
type site struct {
	mu     sync.Mutex // guards what follows
	answer func() (int, string, error)
	asked  int
}

// serves lets the address answer with a set of keys from now on.
func (s *site) serves(t testing.TB, keys KeySet) {
	doc := jwks(t, keys)
	s.answers(func() (int, string, error) { return 200, doc, nil })
}

func (s *site) answers(answer func() (int, string, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *site) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	status, body, err := s.answer()
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(body)), Request: r,
		Header: http.Header{"Location": {"http://elsewhere.example/"}}}, nil
}

func jwks(t testing.TB, keys KeySet) string {
	t.Helper()
	doc, err := keys.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// follow runs a Remote on s in a bubble until the test ends.
func follow(t *testing.T, s *site, f func(r *Remote)) {
	synctest.Test(t, func(t *testing.T) {
		r, err := NewRemote(RemoteConfig{URL: "https://tickets.example/.well-known/jwks.json", MaxStale: time.Hour,
			Client: &http.Client{Transport: s, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		defer func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		f(r)
	})
}

func TestARemoteFollowsARotation(t *testing.T) {
	t.Parallel()
	s := &site{}
	s.serves(t, KeySet{"k1": public(1)})
	follow(t, s, func(r *Remote) {
		select {
		case <-r.Ready():
		default:
			t.Fatal("it has keys and is not ready")
		}
		if _, err := r.Key("k1"); err != nil {
			t.Fatal(err)
		}
		s.serves(t, KeySet{"k1": public(1), "k2": public(2)})
		time.Sleep(time.Minute) // fake
		synctest.Wait()
		if _, err := r.Key("k2"); err != nil {
			t.Errorf("a key that was published a minute ago: %v", err)
		}
		s.serves(t, KeySet{"k2": public(2)})
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := r.Key("k1"); err == nil || errors.Is(err, ErrKeysAway) {
			t.Errorf("a retired key: %v, want it unknown", err)
		}
	})
}

func TestARemoteLooksForAnUnknownKeyButNotAtEachRequest(t *testing.T) {
	t.Parallel()
	s := &site{}
	s.serves(t, KeySet{"k1": public(1)})
	follow(t, s, func(r *Remote) {
		for range 1000 {
			if _, err := r.Key("forged"); err == nil {
				t.Fatal("an unknown key was found")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := s.times(); n < 2 || n > 4 {
			t.Errorf("1,000 forged tokens in 10 s led to %d fetches, want 2 or 3", n)
		}
	})
}

func TestARemoteKeepsItsLastGoodSetForAWhile(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func() (int, string, error){
		"away":        func() (int, string, error) { return 0, "", errors.New("connection refused") },
		"error":       func() (int, string, error) { return 503, "", nil },
		"redirect":    func() (int, string, error) { return 302, "", nil },
		"no JSON":     func() (int, string, error) { return 200, "<html>", nil },
		"empty":       func() (int, string, error) { return 200, `{"keys":[]}`, nil },
		"large":       func() (int, string, error) { return 200, strings.Repeat(" ", remoteMost+1), nil },
		"foreign key": func() (int, string, error) { return 200, `{"keys":[{"kty":"oct","k":"AA","kid":"k1"}]}`, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{}
			s.serves(t, KeySet{"k1": public(1)})
			follow(t, s, func(r *Remote) {
				s.answers(bad)
				time.Sleep(59 * time.Minute)
				if _, err := r.Key("k1"); err != nil {
					t.Errorf("the last good set after 59 min: %v", err)
				}
				time.Sleep(3 * time.Minute)
				if _, err := r.Key("k1"); !errors.Is(err, ErrKeysAway) {
					t.Errorf("a set older than MaxStale: %v, want ErrKeysAway", err)
				}
				s.serves(t, KeySet{"k1": public(1)})
				time.Sleep(remoteGap)
				synctest.Wait()
				if _, err := r.Key("k1"); err != nil {
					t.Errorf("the address answers again: %v", err)
				}
			})
		})
	}
}

func TestARemoteIsAwayUntilItHasKeys(t *testing.T) {
	t.Parallel()
	s := &site{answer: func() (int, string, error) { return 503, "", nil }}
	follow(t, s, func(r *Remote) {
		v := NewVerifier(r, func() time.Time { return noon })
		if _, err := v.Verify(signed(t, 1, "s", noon.Add(time.Minute))); !errors.Is(err, ErrKeysAway) {
			t.Errorf("before the first set: %v, want ErrKeysAway: the token may be good", err)
		}
	})
	for _, url := range []string{"", "tickets.example/jwks", "file:///etc/keys", "http://"} {
		if _, err := NewRemote(RemoteConfig{URL: url}); err == nil {
			t.Errorf("%q was taken as an address", url)
		}
	}
}

// An address that takes connections and never answers does not hold up the set
// that is there, and Run ends all the same.
func TestARemoteGivesUpOnAnAddressThatNeverAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gaveUp time.Duration
		r, err := NewRemote(RemoteConfig{URL: "http://tickets.example/", Client: &http.Client{Transport: tripper(func(q *http.Request) (*http.Response, error) {
			began := time.Now()
			<-q.Context().Done()
			gaveUp = time.Since(began)
			return nil, q.Context().Err()
		})}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		stop()
		if err := <-ended; err != nil || gaveUp != 5*time.Second {
			t.Errorf("gave up after %v, Run ended with %v", gaveUp, err)
		}
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzParseKeySet: whatever an address answers, only Ed25519 keys with ids come
// of it, and they survive being published again.
func FuzzParseKeySet(f *testing.F) {
	f.Add(jwks(f, KeySet{"k1": public(1), "k2": public(2)}))
	f.Add(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"k"}]}`)
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"k"}]}`)
	f.Fuzz(func(t *testing.T, doc string) {
		keys, err := ParseKeySet([]byte(doc))
		if err != nil {
			return
		}
		again, err := ParseKeySet([]byte(jwks(t, keys)))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%d keys were read, %d of them again: %v", len(keys), len(again), err)
		}
		for id, k := range keys {
			if id == "" || len(k) != 32 || !k.Equal(again[id]) {
				t.Fatalf("key %q is %x, then %x", id, k, again[id])
			}
		}
	})
}
