package token

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

func TestRawFindsTheToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"nothing":                  {http.Header{}, ""},
		"a bearer":                 {http.Header{"Authorization": {"bearer b"}, "Cookie": {"ropeline_admission_demo=x"}}, "b"},
		"another scheme":           {http.Header{"Authorization": {"Basic b"}, "Cookie": {"ropeline_admission_demo=x"}}, "x"},
		"among others":             {http.Header{"Cookie": {"a=b; ropeline_admission_demo=x.y.z; c=d"}}, "x.y.z"},
		"without spaces":           {http.Header{"Cookie": {"a=b;ropeline_admission_demo=x;c=d"}}, "x"},
		"several lines":            {http.Header{"Cookie": {"a=b", "ropeline_admission_demo=x"}}, "x"},
		"twice":                    {http.Header{"Cookie": {"ropeline_admission_demo=x; ropeline_admission_demo=y"}}, "x"},
		"a longer name":            {http.Header{"Cookie": {"ropeline_admission_demo-2=x"}}, ""},
		"in another's name":        {http.Header{"Cookie": {"xropeline_admission_demo=x"}}, ""},
		"in another's value":       {http.Header{"Cookie": {`a=ropeline_admission_demo=x; b=" ropeline_admission_demo=x"`}}, ""},
		"a name alone":             {http.Header{"Cookie": {"ropeline_admission_demo; a=b"}}, ""},
		"in capitals":              {http.Header{"Cookie": {"Ropeline_Admission_demo=x"}}, ""},
		"a value with equal signs": {http.Header{"Cookie": {"ropeline_admission_demo=x=="}}, "x=="},
	} {
		if got := RawOf("demo", Header(c.header)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		for sale, want := range map[string]string{"demo": c.want, "": ropeline.Bearer(c.header.Get("Authorization")), "demo=x; ropeline_admission_demo": ropeline.Bearer(c.header.Get("Authorization"))} {
			c.header.Set(SaleHeader, sale)
			if got := Raw(Header(c.header)); got != want {
				t.Errorf("%s, for sale %q: %q, want %q", name, sale, got, want)
			}
		}
	}
}

// Where a Cookie header is well formed, net/http finds the same.
func TestCookiesAreReadAsNetHTTPReadsThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{"a", Cookie("demo"), Cookie("demo-2"), Cookie(""), "ropeline_place_demo"})
		var pairs []string
		for range rapid.IntRange(0, 5).Draw(t, "cookies") {
			pairs = append(pairs, names.Draw(t, "name")+"="+rapid.StringMatching(`[A-Za-z0-9_=.-]{0,12}`).Draw(t, "value"))
		}
		h := http.Header{"Cookie": {strings.Join(pairs, "; ")}}
		want := ""
		if c, err := (&http.Request{Header: h}).Cookie(Cookie("demo")); err == nil {
			want = c.Value
		}
		if got := RawOf("demo", Header(h)); got != want {
			t.Fatalf("%q: %q, net/http says %q", h["Cookie"], got, want)
		}
	})
}
