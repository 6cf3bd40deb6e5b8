package people

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// cost is what OWASP recommends of argon2id: 19 MiB and two passes, some 50 ms.
var cost = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// How long passwords are. There is no rule of digits and signs: those make people write
// them down, and guessers know them.
const (
	minPassword = 10
	maxPassword = 200
)

// weak refuses a password that is too short, or that whoever knows the address would try.
func weak(password string, p Profile) error {
	if n := utf8.RuneCountInString(password); n < minPassword || n > maxPassword || !utf8.ValidString(password) {
		return ErrPassword
	}
	local, _, _ := strings.Cut(p.Email, "@")
	for _, known := range []string{p.Email, local, p.Name} {
		if known != "" && strings.EqualFold(password, known) {
			return ErrPassword
		}
	}
	if strings.Count(password, password[:1]) == len(password) {
		return ErrPassword
	}
	return nil
}

// hasher makes and compares hashes, as many at once as there are processors: each takes
// 19 MiB, and more at once would only be slower together. Some may wait, others are told
// to come again.
type hasher struct {
	cost    *argon2id.Params
	busy    chan struct{}
	waiting *atomic.Int64
	nobody  func() string
}

// hashesWait is how many may wait for their turn: two seconds' worth on a small machine.
const hashesWait = 64

func newHasher() hasher {
	return hasher{
		cost: cost, busy: make(chan struct{}, runtime.GOMAXPROCS(0)), waiting: new(atomic.Int64),
		nobody: sync.OnceValue(func() string {
			hash, err := argon2id.CreateHash("nobody's password", cost)
			if err != nil { // the system has no random numbers
				panic(err)
			}
			return hash
		}),
	}
}

func (h hasher) enter(ctx context.Context) (leave func(), err error) {
	if h.waiting.Add(1) > hashesWait {
		h.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.busy <- struct{}{}:
		return func() { <-h.busy }, nil
	case <-ctx.Done():
		return nil, ErrBusy.Because(ctx.Err())
	}
}

func (h hasher) make(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := argon2id.CreateHash(password, h.cost)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return hash, nil
}

// is compares a password with a hash. With none it takes as long, and says no.
func (h hasher) is(ctx context.Context, password, hash string) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	none := hash == ""
	if none {
		hash = h.nobody()
	}
	same, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("comparing a password: %w", err)
	}
	return same && !none, nil
}
