package admission

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/internal/watched"
)

// A key is replaced in three steps, so that no token is ever signed by a key that
// somebody does not know yet, or checked by one that is gone:
//
//	add      the next key is published, and signs nothing
//	promote  it signs; the old one is forgotten, its public key stays published
//	retire   that goes, too, when every token it signed has expired
//
// The file has a line a key. Its first word says what the key is for.
const (
	nextPrefix = "ROPELINE-NEXT-KEY" // id, seed, published since
	oldPrefix  = "ROPELINE-OLD-KEY"  // id, public key, signed until
)

// KeyOverlap is how long the next key is published before it signs: longer than
// verifiers use a set that they fetched, and than it takes to bring a file to
// every machine.
const KeyOverlap = 10 * time.Minute

// oldKeptFor is how long a key that signs no more is published: machines that get
// the file late go on signing with it for a while, and what it signed last lives
// as long as any token.
const oldKeptFor = KeyOverlap + time.Duration(ropeline.MaxTokenLife)*time.Second + ropeline.TokenMargin

// Keys are the admission keys in a file.
type Keys struct {
	signer *Signer
	next   *Signer // nil for none
	since  time.Time
	old    token.KeySet
	until  map[string]time.Time
}

// ParseKeys reads a key file. One line that signs is enough.
func ParseKeys(text string) (Keys, error) {
	k := Keys{old: token.KeySet{}, until: map[string]time.Time{}}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		var err error
		switch {
		case fields[0] == keyPrefix && k.signer == nil:
			k.signer, err = ParseSigner(line)
		case fields[0] == nextPrefix && k.next == nil && len(fields) == 4:
			if k.next, err = ParseSigner(keyPrefix + " " + fields[1] + " " + fields[2]); err == nil {
				k.since, err = time.Parse(time.RFC3339, fields[3])
			}
		case fields[0] == oldPrefix && len(fields) == 4:
			err = k.addOld(fields[1], fields[2], fields[3])
		default:
			err = errors.New("not an admission key: a line is none of ours, or there are two that sign, or that are next")
		}
		if err != nil {
			return Keys{}, err
		}
	}
	if k.signer == nil {
		return Keys{}, errors.New("not an admission key: want one line of " + keyPrefix + ", key id and seed")
	}
	return k, nil
}

func (k Keys) addOld(id, public, until string) error {
	key, err := base64.RawURLEncoding.DecodeString(public)
	if err != nil || len(key) != ed25519.PublicKeySize || keyID(key) != id {
		return errors.New("not an admission key: an old key is damaged")
	}
	at, err := time.Parse(time.RFC3339, until)
	k.old[id], k.until[id] = key, at
	return err
}

// Text is the file again.
func (k Keys) Text() string {
	line := func(prefix, id string, key []byte, at time.Time) string {
		return fmt.Sprintf("%s %s %s %s\n", prefix, id, base64.RawURLEncoding.EncodeToString(key), at.UTC().Format(time.RFC3339))
	}
	text := fmt.Sprintf("%s %s %s\n", keyPrefix, k.signer.id, base64.RawURLEncoding.EncodeToString(k.signer.key.Seed()))
	if k.next != nil {
		text += line(nextPrefix, k.next.id, k.next.key.Seed(), k.since)
	}
	for id, key := range k.old {
		text += line(oldPrefix, id, key, k.until[id])
	}
	return text
}

// KeySet are the public keys of all of them.
func (k Keys) KeySet() token.KeySet {
	set := k.signer.KeySet()
	if k.next != nil {
		maps.Copy(set, k.next.KeySet())
	}
	maps.Copy(set, k.old)
	return set
}

// Add makes the next key.
func (k Keys) Add(now time.Time) (Keys, error) {
	if k.next != nil {
		return k, fmt.Errorf("there is a next key already, %s: promote it first", k.next.id)
	}
	text, err := GenerateKey()
	if err == nil {
		k.next, err = ParseSigner(text)
	}
	k.since = now
	return k, err
}

// Promote lets the next key sign. Before everybody knows it, only if it must be
// at once: the key that signs has leaked, and some fans are refused for a while.
func (k Keys) Promote(now time.Time, atOnce bool) (Keys, error) {
	if k.next == nil {
		return k, errors.New("there is no next key: add one first")
	}
	if due := k.since.Add(KeyOverlap); now.Before(due) && !atOnce {
		return k, fmt.Errorf("the next key may not be known everywhere before %s", due.UTC().Format(time.RFC3339))
	}
	k.old, k.until = maps.Clone(k.old), maps.Clone(k.until)
	k.old[k.signer.id], k.until[k.signer.id] = k.signer.key.Public().(ed25519.PublicKey), now
	k.signer, k.next, k.since = k.next, nil, time.Time{}
	return k, nil
}

// Retire takes the old keys away whose tokens have all expired, or all of them at
// once: whoever has a token of theirs is refused then. It says how many went, and
// when the next may.
func (k Keys) Retire(now time.Time, atOnce bool) (left Keys, gone int, next time.Time) {
	k.old, k.until = maps.Clone(k.old), maps.Clone(k.until)
	for id, until := range k.until {
		due := until.Add(oldKeptFor)
		switch {
		case atOnce || !now.Before(due):
			delete(k.old, id)
			delete(k.until, id)
			gone++
		case next.IsZero() || due.Before(next):
			next = due
		}
	}
	return k, gone, next
}

// Ring signs with the keys that a file has now, and publishes them. Run notices
// that they were changed, within a second.
type Ring struct {
	path  string
	first []byte
	log   *slog.Logger
	keys  atomic.Pointer[published]
}

type published struct {
	Keys
	set  token.KeySet
	jwks []byte
}

// OpenRing reads the keys.
func OpenRing(path string, log *slog.Logger) (*Ring, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading admission key: %w", err)
	}
	r := &Ring{path: path, first: text, log: log}
	if err := r.use(text); err != nil {
		return nil, fmt.Errorf("loading admission key %s: %w", path, err)
	}
	return r, nil
}

func (r *Ring) use(text []byte) error {
	k, err := ParseKeys(string(text))
	if err != nil {
		return err
	}
	jwks, err := k.KeySet().JWKS()
	if err == nil {
		r.keys.Store(&published{k, k.KeySet(), jwks})
	}
	return err
}

// Run follows the file until ctx ends.
func (r *Ring) Run(ctx context.Context) error {
	return watched.File(ctx, r.path, watched.Every, r.first, r.log, r.use)
}

// Sign is Signer.Sign with the key that signs now.
func (r *Ring) Sign(c token.Claims) (string, error) { return r.keys.Load().signer.Sign(c) }

// Key finds the public key of one of them: a Ring is token.Keys.
func (r *Ring) Key(id string) (ed25519.PublicKey, error) { return r.keys.Load().set.Key(id) }

// Signing is the id of the key that signs now.
func (r *Ring) Signing() string { return r.keys.Load().signer.id }

// JWKS is the document of the public keys.
func (r *Ring) JWKS() []byte { return r.keys.Load().jwks }
