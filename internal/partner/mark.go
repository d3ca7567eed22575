package partner

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const maxMark = 32 << 10

// markParts are the only elements of a mark. An SVG can carry scripts, links
// and fonts; whoever may set the brand must not be able to run anything in a
// customer's browser.
var markParts = map[string]bool{
	"svg": true, "g": true, "path": true, "circle": true, "ellipse": true, "rect": true, "line": true, "polyline": true, "polygon": true,
	"title": true, "desc": true, "defs": true, "linearGradient": true, "radialGradient": true, "stop": true, "clipPath": true,
}

// markAttributes are the only attributes; style, on… and every kind of href are
// missing on purpose.
var markAttributes = strings.Fields(`xmlns version viewBox width height preserveAspectRatio id d cx cy r rx ry x y x1 y1 x2 y2 fx fy
	points fill fill-rule fill-opacity clip-rule clip-path clipPathUnits stroke stroke-width stroke-linecap stroke-linejoin stroke-opacity
	stroke-dasharray stroke-miterlimit opacity transform offset stop-color stop-opacity gradientUnits gradientTransform spreadMethod
	role aria-label`)

// markFault accepts no mark, or an SVG of plain shapes; else it says what is wrong.
func markFault(mark []byte) string {
	if len(mark) == 0 {
		return ""
	}
	if len(mark) > maxMark {
		return fmt.Sprintf("The mark has %d KB.", (len(mark)+1023)/1024)
	}
	const no = "The mark is not an SVG picture."
	d := xml.NewDecoder(bytes.NewReader(mark))
	depth, roots := 0, 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if roots != 1 {
				return no
			}
			return ""
		}
		if err != nil {
			return no
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 {
				if roots++; t.Name.Local != "svg" {
					return no
				}
			}
			depth++
			if !markParts[t.Name.Local] || t.Name.Space != "http://www.w3.org/2000/svg" {
				return fmt.Sprintf("The mark holds an element %q.", t.Name.Local)
			}
			for _, a := range t.Attr {
				if !slices.Contains(markAttributes, a.Name.Local) || a.Name.Space != "" || strings.Contains(strings.ToLower(a.Value), "url(") && !strings.HasPrefix(a.Value, "url(#") {
					return fmt.Sprintf("The mark holds an attribute %q.", a.Name.Local)
				}
			}
		case xml.EndElement:
			depth--
		case xml.Directive: // a DOCTYPE can define entities
			return no
		case xml.ProcInst:
			if t.Target != "xml" {
				return no
			}
		}
	}
}
