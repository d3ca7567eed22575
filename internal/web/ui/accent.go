package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Accent is the one colour of a brand, as #rrggbb, once for each theme. Empty = the built-in one.
type Accent struct {
	Light string
	Dark  string
}

// The grounds of tokens.css on which an accent is read, and the two texts that can stand on it.
var (
	lightGrounds = []Pair{{"card", "#ffffff"}, {"canvas", "#f7f8fa"}, {"selected row", "tint-light"}}
	darkGrounds  = []Pair{{"card", "#1a1d23"}, {"canvas", "#0f1115"}, {"selected row", "tint-dark"}}
	onAccents    = []string{"#ffffff", "#14161b"}
)

// leastContrast is WCAG 2.2 AA for text.
const leastContrast = 4.5

// CSS is the content of /brand.css: two variables for each theme.
func (a Accent) CSS() string {
	var b strings.Builder
	for _, t := range []struct{ selector, colour string }{{":root", a.Light}, {".dark", a.Dark}} {
		if c, ok := parseColour(t.colour); ok {
			fmt.Fprintf(&b, "%s { --brand-accent: %s; --brand-on-accent: %s; }\n", t.selector, c.hex(), bestOn(c))
		}
	}
	if b.Len() == 0 {
		return "/* the built-in accent */\n"
	}
	return b.String()
}

// Check refuses an accent that cannot be read: below 4.5:1 on card, canvas, a
// selected row, or under its own button text. Fields are "accent_light" and "accent_dark".
func (a Accent) Check() Errors {
	var out Errors
	for _, t := range []struct {
		field, label, colour string
		grounds              []Pair
	}{
		{"accent_light", "Accent, light theme", a.Light, lightGrounds},
		{"accent_dark", "Accent, dark theme", a.Dark, darkGrounds},
	} {
		if t.colour == "" {
			continue
		}
		c, ok := parseColour(t.colour)
		if !ok {
			out = append(out, FieldError{t.field, t.label, fmt.Sprintf("%q is not a colour.", t.colour), "Write it as # and six digits, such as #3451d1."})
			continue
		}
		for _, g := range append(t.grounds, Pair{"its own button text", bestOn(c)}) {
			ground, ok := parseColour(g.Value)
			if !ok {
				ground = tint(c, g.Value)
			}
			if r := contrast(c, ground); r < leastContrast {
				out = append(out, FieldError{t.field, t.label,
					fmt.Sprintf("On the %s its contrast is %.1f to 1; 4.5 to 1 is needed.", strings.TrimPrefix(g.Name, "its "), math.Floor(r*10)/10),
					when(t.field == "accent_light", "Choose a darker colour.", "Choose a lighter colour.")})
				break
			}
		}
	}
	return out
}

type colour [3]float64

func parseColour(s string) (colour, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "#")
	if len(s) != 6 {
		return colour{}, false
	}
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return colour{}, false
	}
	return colour{float64(n >> 16), float64(n >> 8 & 255), float64(n & 255)}, true
}

func (c colour) hex() string {
	return fmt.Sprintf("#%02x%02x%02x", int(c[0]), int(c[1]), int(c[2]))
}

// tint mixes like --cw-running-bg in tokens.css.
func tint(c colour, which string) colour {
	part, base := 0.083, colour{255, 255, 255}
	if which == "tint-dark" {
		part, base = 0.13, colour{0x0d, 0x11, 0x22}
	}
	var out colour
	for i := range c {
		out[i] = c[i]*part + base[i]*(1-part)
	}
	return out
}

func (c colour) luminance() float64 {
	l := [3]float64{}
	for i, v := range c {
		v /= 255
		if v <= 0.04045 {
			l[i] = v / 12.92
		} else {
			l[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
}

func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

func bestOn(c colour) string {
	best, ratio := "", 0.0
	for _, o := range onAccents {
		oc, _ := parseColour(o)
		if r := contrast(c, oc); r > ratio {
			best, ratio = o, r
		}
	}
	return best
}
