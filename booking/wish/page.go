package wish

import "github.com/ropeline/ropeline/booking/optin"

var pages = optin.Pages{
	"en": {
		optin.Confirm: {Heading: "Shall we tell you?", Lead: "We write once, when a sale of %s opens, and forget your address then.", Button: "Yes, tell me", Done: "We tell you", DoneLead: "We write when a sale of %s opens."},
		optin.Leave:   {Heading: "Not to be told any more?", Lead: "We forget your address, and do not write when a sale of %s opens.", Button: "Forget my address", Done: "Your address is forgotten", DoneLead: "We do not write about %s."},
	},
	"de": {
		optin.Confirm: {Heading: "Sollen wir Bescheid geben?", Lead: "Wir schreiben einmal, wenn ein Verkauf für %s beginnt, und vergessen Ihre Adresse dann.", Button: "Ja, bitte", Done: "Wir geben Bescheid", DoneLead: "Wir schreiben, wenn ein Verkauf für %s beginnt."},
		optin.Leave:   {Heading: "Kein Bescheid mehr?", Lead: "Wir vergessen Ihre Adresse und schreiben nicht, wenn ein Verkauf für %s beginnt.", Button: "Adresse vergessen", Done: "Ihre Adresse ist vergessen", DoneLead: "Wir schreiben nicht zu %s."},
	},
}

// Page is what whoever follows a link sees: it asks, and says what was done.
func Page(w Wish, step optin.Step, done bool) ([]byte, error) {
	return pages.Page(w.Language, w.Event, step, done)
}
