// Package devtest gives tests real servers: one private redis-server and one
// private Postgres for each test process, started when the first test asks.
//
// The one hard idea is isolation that costs milliseconds, not a server: each
// test that asks for Postgres gets a database of its own, cloned from a
// template that was migrated once. Redis is one keyspace for all, which
// nobody flushes; tests use sale and performance ids of their own.
//
// ROPELINE_TEST_REDIS and ROPELINE_TEST_POSTGRES name servers to use instead
// of private ones. There is no skip: a missing program fails the test with
// the command that installs it. A package that uses this has
//
//	func TestMain(m *testing.M) { devtest.Main(m) }
package devtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/ropeline/ropeline/internal/devstack"
	"github.com/ropeline/ropeline/internal/dial"
)

// servers are what this test process has started.
type servers struct {
	mu       sync.Mutex
	folder   *devstack.Folder
	redis    *devstack.Redis
	postgres *devstack.Postgres
	template *template
}

var shared servers

// Main is the TestMain of a package whose tests use servers: it runs the
// tests, stops the servers and fails if goroutines are left. It does not
// return.
func Main(m *testing.M, opts ...goleak.Option) {
	code := m.Run()
	err := shared.stop()
	if err == nil && code == 0 {
		err = goleak.Find(append(opts,
			// A pool whose server is gone looks for it each second, and so sees a
			// second late that it was closed.
			goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
			// Half a second before a connection is closed whose request was not
			// read to its end: as long as goleak waits.
			goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"),
			// Toxiproxy forgets a connection of which one direction has ended, and so does
			// not mend its harm: what was about to pass there waits for ever.
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*NoopToxic).Pipe"))...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func (s *servers) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.template != nil {
		errs = append(errs, s.template.drop())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	if s.folder != nil {
		errs = append(errs, s.folder.Remove())
	}
	return errors.Join(errs...)
}

// open makes the folder of the shared servers. The caller holds the lock.
func (s *servers) open(ctx context.Context) (err error) {
	if s.folder == nil {
		s.folder, err = devstack.OpenTemporary(ctx, devstack.Volatile)
	}
	return err
}

// startup bounds how long a test waits for a server to start.
const startup = 2 * time.Minute

// Redis returns a client of the test process's server, closed with the test.
// Keys of other tests are in there: use ids of your own and never flush.
func Redis(tb testing.TB) redis.UniversalClient {
	tb.Helper()
	return connect(tb, RedisURL(tb))
}

// RedisURL is the address of the server that Redis returns clients of.
func RedisURL(tb testing.TB) string {
	tb.Helper()
	if url := os.Getenv("ROPELINE_TEST_REDIS"); url != "" {
		return url
	}
	url, err := shared.startRedis()
	if err != nil {
		tb.Fatal(err)
	}
	return url
}

func (s *servers) startRedis() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redis != nil {
		return s.redis.URL, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startup)
	defer cancel()
	if err := s.open(ctx); err != nil {
		return "", err
	}
	r, err := s.folder.StartRedis(ctx, devstack.Volatile)
	if err != nil {
		return "", err
	}
	s.redis = r
	return r.URL, nil
}

func connect(tb testing.TB, url string) redis.UniversalClient {
	tb.Helper()
	client, err := dial.Redis(url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			tb.Errorf("closing the Redis client: %v", err)
		}
	})
	return client
}

// RedisServer is a redis-server of one test's own, to be flushed, killed and
// started again. It writes an append-only file, so a restart finds the data.
type RedisServer struct {
	Client redis.UniversalClient
	URL    string

	tb     testing.TB
	folder *devstack.Folder
	server *devstack.Redis
}

// PrivateRedis starts a server that lives as long as the test.
func PrivateRedis(tb testing.TB) *RedisServer {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startup)
	defer cancel()
	folder, err := devstack.OpenTemporary(ctx, devstack.Volatile)
	if err != nil {
		tb.Fatal(err)
	}
	r := &RedisServer{tb: tb, folder: folder}
	tb.Cleanup(func() {
		if r.server != nil {
			r.Stop()
		}
		if err := folder.Remove(); err != nil {
			tb.Errorf("removing the private Redis: %v", err)
		}
	})
	r.Start()
	r.URL = r.server.URL
	r.Client = connect(tb, r.URL)
	return r
}

// Start runs the server again on the data that it left.
func (r *RedisServer) Start() {
	r.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startup)
	defer cancel()
	server, err := r.folder.StartRedis(ctx, devstack.Durable)
	if err != nil {
		r.tb.Fatal(err)
	}
	r.server = server
}

// Stop ends the server in an orderly way.
func (r *RedisServer) Stop() {
	r.tb.Helper()
	if err := r.server.Close(); err != nil {
		r.tb.Fatal(err)
	}
}

// Kill ends the server as a crash would.
func (r *RedisServer) Kill() {
	r.tb.Helper()
	if err := r.server.Kill(); err != nil {
		r.tb.Fatal(err)
	}
}

// Destroy deletes what a stopped server has stored.
func (r *RedisServer) Destroy() {
	r.tb.Helper()
	if err := r.folder.DestroyRedis(); err != nil {
		r.tb.Fatal(err)
	}
}
