// Package sim plays Microsoft: Entra ID, Partner Center, Graph and Azure Resource
// Manager on one port, with the documented waits, refusals and misbehaviours. It
// owns its own reading of Microsoft's documents and nothing else; it shares no type
// with our clients, so that a wrong reading on either side shows.
//
// # For tests
//
//	pc := sim.Start(t, sim.WithLatency(sim.Recorded), sim.WithFactor(20))
//	pc.HangUpAfter("POST /v1/customers")     // it happens, and the answer is lost
//	pc.Advance(15 * time.Minute)             // every wait of up to 15 minutes is over
//	pc.Customers(); pc.Calls("POST /v1/customers"); pc.Timeline(id)
//
// pc.URL is HTTPS and serves all of Microsoft's hosts by path; pc.Client() trusts
// its CA; pc.PlainURL serves the pages for people and the control API over HTTP.
//
// # How it is built
//
//   - Server.serve (server.go) takes every request: route, faults, token, throttle,
//     replay, lock, handler, answer, call log. A handler gets a *call and returns a
//     reply; it runs under the world's lock that its route names.
//   - Routes are added by Server.on(service, "METHOD /template", needs, access,
//     handler, options…) in the register functions: registerARM (arm_routes.go),
//     registerGraph, registerCLC and so on. {name} takes one segment, {name...} the
//     rest, and a leading {scope...} any prefix, as Resource Manager's scopes need.
//   - world (world.go) is all state. A change that is seen later is a lagging[T] or a
//     time to compare c.now with: nothing runs in the background but webhooks.
//     c.after(WaitX) is when an effect of this call is seen; c.effect(customer, what,
//     id, visible) notes it for the vendor's critical path; c.record adds an audit
//     record; c.emit a webhook.
//   - Errors: pcError, pcNewError (Partner Center), armError, c.odataError (Graph),
//     c.entraError, clcError; 401s are made by call.authenticate.
//   - Billing (bill_*.go) has state and a lock of its own, billing.mu, which is taken
//     before the world's: its routes are unlocked. A month's records are made anew from
//     seed and number whenever they are read (bill_generate.go); what was planted in an
//     invoice is defined in bill_sealed.go.
//   - c.who is the token: Type "app" or "user", Tenant, Object, UPN, MFA(), and Home
//     where the person's own tenant is another one.
package sim
