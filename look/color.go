package look

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// color is one of sRGB, each part from 0 to 1.
type color [3]float64

// parseColor reads #rgb and #rrggbb.
func parseColor(s string) (color, bool) {
	hex, ok := strings.CutPrefix(s, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if !ok || len(hex) != 6 || err != nil || strings.ContainsAny(hex, "+_") {
		return color{}, false
	}
	return color{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}, true
}

func known(s string) color {
	c, ok := parseColor(s)
	if !ok {
		panic("look: " + s + " is no color") // of ours
	}
	return c
}

func (c color) String() string {
	return fmt.Sprintf("#%02x%02x%02x", byte(math.Round(c[0]*255)), byte(math.Round(c[1]*255)), byte(math.Round(c[2]*255)))
}

// mix goes from one color to another by a share from 0 to 1, and to one that can be
// written: what is checked is what is shown.
func (c color) mix(to color, share float64) color {
	for i := range c {
		c[i] += (to[i] - c[i]) * share
	}
	return known(c.String())
}

// luminance is that of WCAG 2.2, from 0 to 1.
func (c color) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b color) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// What WCAG AA asks of text, and of the borders of controls.
const (
	ofText    = 4.5
	ofControl = 3
)

var black, white = color{}, color{1, 1, 1}
