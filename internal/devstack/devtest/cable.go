package devtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Harm is what can be wrong with a Cable. The zero Harm is none.
type Harm struct {
	toxic  string // of toxiproxy; empty: the cable is cut
	stream string // upstream is towards the server
	with   string // attributes, JSON
}

// What can be wrong with a cable. But for the last two, requests that are under
// way may have been carried out or not, and nobody is told.
var (
	Severed    = Harm{}                                                        // connections end, and no new one is had
	Reset      = Harm{"reset_peer", "upstream", `{"timeout":0}`}               // with its next request a connection is reset
	Stalled    = Harm{"timeout", "upstream", `{"timeout":0}`}                  // nothing arrives, and nobody is told so
	Answerless = Harm{"limit_data", "downstream", `{"bytes":0}`}               // requests arrive, and the connection ends instead of the answer
	Speechless = Harm{"timeout", "downstream", `{"timeout":0}`}                // requests arrive, and no answer ever comes
	Slow       = Harm{"latency", "downstream", `{"latency":150,"jitter":100}`} // ms
	Crumbling  = Harm{"slicer", "downstream", `{"average_size":24,"size_variation":12,"delay":200}`}
)

// Cable is the way from a program to a server. It can be harmed and mended; what is
// harmed ends when it is mended.
type Cable struct {
	tb    testing.TB
	proxy *toxiproxy.Proxy
	toxic string // that is in it now
	cut   bool
}

// NewCable lays a cable to the TCP address of a server.
func NewCable(tb testing.TB, to string) *Cable {
	tb.Helper()
	s := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	c := &Cable{tb: tb, proxy: toxiproxy.NewProxy(s, "cable", "127.0.0.1:0", to)}
	if err := c.proxy.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.proxy.Stop)
	return c
}

// Address is where programs reach the server.
func (c *Cable) Address() string { return c.proxy.Listen }

// Through is an address or URL with the cable's in place of the server's.
func (c *Cable) Through(url string) string {
	c.tb.Helper()
	if strings.Count(url, c.proxy.Upstream) != 1 {
		c.tb.Fatalf("%s is not in %s", c.proxy.Upstream, url)
	}
	return strings.Replace(url, c.proxy.Upstream, c.proxy.Listen, 1)
}

// Harm damages the cable, which must be whole.
func (c *Cable) Harm(h Harm) {
	c.tb.Helper()
	if h == Severed {
		c.proxy.Stop()
		c.cut = true
		return
	}
	text := fmt.Sprintf(`{"name":"harm","type":%q,"stream":%q,"attributes":%s}`, h.toxic, h.stream, h.with)
	if _, err := c.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		c.tb.Fatal(err)
	}
	c.toxic = "harm"
}

// Mend makes the cable whole.
func (c *Cable) Mend() {
	c.tb.Helper()
	if c.toxic != "" {
		if err := c.proxy.Toxics.RemoveToxic(c.tb.Context(), c.toxic); err != nil {
			c.tb.Fatal(err)
		}
		c.toxic = ""
	}
	if c.cut {
		if err := c.proxy.Start(); err != nil {
			c.tb.Fatal(err)
		}
		c.cut = false
	}
}
