package sim

import "time"

// armWorld is what Resource Manager holds beside customers and subscriptions.
type armWorld struct{}

// armTenant is what Resource Manager holds per customer tenant.
type armTenant struct{}

// armSubscription is what Resource Manager holds per Azure subscription.
type armSubscription struct{}

// registerARM adds the routes of Resource Manager.
func (s *Server) registerARM() {}

// born is called, under the write lock, for every new Azure subscription.
func (s *Server) born(w *world, sub *AzureSubscription, now time.Time) {}

// dumpARM adds what Resource Manager knows to the dump of a customer.
func (s *Server) dumpARM(w *world, cu *Customer, into map[string]any, now time.Time) {}
