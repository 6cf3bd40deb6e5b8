package wording

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/ropeline/ropeline/booking/tariff"
)

var (
	weekdays = map[string][7]string{
		"en": {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		"de": {"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
	}
	months = map[string][12]string{
		"en": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		"de": {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
	}
	dates = map[string]string{"en": "%[1]s, %[2]d %[3]s %[4]d, %[5]s", "de": "%[1]s, %[2]d. %[3]s %[4]d, %[5]s Uhr"}
)

// Date says when something is, by the clock of a place (IANA); of one that nobody knows, UTC.
func Date(lang string, at time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	if _, ok := dates[lang]; !ok {
		lang = Languages()[0]
	}
	at = at.In(place)
	return fmt.Sprintf(dates[lang], weekdays[lang][at.Weekday()], at.Day(), months[lang][at.Month()-1], at.Year(), at.Format("15:04"))
}

// Money says an amount of minor units, as 45.00 EUR.
func Money(lang string, amount int64, code string) string {
	text := tariff.Decimal(amount, code)
	if lang == "de" {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text + " " + code
}

// Before says what was before a change; nothing: nothing.
func Before(lang, what string) string {
	if what == "" {
		return ""
	}
	return say(lang, "before") + " " + what
}

// Trouble says why a payment has not gone through: it was declined, has failed, or is acting,
// which waits for its buyer at the bank.
func Trouble(lang, why string) string { return say(lang, why) }

// Roles says in which roles somebody is to work; one that has no name here is said as it is.
func Roles(lang string, roles []string) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = cmp.Or(say(lang, role), role)
	}
	return strings.Join(names, ", ")
}

// Clock says a time of a day, by the clock of a place.
func Clock(lang string, at time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	at = at.In(place)
	return fmt.Sprintf(say(lang, "clock"), at.Format("15:04"), at.Format("MST"))
}

// Doors says when doors open, by the clock of a place.
func Doors(lang string, at time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	return fmt.Sprintf(say(lang, "doors"), at.In(place).Format("15:04"))
}
