package look

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ropeline/ropeline"
)

// Look is what an organizer says of the pages of a sale. What is left out is as it
// always is: the zero Look changes nothing.
type Look struct {
	Title   string   `json:"title,omitempty" maxLength:"80" doc:"stands beside the logo, on top of each page: plain text"`
	Message string   `json:"message,omitempty" maxLength:"160" doc:"below the title: plain text"`
	Help    *Help    `json:"help,omitempty" doc:"a link at the foot of each page"`
	Colors  Colors   `json:"colors,omitzero"`
	Domains []string `json:"domains,omitempty" maxItems:"10" doc:"hosts of the organizer's on which the pages are shown, as tickets.example.org"`
}

// Help is a link to where fans are helped.
type Help struct {
	Text string `json:"text" maxLength:"60" doc:"plain text"`
	URL  string `json:"url" maxLength:"300" doc:"https only"`
}

// Colors are those of the two schemes.
type Colors struct {
	Light Palette `json:"light,omitzero"`
	Dark  Palette `json:"dark,omitzero" doc:"an accent that is left out is made of the light one"`
}

// Palette is what can be chosen of a scheme.
type Palette struct {
	Accent string `json:"accent,omitempty" doc:"of buttons, links and the rope, as #005f73"`
	Ground string `json:"ground,omitempty" doc:"what the page stands on"`
}

// Logo says where a logo is, and how many pixels it has.
type Logo struct {
	Address       string // of ours, or a data: URL
	Width, Height int
}

// What a look may have at most, in characters, and how many domains.
const (
	MaxTitle   = 80
	MaxMessage = 160
	MaxHelp    = 60
	MaxURL     = 300
	MaxDomains = 10
)

// Refusals of a look.
var (
	ErrInvalid  = &ropeline.Error{Kind: ropeline.Invalid, Code: "look-invalid"}
	ErrContrast = &ropeline.Error{Kind: ropeline.Invalid, Code: "look-contrast"}
)

func refuse(e *ropeline.Error, format string, args ...any) error {
	said := *e
	said.Detail = fmt.Sprintf(format, args...)
	return &said
}

// Validate says what is wrong first: ErrInvalid, or ErrContrast with the ratio.
func (l Look) Validate() error {
	for _, text := range []struct {
		name, text string
		most       int
	}{{"title", l.Title, MaxTitle}, {"message", l.Message, MaxMessage}} {
		if err := checkText(text.name, text.text, text.most); err != nil {
			return err
		}
	}
	if err := l.Help.validate(); err != nil {
		return err
	}
	if len(l.Domains) > MaxDomains {
		return refuse(ErrInvalid, "There are %d domains, %d at most.", len(l.Domains), MaxDomains)
	}
	for i, d := range l.Domains {
		if !IsDomain(d) {
			return refuse(ErrInvalid, "domains: %q is no host name of two parts or more, in lower case, without a port, as tickets.example.org.", d)
		}
		if slices.Contains(l.Domains[:i], d) {
			return refuse(ErrInvalid, "domains: %s is named twice.", d)
		}
	}
	_, err := l.schemes()
	return err
}

func (h *Help) validate() error {
	if h == nil {
		return nil
	}
	if h.Text == "" {
		return refuse(ErrInvalid, "help.text is missing.")
	}
	if err := checkText("help.text", h.Text, MaxHelp); err != nil {
		return err
	}
	u, err := url.Parse(h.URL)
	if err != nil || len(h.URL) > MaxURL || !printable(h.URL) || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return refuse(ErrInvalid, "help.url must be a whole address with https of %d characters at most.", MaxURL)
	}
	return nil
}

func checkText(name, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return refuse(ErrInvalid, "%s has %d characters, %d at most.", name, n, most)
	}
	if !printable(text) {
		return refuse(ErrInvalid, "%s must be a line of plain text: there is something in it that cannot be printed.", name)
	}
	return nil
}

// printable refuses line breaks, too, and what turns the direction of a text around.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// IsDomain reports whether a text is a host name as a look has them: not an address, and
// of ASCII alone, so that two ways to write a name cannot be two domains.
func IsDomain(s string) bool { return len(s) <= 253 && hostName.MatchString(s) }

// Host is the host of a request as IsDomain knows it: without port, in lower case, and
// without the dot that may end a full name.
func Host(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
