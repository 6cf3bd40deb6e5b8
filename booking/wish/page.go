package wish

import (
	"fmt"

	"github.com/ropeline/ropeline/booking/wording"
)

// pageWords are what the page of a link says.
type pageWords struct{ heading, lead, button, done, doneLead string }

var pages = map[string]map[Step]pageWords{
	"en": {
		Confirm: {"Shall we tell you?", "We write once, when a sale of %s opens, and forget your address then.", "Yes, tell me", "We tell you", "We write when a sale of %s opens."},
		Leave:   {"Not to be told any more?", "We forget your address, and do not write when a sale of %s opens.", "Forget my address", "Your address is forgotten", "We do not write about %s."},
	},
	"de": {
		Confirm: {"Sollen wir Bescheid geben?", "Wir schreiben einmal, wenn ein Verkauf für %s beginnt, und vergessen Ihre Adresse dann.", "Ja, bitte", "Wir geben Bescheid", "Wir schreiben, wenn ein Verkauf für %s beginnt."},
		Leave:   {"Kein Bescheid mehr?", "Wir vergessen Ihre Adresse und schreiben nicht, wenn ein Verkauf für %s beginnt.", "Adresse vergessen", "Ihre Adresse ist vergessen", "Wir schreiben nicht zu %s."},
	},
}

// Page asks whoever follows a link, and says what was done.
func Page(w Wish, step Step, done bool) ([]byte, error) {
	words, ok := pages[w.Language][step]
	if !ok {
		words = pages["en"][step]
	}
	q := wording.Question{Language: w.Language, Heading: words.heading, Lead: fmt.Sprintf(words.lead, w.Event), Button: words.button}
	if done {
		q.Heading, q.Lead, q.Button = words.done, fmt.Sprintf(words.doneLead, w.Event), ""
	}
	return q.Page()
}
