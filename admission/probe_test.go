package admission

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ropeline/ropeline/internal/outward"
)

func probesOf(t *testing.T, all ...Probe) *Probes {
	t.Helper()
	p, err := NewProbes(all, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// What comes of an answer: a stand to the limit, or that nothing is known.
func TestWhatAProbeSays(t *testing.T) {
	t.Parallel()
	asked := atomic.Int64{} // of where a redirect leads to
	mux := http.NewServeMux()
	mux.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"load":{"of":[1,"2.5",-3,"x"]}}`) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"load":1,"x":"`+strings.Repeat("y", probeMost)+`"}`)
	})
	mux.HandleFunc("/ok", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/target", http.StatusFound) })
	mux.HandleFunc("/target", func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	mux.HandleFunc("/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("query") != `sum(rate(x[1m])) > 0` {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000.1,"30"]}]}}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	gone := httptest.NewServer(mux)
	gone.Close()
	for name, c := range map[string]struct {
		probe   Probe
		want    float64
		unknown bool
	}{
		"a number":             {probe: Probe{URL: s.URL + "/json", Path: "load.of.0", Limit: 4}, want: 0.25},
		"a number as text":     {probe: Probe{URL: s.URL + "/json", Path: "load.of.1", Limit: 5}, want: 0.5},
		"less than nothing":    {probe: Probe{URL: s.URL + "/json", Path: "load.of.2", Limit: 5}, unknown: true},
		"no number":            {probe: Probe{URL: s.URL + "/json", Path: "load.of.3", Limit: 5}, unknown: true},
		"past the end":         {probe: Probe{URL: s.URL + "/json", Path: "load.of.9", Limit: 5}, unknown: true},
		"nothing there":        {probe: Probe{URL: s.URL + "/json", Path: "else.where", Limit: 5}, unknown: true},
		"no JSON":              {probe: Probe{URL: s.URL + "/ok", Path: "load", Limit: 5}, unknown: true},
		"too large":            {probe: Probe{URL: s.URL + "/large", Path: "load", Limit: 5}, unknown: true},
		"an error for a value": {probe: Probe{URL: s.URL + "/broken", Path: "load", Limit: 5}, unknown: true},
		"a query":              {probe: Probe{URL: s.URL + "/", Query: "sum(rate(x[1m])) > 0", Limit: 60}, want: 0.5},
		"a wrong query":        {probe: Probe{URL: s.URL, Query: "sum(", Limit: 60}, unknown: true},
		"an error":             {probe: Probe{URL: s.URL + "/broken", Limit: 500}, want: badly},
		"a redirect":           {probe: Probe{URL: s.URL + "/away", Limit: 500}, want: badly},
		"nobody there":         {probe: Probe{URL: gone.URL, Limit: 500}, want: badly},
		"metadata":             {probe: Probe{URL: "http://169.254.169.254/latest/meta-data", Limit: 500}, unknown: true},
		"metadata in disguise": {probe: Probe{URL: "http://[::ffff:169.254.169.254]/", Limit: 500}, unknown: true},
		"link-local":           {probe: Probe{URL: "http://[fe80::1]/", Limit: 500}, unknown: true},
		"nowhere":              {probe: Probe{URL: "http://0.0.0.0/", Limit: 500}, unknown: true},
		"nowhere in IPv6":      {probe: Probe{URL: "http://[::]/", Limit: 500}, unknown: true},
		"nowhere, mapped":      {probe: Probe{URL: "http://[::ffff:0.0.0.0]/", Limit: 500}, unknown: true},
		"metadata of IPv6":     {probe: Probe{URL: "http://[fd00:ec2::254]/", Limit: 500}, unknown: true},
		"with a zone":          {probe: Probe{URL: "http://[fd00:ec2::254%25lo]/", Limit: 500}, unknown: true},
		"translated":           {probe: Probe{URL: "http://[64:ff9b::a9fe:a9fe]/", Limit: 500}, unknown: true},
		"another cloud's":      {probe: Probe{URL: "http://100.100.100.200/", Limit: 500}, unknown: true},
	} {
		got := probesOf(t).ask(t.Context(), c.probe)
		if (got.err != nil) != c.unknown || got.stand != c.want || got.failed != (c.unknown || c.want == badly) {
			t.Errorf("%s: %+v; want %v", name, got, c.want)
		}
	}
	if got := probesOf(t).ask(t.Context(), Probe{URL: s.URL + "/ok", Limit: 1e6}); got.err != nil || got.failed || got.stand > 0.01 {
		t.Errorf("a quick answer: %+v", got)
	}
	if asked.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if got := probesOf(t).ask(t.Context(), Probe{URL: "http://169.254.169.254/", Limit: 1}); !errors.Is(got.err, outward.ErrInside) {
		t.Errorf("metadata: %v", got.err)
	}
}

// What a name comes to decides, however it is written.
func TestNoNameLeadsAProbeInside(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for address, inside := range map[string]bool{
		"127.0.0.1": false, "169.254.169.254": true, "169.254.0.1": true, "0.0.0.0": true, "100.100.100.200": true, "224.0.0.251": true,
		"fe80::1": true, "fd00:ec2::254": true, "::ffff:169.254.169.254": true, "::": true, "64:ff9b::a9fe:a9fe": true,
	} {
		for _, name := range []string{"metadata.google.internal", "0xa9fea9fe"} {
			p := probesOf(t)
			p.dialer.Resolver = resolvesTo(netip.MustParseAddr(address))
			got := p.ask(t.Context(), Probe{URL: "http://" + name + ":" + port + "/", Limit: 1e6})
			if errors.Is(got.err, outward.ErrInside) != inside || !inside && (got.failed || got.err != nil) {
				t.Errorf("%s that is %s: %+v", name, address, got)
			}
		}
	}
}

// A number is no name to Go's own resolver, and an address to the system's.
func TestANumberIsNoAddressOfAProbe(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"2852039166", "0", "0251.0376.0251.0376"} {
		if got := probesOf(t).ask(t.Context(), Probe{URL: "http://" + host + "/", Path: "x", Limit: 1}); got.err == nil {
			t.Errorf("%s: %+v", host, got)
		}
	}
}

// resolvesTo answers every question for a name with one address.
func resolvesTo(ip netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			var length [2]byte
			if _, err := io.ReadFull(ours, length[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(ours, query); err != nil {
				return
			}
			end := 12 + bytes.IndexByte(query[12:], 0) + 5 // name, type, class
			kind := query[end-3]
			answer := append(query[:2:2], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
			answer = append(answer, query[12:end]...)
			if ip.Is4() == (kind == 1) { // A, or else AAAA
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, byte(ip.BitLen()/8))
				answer = append(answer, ip.AsSlice()...)
			}
			_, _ = ours.Write(binary.BigEndian.AppendUint16(nil, uint16(len(answer))))
			_, _ = ours.Write(answer)
		}()
		return theirs, nil
	}}
}

