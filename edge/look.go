package edge

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/passage"
	"github.com/ropeline/ropeline/look"
	"github.com/ropeline/ropeline/queue"
)

// How the pages of a sale look in its organizer's hands. The looks are read from Redis,
// and what was seen of them stays while it is away, or has lost them. They are written
// into the built pages here, so that a page loads nothing more but the logo.

// looks follows the index of looks, and keeps what was dressed with them.
type looks struct {
	store   *queue.Store
	failed  func(error)
	known   atomic.Pointer[lookIndex]
	flights singleflight.Group

	mu      sync.Mutex // guards dressed
	dressed map[ropeline.SaleID]*dress
}

// lookIndex never changes.
type lookIndex struct {
	text    string
	sales   look.Index
	domains map[string][]ropeline.SaleID // sorted
}

// dress is a version of a sale's look, and what was made with it.
type dress struct {
	version int
	page    look.Page
	buttons [2]look.Button
	logo    file

	mu    sync.Mutex // guards files
	files map[string]file
}

// looksEvery is how often the index is read.
const looksEvery = 2 * time.Second

// lookPatience is how long a page waits for a look that was not read yet.
const lookPatience = time.Second

func newLooks(store *queue.Store, failed func(error)) *looks {
	l := &looks{store: store, failed: failed, dressed: map[ropeline.SaleID]*dress{}}
	l.known.Store(&lookIndex{})
	return l
}

// follow reads the index until ctx ends.
func (l *looks) follow(ctx context.Context) {
	every := time.NewTicker(looksEvery)
	defer every.Stop()
	for {
		if err := l.read(ctx); err != nil && ctx.Err() == nil {
			l.failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// read reads the index. Where there is none Redis has lost it, or nobody has a look.
func (l *looks) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	text, err := l.store.Looks(ctx)
	if err != nil || text == nil || string(text) == l.known.Load().text {
		return err
	}
	sales, err := look.ParseIndex(text)
	if err != nil {
		return err
	}
	next := &lookIndex{text: string(text), sales: sales, domains: map[string][]ropeline.SaleID{}}
	for sale, entry := range sales {
		for _, d := range entry.Domains {
			next.domains[d] = append(next.domains[d], sale)
		}
	}
	for _, shown := range next.domains {
		slices.Sort(shown)
	}
	l.known.Store(next)
	l.mu.Lock()
	defer l.mu.Unlock()
	for sale := range l.dressed {
		if _, ok := sales[sale]; !ok {
			delete(l.dressed, sale)
		}
	}
	return nil
}

// of returns how a sale's pages look; nil as they always do. Of many who ask one reads.
func (l *looks) of(ctx context.Context, sale ropeline.SaleID) *dress {
	entry, ok := l.known.Load().sales[sale]
	if !ok {
		return nil
	}
	l.mu.Lock()
	d := l.dressed[sale]
	l.mu.Unlock()
	if d != nil && d.version >= entry.Version {
		return d
	}
	made := l.flights.DoChan(string(sale), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookPatience)
		defer cancel()
		d, err := l.dress(ctx, sale)
		if err != nil {
			l.failed(err)
		}
		return d, err
	})
	select {
	case r := <-made:
		if next, _ := r.Val.(*dress); r.Err == nil && next != nil {
			return next
		}
	case <-ctx.Done():
	}
	return d // as it was seen last
}

// dress reads a look and writes it. It answers nil where there is none.
func (l *looks) dress(ctx context.Context, sale ropeline.SaleID) (*dress, error) {
	text, err := l.store.Look(ctx, sale)
	if err != nil || text == nil {
		return nil, err
	}
	posted, err := look.ParsePosted(text)
	if err != nil {
		return nil, err
	}
	d := &dress{version: posted.Version, files: map[string]file{}}
	var logo *look.Logo
	if p := posted.Logo; p != nil {
		logo = &look.Logo{Address: logoPath(sale, posted.Version), Width: p.Width, Height: p.Height}
		if d.logo, err = newFile("logo.jpg", p.JPEG); err != nil {
			return nil, err
		}
	}
	if d.page, err = posted.Look.Page(posted.Title, logo); err != nil {
		return nil, err
	}
	if d.buttons, err = posted.Look.Buttons(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dressed[sale] = d
	return d, nil
}

func logoPath(sale ropeline.SaleID, version int) string {
	return "/sales/" + string(sale) + "/logo?v=" + strconv.Itoa(version)
}

// pageMark is where the built pages begin.
const pageMark = `<div id="page"></div>`

// wear writes a look into a built page, once.
func (d *dress) wear(name string, plain file) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.files[name]; ok {
		return f, nil
	}
	text := string(plain.plain)
	if d.page.Style != "" {
		text = strings.Replace(text, "</head>", "<style>"+d.page.Style+"</style></head>", 1)
	}
	text = strings.Replace(text, pageMark, string(d.page.Head)+pageMark+string(d.page.Foot), 1)
	f, err := newFile(name, []byte(text))
	if err == nil {
		d.files[name] = f
	}
	return f, err
}

