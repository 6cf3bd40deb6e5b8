package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a running Postgres server.
type Postgres struct {
	sockets string
	*child
}

// StartPostgres runs a Postgres server in the folder, making its data folder
// first if there is none, and returns when it answers.
func (f *Folder) StartPostgres(ctx context.Context, d Durability) (*Postgres, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(f.path, "postgres")
	if err := f.initPostgres(ctx, bin, data); err != nil {
		return nil, err
	}
	// We hold the folder's lock, so a pid file is a dead server's; its number may meanwhile be another process's.
	if err := os.Remove(filepath.Join(data, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the stale pid file: %w", err)
	}
	ch, err := start(command{
		program: filepath.Join(bin, "postgres"), args: postgresArgs(data, f.sockets, d), as: f.as, lock: f.lock,
		log: filepath.Join(f.path, "postgres.log"), onDeath: syscall.SIGINT, // fast shutdown
	})
	if err != nil {
		return nil, err
	}
	p := &Postgres{sockets: f.sockets, child: ch}
	if err := ch.ready(ctx, p.ping); err != nil {
		return nil, err
	}
	return p, nil
}

func postgresArgs(data, sockets string, d Durability) []string {
	args := []string{
		"-D", data,
		"-c", "listen_addresses=",
		"-c", "unix_socket_directories=" + sockets,
		"-c", "unix_socket_permissions=0700",
		"-c", "max_connections=200",
		"-c", "timezone=UTC",
	}
	if d == Volatile {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_wal_size=256MB")
	}
	return args
}

// initPostgres makes the data folder under another name and renames it when
// it is complete, so that a killed initdb leaves nothing half-made behind.
func (f *Folder) initPostgres(ctx context.Context, bin, data string) error {
	if _, err := os.Stat(data); err == nil {
		return nil
	}
	fresh := data + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("removing an unfinished data folder: %w", err)
	}
	if err := f.as.makeDir(fresh); err != nil {
		return fmt.Errorf("making Postgres's folder: %w", err)
	}
	locale := "C"
	if runtime.GOOS == "linux" {
		locale = "C.UTF-8" // as fast to compare as C, but knows that Å is å; macOS has no such locale
	}
	// The syncing that -N leaves out is the last thing a first start needs: what is in there can be made again.
	err := run(ctx, command{
		program: filepath.Join(bin, "initdb"), as: f.as, lock: f.lock,
		args: []string{"-N", "-D", fresh, "-U", owner, "--auth=trust", "--encoding=UTF8", "--locale=" + locale},
		log:  filepath.Join(f.path, "initdb.log"), onDeath: syscall.SIGKILL,
	})
	if err != nil {
		return fmt.Errorf("making the database cluster: %w", err)
	}
	return os.Rename(fresh, data)
}

// owner is the superuser of a private server. Whoever may enter the sockets
// folder, which is its user and root, needs no password.
const owner = "ropeline"

// DSN names a database of this server.
func (p *Postgres) DSN(database string) string {
	return "host=" + quote(p.sockets) + " port=5432 user=" + owner + " dbname=" + quote(database) + " sslmode=disable"
}

// PID is the process that all of the server's descend from.
func (p *Postgres) PID() int { return p.pid }

// Program is the path of a program that comes with Postgres.
func (p *Postgres) Program(name string) (string, error) {
	dir, err := findPostgres()
	return filepath.Join(dir, name), err
}

// quote makes a value fit for a keyword/value connection string.
func quote(value string) string {
	if value != "" && !strings.ContainsAny(value, ` '\`) {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

func (p *Postgres) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.DSN("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// ensure makes the database if it is not there.
func (p *Postgres) ensure(ctx context.Context, database string) (err error) {
	conn, err := pgx.Connect(ctx, p.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connecting to the private Postgres: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", database).Scan(&exists); err != nil {
		return fmt.Errorf("looking for the database: %w", err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "create database "+pgx.Identifier{database}.Sanitize()); err != nil {
		return fmt.Errorf("creating the database: %w", err)
	}
	return nil
}

// Close ends the server: fast shutdown first, immediate if that takes long.
func (p *Postgres) Close() error { return p.stop(15*time.Second, syscall.SIGINT, syscall.SIGQUIT) }

// Kill ends the server without any tidying: the next start has its log to
// replay, as after a crash.
func (p *Postgres) Kill() error { return p.stop(15*time.Second, syscall.SIGQUIT) }
