package newsletter

import (
	"bytes"
	"fmt"
	"html/template"
)

// pageWords are what the page of a link says.
type pageWords struct{ Heading, Lead, Button, Done, DoneLead string }

var pages = map[string]map[Step]pageWords{
	"en": {
		Leave:   {"No more newsletters?", "You get no more newsletters from %s. What concerns your tickets is still told to you.", "Send me no more", "You get no more", "%s sends you no newsletter any more."},
		Confirm: {"Do you want the newsletter?", "%s writes to you now and then. Each letter has a link that ends it.", "Yes, send it to me", "You get it from now on", "%s has your consent. A link in each letter ends it."},
	},
	"de": {
		Leave:   {"Keine Newsletter mehr?", "Sie bekommen keine Newsletter von %s mehr. Was Ihre Tickets betrifft, erfahren Sie weiterhin.", "Keine mehr senden", "Sie bekommen keine mehr", "%s sendet Ihnen keinen Newsletter mehr."},
		Confirm: {"Möchten Sie den Newsletter?", "%s schreibt Ihnen dann und wann. In jedem Brief steht ein Link, der das beendet.", "Ja, bitte senden", "Sie bekommen ihn von nun an", "%s hat Ihre Einwilligung. Ein Link in jedem Brief beendet sie."},
	},
}

//nolint:lll // a line of HTML is a line
var layout = template.Must(template.New("step").Parse(`<!doctype html>
<html lang="{{.Language}}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Heading}}</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0; background: light-dark(#f5eee2, #150d10); color: light-dark(#24171b, #f6ebdf) }
main { max-width: 30rem; margin: 12vh auto; padding: 1.5rem; overflow-wrap: anywhere }
h1 { line-height: 1.15 }
button { font: inherit; font-weight: 600; min-height: 2.75rem; padding: .4rem 1.1rem; border: 0; border-radius: .5rem; background: #8c1537; color: #fff6ee }
</style>
<main>
<h1>{{.Heading}}</h1>
<p>{{.Lead}}</p>
{{- if .Button}}
<form method="post"><button name="List-Unsubscribe" value="One-Click">{{.Button}}</button></form>
{{- end}}
</main>
</html>
`))

// Page is what whoever follows a link sees: it asks, and says what was done. It needs no script.
func Page(c Consent, step Step, done bool) ([]byte, error) {
	words, ok := pages[c.Language][step]
	if !ok {
		words = pages["en"][step]
	}
	shown := struct{ Language, Heading, Lead, Button string }{c.Language, words.Heading, fmt.Sprintf(words.Lead, c.Organization), words.Button}
	if done {
		shown.Heading, shown.Lead, shown.Button = words.Done, fmt.Sprintf(words.DoneLead, c.Organization), ""
	}
	var out bytes.Buffer
	if err := layout.Execute(&out, shown); err != nil {
		return nil, fmt.Errorf("showing a consent: %w", err)
	}
	return out.Bytes(), nil
}
