package partner

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"causeway/internal/fault"
)

// MinContrast is WCAG 2.2, success criterion 1.4.3, for text of normal size.
const MinContrast = 4.5

// ground is what an accent stands on or under, in the portal's tokens.
type ground struct{ name, color string }

// The grounds of both themes: --cw-card, --cw-canvas, and --cw-on-accent, the
// text of a primary button.
var (
	lightGrounds = []ground{{"the white card", "#ffffff"}, {"the canvas", "#f7f8fa"}, {"its own button text", "#ffffff"}}
	darkGrounds  = []ground{{"the dark card", "#1a1d23"}, {"the dark canvas", "#0f1115"}, {"its own button text", "#14161b"}}
)

var hexColor = regexp.MustCompile(`^#[0-9a-f]{6}$`)

// Contrast is the WCAG contrast ratio of two colours like #3451d1, from 1 to 21.
// https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
func Contrast(a, b string) (float64, error) {
	la, err := luminance(a)
	if err != nil {
		return 0, err
	}
	lb, err := luminance(b)
	if err != nil {
		return 0, err
	}
	return (math.Max(la, lb) + 0.05) / (math.Min(la, lb) + 0.05), nil
}

// luminance is the relative luminance of sRGB, 0 to 1.
func luminance(color string) (float64, error) {
	if !hexColor.MatchString(color) {
		return 0, fault.Field("color", fmt.Sprintf("%q is not a colour.", color), "Write it like #3451d1.")
	}
	n, err := strconv.ParseUint(color[1:], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("colour %s: %w", color, err)
	}
	part := func(shift uint) float64 {
		v := float64(n>>shift&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0), nil
}

// accentRefusal names every ground on which an accent cannot be read well
// enough, each with its ratio; ok if there is none.
func accentRefusal(field, accent string, grounds []ground, remedy string) (fault.Refusal, bool) {
	if !hexColor.MatchString(accent) {
		return fault.Refusal{Field: field, Code: "color", Reason: fmt.Sprintf("%q is not a colour.", accent), Remedy: "Write it like #3451d1."}, false
	}
	var low []string
	for _, g := range grounds {
		// Both are known to be colours. Rounded down: 4.499 is not shown as 4.5.
		if ratio, err := Contrast(accent, g.color); err != nil || ratio < MinContrast {
			low = append(low, fmt.Sprintf("%.2f:1 on %s", math.Floor(ratio*100)/100, g.name))
		}
	}
	if low == nil {
		return fault.Refusal{}, true
	}
	return fault.Refusal{
		Field: field, Code: "contrast",
		Reason: fmt.Sprintf("The accent %s has a contrast of %s; at least 4.5:1 is needed.", accent, strings.Join(low, " and ")),
		Remedy: remedy,
	}, false
}
