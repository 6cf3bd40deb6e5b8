package look

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"strconv"
	"strings"
)

// Page is what the pages of a sale get of a look.
type Page struct {
	Style string        `json:"style" doc:"the style sheet"`
	Head  template.HTML `json:"head" doc:"HTML that comes before the page"`
	Foot  template.HTML `json:"foot" doc:"HTML that comes after it"`
}

// IsZero reports whether there is nothing of a look.
func (p Page) IsZero() bool { return p == Page{} }

// Hash is what a Content-Security-Policy says of the style: '…' and no more inline.
func (p Page) Hash() string {
	sum := sha256.Sum256([]byte(p.Style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Page writes a look that is valid, for a sale of a title.
func (l Look) Page(sale string, logo *Logo) (Page, error) {
	both, err := l.schemes()
	if err != nil {
		return Page{}, err
	}
	var p Page
	var head, foot bytes.Buffer
	view := struct {
		Look
		Sale string
		Logo *Logo
		Src  template.URL
	}{Look: l, Sale: sale, Logo: logo}
	if logo != nil {
		view.Src = template.URL(logo.Address) // ours: html/template would refuse data:
	}
	if l.Title != "" || l.Message != "" || logo != nil {
		if err := headTemplate.Execute(&head, view); err != nil {
			return Page{}, err
		}
	}
	if l.Help != nil {
		if err := footTemplate.Execute(&foot, view); err != nil {
			return Page{}, err
		}
	}
	p.Head, p.Foot = template.HTML(head.String()), template.HTML(foot.String()) // written by html/template
	p.Style = both[0].style() + wrapped("@media(prefers-color-scheme:dark){", both[1].style(), "}")
	if head.Len()+foot.Len() > 0 {
		p.Style += boxStyle
	}
	if l.Help != nil {
		p.Style += footStyle
	}
	if logo != nil {
		p.Style += logoStyle
	}
	if l.Title != "" || logo != nil { // in the place of our own mark
		p.Style += brandStyle
	}
	return p, nil
}

// The box of the logo is there before it: its height is fixed, and its width follows
// from the sides that are told. On white, because pictures are drawn on white. The foot
// begins below the first screen: what grows above it moves nothing that is seen. Space is
// padding: a margin would move the body itself, which may be drawn before the box is read.
const (
	boxStyle   = `.look{inline-size:min(44rem,100% - 2rem);margin:auto;padding:1rem 0;text-align:center}`
	footStyle  = `#page{min-block-size:100vh}`
	logoStyle  = `.look img{inline-size:auto;max-inline-size:100%;block-size:4rem;object-fit:contain;padding:.4rem;border-radius:.6rem;background:#fff}`
	brandStyle = `.top>.brand{visibility:hidden}`
)

// Classes of base.css do the rest.
var (
	headTemplate = template.Must(template.New("head").Parse(`<section class="look" dir="auto" aria-label="{{or .Title .Sale}}">` +
		`{{with .Logo}}<div><img src="{{$.Src}}" alt="{{if not $.Title}}{{$.Sale}}{{end}}" width="{{.Width}}" height="{{.Height}}"></div>{{end}}` +
		`{{with .Title}}<p class="brand">{{.}}</p>{{end}}{{with .Message}}<p class="note">{{.}}</p>{{end}}</section>`))
	footTemplate = template.Must(template.New("foot").Parse(`<footer class="look" dir="auto"><a href="{{.Help.URL}}" target="_blank">{{.Help.Text}}</a></footer>`))
)

// style is what of a scheme is not as base.css has it.
func (s scheme) style() string {
	was := light
	if s.name == dark.name {
		was = dark
	}
	var out strings.Builder
	for _, v := range []struct {
		name     string
		now, was color
	}{
		{"ground", s.ground, was.ground}, {"card", s.card, was.card}, {"sunken", s.sunken, was.sunken}, {"line", s.line, was.line},
		{"velvet", s.accent, was.accent}, {"velvet-text", s.accentText, was.accentText}, {"velvet-deep", s.accentDeep, was.accentDeep},
		{"velvet-ink", s.onColor, light.onColor}, {"frame", s.frame, was.frame},
	} {
		if v.now != v.was {
			out.WriteString("--" + v.name + ":" + v.now.String() + ";")
		}
	}
	return wrapped(":root{", strings.TrimSuffix(out.String(), ";"), "}")
}

// wrapped is nothing around nothing.
func wrapped(before, text, after string) string {
	if text == "" {
		return ""
	}
	return before + text + after
}

func trimmed(r float64) string { return strconv.FormatFloat(r, 'f', -1, 64) }

// Button is the color of a button in a scheme.
type Button struct {
	Background string `json:"background"`
	Text       string `json:"text"`
}

// Buttons are those of a look that is valid, in light and in dark.
func (l Look) Buttons() ([2]Button, error) {
	both, err := l.schemes()
	var of [2]Button
	for i, s := range both {
		of[i] = Button{s.accent.String(), s.onColor.String()}
	}
	return of, err
}

// Buttons are those of pages that have no look.
func Buttons() [2]Button {
	return [2]Button{{light.accent.String(), light.onColor.String()}, {dark.accent.String(), dark.onColor.String()}}
}
