package wording

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"unicode"
)

// Values are what is put in for placeholders. That of link is an address, the others are
// text; one that is missing is nothing.
type Values map[string]string

// Frame stands around what a letter says.
type Frame struct {
	Language    string
	Sender      string // the organization, or the site
	Reason      string // why somebody gets it
	Unsubscribe string // an address where they have no more of its kind; empty: it is no promotion
}

// Letter is what is sent.
type Letter struct{ Subject, Text, HTML string }

//go:embed letter.html
var layout string

var page = template.Must(template.New("letter").Parse(layout))

// block is a paragraph of a letter, or a button.
type block struct {
	Lines  [][]span
	Button template.URL
}

// span is a piece of a line; with an address it is a link.
type span struct {
	Text    string
	Address template.URL
}

// Write puts values in.
func (t Template) Write(v Values, f Frame) (Letter, error) {
	var paragraphs [][]piece
	for p := range strings.SplitSeq(t.Text, "\n\n") {
		paragraphs = append(paragraphs, parse(strings.Trim(p, "\n")))
	}
	return write(fill(parse(t.Subject), v), paragraphs, v, f)
}

// Plain is a letter that somebody has written as it is: a brace is a brace.
func Plain(subject, text string, f Frame) (Letter, error) {
	var paragraphs [][]piece
	for p := range strings.SplitSeq(text, "\n\n") {
		paragraphs = append(paragraphs, []piece{{text: strings.Trim(p, "\n")}})
	}
	return write(subject, paragraphs, nil, f)
}

func write(subject string, paragraphs [][]piece, v Values, f Frame) (Letter, error) {
	l := Letter{Subject: oneLine(subject)}
	address := link(v["link"])
	var said []string
	var blocks []block
	for _, p := range paragraphs {
		text := fill(p, v)
		if strings.TrimSpace(text) == "" { // nothing was put in
			continue
		}
		said = append(said, text)
		if len(p) == 1 && p[0].name == "link" && address != "" {
			blocks = append(blocks, block{Button: address})
		} else {
			blocks = append(blocks, block{Lines: lines(p, v, address)})
		}
	}
	l.Text = strings.Join(said, "\n\n") + "\n"
	if foot := f.foot(); foot != "" {
		l.Text += "\n-- \n" + foot + "\n"
	}
	var html strings.Builder
	err := page.Execute(&html, struct {
		Frame
		Subject         string
		Blocks          []block
		Label, LeaveHow string
		Leave           template.URL
	}{f, l.Subject, blocks, say(f.Language, "open"), say(f.Language, "unsubscribe"), link(f.Unsubscribe)})
	if err != nil {
		return Letter{}, fmt.Errorf("writing a letter: %w", err)
	}
	l.HTML = html.String()
	return l, nil
}

// foot is the end of a text.
func (f Frame) foot() string {
	out := strings.TrimSpace(oneLine(f.Reason) + " " + oneLine(f.Sender))
	if f.Unsubscribe != "" {
		out += "\n" + say(f.Language, "unsubscribe") + ": " + f.Unsubscribe
	}
	return out
}

// fill puts values into a text.
func fill(pieces []piece, v Values) string {
	var out strings.Builder
	for _, p := range pieces {
		if p.name == "" {
			out.WriteString(p.text)
		} else {
			out.WriteString(v.of(p.name))
		}
	}
	return out.String()
}

// of is what stands for a placeholder: of several lines only where there is one of each ticket.
func (v Values) of(name string) string {
	if name != "tickets" {
		return oneLine(v[name])
	}
	all := strings.Split(v[name], "\n")
	for i := range all {
		all[i] = oneLine(all[i])
	}
	return strings.Join(all, "\n")
}

// lines are a paragraph as HTML has it.
func lines(paragraph []piece, v Values, address template.URL) (all [][]span) {
	all = append(all, nil)
	for _, p := range paragraph {
		s := span{Text: p.text}
		if p.name != "" {
			s.Text = v.of(p.name)
		}
		if p.name == "link" {
			s.Address = address
		}
		for i, line := range strings.Split(s.Text, "\n") {
			if i > 0 {
				all = append(all, nil)
			}
			if line != "" {
				all[len(all)-1] = append(all[len(all)-1], span{line, s.Address})
			}
		}
	}
	return all
}

// link is an address that a letter may lead to: ours, so that it is a page's.
func link(address string) template.URL {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return template.URL(u.String())
}

// oneLine is a text without what would end a line, or show another than is there.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " ")
}

// say is a word of the frame.
func say(lang, what string) string {
	words, ok := frames[lang]
	if !ok {
		words = frames["en"]
	}
	return words[what]
}

// Asked says why somebody gets what they have asked for.
func Asked(lang string) string { return say(lang, "asked") }

// Holds says why somebody gets a message about what they hold a ticket of, Written who wrote it.
func Holds(lang, event string) string    { return fmt.Sprintf(say(lang, "holds"), event) }
func Written(lang, sender string) string { return fmt.Sprintf(say(lang, "written"), sender) }

var frames = map[string]map[string]string{
	"en": {"asked": "You get this because you have asked for it.", "open": "Open", "unsubscribe": "No more letters of this kind", "before": "Until now it was:", "doors": "Doors open at %s.",
		"declined": "Your bank, or your card, has said no.", "clock": "%s %s", "failed": "It broke off, or was not confirmed in time.", "acting": "Your bank waits for you to confirm it.", "ill": "The singer is ill.",
		"organizer": "organizer", "venue": "venue manager", "boxoffice": "box office", "door": "door staff", "supervisor": "door supervisor", "sre": "operations", "admin": "administrator",
		"holds": "You get this because you hold a ticket of %s.", "written": "%s has written it."},
	"de": {"asked": "Sie bekommen dies, weil Sie es bestellt haben.", "open": "Öffnen", "unsubscribe": "Keine Briefe dieser Art mehr", "before": "Bisher war es:", "doors": "Einlass ist ab %s Uhr.",
		"declined": "Ihre Bank oder Ihre Karte hat abgelehnt.", "clock": "%s Uhr (%s)", "failed": "Sie ist abgebrochen oder wurde nicht rechtzeitig bestätigt.", "acting": "Ihre Bank wartet darauf, dass Sie sie bestätigen.", "ill": "Die Sängerin ist krank.",
		"organizer": "Veranstaltungsleitung", "venue": "Hausverwaltung", "boxoffice": "Abendkasse", "door": "Einlass", "supervisor": "Einlassleitung", "sre": "Betrieb", "admin": "Verwaltung",
		"holds": "Sie bekommen dies, weil Sie eine Karte für %s haben.", "written": "%s hat es geschrieben."},
}
