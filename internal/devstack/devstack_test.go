package devstack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/ropeline/ropeline/internal/dial"
)

// ownerDir makes the test binary stand in for a program that owns a stack.
const ownerDir = "DEVSTACK_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		os.Exit(own(dir))
	}
	goleak.VerifyTestMain(m)
}

// own starts a stack, writes to it, says so and waits to be killed.
func own(dir string) int {
	s, err := Start(context.Background(), dir, slog.New(slog.DiscardHandler))
	if err == nil {
		err = remember(context.Background(), s, "before the kill")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test's end of the pipe closes, should the kill not come
	return 0
}

func remember(ctx context.Context, s *Stack, word string) (err error) {
	client, err := dial.Redis(s.RedisURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.Set(ctx, "word", word, 0).Err(); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.PostgresDSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, "create table if not exists words (word text)")
	if err == nil {
		_, err = conn.Exec(ctx, "insert into words values ($1)", word)
	}
	return err
}

func recall(ctx context.Context, s *Stack) (inRedis, inPostgres string, err error) {
	client, err := dial.Redis(s.RedisURL)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if inRedis, err = client.Get(ctx, "word").Result(); err != nil {
		return "", "", err
	}
	conn, err := pgx.Connect(ctx, s.PostgresDSN)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	err = conn.QueryRow(ctx, "select word from words").Scan(&inPostgres)
	return inRedis, inPostgres, err
}

// startOwner runs the test binary as the owner of dir until it is ready.
func startOwner(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerDir+"="+dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the owner says %q, %v", line, err)
	}
	return cmd
}

func TestDataIsFoundAgainWhenTheOwnerWasKilled(t *testing.T) {
	t.Parallel()
	// Mode 0700 and root's own, as a clone below /root is, and the folder itself
	// as mktemp makes it; and too long for a socket.
	dir := filepath.Join(t.TempDir(), "closed to others", strings.Repeat("long", 20))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := startOwner(t, dir)

	_, err := Start(t.Context(), dir, slog.New(slog.DiscardHandler))
	if want := fmt.Sprintf("is in use by process %d", cmd.Process.Pid); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a second owner gets %v, want it to say %q", err, want)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"

	s, err := Start(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	inRedis, inPostgres, err := recall(t.Context(), s)
	if err != nil || inRedis != "before the kill" || inPostgres != "before the kill" {
		t.Errorf("after the kill Redis has %q, Postgres %q, %v", inRedis, inPostgres, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.folder.sockets); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the sockets folder outlives the stack: %v", err)
	}
}

func TestWatchTellsWhichServerEnded(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Watch(t.Context()); err == nil || !strings.Contains(err.Error(), "redis-server: it ended on its own") {
		t.Errorf("Watch says %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFailedStartShowsTheServersOwnWords(t *testing.T) {
	t.Parallel()
	folder, err := OpenTemporary(t.Context(), Volatile)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(folder.path, "postgres")
	if err := folder.as.makeDir(data); err != nil { // there, but no cluster in it
		t.Fatal(err)
	}
	_, err = folder.StartPostgres(t.Context(), Volatile)
	if err == nil || !strings.Contains(err.Error(), "postgresql.conf") {
		t.Errorf("starting on an empty cluster says %v", err)
	}
	if err := folder.Remove(); err != nil {
		t.Error(err)
	}
}

func TestStaleFoldersAreSweptAndLivingOnesKept(t *testing.T) {
	t.Parallel()
	living, err := OpenTemporary(t.Context(), Volatile)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := os.MkdirTemp("", temporary)
	if err != nil {
		t.Fatal(err)
	}
	beside, err := os.MkdirTemp(filepath.Dir(living.path), temporary) // in memory, perhaps
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stale, "redis.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	for _, dir := range []string{stale, beside, living.path} {
		if err := os.Chtimes(dir, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := sweep(time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{stale, beside} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the stale folder %s is still there: %v", dir, err)
		}
	}
	if _, err := os.Stat(living.path); err != nil {
		t.Errorf("the living folder is gone: %v", err)
	}
	if err := living.Remove(); err != nil {
		t.Error(err)
	}
}

func TestAMissingProgramNamesTheInstallCommand(t *testing.T) {
	t.Setenv("ROPELINE_PG_BIN", t.TempDir())
	_, err := findPostgres()
	if _, ok := errors.AsType[*MissingError](err); !ok || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("without Postgres: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	_, err = findRedis()
	if _, ok := errors.AsType[*MissingError](err); !ok || !strings.Contains(err.Error(), "apt-get install redis-server") {
		t.Errorf("without Redis: %v", err)
	}
}