// An answer that never comes is cut off.
func TestAProbeDoesNotWait(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	p := probesOf(t)
	p.client.Timeout = 20 * time.Millisecond
	if got := p.ask(t.Context(), Probe{URL: s.URL, Limit: 500}); got.err != nil || got.stand != badly {
		t.Errorf("a page that never comes: %+v", got)
	}
	if got := p.ask(t.Context(), Probe{URL: s.URL, Path: "x", Limit: 500}); got.err == nil {
		t.Error("a number that never comes is known")
	}
}

// Unknown is not healthy: a probe that says nothing takes away what is known.
func TestTheWorstProbeCountsAndSilenceIsNoHealth(t *testing.T) {
	t.Parallel()
	value := atomic.Value{}
	value.Store(`{"a":1,"b":3}`)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, value.Load().(string)) }))
	t.Cleanup(s.Close)
	p := probesOf(t, Probe{Name: "a", URL: s.URL, Path: "a", Limit: 2}, Probe{Name: "b", URL: s.URL, Path: "b", Limit: 2})
	if _, _, heard := p.worst(time.Now()); heard {
		t.Error("something is known before anybody was asked")
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() { stop(); <-done }()
	await := func(want func(stand float64, name string, heard bool) bool) {
		t.Helper()
		asked := time.NewTicker(5 * time.Millisecond)
		defer asked.Stop()
		for late := time.After(20 * time.Second); ; {
			stand, name, heard := p.worst(time.Now())
			if want(stand, name, heard) {
				return
			}
			select {
			case <-asked.C:
			case <-late:
				t.Fatalf("the worst is %s at %v, heard %v", name, stand, heard)
			}
		}
	}
	await(func(stand float64, name string, heard bool) bool { return heard && name == "b" && stand == 1.5 })
	if _, _, heard := p.worst(time.Now().Add(time.Minute)); heard {
		t.Error("what was said a minute ago is believed")
	}
	value.Store(`{"a":1}`)
	await(func(_ float64, _ string, heard bool) bool { return !heard })
	if _, _, heard := (*Probes)(nil).worst(time.Now()); !heard {
		t.Error("no probes take away what is known")
	}
}

func TestProbesAreReadOrRefused(t *testing.T) {
	t.Parallel()
	read := func(text string) error {
		file := filepath.Join(t.TempDir(), "probes.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadProbes(file, slog.New(slog.DiscardHandler))
		return err
	}
	if err := read(`[{"name":"shop","url":"https://shop.example/health","limit":500},{"name":"db","url":"http://prometheus:9090","query":"up","limit":1}]`); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		`{}`, `[{"name":"a b","url":"http://x/","limit":1}]`, `[{"name":"a","url":"ftp://x/","limit":1}]`, `[{"name":"a","url":"x","limit":1}]`,
		`[{"name":"a","url":"file:///etc/passwd","limit":1}]`, `[{"name":"a","url":"http://u:p@x/","limit":1}]`, `[{"name":"a","url":"http://x/"}]`,
		`[{"name":"a","url":"http://x/","limit":-1}]`, `[{"name":"a","url":"http://x/","limit":1,"query":"q","path":"p"}]`,
		`[{"name":"a","url":"http://x/","limit":1,"method":"POST"}]`,
		`[{"name":"a","url":"http://x/","limit":1},{"name":"a","url":"http://y/","limit":1}]`,
	} {
		if err := read(text); err == nil {
			t.Errorf("%s is read", text)
		}
	}
	if p, err := LoadProbes("", nil); p != nil || err != nil {
		t.Errorf("no file: %v, %v", p, err)
	}
	if _, err := LoadProbes(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a file that is not there is read")
	}
}
