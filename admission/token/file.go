package token

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync/atomic"

	"github.com/ropeline/ropeline/internal/watched"
)

// File are the keys in a JWKS file. Run notices that they were changed, within a
// second; a file that is gone or damaged leaves those that were there.
type File struct {
	path  string
	first []byte
	log   *slog.Logger
	keys  atomic.Pointer[KeySet]
}

// OpenFile reads the keys.
func OpenFile(path string, log *slog.Logger) (*File, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading key set: %w", err)
	}
	f := &File{path: path, first: doc, log: log}
	if err := f.use(doc); err != nil {
		return nil, fmt.Errorf("loading key set %s: %w", path, err)
	}
	return f, nil
}

func (f *File) use(doc []byte) error {
	keys, err := ParseKeySet(doc)
	if err == nil {
		f.keys.Store(&keys)
	}
	return err
}

// Key finds a key among those that the file has now.
func (f *File) Key(id string) (ed25519.PublicKey, error) { return f.keys.Load().Key(id) }

// IDs are the names of the keys that the file has now.
func (f *File) IDs() []string { return slices.Collect(maps.Keys(*f.keys.Load())) }

// Run follows the file until ctx ends.
func (f *File) Run(ctx context.Context) error {
	return watched.File(ctx, f.path, watched.Every, f.first, f.log, f.use)
}
