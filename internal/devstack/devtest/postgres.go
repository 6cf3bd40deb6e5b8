package devtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/internal/devstack"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/migrations"
)

// template is a migrated database from which tests get copies.
type template struct {
	admin  string // DSN of the server's own database
	name   string // unique: several test processes may share a server
	clones atomic.Int64
}

// Postgres returns a pool on a migrated database of the test's own, which is
// dropped with the test.
func Postgres(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return PostgresAt(tb, PostgresDSN(tb))
}

// PostgresAt returns a pool on a database that PostgresDSN made.
func PostgresAt(tb testing.TB, dsn string) *pgxpool.Pool {
	tb.Helper()
	pool, err := dial.Postgres(tb.Context(), dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// PostgresDSN makes a migrated database of the test's own, which is dropped
// with the test, and returns its address.
func PostgresDSN(tb testing.TB) string {
	tb.Helper()
	t, err := shared.migrate()
	if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("%s_%d", t.name, t.clones.Add(1))
	if err := t.run("create database " + name + " template " + t.name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := t.run("drop database " + name + " with (force)"); err != nil {
			tb.Error(err)
		}
	})
	return t.dsn(name)
}

// migrate makes the template once a process.
func (s *servers) migrate() (*template, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.template != nil {
		return s.template, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startup)
	defer cancel()
	admin, err := s.startPostgres(ctx)
	if err != nil {
		return nil, err
	}
	t := &template{admin: admin, name: "test_" + strings.ToLower(rand.Text()[:10])}
	if err := t.run("create database " + t.name); err != nil {
		return nil, err
	}
	if _, err := migrations.Run(ctx, t.dsn(t.name)); err != nil {
		return nil, errors.Join(err, t.drop())
	}
	s.template = t
	return t, nil
}

// startPostgres returns the DSN under which databases are created. The
// caller holds the lock.
func (s *servers) startPostgres(ctx context.Context) (string, error) {
	if dsn := os.Getenv("ROPELINE_TEST_POSTGRES"); dsn != "" {
		return dsn, nil
	}
	if s.postgres != nil {
		return s.postgres.DSN("postgres"), nil
	}
	if err := s.open(ctx); err != nil {
		return "", err
	}
	p, err := s.folder.StartPostgres(ctx, devstack.Volatile)
	if err != nil {
		return "", err
	}
	s.postgres = p
	return p.DSN("postgres"), nil
}

// run executes one statement that cannot be part of a transaction.
func (t *template) run(statement string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, t.admin)
	if err != nil {
		return fmt.Errorf("connecting to the test server: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func (t *template) drop() error { return t.run("drop database " + t.name + " with (force)") }

// dsn names another database of the same server.
func (t *template) dsn(database string) string {
	u, err := url.Parse(t.admin)
	if err != nil || u.Scheme == "" {
		return t.admin + " dbname=" + database // in the keyword form the last word counts
	}
	u.Path = "/" + database
	return u.String()
}

// PostgresServer is a Postgres of one test's own, to be killed and started again.
// It syncs what it answers for, so a restart finds it.
type PostgresServer struct {
	DSN string // of its own database, which is empty

	tb     testing.TB
	folder *devstack.Folder
	server *devstack.Postgres
}

// PrivatePostgres starts a server that lives as long as the test.
func PrivatePostgres(tb testing.TB) *PostgresServer {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startup)
	defer cancel()
	folder, err := devstack.OpenTemporary(ctx, devstack.Volatile) // in memory: it is the processes that die here
	if err != nil {
		tb.Fatal(err)
	}
	p := &PostgresServer{tb: tb, folder: folder}
	tb.Cleanup(func() {
		if p.server != nil {
			if err := p.server.Close(); err != nil {
				tb.Errorf("ending the private Postgres: %v", err)
			}
		}
		if err := folder.Remove(); err != nil {
			tb.Errorf("removing the private Postgres: %v", err)
		}
	})
	p.Start()
	p.DSN = p.server.DSN("postgres")
	return p
}

// Start runs the server again on the data that it left.
func (p *PostgresServer) Start() {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startup)
	defer cancel()
	server, err := p.folder.StartPostgres(ctx, devstack.Durable)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.server = server
}

// Kill ends the server as a crash would: it has its log to replay when it is
// started again.
func (p *PostgresServer) Kill() {
	p.tb.Helper()
	if err := p.server.Kill(); err != nil {
		p.tb.Fatal(err)
	}
}
