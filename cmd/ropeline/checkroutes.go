package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/passage"
)

type checkRoutes struct {
	File   string   `arg:"" type:"existingfile" help:"The file of routes."`
	URL    []string `name:"url" sep:"none" placeholder:"URL" help:"An address to look up; may be given again."`
	Method string   `default:"GET" help:"Method of the addresses."`
}

func (c *checkRoutes) Run(con console) error {
	table, err := passage.Load(c.File)
	if err != nil {
		return err
	}
	if len(c.URL) == 0 {
		c.list(con.out, table)
		return nil
	}
	for _, url := range c.URL {
		fmt.Fprintf(con.out, "%s %s\n       %s\n", c.Method, url, c.look(table, url))
	}
	return nil
}

func (c *checkRoutes) list(out io.Writer, table *passage.Table) {
	for _, h := range table.Hosts {
		to := "asked about by a proxy"
		if h.Upstream != nil {
			to = "in front of " + h.Upstream.Host
		}
		fmt.Fprintf(out, "ok     %s: sale %s, %d routes, %s\n", strings.Join(h.Names, ", "), h.Sale, len(h.Routes), to)
	}
}

// look says what happens to an address. It is not parsed as a URL first: that
// would clean it.
func (c *checkRoutes) look(table *passage.Table, url string) string {
	_, rest, found := strings.Cut(url, "://")
	if !found {
		rest = url
	}
	host, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if table.IsRoom(host) {
		return "the edge's own host"
	}
	p, err := table.Decide(c.Method, host, path)
	if e, ok := errors.AsType[*ropeline.Error](err); ok {
		return fmt.Sprintf("refused: %s: %s", e.Code, e.Detail)
	}
	if p.Route == nil {
		return "the waiting room"
	}
	needs := "no token needed"
	if p.Route.Token {
		needs = "needs a token of " + string(p.Host.Sale)
	}
	text := fmt.Sprintf("line %d: %s, fails %s; forwarded as %s", p.Route.Line, needs, p.Route.Fail, p.Path.Target())
	if !p.Path.Exact {
		text += " (refused where a proxy asks, which would forward it as it came)"
	}
	return text
}
