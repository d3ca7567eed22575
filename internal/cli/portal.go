package cli

import "net/http"

// portal is what people see in a browser.
func (a *App) portal() (http.Handler, error) { return http.NotFoundHandler(), nil }
