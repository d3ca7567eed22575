package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// filter is the filter parameter: one comparison, or several joined.
type filter struct {
	Field    string `json:"Field"`
	Value    any    `json:"Value"`
	Operator string `json:"Operator"`
	Left     *filter
	Right    *filter
}

// matches compares a field's value; comparing is without case.
func (f *filter) matches(value func(field string) string) (bool, error) {
	if f.Left != nil || f.Right != nil {
		if f.Left == nil || f.Right == nil {
			return false, fmt.Errorf("a joined filter needs two sides")
		}
		l, err := f.Left.matches(value)
		if err != nil {
			return false, err
		}
		r, err := f.Right.matches(value)
		if foldEnum(f.Operator) == "or" {
			return l || r, err
		}
		return l && r, err
	}
	got, want := strings.ToLower(value(strings.ToLower(f.Field))), strings.ToLower(fmt.Sprint(f.Value))
	switch foldEnum(f.Operator) {
	case "equals":
		return got == want, nil
	case "notequals":
		return got != want, nil
	case "greaterthan":
		return got > want, nil
	case "greaterthanorequals":
		return got >= want, nil
	case "lessthan":
		return got < want, nil
	case "lessthanorequals":
		return got <= want, nil
	case "substring":
		return strings.Contains(got, want), nil
	case "startswith":
		return strings.HasPrefix(got, want), nil
	case "notstartswith":
		return !strings.HasPrefix(got, want), nil
	}
	return false, fmt.Errorf("operator %q is unknown", f.Operator)
}

// foldEnum makes enum text comparable: without case and underscores.
func foldEnum(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

// readFilter reads the filter parameter; nil = none.
func (c *call) readFilter() (*filter, *reply) {
	text := c.query("filter")
	if text == "" {
		return nil, nil
	}
	f := &filter{}
	if err := json.Unmarshal([]byte(text), f); err != nil {
		r := pcError(http.StatusBadRequest, 3000, "Invalid property: the filter is not JSON", "filter")
		return nil, &r
	}
	return f, nil
}

// readPage reads size and, for a following page, the place where it begins.
func (c *call) readPage(usual int) (size, from int, refusal *reply) {
	size = usual
	if text := c.query("size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			r := pcError(http.StatusBadRequest, 3000, "Invalid property", "size")
			return 0, 0, &r
		}
		if n > 0 {
			size = min(n, 500)
		}
	}
	if strings.EqualFold(c.query("seekOperation"), "Next") {
		raw, err := base64.StdEncoding.DecodeString(c.r.Header.Get("MS-ContinuationToken"))
		from, _ = strconv.Atoi(string(raw))
		if err != nil || from <= 0 {
			r := pcError(http.StatusBadRequest, 3000, "Invalid property", "MS-ContinuationToken")
			return 0, 0, &r
		}
	}
	return size, from, nil
}

// nextPage is the link to the page that begins at place; its header carries the token.
func (c *call) nextPage(place int) *link {
	q := c.r.URL.Query()
	q.Set("seekOperation", "Next")
	return &link{URI: strings.TrimPrefix(c.r.URL.Path, "/v1") + "?" + q.Encode(), Method: http.MethodGet,
		Headers: []header{{"MS-ContinuationToken", base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(place)))}}}
}
