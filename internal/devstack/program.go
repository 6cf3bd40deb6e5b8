package devstack

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// MissingError says that a server's program is not installed, and how to
// install it.
type MissingError struct {
	Program string
	Install string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed; install it with: %s", e.Program, e.Install)
}

const (
	installRedis    = "apt-get install redis-server (Debian, Ubuntu) or brew install redis (macOS)"
	installPostgres = "apt-get install postgresql (Debian, Ubuntu) or brew install postgresql@17 (macOS)"
)

// Debian keeps Postgres's server programs out of PATH, Homebrew both servers'
// if they are not linked.
var postgresFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

func findRedis() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server", "/opt/homebrew/bin/redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{"redis-server", installRedis}
}

// findPostgres returns the folder that has initdb and postgres:
// ROPELINE_PG_BIN if it is set, else the newest known one.
func findPostgres() (string, error) {
	if dir := os.Getenv("ROPELINE_PG_BIN"); dir != "" {
		if hasPostgres(dir) {
			return dir, nil
		}
		return "", &MissingError{"postgres in ROPELINE_PG_BIN=" + dir, installPostgres}
	}
	for _, pattern := range postgresFolders {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("looking for postgres in %s: %w", pattern, err)
		}
		slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
		for _, dir := range dirs {
			if hasPostgres(dir) {
				return dir, nil
			}
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil && hasPostgres(filepath.Dir(path)) {
		return filepath.Dir(path), nil
	}
	return "", &MissingError{"postgres", installPostgres}
}

func hasPostgres(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// major finds the version in …/postgresql/15/bin or …/postgresql@17/bin.
func major(dir string) int {
	name := filepath.Base(filepath.Dir(dir))
	digits := name
	for i, r := range name {
		if r == '@' {
			digits = name[i+1:]
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
