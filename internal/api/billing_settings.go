package api

import (
	"bytes"
	"context"
	"encoding/json"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
)

// BillingSettings are decisions about billing. To change them, send what was read,
// changed: the version says on top of what.
type BillingSettings struct {
	Version  int64           `json:"version" doc:"0: nothing was decided yet, and what holds is shown."`
	Settings json.RawMessage `json:"settings" doc:"Of the partner: sellers with their party, number prefix, tax rules and how to pay; pattern, pay_days, spread, mail. Of an account: currency, seller, vat, switches, cost_centers."`
}

type settingsIn struct {
	Body BillingSettings
}

type accountSettingsIn struct {
	ByAlias
	Body BillingSettings
}

func (s *Server) routeBillingSettings() {
	handle(s, op{id: "get-billing-settings", is: "GET /billing/settings", tag: "billing", text: "Who sells, with which taxes, and how accounts are billed", act: account.ActBillingView}, func(ctx context.Context, a account.Actor, _ *none) (BillingSettings, error) {
		if err := account.May(a, account.ActBillingView, ""); err != nil {
			return BillingSettings{}, err
		}
		setup, err := s.Billing.Setup(ctx)
		if err != nil {
			return BillingSettings{}, err
		}
		return settings(setup.Version, setup)
	})
	act(s, op{id: "set-billing-settings", is: "PUT /billing/settings", tag: "billing", text: "Decide who sells, with which taxes, and how accounts are billed", act: account.ActBillingChange,
		more: "Without a tax rule for the country of an account its bills are not drafted; the month says so."}, func(ctx context.Context, a account.Actor, in *settingsIn) error {
		var setup billing.Setup
		if err := in.Body.into(&setup); err != nil {
			return err
		}
		return s.Billing.SetSetup(ctx, a, in.Body.Version, setup)
	})
	handle(s, op{id: "get-account-billing-settings", is: "GET /billing/accounts/{alias}/settings", tag: "billing", text: "How an account is billed", act: account.ActBillingView}, func(ctx context.Context, a account.Actor, in *ByAlias) (BillingSettings, error) {
		if err := account.May(a, account.ActBillingView, ""); err != nil {
			return BillingSettings{}, err
		}
		if _, err := s.People.Account(ctx, account.Alias(in.Alias)); err != nil {
			return BillingSettings{}, err
		}
		setup, err := s.Billing.AccountSetup(ctx, in.Alias)
		if err != nil {
			return BillingSettings{}, err
		}
		return settings(setup.Version, setup)
	})
	act(s, op{id: "set-account-billing-settings", is: "PUT /billing/accounts/{alias}/settings", tag: "billing", text: "Decide how an account is billed", act: account.ActBillingChange,
		more: "The pattern of a month that was billed stays."}, func(ctx context.Context, a account.Actor, in *accountSettingsIn) error {
		var setup billing.AccountSetup
		if err := in.Body.into(&setup); err != nil {
			return err
		}
		return s.Billing.SetAccountSetup(ctx, a, account.Alias(in.Alias), in.Body.Version, setup)
	})
}

func settings(version int64, of any) (BillingSettings, error) {
	b, err := json.Marshal(of)
	return BillingSettings{version, b}, err
}

// into reads the settings; a member that nobody knows is a misspelt one.
func (b BillingSettings) into(setup any) error {
	d := json.NewDecoder(bytes.NewReader(b.Settings))
	d.DisallowUnknownFields()
	if err := d.Decode(setup); err != nil {
		return fault.Field("settings", "The settings cannot be read: "+err.Error()+".", "Change what the call to read them gives.")
	}
	return nil
}
