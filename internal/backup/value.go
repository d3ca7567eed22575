package backup

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// out gives a value of the database as it stands in the file: nothing, a truth, a
// whole number and a text as themselves, bytes and other numbers with their kind.
func out(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64:
		return v, nil
	case string:
		if !utf8.ValidString(v) { // JSON would change it silently
			return nil, errors.New("a text is not UTF-8; correct it in the database")
		}
		return v, nil
	case []byte:
		return map[string]string{"bytes": base64.StdEncoding.EncodeToString(v)}, nil
	case float64:
		return map[string]string{"number": strconv.FormatFloat(v, 'g', -1, 64)}, nil
	}
	return nil, fmt.Errorf("no way to write down a %T", v)
}

// back is the reverse of out.
func back(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case json.Number:
		return v.Int64()
	case map[string]any:
		if s, ok := v["bytes"].(string); ok {
			return base64.StdEncoding.DecodeString(s)
		}
		if s, ok := v["number"].(string); ok {
			return strconv.ParseFloat(s, 64)
		}
	}
	return nil, errors.New("a value of no kind")
}
