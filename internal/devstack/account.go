package devstack

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that servers run as.
type account struct {
	uid, gid uint32
	switches bool // another user than ours: we are root
	bypass   bool // needs the right to pass through folders closed to it
}

// serverAccount picks the user for servers whose files lie in dir.
func serverAccount(dir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: uint32(os.Getuid()), gid: uint32(os.Getgid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return account{}, fmt.Errorf("reading the ids of user %s: %w", name, err)
		}
		as := account{uid: uint32(uid), gid: uint32(gid), switches: true}
		as.bypass = !as.reaches(dir)
		return as, nil
	}
	return account{}, errors.New("postgres refuses to run as root and there is no user postgres or nobody to run it as")
}

// reaches reports whether the account may pass through dir, which may have been
// there before us and closed, and through all above it.
func (as account) reaches(dir string) bool {
	for parent := dir; ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return false
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		own := ok && owner.Uid == as.uid && info.Mode()&0o100 != 0
		if !own && info.Mode()&0o001 == 0 {
			return false
		}
		if parent == filepath.Dir(parent) {
			return true
		}
	}
}

// makeDir makes a folder that only the account may use.
func (as account) makeDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid == as.uid {
		return os.Chmod(path, 0o700)
	}
	if !as.switches {
		return fmt.Errorf("%s belongs to another user", path)
	}
	return os.Chown(path, int(as.uid), int(as.gid))
}
