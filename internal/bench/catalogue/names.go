package main

import (
	"math"
	"math/rand/v2"
	"strings"
)

// What names are put together of. Surnames are of syllables, so that there are thousands
// of words, of which most are rare, as in a guide of many countries.
var (
	givenNames = strings.Fields(`Ana Bruno Clara Daniel Elena Felipe Greta Hugo Inês Jonas Karin Lukas Maria Nuno Olga Pedro Quinn Rosa Søren Tomás
		Ursula Víctor Wanda Ximena Yara Zoë Aoife Björn Chloé Dimitri Émilie François Gábor Håkon Ivana Jürgen Kofi Léa Mónica Nadia`)
	beginnings = strings.Fields(`Al Bar Car Dor El Fer Gar Hal Is Jan Kar Lan Mar Nor Or Pal Quin Ros San Tor Ul Val Wil Xav Yor Zan Bel Cor Dal Ed Fal
		Gon Her Ing Jor Kel Lor Mon Nav Ost Per Ram Sil Tev Urs Ver Wes Yan Zel Ber Cas Del Est Fon Gir Hol Ib Jul Kov Lev Mir`)
	middles = strings.Fields(`a e i o u an en in on ber der ger ler mer ner ser ter ver ka la ma na ra sa`)
	endings = strings.Fields(`son sen dez vić ova ski mann berg stein ner ley ton field wood ham ford castro eira inho ães ões ini etti ano elli
		quist ström gård dahl lund oğlu adze yan akis opoulos escu`)
	adjectives = strings.Fields(`Paper Silver Midnight Electric Golden Broken Velvet Northern Crimson Quiet Burning Hollow Endless Wild Distant Frozen
		Secret Borrowed Little Wooden Neon Salt Amber Iron Winter Crooked Sleeping Grand Second Last`)
	nouns = strings.Fields(`Lanterns Wolves Harbors Engines Orchards Mirrors Rivers Foxes Pilots Gardens Thieves Comets Echoes Saints Towers Lions
		Shadows Letters Ravens Sparrows Cathedrals Bridges Horses Islands Tides Daughters Soldiers Kings Dreamers Machines Bells Diamonds`)
	works = strings.Fields(`Hamlet Macbeth Carmen Tosca Aida Turandot Nabucco Giselle Coppélia Antigone Medea Faust Salome Elektra Rusalka Otello
		Rigoletto Falstaff Idomeneo Parsifal Lohengrin Tannhäuser Fidelio Norma Werther Manon Lulu Wozzeck Orphée Pelléas`)
	sports  = strings.Fields(`United City Athletic Rovers Wanderers Racing Sporting Dynamo Union Olympic Real Harlequins Rangers Celtic Tigers Bears Falcons Sharks`)
	themes  = strings.Fields(`Robots Oceans Climate Cities Memory Trust Hunger Light Gravity Bees Money Sleep Language Music Maps Stars Bread Silence Ice Courage`)
	streets = strings.Fields(`Arena Stadion Coliseu Theater Halle Auditório Palais Forum Opera Hall Playhouse Garden Pavilhão Kulturhaus Academy`)
)

