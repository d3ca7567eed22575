package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// maxBody is the longest body that is read: 1 MiB.
const maxBody = 1 << 20

type ctxKey int

const (
	ctxActor ctxKey = iota
	ctxRequest
	ctxAddress
	ctxOnce
)

func actor(ctx context.Context) account.Actor {
	a, _ := ctx.Value(ctxActor).(account.Actor)
	return a
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(ctxRequest).(string)
	return id
}

// edge refuses what no database could hold and no form could mean, before
// anything else looks at it, and reads the body once.
func (s *Server) edge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		id := r.Header.Get("X-Request-Id")
		if id == "" {
			id = store.NewID()
			h.Set("X-Request-Id", id)
		}
		r = r.WithContext(context.WithValue(r.Context(), ctxRequest, id))
		if store.CheckText("path", r.URL.Path) != nil || !decentQuery(r) {
			writeProblem(w, misused(http.StatusBadRequest, "The address holds characters that mean nothing here (broken UTF-8, or the character NUL)."))
			return
		}
		if r.Body != nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
			body, p := readBody(w, r)
			if p != nil {
				writeProblem(w, p)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.ContentLength = int64(len(body))
		}
		next.ServeHTTP(w, r)
	})
}

func decentQuery(r *http.Request) bool {
	for k, all := range r.URL.Query() {
		if store.CheckText("query", k) != nil {
			return false
		}
		for _, v := range all {
			if store.CheckText("query", v) != nil {
				return false
			}
		}
	}
	return true
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, misused(http.StatusRequestEntityTooLarge, "The body is longer than 1 MiB.")
	case err != nil:
		return nil, misused(http.StatusBadRequest, "The body could not be read to its end.")
	case len(body) == 0:
		return nil, nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, misused(http.StatusUnsupportedMediaType, "The body must be application/json in UTF-8.")
	}
	if !utf8.Valid(body) {
		return nil, misused(http.StatusBadRequest, "The body is not UTF-8.")
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, misused(http.StatusBadRequest, "The body is not JSON.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, misused(http.StatusBadRequest, "Something follows the JSON in the body.")
	}
	if place, ok := noNUL("body", v); !ok {
		p := misused(http.StatusUnprocessableEntity, "The request does not fit: %s holds the character NUL.", place)
		p.Errors = []ErrorAt{{place, "this holds the character NUL, which no name has"}}
		p.Refusals = []RefusalView{{Field: strings.TrimPrefix(place, "body."), Code: "form", Reason: "This holds the character NUL.", Remedy: "Type it again instead of pasting it."}}
		return nil, p
	}
	return body, nil
}

// noNUL finds the first text with the character NUL, which PostgreSQL refuses.
func noNUL(place string, v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return place, !strings.ContainsRune(v, 0)
	case []any:
		for _, x := range v {
			if p, ok := noNUL(place, x); !ok {
				return p, false
			}
		}
	case map[string]any:
		for k, x := range v {
			if strings.ContainsRune(k, 0) {
				return place, false
			}
			if p, ok := noNUL(place+"."+k, x); !ok {
				return p, false
			}
		}
	}
	return "", true
}

// public are the addresses that need no token.
func (s *Server) public(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, Prefix+"/openapi") {
		return true
	}
	for _, o := range s.ops {
		if o.Public && o.Method == r.Method && o.Path == r.URL.Path {
			return true
		}
	}
	return false
}

// bearer knows callers by their token and by nothing else. Cookies are not even
// looked at: a page of another site could send them.
func (s *Server) bearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), ctxAddress, r.RemoteAddr)
		if s.public(r) {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || secret == "" {
			writeProblem(w, misused(http.StatusUnauthorized, "This needs a token: Authorization: Bearer …. Get one with causeway login."))
			return
		}
		a, err := s.People.Token(ctx, strings.TrimSpace(secret), r.RemoteAddr)
		if err != nil {
			p := fail(s.Log, requestID(ctx), err)
			if errors.Is(err, fault.Forbidden) {
				p.Status, p.Title = http.StatusUnauthorized, http.StatusText(http.StatusUnauthorized)
			}
			writeProblem(w, p)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, ctxActor, a)))
	})
}

// asPerson is the person behind a token of full scope, for the deeds that ask for
// the person's own password in the same call: that password, whose tries are
// counted, proves the person, as it does at the sign-in; the token proves nothing
// more here. A token that may only read stays what it is.
func asPerson(a account.Actor) account.Actor {
	if a.Scope == account.ScopeAll {
		a.Token, a.Scope = "", ""
	}
	return a
}
