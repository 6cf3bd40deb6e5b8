package admission

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ropeline/ropeline/internal/outward"
	"github.com/ropeline/ropeline/queue/draw"
)

// Beacons are the sources of public random values by their names. Their addresses
// come from this part's configuration only, never from a sale; {time} in one
// stands for the beacon's time, in seconds since 1970.
type Beacons struct {
	sources map[string]string
	client  *http.Client

	mu    sync.Mutex // guards asked
	asked map[string]time.Time
}

const (
	beaconPatience = time.Second
	maxBeacon      = 64 << 10
	// askEvery spares a source that is late: a line ticks five times a second.
	askEvery = time.Second
)

var errAskedJustNow = errors.New("the beacon was asked just now")

// NewBeacons returns the sources at these addresses.
func NewBeacons(sources map[string]string) (*Beacons, error) {
	for name, address := range sources {
		if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("the beacon %s needs an http:// or https:// address", name)
		}
	}
	// An address that was mistyped, or a name that was taken over, asks none of a cloud's own services.
	dialer := outward.Dialer(beaconPatience, outward.NoCloud)
	return &Beacons{sources: sources, asked: map[string]time.Time{}, client: &http.Client{
		Timeout:       beaconPatience,
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}, // and no proxy from the environment
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Value asks a source for its value at a time that has come.
func (b *Beacons) Value(ctx context.Context, name string, at time.Time) (draw.Hash, error) {
	address, known := b.sources[name]
	if !known {
		return draw.Hash{}, fmt.Errorf("the beacon %s is not configured: somebody has to enter its value", name)
	}
	if !b.may(name, time.Now()) {
		return draw.Hash{}, errAskedJustNow
	}
	address = strings.ReplaceAll(address, "{time}", strconv.FormatInt(at.Unix(), 10))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return draw.Hash{}, fmt.Errorf("asking the beacon %s: %w", name, err)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		return draw.Hash{}, fmt.Errorf("asking the beacon %s: %w", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return draw.Hash{}, fmt.Errorf("asking the beacon %s: it answers %s", name, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBeacon+1))
	if err == nil && len(body) > maxBeacon {
		err = errors.New("the answer is too large")
	}
	if err != nil {
		return draw.Hash{}, fmt.Errorf("asking the beacon %s: %w", name, err)
	}
	value, err := readBeacon(body)
	if err != nil {
		return draw.Hash{}, fmt.Errorf("asking the beacon %s: %w", name, err)
	}
	return value, nil
}

func (b *Beacons) may(name string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.asked[name]) < askEvery {
		return false
	}
	b.asked[name] = now
	return true
}

// readBeacon takes 64 hexadecimal digits, by themselves or as the field randomness
// of a JSON document, which is how drand answers.
func readBeacon(body []byte) (draw.Hash, error) {
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(text, "{") {
		var doc struct {
			Randomness string `json:"randomness"`
		}
		if err := json.Unmarshal(body, &doc); err != nil {
			return draw.Hash{}, err
		}
		text = doc.Randomness
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(draw.Hash{}) || draw.Hash(raw) == (draw.Hash{}) { // zeros say that there is none
		return draw.Hash{}, errors.New("the answer is no value of 64 hexadecimal digits")
	}
	return draw.Hash(raw), nil
}