// cities are where halls are: name, country, zone, degrees.
var cities = []struct {
	name, country, zone string
	latitude, longitude float64
}{
	{"Lisboa", "PT", "Europe/Lisbon", 38.72, -9.14}, {"Porto", "PT", "Europe/Lisbon", 41.15, -8.61}, {"Madrid", "ES", "Europe/Madrid", 40.42, -3.70},
	{"Barcelona", "ES", "Europe/Madrid", 41.39, 2.17}, {"Sevilla", "ES", "Europe/Madrid", 37.39, -5.98}, {"Paris", "FR", "Europe/Paris", 48.86, 2.35},
	{"Lyon", "FR", "Europe/Paris", 45.76, 4.84}, {"Marseille", "FR", "Europe/Paris", 43.30, 5.37}, {"Köln", "DE", "Europe/Berlin", 50.94, 6.96},
	{"Berlin", "DE", "Europe/Berlin", 52.52, 13.41}, {"München", "DE", "Europe/Berlin", 48.14, 11.58}, {"Hamburg", "DE", "Europe/Berlin", 53.55, 9.99},
	{"Wien", "AT", "Europe/Vienna", 48.21, 16.37}, {"Zürich", "CH", "Europe/Zurich", 47.38, 8.54}, {"Milano", "IT", "Europe/Rome", 45.46, 9.19},
	{"Roma", "IT", "Europe/Rome", 41.90, 12.50}, {"Kraków", "PL", "Europe/Warsaw", 50.06, 19.94}, {"Praha", "CZ", "Europe/Prague", 50.08, 14.44},
	{"Budapest", "HU", "Europe/Budapest", 47.50, 19.04}, {"København", "DK", "Europe/Copenhagen", 55.68, 12.57}, {"Göteborg", "SE", "Europe/Stockholm", 57.71, 11.97},
	{"Oslo", "NO", "Europe/Oslo", 59.91, 10.75}, {"Helsinki", "FI", "Europe/Helsinki", 60.17, 24.94}, {"London", "GB", "Europe/London", 51.51, -0.13},
	{"Manchester", "GB", "Europe/London", 53.48, -2.24}, {"Glasgow", "GB", "Europe/London", 55.86, -4.25}, {"Dublin", "IE", "Europe/Dublin", 53.35, -6.26},
	{"New York", "US", "America/New_York", 40.71, -74.01}, {"Chicago", "US", "America/Chicago", 41.88, -87.63}, {"Los Angeles", "US", "America/Los_Angeles", 34.05, -118.24},
	{"Toronto", "CA", "America/Toronto", 43.65, -79.38}, {"São Paulo", "BR", "America/Sao_Paulo", -23.55, -46.63}, {"Buenos Aires", "AR", "America/Argentina/Buenos_Aires", -34.60, -58.38},
	{"Tokyo", "JP", "Asia/Tokyo", 35.68, 139.69}, {"Melbourne", "AU", "Australia/Melbourne", -37.81, 144.96}, {"Istanbul", "TR", "Europe/Istanbul", 41.01, 28.98},
}

// names makes names, always the same ones.
type names struct{ *rand.Rand }

// pick takes one, the earlier ones more often.
func pick[T any](n names, of []T) T { return of[n.skewed(len(of))] }

// skewed is a number below most, by Zipf's law: the k-th is met once where the first is k times.
func (n names) skewed(most int) int {
	return int(math.Exp(n.Float64()*math.Log(float64(most)+1))) - 1
}

// free is one that has an evening left, the earlier ones more often, and takes it.
func (n names) free(taken []int) int {
	for {
		if i := n.skewed(len(taken)); taken[i] < year {
			taken[i]++
			return i
		}
	}
}

// evenly takes one, each as often.
func evenly[T any](n names, of []T) T { return of[n.IntN(len(of))] }

func (n names) surname() string {
	s := pick(n, beginnings)
	if n.IntN(3) > 0 {
		s += evenly(n, middles)
	}
	return s + evenly(n, endings)
}

func (n names) person() string { return pick(n, givenNames) + " " + n.surname() }

func (n names) performer() string {
	switch n.IntN(5) {
	case 0:
		return "The " + evenly(n, adjectives) + " " + evenly(n, nouns)
	case 1:
		return n.surname() + " Quartet"
	case 2:
		return evenly(n, adjectives) + " " + n.surname()
	}
	return n.person()
}

// event names what somebody does somewhere, and its category.
func (n names) event(who, city string) (title, category string) {
	switch n.IntN(10) {
	case 0, 1, 2:
		return who, "music"
	case 3:
		return who + ": " + evenly(n, adjectives) + " " + evenly(n, nouns) + " Tour", "music"
	case 4:
		return evenly(n, works), "theater"
	case 5:
		return evenly(n, works) + " by the " + n.surname() + " Company", "theater"
	case 6:
		return "An Evening with " + who, "comedy"
	case 7:
		return city + " " + evenly(n, sports) + " v " + n.surname() + " " + evenly(n, sports), "sport"
	case 8:
		return evenly(n, adjectives) + " " + evenly(n, nouns) + " Festival", "festival"
	}
	return n.person() + " on " + evenly(n, themes), "talk"
}

// mistyped is a word with one slip of the hand: a letter too many, missing, another, or
// two turned.
func (n names) mistyped(word string) string {
	r := []rune(word)
	at, other := 1+n.IntN(len(r)-2), 'a'+rune(n.IntN(26))
	switch n.IntN(4) {
	case 0:
		return string(r[:at]) + string(other) + string(r[at:])
	case 1:
		return string(r[:at]) + string(r[at+1:])
	case 2:
		r[at] = other
	default:
		r[at], r[at+1] = r[at+1], r[at]
	}
	return string(r)
}
