package passage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ropeline/ropeline"
)

// The defaults of a host and of a route.
const (
	defaultConnections = 512
	defaultBody        = 16 << 20
	defaultTimeout     = time.Minute
)

// The file as it is written. Every value keeps its node, for its line.
type (
	file struct {
		Rooms []text     `yaml:"rooms"`
		Hosts []fileHost `yaml:"hosts"`
	}
	fileHost struct {
		Host        texts       `yaml:"host"`
		Upstream    text        `yaml:"upstream"`
		CA          text        `yaml:"ca"`
		Sale        text        `yaml:"sale"`
		Connections text        `yaml:"connections"`
		Routes      []fileRoute `yaml:"routes"`
	}
	fileRoute struct {
		Paths   texts `yaml:"paths"`
		Methods texts `yaml:"methods"`
		Token   text  `yaml:"token"`
		Fail    text  `yaml:"fail"`
		Body    text  `yaml:"body"`
		Timeout text  `yaml:"timeout"`
		line    int
	}
)

// text is one value and where it stands.
type text struct {
	value string
	line  int
}

func (t *text) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want one value", n.Line)
	}
	t.value, t.line = n.Value, n.Line
	return nil
}

// texts is one value or a list of them.
type texts []text

func (t *texts) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		*t = make(texts, 1)
		return n.Decode(&(*t)[0])
	}
	return n.Decode((*[]text)(t))
}

// Load reads a table from a file of YAML, or of JSON, which is YAML too.
func Load(path string) (*Table, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the routes: %w", err)
	}
	t, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads a table. It says what is wrong with it, each with its line.
func Parse(content []byte) (*Table, error) {
	var f file
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return nil, plainly(err)
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is a second document in the file")
	}
	b := builder{table: &Table{byName: map[string]*Host{}}}
	b.build(f, linesOf(content))
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	return b.table, nil
}

// plainly takes names of our own out of the library's messages.
func plainly(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	for _, of := range []string{"fileHost", "fileRoute", "file"} {
		message = strings.ReplaceAll(message, "not found in type passage."+of, "is not known here")
		message = strings.ReplaceAll(message, "already set in type passage."+of, "is given twice")
		message = strings.ReplaceAll(message, "into passage."+of, "here")
	}
	return errors.New(message)
}

// linesOf returns on which line each host and each of its routes begins: a value
// that is missing has no line of its own.
func linesOf(content []byte) (lines struct {
	hosts  []int
	routes [][]int
}) {
	var tree struct {
		Hosts []yaml.Node `yaml:"hosts"`
	}
	_ = yaml.Unmarshal(content, &tree) // it was read already
	for _, h := range tree.Hosts {
		lines.hosts = append(lines.hosts, h.Line)
		var inside struct {
			Routes []yaml.Node `yaml:"routes"`
		}
		_ = h.Decode(&inside)
		var routes []int
		for _, r := range inside.Routes {
			routes = append(routes, r.Line)
		}
		lines.routes = append(lines.routes, routes)
	}
	return lines
}

// builder makes a table and collects what is wrong.
type builder struct {
	table *Table
	errs  []error
}

func (b *builder) wrong(line int, format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("line %d: "+format, append([]any{line}, args...)...))
}

func (b *builder) build(f file, lines struct {
	hosts  []int
	routes [][]int
}) {
	if len(f.Hosts) == 0 {
		b.wrong(1, "hosts: there are none")
	}
	for i, h := range f.Hosts {
		for j := range h.Routes {
			h.Routes[j].line = lines.routes[i][j]
		}
		b.host(h, lines.hosts[i])
	}
	for _, r := range f.Rooms {
		name, ok := readHost(r.value)
		if !ok || b.table.byName[name] != nil {
			b.wrong(r.line, "rooms: %q is no host, or one of a shop", r.value)
		}
		b.table.Rooms = append(b.table.Rooms, name)
	}
}

