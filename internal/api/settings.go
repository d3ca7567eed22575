package api

import (
	"context"
	"encoding/json"
	"time"

	"causeway/internal/account"
	"causeway/internal/partner"
)

type (
	brandIn     struct{ Body Brand }
	rulesIn     struct{ Body partner.Rules }
	microsoftIn struct{ Body partner.Microsoft }
	historyIn   struct {
		Kind  string `path:"kind" enum:"brand,rules,microsoft"`
		Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
	}
)

// Brand is every word and colour that a customer sees.
type Brand struct {
	partner.Brand
	Mark string `json:"mark" maxLength:"40000" doc:"The mark as SVG text; empty: the built-in one."` // in place of the brand's own, which is bytes
}

func viewBrand(b partner.Brand, err error) (Brand, error) {
	return Brand{b, string(b.Mark)}, err
}

// brand is what was sent, as the settings take it.
func (b Brand) brand() partner.Brand {
	b.Brand.Mark = []byte(b.Mark)
	return b.Brand
}

// SettingsChange is one saved version.
type SettingsChange struct {
	Version int64           `json:"version"`
	At      time.Time       `json:"at"`
	By      string          `json:"by"`
	Body    json.RawMessage `json:"body"`
}

func (s *Server) routeSettings() {
	const seen = "Send the version as it was read: 409 if somebody saved meanwhile. Everything that is wrong is named at once."
	handle(s, op{id: "get-brand", is: "GET /settings/brand", tag: "settings", text: "Every word and colour that a customer sees", act: account.ActSettingsView}, func(ctx context.Context, a account.Actor, _ *none) (Brand, error) {
		return viewBrand(see(a, func() (partner.Brand, error) { return s.Settings.Brand(ctx) }))
	})
	handle(s, op{id: "set-brand", is: "PUT /settings/brand", tag: "settings", text: "Save a new version of the brand", act: account.ActSettingsChange, more: seen}, func(ctx context.Context, a account.Actor, in *brandIn) (Brand, error) {
		if err := s.Settings.SetBrand(ctx, a, in.Body.Version, in.Body.brand()); err != nil {
			return Brand{}, err
		}
		return viewBrand(s.Settings.Brand(ctx))
	})
	handle(s, op{id: "get-rules", is: "GET /settings/rules", tag: "settings", text: "Who may onboard, and how", act: account.ActSettingsView}, func(ctx context.Context, a account.Actor, _ *none) (partner.Rules, error) {
		return see(a, func() (partner.Rules, error) { return s.Settings.Rules(ctx) })
	})
	handle(s, op{id: "set-rules", is: "PUT /settings/rules", tag: "settings", text: "Save a new version of these rules", act: account.ActSettingsChange, more: seen}, func(ctx context.Context, a account.Actor, in *rulesIn) (partner.Rules, error) {
		if err := s.Settings.SetRules(ctx, a, in.Body.Version, in.Body); err != nil {
			return partner.Rules{}, err
		}
		return see(a, func() (partner.Rules, error) { return s.Settings.Rules(ctx) })
	})
	handle(s, op{id: "get-microsoft", is: "GET /settings/microsoft", tag: "settings", text: "Who the partner is at Microsoft, and where Microsoft is", act: account.ActSettingsView}, func(ctx context.Context, a account.Actor, _ *none) (partner.Microsoft, error) {
		return see(a, func() (partner.Microsoft, error) { return s.Settings.Microsoft(ctx) })
	})
	handle(s, op{id: "set-microsoft", is: "PUT /settings/microsoft", tag: "settings", text: "Save a new version of that", act: account.ActSettingsChange,
		more: seen + " New addresses count after a restart."}, func(ctx context.Context, a account.Actor, in *microsoftIn) (partner.Microsoft, error) {
		if err := s.Settings.SetMicrosoft(ctx, a, in.Body.Version, in.Body); err != nil {
			return partner.Microsoft{}, err
		}
		return see(a, func() (partner.Microsoft, error) { return s.Settings.Microsoft(ctx) })
	})
	handle(s, op{id: "list-settings-changes", is: "GET /settings/{kind}/history", tag: "settings", text: "Who changed what, the newest first", act: account.ActSettingsView}, func(ctx context.Context, a account.Actor, in *historyIn) (Page[SettingsChange], error) {
		list, err := s.Settings.History(ctx, a, in.Kind, in.Limit)
		return Page[SettingsChange]{Items: each(list, func(c partner.Change) SettingsChange { return SettingsChange(c) })}, err
	})
}

// see reads settings for somebody who may see them.
func see[T any](a account.Actor, read func() (T, error)) (T, error) {
	if err := account.May(a, account.ActSettingsView, ""); err != nil {
		var none T
		return none, err
	}
	v, err := read()
	return full(v), err
}
