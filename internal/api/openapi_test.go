package api_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The committed document is the one that the program makes. To write it again:
// UPDATE_OPENAPI=1 go test ./internal/api -run TestTheOpenAPIDocumentIsFresh.
func TestTheOpenAPIDocumentIsFresh(t *testing.T) {
	const file = "../../docs/openapi.yaml"
	w := newWorld(t)
	is, err := w.app.API().OpenAPI()
	w.must(err)
	if os.Getenv("UPDATE_OPENAPI") != "" {
		w.must(os.WriteFile(file, is, 0o600))
	}
	was, err := os.ReadFile(file)
	w.must(err)
	if !bytes.Equal(is, was) {
		t.Error("docs/openapi.yaml is not what the program makes; run: UPDATE_OPENAPI=1 go test ./internal/api -run TestTheOpenAPIDocumentIsFresh")
	}
}

// The document says for every operation who may call it, how errors look, and for
// every write that it takes a key.
func TestTheOpenAPIDocumentIsWhole(t *testing.T) {
	w := newWorld(t)
	var doc struct {
		OpenAPI string
		Info    struct {
			License struct{ Name, Identifier string }
		}
		Paths map[string]map[string]struct {
			OperationID string
			Summary     string
			Security    *[]map[string][]string
			Parameters  []struct{ Name, In string }
			Responses   map[string]any
		}
		Components struct{ SecuritySchemes map[string]any }
	}
	caller{w: w, name: "nobody"}.want(200, "GET", "/openapi.json", nil).into(t, &doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.License.Name == "" || doc.Components.SecuritySchemes["token"] == nil {
		t.Errorf("frame = %+v", doc.Info)
	}
	n := 0
	for path, methods := range doc.Paths {
		for method, o := range methods {
			n++
			if o.OperationID == "" || o.Summary == "" {
				t.Errorf("%s %s has no name or summary", method, path)
			}
			if o.Responses["4XX"] == nil && o.Responses["401"] == nil && o.Responses["default"] == nil {
				t.Errorf("%s does not say how an error looks", o.OperationID)
			}
			public := o.Security != nil && len(*o.Security) == 0
			keyed := false
			for _, p := range o.Parameters {
				keyed = keyed || p.Name == "Idempotency-Key"
			}
			if method != "get" && !public && !keyed {
				t.Errorf("%s does not take a key", o.OperationID)
			}
		}
	}
	if routes := len(w.app.API().Routes()); n != routes {
		t.Errorf("the document has %d operations, the program %d", n, routes)
	}
	if _, err := json.Marshal(doc); err != nil {
		t.Error(err)
	}
}
