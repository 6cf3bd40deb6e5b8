package newsletter

import "github.com/ropeline/ropeline/booking/optin"

var pages = optin.Pages{
	"en": {
		optin.Leave:   {Heading: "No more newsletters?", Lead: "You get no more newsletters from %s. What concerns your tickets is still told to you.", Button: "Send me no more", Done: "You get no more", DoneLead: "%s sends you no newsletter any more."},
		optin.Confirm: {Heading: "Do you want the newsletter?", Lead: "%s writes to you now and then. Each letter has a link that ends it.", Button: "Yes, send it to me", Done: "You get it from now on", DoneLead: "%s has your consent. A link in each letter ends it."},
	},
	"de": {
		optin.Leave:   {Heading: "Keine Newsletter mehr?", Lead: "Sie bekommen keine Newsletter von %s mehr. Was Ihre Tickets betrifft, erfahren Sie weiterhin.", Button: "Keine mehr senden", Done: "Sie bekommen keine mehr", DoneLead: "%s sendet Ihnen keinen Newsletter mehr."},
		optin.Confirm: {Heading: "Möchten Sie den Newsletter?", Lead: "%s schreibt Ihnen dann und wann. In jedem Brief steht ein Link, der das beendet.", Button: "Ja, bitte senden", Done: "Sie bekommen ihn von nun an", DoneLead: "%s hat Ihre Einwilligung. Ein Link in jedem Brief beendet sie."},
	},
}

// Page is what whoever follows a link sees: it asks, and says what was done.
func Page(c Consent, step optin.Step, done bool) ([]byte, error) {
	return pages.Page(c.Language, c.Organization, step, done)
}
