package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ropeline/ropeline"
)

// Everybody who came by a rule is one line of the log, with rule and place, and one
// of the rule's count, however often they asked; who was refused is neither.
func TestWhoComesByARuleIsLoggedAndCounted(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	g := newRig(t, withLanes, func(c *Config, _ *ropeline.Sale) { c.Metrics = reg })
	g.draw()
	g.tick()
	const most = 5 // that the rule lets in before its share counts
	for n := range 2 * most {
		for range 2 {
			r := g.phone().do("POST", "place", fmt.Sprintf(`{"bypass":%q,"attempt":"colleague-%08d"}`, staffKey, n))
			if n < most {
				wantStatus(t, r, http.StatusCreated)
			} else {
				wantProblem(t, r, http.StatusServiceUnavailable, "bypass-share")
			}
		}
	}
	wantProblem(t, g.phone().do("POST", "place", `{"bypass":"guess","attempt":"colleague-00000001"}`), http.StatusForbidden, "bypass-invalid")
	line := regexp.MustCompile(`level=INFO msg="let past the line" sale=` + string(g.sale.ID) + ` rule=staff place=(\S+) by_rule=(\d+)`)
	places := map[string]bool{}
	for n, found := range line.FindAllStringSubmatch(g.logged.String(), -1) {
		places[found[1]] = true
		if found[2] != fmt.Sprint(n+1) {
			t.Errorf("line %d of the log says %s by the rule", n+1, found[2])
		}
	}
	if len(places) != most {
		t.Errorf("the log has %d places that came by a rule, want %d: %s", len(places), most, g.logged)
	}
	told := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(told, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		fmt.Sprintf(`ropeline_edge_bypasses_total{rule="staff",sale="%s"} %d`, g.sale.ID, most),
		fmt.Sprintf(`ropeline_edge_refusals_total{code="bypass-share"} %d`, 2*most),
	} {
		if !strings.Contains(told.Body.String(), want) {
			t.Errorf("%s is not told", want)
		}
	}
	if n := strings.Count(told.Body.String(), "ropeline_edge_bypasses_total{"); n != 1 {
		t.Errorf("there are %d series of bypasses: one that nobody came by is none of the sale's", n)
	}
}
