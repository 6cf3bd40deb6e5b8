package devstack

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Folder is a data folder that this process holds alone.
type Folder struct {
	path    string
	sockets string // where servers listen: path, or a short folder if path is too long
	as      account
	lock    *os.File // children inherit it; the lock is free when the last of us has ended
}

// maxSocketPath is the longest socket path that every system takes: 104 bytes
// on macOS, 108 on Linux, each with a final zero.
const maxSocketPath = 103

// longestSocket is what servers add to the sockets folder.
const longestSocket = "/.s.PGSQL.5432.lock"

// Open makes the folder if need be and locks it. If the process that held it
// was killed, its servers are ending now, and Open waits for them.
func Open(ctx context.Context, path string) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the data folder: %w", err)
	}
	// Others may pass through, the server's user among them, but not look; what is in it is closed one by one.
	if err := os.MkdirAll(path, 0o711); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	lock, err := acquire(ctx, path)
	if err != nil {
		return nil, err
	}
	f := &Folder{path: path, lock: lock}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

func (f *Folder) prepare() (err error) {
	if f.as, err = serverAccount(f.path); err != nil {
		return err
	}
	f.sockets = filepath.Join(f.path, "run")
	if len(f.sockets)+len(longestSocket) > maxSocketPath {
		sum := fnv.New64a()
		_, _ = sum.Write([]byte(f.path)) // never fails
		f.sockets = filepath.Join(os.TempDir(), fmt.Sprintf("ropeline-run-%x", sum.Sum64()))
	}
	// We hold the lock, so whatever listens here is dead.
	if err := os.RemoveAll(f.sockets); err != nil {
		return fmt.Errorf("removing stale sockets: %w", err)
	}
	if err := f.as.makeDir(f.sockets); err != nil {
		return fmt.Errorf("making the sockets folder: %w", err)
	}
	return nil
}

// Close unlocks the folder, for which the servers must have been closed.
func (f *Folder) Close() error {
	return errors.Join(os.RemoveAll(f.sockets), f.lock.Close())
}

// acquire takes the lock of the folder.
func acquire(ctx context.Context, path string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the folder's lock: %w", err)
	}
	if err := waitForLock(ctx, lock, path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := lock.Truncate(0); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the folder's lock: %w", err), lock.Close())
	}
	if _, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the folder's lock: %w", err), lock.Close())
	}
	return lock, nil
}

// waitForLock waits only while the process named in the lock is dead: then
// the lock is held by servers that are on their way out.
func waitForLock(ctx context.Context, lock *os.File, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("locking %s: %w", path, err)
		}
		if pid := holder(lock); pid != 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return fmt.Errorf("the data folder %s is in use by process %d; stop that one or choose another folder", path, pid)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the data folder %s is still held by servers of an earlier start: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}

// holder reads the process id in the lock, 0 if there is none.
func holder(lock *os.File) int {
	text := make([]byte, 20)
	n, _ := lock.ReadAt(text, 0) // always an error: the file is shorter
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

const temporary = "ropeline-test-"

// Where Linux keeps files without a disk, and how much has to be free there: the
// servers of one test process have written up to a gigabyte.
const (
	memory = "/dev/shm"
	roomy  = 8 << 30
)

// OpenTemporary opens a new folder for servers whose data nobody wants again:
// below the system's folder for temporary files, or in memory if the data is
// Volatile, there is room and TMPDIR says nothing else. A database is copied there
// in a tenth of the time. It removes the folders that killed processes left.
func OpenTemporary(ctx context.Context, d Durability) (*Folder, error) {
	if err := sweep(time.Now().Add(-time.Minute)); err != nil {
		return nil, err
	}
	below := os.TempDir()
	if d == Volatile && os.Getenv("TMPDIR") == "" && room(memory) >= roomy {
		below = memory
	}
	path, err := os.MkdirTemp(below, temporary)
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	if err := os.Chmod(path, 0o711); err != nil {
		return nil, fmt.Errorf("opening the temporary folder to the servers: %w", err)
	}
	return Open(ctx, path)
}

// room is how many bytes are free in a folder, 0 if there is no such folder.
func room(dir string) uint64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize)
}

// Remove closes the folder and deletes it with everything in it.
func (f *Folder) Remove() error {
	// The lock goes last, so that no sweep of another process meets a half-removed folder.
	return errors.Join(os.RemoveAll(f.path), f.Close())
}

// sweep removes temporary folders whose lock nobody holds. Those made after
// the given time may not have come to their lock yet.
func sweep(before time.Time) error {
	paths, err := filepath.Glob(filepath.Join(os.TempDir(), temporary+"*"))
	inMemory, errMemory := filepath.Glob(filepath.Join(memory, temporary+"*"))
	if err := errors.Join(err, errMemory); err != nil {
		return fmt.Errorf("looking for stale folders: %w", err)
	}
	for _, path := range append(paths, inMemory...) {
		info, err := os.Stat(path)
		if err != nil || info.ModTime().After(before) {
			continue // removed meanwhile, or too young
		}
		if err := sweepOne(path); err != nil {
			return fmt.Errorf("removing a stale folder: %w", err)
		}
	}
	return nil
}

func sweepOne(path string) (err error) {
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil // gone meanwhile, or another user's
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil // in use
	}
	return os.RemoveAll(path)
}
