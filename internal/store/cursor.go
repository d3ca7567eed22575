package store

import (
	"encoding/base64"
	"strconv"
	"strings"

	"causeway/internal/fault"
)

// Cursor names the last row of a page that is ordered by time and id. It is
// opaque to the caller.
func Cursor(us int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(us, 10) + " " + id))
}

// ParseCursor reads a cursor back.
func ParseCursor(s string) (us int64, id string, err error) {
	bad := fault.Field("cursor", "The cursor is not one of ours.", "Take it from the answer of the page before, or leave it out.")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, "", bad
	}
	t, id, ok := strings.Cut(string(b), " ")
	if us, err = strconv.ParseInt(t, 10, 64); err != nil || !ok || CheckText("cursor", id) != nil {
		return 0, "", bad
	}
	return us, id, nil
}
