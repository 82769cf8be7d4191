// Command fetchmnist puts the MNIST (and Fashion-MNIST) files into the
// per-user cache and prints the folder, one line for each data set asked for:
//
//	dir=$(go run ./scripts/fetchmnist)
//	go run ./scripts/fetchmnist mnist fashion-mnist
//
// The files are verified against pinned checksums and fetched once; package
// internal/fetch says from where.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/cambium-go/cambium/internal/fetch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: 0 done, 1 the work failed, 2 the command line was wrong.
func run(ctx context.Context, names []string, stdout, stderr io.Writer) int {
	if len(names) == 0 {
		names = []string{"mnist"}
	}
	fetchers := map[string]func(context.Context, io.Writer) (string, error){
		"mnist":         fetch.MNIST,
		"fashion-mnist": fetch.FashionMNIST,
	}
	for _, name := range names {
		get, ok := fetchers[name]
		if !ok {
			fmt.Fprintf(stderr, "fetchmnist: unknown data set %q\nusage: fetchmnist [mnist] [fashion-mnist]\n", name)
			return 2
		}
		dir, err := get(ctx, stderr)
		if err != nil {
			fmt.Fprintf(stderr, "fetchmnist: %v\n", err)
			return 1
		}
		fmt.Fprintln(stdout, dir)
	}
	return 0
}
