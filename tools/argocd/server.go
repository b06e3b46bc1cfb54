//go:build server

// Command argocd-cmp-server is Argo CD's own config management plugin server. Argo CD's one program runs the same code
// under this name, but takes 760 packages more to build.
package main

import (
	"os"

	"github.com/argoproj/argo-cd/v3/cmd/argocd-cmp-server/commands"
)

func main() {
	if err := commands.NewCommand().Execute(); err != nil {
		os.Exit(1)
	}
}
