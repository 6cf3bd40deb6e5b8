package look

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

func TestContrastIsThatOfWCAG(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want string
	}{
		{"#000", "#fff", "21"}, {"#777777", "#ffffff", "4.47"}, {"#767676", "#fff", "4.54"}, {"#ff0000", "#ffffff", "3.99"}, {"#005f73", "#ffffff", "7.28"}, {"#123456", "#123456", "1"},
	} {
		if got := ratio(contrast(known(c.a), known(c.b))); got != c.want {
			t.Errorf("%s on %s: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

// The colors that are checked are those that pages have.
func TestSchemesAreThoseOfTheStyleSheet(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../web/src/look/base.css")
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(text), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("there is no dark scheme")
	}
	variable := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	said := map[string]string{}
	for i, part := range []string{first, second} {
		for _, v := range variable.FindAllStringSubmatch(part, -1) {
			said[v[1]] = v[2] // the dark scheme keeps what it does not say
		}
		s := []scheme{light, dark}[i]
		for name, c := range map[string]color{"ground": s.ground, "card": s.card, "sunken": s.sunken, "line": s.line, "ink": s.ink, "ink-soft": s.inkSoft, "edge": s.edge,
			"brass-text": s.brass, "good": s.good, "bad": s.bad, "velvet": s.accent, "velvet-text": s.accentText, "velvet-deep": s.accentDeep, "velvet-ink": s.onColor, "frame": s.frame} {
			if said[name] != c.String() {
				t.Errorf("%s: --%s is %s in base.css, %s here", s.name, name, said[name], c)
			}
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		look Look
		code string
		says string
	}{
		"pale accent":         {Look{Colors: Colors{Light: Palette{Accent: "#ffcc00"}}}, "look-contrast", "colors.light.accent #ffcc00 has a contrast of 1.3"},
		"dark accent in dark": {Look{Colors: Colors{Dark: Palette{Accent: "#003049"}}}, "look-contrast", "colors.dark.accent #003049"},
		"ground too dark":     {Look{Colors: Colors{Light: Palette{Ground: "#888888"}}}, "look-contrast", "choose a lighter ground"},
		"ground too light":    {Look{Colors: Colors{Dark: Palette{Ground: "#ffffff"}}}, "look-contrast", "choose a darker ground"},
		"no color":            {Look{Colors: Colors{Light: Palette{Accent: "red;}body{display:none"}}}, "look-invalid", "is no color"},
		"no ground":           {Look{Colors: Colors{Dark: Palette{Ground: "#12"}}}, "look-invalid", "is no color"},
		"signed":              {Look{Colors: Colors{Light: Palette{Accent: "#+12345"}}}, "look-invalid", "is no color"},
		"long title":          {Look{Title: strings.Repeat("ä", MaxTitle+1)}, "look-invalid", "title has 81 characters"},
		"long message":        {Look{Message: strings.Repeat("m", MaxMessage+1)}, "look-invalid", "message has 161"},
		"line break":          {Look{Message: "one\ntwo"}, "look-invalid", "plain text"},
		"turned around":       {Look{Title: "a\u202eb"}, "look-invalid", "plain text"},
		"not UTF-8":           {Look{Title: "a\xff"}, "look-invalid", "plain text"},
		"script address":      {Look{Help: &Help{"Help", "javascript:alert(1)"}}, "look-invalid", "https"},
		"http":                {Look{Help: &Help{"Help", "http://example.org/"}}, "look-invalid", "https"},
		"with password":       {Look{Help: &Help{"Help", "https://a:b@example.org/"}}, "look-invalid", "https"},
		"no host":             {Look{Help: &Help{"Help", "https:///x"}}, "look-invalid", "https"},
		"help without text":   {Look{Help: &Help{"", "https://example.org"}}, "look-invalid", "help.text"},
		"port":                {Look{Domains: []string{"example.org:443"}}, "look-invalid", "no host name"},
		"address":             {Look{Domains: []string{"192.0.2.1"}}, "look-invalid", "no host name"},
		"one part":            {Look{Domains: []string{"localhost"}}, "look-invalid", "no host name"},
		"upper case":          {Look{Domains: []string{"Example.org"}}, "look-invalid", "no host name"},
		"twice":               {Look{Domains: []string{"a.example", "a.example"}}, "look-invalid", "twice"},
		"too many":            {Look{Domains: strings.Split(strings.Repeat("a.example ", 11), " ")}, "look-invalid", "10 at most"},
	} {
		err := c.look.Validate()
		e, ok := errors.AsType[*ropeline.Error](err)
		if !ok || e.Code != c.code || !strings.Contains(e.Detail, c.says) {
			t.Errorf("%s: %v, want %s that says %q", name, err, c.code, c.says)
		}
	}
}

// The bound is that of text, to the hundredth: 4.54:1 is taken in and 4.47:1 is not.
func TestTheBoundIsThatOfText(t *testing.T) {
	t.Parallel()
	on := func(accent string) error {
		return Look{Colors: Colors{Light: Palette{Accent: accent, Ground: "#ffffff"}}}.Validate()
	}
	if err := on("#767676"); err != nil {
		t.Error(err)
	}
	if err := on("#777777"); err == nil || !strings.Contains(err.Error(), "4.47:1") {
		t.Errorf("%v, want a refusal that says 4.47:1", err)
	}
}

// What is said to do, does.
func TestTheColorThatIsProposedWouldDo(t *testing.T) {
	t.Parallel()
	proposed := regexp.MustCompile(`(#[0-9a-f]{6}) would do`)
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.StringMatching(`#[0-9a-f]{6}`).Draw(t, "accent")
		dark := rapid.Bool().Draw(t, "dark")
		with := func(accent string) Look {
			if dark {
				return Look{Colors: Colors{Dark: Palette{Accent: accent}}}
			}
			return Look{Colors: Colors{Light: Palette{Accent: accent}}}
		}
		err := with(given).Validate()
		if err == nil {
			return
		}
		found := proposed.FindStringSubmatch(err.Error())
		if found == nil {
			t.Fatalf("%v proposes nothing", err)
		}
		if err := with(found[1]).Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever is taken in can be read in both schemes, also where nothing was chosen.
func TestWhatIsTakenInCanBeRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom([]string{"", "#ffffff", "#fdf6ec", "#e8f1f2", "#000000", "#101820", "#005f73", "#8c1537", "#94d2bd", "#ffd166", "#1b4332", "#f7f7f7"})
		l := Look{Colors: Colors{Light: Palette{of.Draw(t, "accent"), of.Draw(t, "ground")}, Dark: Palette{of.Draw(t, "dark accent"), of.Draw(t, "dark ground")}}}
		if l.Validate() != nil {
			return
		}
		both, err := l.schemes()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range both {
			for name, pair := range map[string][2]color{"link": {s.accentText, s.ground}, "link on a card": {s.accentText, s.card}, "button": {s.onColor, s.accent}, "button under the mouse": {s.onColor, s.accentDeep},
				"text": {s.ink, s.ground}, "small text": {s.inkSoft, s.card}, "text that is sunken": {s.ink, s.sunken}} {
				if r := contrast(pair[0], pair[1]); r < ofText {
					t.Errorf("%s: %s has %.2f:1 in %+v", s.name, name, r, l.Colors)
				}
			}
		}
	})
}

var tags = regexp.MustCompile(`<[^>]*>`)

// No text becomes more than text, whatever is in it.
func FuzzTextStaysText(f *testing.F) {
	f.Add("<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "https://example.org/\"onmouseover=\"x")
	f.Add("&lt;b&gt;", "{{.}}", "https://example.org/?a=b&c='d'")
	f.Fuzz(func(t *testing.T, title, message, address string) {
		l := Look{Title: title, Message: message, Help: &Help{Text: "Help" + title, URL: address}}
		if l.Validate() != nil {
			return
		}
		p, err := l.Page("A sale", &Logo{Address: "/logo", Width: 10, Height: 10})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := Look{Title: "t", Message: "m", Help: &Help{Text: "h", URL: "https://example.org"}}.Page("A sale", &Logo{Address: "/logo", Width: 10, Height: 10})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(tags.FindAllString(string(p.Head+p.Foot), -1)), len(tags.FindAllString(string(plain.Head+plain.Foot), -1)); title != "" && message != "" && got != want {
			t.Errorf("%d tags, want %d: %s", got, want, p.Head+p.Foot)
		}
		if p.Style != plain.Style && title != "" && message != "" {
			t.Errorf("texts got into the style: %s", p.Style)
		}
	})
}

func TestAPageOfNothingIsNothing(t *testing.T) {
	t.Parallel()
	p, err := Look{}.Page("A sale", nil)
	if err != nil || !p.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestHostsAreReadAsDomains(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"A.Example.ORG:8443": "a.example.org", "a.example.": "a.example", "[::1]:80": "[::1]", "a.example": "a.example", "": ""} {
		if got := Host(host); got != want {
			t.Errorf("%q is read as %q, want %q", host, got, want)
		}
	}
}
