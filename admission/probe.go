package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ropeline/ropeline/internal/outward"
)

// Probe asks something outside how the shop does, once a second: how long an
// address takes to answer, a number in its answer, or a query of Prometheus. Probes
// come from a file of whoever runs this part, never over HTTP: who may steer a sale
// may not make this machine call addresses.
type Probe struct {
	Name  string `json:"name"`
	URL   string `json:"url"`             // of what is asked, or of Prometheus where Query is given
	Query string `json:"query,omitempty"` // PromQL with one number as its answer
	Path  string `json:"path,omitempty"`  // where the number is in a JSON answer: data.load.0; "" looks at status and time

	// Limit is the most the number may be; of a probe without one the most
	// milliseconds that an answer may take.
	Limit float64 `json:"limit"`
}

const (
	probeEvery   = time.Second
	probeLimit   = time.Second
	probeMost    = 64 << 10 // bytes of an answer
	probesMost   = 50
	probeBelieve = 5 * time.Second // how long an answer says something
	// badly is how an address stands to its limit that answers with an error, or
	// not at all: that is no lack of news.
	badly = 2.0
)

var probeName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,40}$`)

func (p Probe) check() error {
	u, err := url.Parse(p.URL)
	switch {
	case !probeName.MatchString(p.Name):
		return fmt.Errorf("probe %q: a name has lower-case letters, digits and hyphens", p.Name)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("probe %s: its address is not one of http or https", p.Name)
	case u.User != nil:
		return fmt.Errorf("probe %s: its address holds a password, which would be logged", p.Name)
	case p.Query != "" && p.Path != "":
		return fmt.Errorf("probe %s: a query has no path", p.Name)
	case !(p.Limit > 0 && p.Limit < 1e15):
		return fmt.Errorf("probe %s: its limit must lie above 0", p.Name)
	}
	return nil
}

// Probes asks all probes, each by itself.
type Probes struct {
	probes []Probe
	dialer *net.Dialer // of client
	client *http.Client
	log    *slog.Logger

	mu       sync.Mutex // guards what follows
	said     map[string]saying
	failures map[string]int64
}

// saying is what came of asking a probe.
type saying struct {
	at     time.Time
	stand  float64 // to the limit
	failed bool    // there was no answer of use; how it stands may be known all the same
	err    error   // how it stands is not known
}

// LoadProbes reads a file: a JSON array. No name is none.
func LoadProbes(file string, log *slog.Logger) (*Probes, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading probes: %w", err)
	}
	var probes []Probe
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&probes); err != nil {
		return nil, fmt.Errorf("reading probes in %s: %w", file, err)
	}
	return NewProbes(probes, log)
}

// NewProbes returns probes that Run asks.
func NewProbes(probes []Probe, log *slog.Logger) (*Probes, error) {
	if len(probes) > probesMost {
		return nil, fmt.Errorf("%d probes are too many, at most %d", len(probes), probesMost)
	}
	names := map[string]bool{}
	for _, p := range probes {
		if err := p.check(); err != nil {
			return nil, err
		}
		if names[p.Name] {
			return nil, fmt.Errorf("there are two probes %s", p.Name)
		}
		names[p.Name] = true
	}
	dialer := outward.Dialer(probeLimit, outward.NoCloud)
	return &Probes{probes: probes, dialer: dialer, log: log, said: map[string]saying{}, failures: map[string]int64{}, client: &http.Client{
		Timeout:       probeLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{ // no proxy: it would resolve names for us
			DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1, MaxResponseHeaderBytes: probeMost,
		},
	}}, nil
}

// Run asks until ctx ends.
func (p *Probes) Run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer p.client.CloseIdleConnections()
	defer asking.Wait()
	for _, probe := range p.probes {
		asking.Go(func() { p.keepAsking(ctx, probe) })
	}
	<-ctx.Done()
	return nil
}

func (p *Probes) keepAsking(ctx context.Context, probe Probe) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	complained := time.Time{}
	for {
		said := p.ask(ctx, probe)
		if ctx.Err() != nil {
			return
		}
		p.hear(probe.Name, said)
		if said.err != nil && said.at.Sub(complained) > time.Minute {
			complained = said.at
			p.log.Warn("a probe says nothing", "probe", probe.Name, "err", said.err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Probes) hear(name string, said saying) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said[name] = said
	if said.failed {
		p.failures[name]++
	}
}

// ask asks a probe.
func (p *Probes) ask(ctx context.Context, probe Probe) saying {
	stand, failed, err := p.stand(ctx, probe)
	return saying{time.Now(), stand, failed, err}
}

// stand is how a probe stands to its limit, or an error if that is not known; and
// whether it failed, which says how it stands, too.
func (p *Probes) stand(ctx context.Context, probe Probe) (stand float64, failed bool, err error) {
	address, path := probe.URL, probe.Path
	if probe.Query != "" {
		address, path = strings.TrimSuffix(address, "/")+"/api/v1/query?query="+url.QueryEscape(probe.Query), "data.result.0.value.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, true, err
	}
	began := time.Now()
	res, err := p.client.Do(req)
	if err == nil {
		defer res.Body.Close()
		var body []byte
		if body, err = io.ReadAll(io.LimitReader(res.Body, probeMost+1)); err == nil && path != "" {
			stand, err = number(res.StatusCode, body, path, probe.Limit)
			return stand, err != nil, err
		}
	}
	switch {
	case errors.Is(err, outward.ErrInside), err != nil && path != "":
		return 0, true, err
	case err != nil, res.StatusCode >= http.StatusMultipleChoices:
		return badly, true, nil
	}
	return float64(time.Since(began).Milliseconds()) / probe.Limit, false, nil
}

// number reads a number out of an answer.
func number(status int, body []byte, path string, limit float64) (float64, error) {
	if status != http.StatusOK || len(body) > probeMost {
		return 0, fmt.Errorf("answered %d with %d bytes", status, len(body))
	}
	var at any
	if err := json.Unmarshal(body, &at); err != nil {
		return 0, fmt.Errorf("reading the answer: %w", err)
	}
	for _, step := range strings.Split(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return 0, fmt.Errorf("there is nothing at %s", path)
			}
			at = v[i]
		default:
			return 0, fmt.Errorf("there is nothing at %s", path)
		}
	}
	value, ok := at.(float64)
	if text, isText := at.(string); isText {
		var err error
		value, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	}
	if !ok || !(value >= 0 && value < 1e18) {
		return 0, fmt.Errorf("what is at %s is no number that can be compared", path)
	}
	return value / limit, nil
}

// any reports whether there are probes.
func (p *Probes) any() bool { return p != nil && len(p.probes) > 0 }

// worst is the probe that stands worst to its limit, and whether all have said
// something of late.
func (p *Probes) worst(now time.Time) (stand float64, name string, heard bool) {
	if !p.any() {
		return 0, "", true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	heard = true
	for _, probe := range p.probes {
		said, ok := p.said[probe.Name]
		if !ok || said.err != nil || now.Sub(said.at) > probeBelieve {
			heard = false
			continue
		}
		if name == "" || said.stand > stand {
			stand, name = said.stand, probe.Name
		}
	}
	return stand, name, heard
}
