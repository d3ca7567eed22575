package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"causeway/internal/account"

	"github.com/danielgtaylor/huma/v2"
)

// op declares one operation; the rest of it is its types.
type op struct {
	id      string // verb-noun, for generated clients
	is      string // "GET /providers/{id}", below Prefix
	tag     string
	text    string // one sentence
	act     account.Action
	public  bool
	created bool // answers 201
	more    string
}

// answer carries a body out.
type answer[O any] struct {
	Body O
}

// nothing answers 204.
type nothing struct{}

// handle registers an operation. The handler gets who calls and gives the body,
// or an error that the one table turns into a problem.
func handle[I, O any](s *Server, o op, h func(context.Context, account.Actor, *I) (O, error)) {
	operation := s.declare(o)
	huma.Register(s.huma, operation, func(ctx context.Context, in *I) (*answer[O], error) {
		out, err := h(ctx, actor(ctx), in)
		if err != nil {
			return nil, fail(s.Log, requestID(ctx), err)
		}
		return &answer[O]{out}, nil
	})
}

// act registers an operation that answers with nothing.
func act[I any](s *Server, o op, h func(context.Context, account.Actor, *I) error) {
	operation := s.declare(o)
	operation.DefaultStatus = http.StatusNoContent
	huma.Register(s.huma, operation, func(ctx context.Context, in *I) (*nothing, error) {
		if err := h(ctx, actor(ctx), in); err != nil {
			return nil, fail(s.Log, requestID(ctx), err)
		}
		return nil, nil
	})
}

func (s *Server) declare(o op) huma.Operation {
	method, path, _ := strings.Cut(o.is, " ")
	s.ops = append(s.ops, Route{ID: o.id, Method: method, Path: Prefix + path, Action: o.act, Public: o.public})
	operation := huma.Operation{
		OperationID: o.id, Method: method, Path: Prefix + path, Tags: []string{o.tag}, Summary: o.text, Description: o.more,
		DefaultStatus: http.StatusOK, MaxBodyBytes: maxBody, BodyReadTimeout: -1,
		Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable},
	}
	if o.created {
		operation.DefaultStatus = http.StatusCreated
	}
	if o.public {
		operation.Security = []map[string][]string{}
	}
	if o.act != "" {
		operation.Extensions = map[string]any{"x-right": string(o.act)}
	}
	if method != http.MethodGet {
		operation.Errors = append(operation.Errors, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
		if !o.public {
			operation.Parameters = append(operation.Parameters, &huma.Param{
				Name: KeyHeader, In: "header", Schema: &huma.Schema{Type: "string"},
				Description: "Names this write. Sent again with the same content, it is not done again: the first answer comes, with " + ReplayedHeader + ": true.",
			})
		}
	}
	return operation
}

// What many operations take. The parts that are embedded are exported, because
// huma does not look into others.
type (
	none struct{}
	// ByID names an object in the path.
	ByID struct {
		ID string `path:"id" maxLength:"100"`
	}
	// PageOf asks for a part of a list.
	PageOf struct {
		After string `query:"after" maxLength:"200" doc:"Cursor: next of the page before."`
		Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	}
)

// Page is a part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Pass it as after to get the next page; missing at the end."`
}

// each maps a list; the result is never null.
func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, 0, len(list))
	for _, a := range list {
		out = append(out, f(a))
	}
	return out
}

// full makes the slices of a value that are nil empty, so that what was read can
// be sent back: a list is never null here.
func full[T any](v T) T {
	fill(reflect.ValueOf(&v).Elem())
	return v
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				fill(v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}
