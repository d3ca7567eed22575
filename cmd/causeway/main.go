// Command causeway is the whole product: portal, API, worker, simulator and
// the commands that talk to a running server.
package main

import (
	"os"

	"causeway/internal/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], cli.Process())) }
