package wording

import (
	"bytes"
	"fmt"
	"html/template"
)

// Question is what whoever follows the link of a letter sees before anything is done: mail
// servers follow links by themselves.
type Question struct {
	Language, Heading, Lead string
	Button                  string // a press of it does it; empty: it is done
}

//nolint:lll // a line of HTML is a line
var question = template.Must(template.New("question").Parse(`<!doctype html>
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

// Page is the page of a question. It needs no script.
func (q Question) Page() ([]byte, error) {
	var out bytes.Buffer
	if err := question.Execute(&out, q); err != nil {
		return nil, fmt.Errorf("showing a question: %w", err)
	}
	return out.Bytes(), nil
}
