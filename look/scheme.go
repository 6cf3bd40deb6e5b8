package look

import "math"

// scheme is a color scheme as base.css has it, with an organizer's colors in it.
type scheme struct {
	name string

	ground, card, sunken, line              color
	ink, inkSoft, edge, brass, good, bad    color
	accent, accentText, accentDeep, onColor color
	frame                                   color
}

// The colors of base.css that something of an organizer's may come to stand beside; a
// test compares them.
var (
	light = scheme{name: "light",
		ground: known("#f5eee2"), card: known("#fffaf1"), sunken: known("#ece2d2"), line: known("#d8c8b2"),
		ink: known("#24171b"), inkSoft: known("#5d4a4d"), edge: known("#8f7b6d"), brass: known("#765510"), good: known("#1c6546"), bad: known("#a2231f"),
		accent: known("#8c1537"), accentText: known("#8c1537"), accentDeep: known("#6d0e29"), onColor: known("#fff6ee"), frame: known("#3a0d1c")}
	dark = scheme{name: "dark",
		ground: known("#150d10"), card: known("#20151a"), sunken: known("#2b1d22"), line: known("#412d34"),
		ink: known("#f6ebdf"), inkSoft: known("#c3aea9"), edge: known("#86707a"), brass: known("#e6c16c"), good: known("#7fd3a8"), bad: known("#ff9c92"),
		accent: known("#b0224a"), accentText: known("#ff94ad"), accentDeep: known("#8f1a3b"), onColor: known("#fff6ee"), frame: known("#43101f")}
)

// schemes puts a look's colors into both schemes, or says which cannot be read on what.
func (l Look) schemes() ([2]scheme, error) {
	both := [2]scheme{light, dark}
	for i, p := range []Palette{l.Colors.Light, l.Colors.Dark} {
		s := &both[i]
		if err := s.stand(p.Ground); err != nil {
			return both, err
		}
		given := p.Accent
		if i == 1 && given == "" && l.Colors.Light.Accent != "" {
			given = both[0].accent.readableOn(white, s.ground, s.card).String()
		}
		if err := s.paint(given); err != nil {
			return both, err
		}
	}
	return both, nil
}

// stand puts the page on another ground. Cards, and what is sunken, follow it as they
// follow ours; texts stay, so the ground must let them be read.
func (s *scheme) stand(ground string) error {
	if ground == "" {
		return nil
	}
	g, ok := parseColor(ground)
	if !ok {
		return refuse(ErrInvalid, "colors.%s.ground: %q is no color as #fdf6ec.", s.name, ground)
	}
	lift := 0.6
	if s.name == dark.name {
		lift = 0.06
	}
	s.ground, s.card, s.sunken, s.line = g, g.mix(white, lift), g.mix(s.ink, 0.06), g.mix(s.ink, 0.2)
	for _, text := range []struct {
		name  string
		color color
		least float64
	}{{"text", s.ink, ofText}, {"small text", s.inkSoft, ofText}, {"small caps", s.brass, ofText}, {"good news", s.good, ofText}, {"bad news", s.bad, ofText}, {"border of a field", s.edge, ofControl}} {
		for _, under := range []color{s.ground, s.card} {
			if r := contrast(text.color, under); r < text.least {
				return refuse(ErrContrast, "The %s (%s) has a contrast of %s:1 against colors.%s.ground %s, and needs %s:1 at least: choose a %ser ground.",
					text.name, text.color, ratio(r), s.name, g, ratio(text.least), s.name)
			}
		}
	}
	return nil
}

// paint gives buttons, links and the rope their color.
func (s *scheme) paint(accent string) error {
	if accent == "" {
		if s.readable(s.accentText) {
			return nil
		}
		accent = s.accentText.String() // ours, on a ground that is theirs
	}
	a, ok := parseColor(accent)
	if !ok {
		return refuse(ErrInvalid, "colors.%s.accent: %q is no color as #005f73.", s.name, accent)
	}
	for _, under := range []struct {
		name  string
		color color
	}{{"the page's background", s.ground}, {"the cards on it", s.card}} {
		if r := contrast(a, under.color); r < ofText {
			return refuse(ErrContrast, "colors.%s.accent %s has a contrast of %s:1 against %s, %s, and needs %s:1 at least: %s would do.",
				s.name, a, ratio(r), under.name, under.color, ratio(ofText), a.readableOn(s.far(), s.ground, s.card))
		}
	}
	s.accent, s.accentText, s.frame = a, a, a.mix(black, 0.6)
	s.onColor, s.accentDeep = white, a.mix(black, 0.2)
	if ink := known("#120c0e"); contrast(ink, a) > contrast(white, a) { // one of the two has 4.5 on any color
		s.onColor, s.accentDeep = ink, a.mix(white, 0.2)
	}
	return nil
}

func (s *scheme) readable(c color) bool {
	return contrast(c, s.ground) >= ofText && contrast(c, s.card) >= ofText
}

// far is where a color is moved to so that it can be read.
func (s *scheme) far() color {
	if s.name == dark.name {
		return white
	}
	return black
}

// readableOn moves a color towards another until it can be read on both grounds.
func (c color) readableOn(to color, grounds ...color) color {
	for share := 0.0; share < 1; share += 0.02 {
		moved, good := c.mix(to, share), true
		for _, g := range grounds {
			good = good && contrast(moved, g) >= ofText
		}
		if good {
			return moved
		}
	}
	return to
}

// ratio is written as it is compared: 4.499 is not 4.5.
func ratio(r float64) string { return trimmed(math.Floor(r*100) / 100) }