func (b *builder) host(f fileHost, line int) {
	h := &Host{Sale: ropeline.SaleID(f.Sale.value), Connections: defaultConnections}
	if len(f.Host) == 0 {
		b.wrong(line, "host: is missing")
	}
	for _, n := range f.Host {
		name, ok := readHost(n.value)
		switch {
		case !ok || name != strings.ToLower(n.value):
			b.wrong(n.line, "host: %q is no host name without a port", n.value)
		case b.table.byName[name] != nil:
			b.wrong(n.line, "host: %q is given twice", n.value)
		}
		h.Names = append(h.Names, name)
		b.table.byName[name] = h
	}
	if !h.Sale.Valid() {
		b.wrong(max(line, f.Sale.line), "sale: %q is no sale's id", f.Sale.value)
	}
	if f.Upstream.value != "" {
		h.Upstream = b.upstream(f.Upstream)
	}
	if h.CA = f.CA.value; h.CA != "" && (h.Upstream == nil || h.Upstream.Scheme != "https") {
		b.wrong(f.CA.line, "ca: is for an upstream of https")
	}
	if c := f.Connections; c.value != "" {
		n, err := strconv.Atoi(c.value)
		if err != nil || n < 1 || n > 10_000 {
			b.wrong(c.line, "connections: want 1 to 10000")
		}
		h.Connections = n
	}
	if len(f.Routes) == 0 {
		b.wrong(line, "routes: there are none, so nothing would be open")
	}
	for _, r := range f.Routes {
		h.Routes = append(h.Routes, b.route(r))
	}
	b.table.Hosts = append(b.table.Hosts, h)
}

func (b *builder) upstream(t text) *url.URL {
	u, err := url.Parse(t.value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		b.wrong(t.line, "upstream: %q is not of the form http://host:port or https://host:port", t.value)
		return nil
	}
	return u
}

func (b *builder) route(f fileRoute) *Route {
	r := &Route{Line: f.line, Body: defaultBody, Timeout: defaultTimeout}
	if len(f.Paths) == 0 {
		b.wrong(f.line, "paths: are missing")
	}
	for _, t := range f.Paths {
		p, err := parsePattern(t.value)
		if err != nil {
			b.wrong(t.line, "paths: %v", err)
			continue
		}
		r.patterns = append(r.patterns, p)
	}
	for _, m := range f.Methods {
		if !slices.Contains(methods, m.value) {
			b.wrong(m.line, "methods: %q is none of %s", m.value, strings.Join(methods, ", "))
		}
		r.Methods = append(r.Methods, m.value)
	}
	switch f.Token.value {
	case "required", "none":
		r.Token = f.Token.value == "required"
	default:
		b.wrong(max(f.line, f.Token.line), `token: say "required" or "none"`)
	}
	if r.Fail = Fail(f.Fail.value); r.Fail != FailOpen && r.Fail != FailClosed {
		b.wrong(max(f.line, f.Fail.line), `fail: say "open" or "closed": what shall happen while the gate cannot see?`)
	}
	b.limits(f, r)
	if len(f.Paths) > 0 {
		r.Name = strings.TrimSpace(strings.Join(r.Methods, ",") + " " + f.Paths[0].value)
	}
	return r
}

func (b *builder) limits(f fileRoute, r *Route) {
	if t := f.Body; t.value != "" {
		n, err := readSize(t.value)
		if err != nil {
			b.wrong(t.line, "body: %v", err)
		}
		r.Body = n
	}
	if t := f.Timeout; t.value != "" {
		d, err := time.ParseDuration(t.value)
		if err != nil || d < 100*time.Millisecond || d > time.Hour {
			b.wrong(t.line, "timeout: want a time from 100ms to 1h, as 30s")
		}
		r.Timeout = d
	}
}

func readSize(text string) (int64, error) {
	if text == "any" {
		return -1, nil
	}
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = rest, n
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 || n > 1<<40/unit {
		return 0, errors.New(`want a size as 16MiB, or "any"`)
	}
	return n * unit, nil
}
