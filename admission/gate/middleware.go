package gate

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
)

// stoppedFor is when somebody who met a stopped sale should ask again.
const stoppedFor = 10 * time.Second

type claimsKey struct{}

// Middleware lets only those requests reach a handler that the rule lets
// through. The token is looked for in the Authorization header, then in the
// sale's cookie. The handler reads what it says with Claims.
func (g *Gate) Middleware(rule Rule) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header := token.Header(r.Header)
			c, err := g.Decide(rule, rule.Raw(header))
			switch {
			case err != nil && rule.Leads(err, r.Method, header):
				w.Header().Set("Cache-Control", "no-store")
				w.Header().Set("Location", rule.Room)
				w.WriteHeader(http.StatusSeeOther)
			case err != nil:
				if a, ok := g.Refused(err); ok {
					a.tell(w.Header())
				}
				ropeline.WriteProblem(w, err)
			case c.Session == "":
				next.ServeHTTP(w, r)
			default:
				if a, ok := g.Allowance(c.Session); ok {
					a.tell(w.Header())
				}
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, c)))
			}
		})
	}
}

// tell writes the headers of draft-ietf-httpapi-ratelimit-headers.
func (a Allowance) tell(h http.Header) {
	h.Set("RateLimit-Policy", a.Policy())
	h.Set("RateLimit", a.String())
}

// Claims returns what the token of a request says, from the request's context
// in a handler behind Middleware. There are none where the rule let it through
// without a token.
func Claims(ctx context.Context) (token.Claims, bool) {
	if c, ok := ctx.Value(claimsKey{}).(*token.Claims); ok {
		return *c, true
	}
	return token.Claims{}, false
}

// Raw finds the token of a request, given how to read a header.
func (r Rule) Raw(header func(name string) string) string {
	if r.Sale == "" {
		return token.Raw(header)
	}
	return token.RawOf(r.Sale, header)
}

// Leads reports whether a request that was refused is answered by sending the
// browser to the waiting room: it opens a page, and a token is what it lacks.
func (r Rule) Leads(refused error, method string, header func(name string) string) bool {
	if r.Room == "" || method != http.MethodGet && method != http.MethodHead {
		return false
	}
	if p, _ := ropeline.ProblemOf(refused); p.Status != http.StatusUnauthorized {
		return false
	}
	if mode := header("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(header("Accept"), "text/html")
}
