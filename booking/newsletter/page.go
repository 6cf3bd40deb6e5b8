package newsletter

import (
	"fmt"

	"github.com/ropeline/ropeline/booking/wording"
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

// Page is what whoever follows a link sees: it asks, and says what was done. It needs no script.
func Page(c Consent, step Step, done bool) ([]byte, error) {
	words, ok := pages[c.Language][step]
	if !ok {
		words = pages["en"][step]
	}
	shown := wording.Question{Language: c.Language, Heading: words.Heading, Lead: fmt.Sprintf(words.Lead, c.Organization), Button: words.Button}
	if done {
		shown.Heading, shown.Lead, shown.Button = words.Done, fmt.Sprintf(words.DoneLead, c.Organization), ""
	}
	return shown.Page()
}