// policyWith lets a page have the style of a look, and no other that is inline.
func policyWith(policy string, p look.Page) string {
	if p.Style == "" {
		return policy
	}
	return policy + "; style-src 'self' " + p.Hash()
}

// salePage serves an HTML page of the sale that the path names, as it looks.
func (s *Server) salePage(name string) handler {
	plain := s.page(name)
	return func(w http.ResponseWriter, r *http.Request) error {
		f, built := s.pages.files[name]
		d := s.looks.of(r.Context(), ropeline.SaleID(r.PathValue("sale")))
		if !built || d == nil {
			return plain(w, r)
		}
		worn, err := d.wear(name, f)
		if err != nil {
			return err
		}
		pageHeader(w.Header(), policyWith(s.policyOf(name), d.page))
		serveFile(w, r, worn)
		return nil
	}
}

var errLogoUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "logo-unknown", Detail: "This sale has no logo."}

// showLogo serves a sale's logo. Its address names the version.
func (s *Server) showLogo(w http.ResponseWriter, r *http.Request) error {
	d := s.looks.of(r.Context(), ropeline.SaleID(r.PathValue("sale")))
	if d == nil || d.logo.plain == nil {
		return errLogoUnknown
	}
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == strconv.Itoa(d.version) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	serveFile(w, r, d.logo)
	return nil
}

// plainLook is what the page without scripts gets of a look.
func (s *Server) plainLook(r *http.Request) (look.Page, template.HTML) {
	d := s.looks.of(r.Context(), ropeline.SaleID(r.PathValue("sale")))
	if d == nil {
		return look.Page{}, ""
	}
	return d.page, template.HTML("<style>" + d.page.Style + "</style>") // ours and colors alone
}

// The organizers' domains.

// domain is which sales are shown on a host, none where it is no domain of a look. Our
// own hosts never are one, and where nobody said which are ours, all are.
func (s *Server) domain(r *http.Request) []ropeline.SaleID {
	if !s.knowsHosts() || s.ownHost(r) {
		return nil
	}
	return s.looks.known.Load().domains[look.Host(r.Host)]
}

func (s *Server) knowsHosts() bool { return s.config.Routes != nil || len(s.config.Hosts) > 0 }

func (s *Server) ownHost(r *http.Request) bool {
	return slices.Contains(s.config.Hosts, look.Host(r.Host)) || s.config.Routes != nil && (s.config.Routes.IsRoom(r.Host) || s.config.Routes.Shop(r.Host) != nil)
}

// hosted refuses what is not for the host that a request names: hosts that nobody knows
// and, on an organizer's domain, the sales of others and the pages of staff.
func (s *Server) hosted(r *http.Request) error {
	if !s.knowsHosts() || s.ownHost(r) || anyHost(r.URL.Path) {
		return nil
	}
	shown := s.domain(r)
	if shown == nil {
		return passage.ErrHostUnknown
	}
	path := r.URL.Path
	for _, staff := range []string{"/ops", "/counter", "/door", "/desk", staffPath, deskPath} {
		if path == staff || strings.HasPrefix(path, staff+"/") {
			return ropeline.ErrRouteUnknown
		}
	}
	for _, before := range []string{"/sales/", "/api/v1/sales/"} {
		if rest, ok := strings.CutPrefix(path, before); ok {
			sale, _, _ := strings.Cut(rest, "/")
			if !slices.Contains(shown, ropeline.SaleID(sale)) {
				return ropeline.ErrSaleUnknown
			}
		}
	}
	return nil
}

// anyHost are the addresses that balancers and proxies ask, who name no host of ours.
func anyHost(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == passage.Verify || path == domainPath
}

// front is the page of all sales; on a domain that shows one sale, the way to it.
func (s *Server) front(w http.ResponseWriter, r *http.Request) error {
	if shown := s.domain(r); len(shown) == 1 {
		w.Header().Set("Location", "/sales/"+string(shown[0]))
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return s.page("index.html")(w, r)
}

const domainPath = "/api/v1/domains/known"

var errDomainUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "domain-unknown", Detail: "No sale is shown on this domain."}

// knownDomain says to a proxy that makes certificates on demand whether a domain is one
// of ours: without that anybody could have it ask for as many as they like.
func (s *Server) knownDomain(w http.ResponseWriter, r *http.Request) error {
	name := look.Host(r.URL.Query().Get("domain"))
	if !slices.Contains(s.config.Hosts, name) && s.looks.known.Load().domains[name] == nil {
		return errDomainUnknown
	}
	w.Header()["Cache-Control"] = noStore
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkHosts refuses own hosts that no request can name.
func (c Config) checkHosts() error {
	for _, h := range c.Hosts {
		if h == "" || look.Host(h) != h {
			return errors.New("host " + strconv.Quote(h) + " must be a name in lower case, without a port")
		}
	}
	return nil
}
