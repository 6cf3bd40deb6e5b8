package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ropeline/ropeline/internal/dial"
)

// Durability says what a server does so that its data survives.
type Durability int

const (
	// Volatile data dies with the server: nothing is synced to disk.
	Volatile Durability = iota
	// Durable data survives a kill of everything, and a power cut but for
	// the last second of Redis.
	Durable
)

// Redis is a running redis-server.
type Redis struct {
	URL string
	*child
}

// StartRedis runs a redis-server in the folder and returns when it answers.
func (f *Folder) StartRedis(ctx context.Context, d Durability) (*Redis, error) {
	program, err := findRedis()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(f.path, "redis")
	if err := f.as.makeDir(dir); err != nil {
		return nil, fmt.Errorf("making Redis's folder: %w", err)
	}
	socket := filepath.Join(f.sockets, "redis.sock")
	args := []string{
		"--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", dir,
		"--maxmemory-policy", "noeviction", // a place that is evicted is a place that is lost
		"--save", "", "--appendonly", "no",
		"--enable-debug-command", "local", // so that it can be made to crash; who reaches the socket may do anything anyway
	}
	if d == Durable {
		args = append(args, "--appendonly", "yes", "--appendfsync", "everysec")
	}
	ch, err := start(command{
		program: program, args: args, as: f.as, lock: f.lock,
		log: filepath.Join(f.path, "redis.log"), onDeath: syscall.SIGTERM,
	})
	if err != nil {
		return nil, err
	}
	r := &Redis{URL: (&url.URL{Scheme: "unix", Path: socket}).String(), child: ch}
	if err := ch.ready(ctx, r.ping); err != nil {
		return nil, err
	}
	return r, nil
}

// ping succeeds once the append-only file has been read.
func (r *Redis) ping(ctx context.Context) (err error) {
	client, err := dial.Redis(r.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return client.Ping(ctx).Err()
}

// Close ends the server, which first syncs what it has.
func (r *Redis) Close() error { return r.stop(10*time.Second, syscall.SIGTERM) }

// Kill ends the server at once, as a crash would.
func (r *Redis) Kill() error { return r.stop(10 * time.Second) }

// DestroyRedis deletes what a stopped server has stored in the folder.
func (f *Folder) DestroyRedis() error { return os.RemoveAll(filepath.Join(f.path, "redis")) }
