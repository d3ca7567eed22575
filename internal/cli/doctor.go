package cli

import (
	"context"

	"causeway/internal/api"
)

// Doctor checks everything outside of the program and changes nothing.
func (a *App) Doctor(ctx context.Context) []api.Check { return nil }
