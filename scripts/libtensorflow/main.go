// Command libtensorflow puts TensorFlow's C library on this machine and says
// how to build against it:
//
//	go run ./scripts/libtensorflow install     # once: download, verify, unpack
//	eval "$(go run ./scripts/libtensorflow env)"
//	go build ./...
//
// It works the same from outside the repository, at the version of Cambium
// that your go.mod names:
//
//	go run github.com/cambium-go/cambium/scripts/libtensorflow@VERSION install
//
// The library and its headers come out of TensorFlow's own Python wheel, which
// pip downloads (no Python package is installed). Version and SHA-256 are
// pinned in pins.go. The result lies in the per-user cache,
//
//	<cache>/cambium/libtensorflow/2.18.1-cpu-linux-amd64/
//	    lib/                libtensorflow.so -> libtensorflow_cc.so.2, libtensorflow_framework.so.2
//	    include/            tensorflow/c, …
//	    nvidia/*/lib/       VARIANT=gpu: the CUDA libraries, where libtensorflow looks for them
//	    manifest.json       what was unpacked, to see that nothing is missing
//
// and appears there by a rename, so an installation is whole or absent. The
// environment decides what is used:
//
//	VARIANT=gpu          the CUDA build and its libraries (Linux, x86-64)
//	TENSORFLOW_ROOT=DIR  an installed libtensorflow (DIR/lib, DIR/include)
//	XDG_CACHE_HOME=DIR   another place for the cache
//	PYTHON=FILE          whose pip downloads; default: python3, pip3, pip, python
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/cambium-go/cambium/internal/fetch"
)

const usage = `usage: libtensorflow install|env [-variant cpu|gpu]

  install  download TensorFlow's C library into the user's cache, or check the one in TENSORFLOW_ROOT
  env      print the CGO_CFLAGS and CGO_LDFLAGS to build with:  eval "$(libtensorflow env)"

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: 0 done, 1 the work failed, 2 the command line was wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("libtensorflow", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage); flags.PrintDefaults() }
	variant := flags.String("variant", envOr("VARIANT", "cpu"), "cpu or gpu (CUDA); VARIANT in the environment sets the default")

	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	if command == "-h" || command == "--help" || command == "help" {
		flags.Usage()
		return 0
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 || command != "install" && command != "env" {
		flags.Usage()
		return 2
	}

	var err error
	if command == "install" {
		err = install(ctx, *variant, stderr)
	} else {
		err = env(*variant, stdout)
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "libtensorflow: %s: interrupted; nothing is half done, and what was downloaded whole is kept\n", command)
		return 1
	}
	if err != nil {
		fmt.Fprintf(stderr, "libtensorflow: %s: %v\n", command, err)
		return 1
	}
	return 0
}

// install checks TENSORFLOW_ROOT, or installs the pinned release.
func install(ctx context.Context, variant string, log io.Writer) error {
	if root := os.Getenv("TENSORFLOW_ROOT"); root != "" {
		lib, err := openRoot(root)
		if err != nil {
			return err
		}
		fmt.Fprintf(log, "TENSORFLOW_ROOT: TensorFlow %s in %s; nothing to install\n", lib.version, lib.dir)
		if !lib.fits() {
			fmt.Fprintf(log, "note: Cambium is built and tested with TensorFlow %s\n", tensorflowVersion)
		}
		return nil
	}
	in, err := newInstaller(variant, log)
	if err != nil {
		return err
	}
	_, err = in.install(ctx)
	return err
}

// env prints the shell lines for TENSORFLOW_ROOT, or for the installed release.
func env(variant string, stdout io.Writer) error {
	lib, err := locate(variant)
	if err != nil {
		return err
	}
	return lib.printEnv(stdout)
}

// locate finds the library to build with, without installing anything.
func locate(variant string) (library, error) {
	if root := os.Getenv("TENSORFLOW_ROOT"); root != "" {
		return openRoot(root)
	}
	in, err := newInstaller(variant, io.Discard)
	if err != nil {
		return library{}, err
	}
	lib, err := in.installed()
	if err != nil {
		return library{}, fmt.Errorf("TensorFlow is not installed yet: %w; run: go run github.com/cambium-go/cambium/scripts/libtensorflow install", err)
	}
	return lib, nil
}

func newInstaller(variant string, log io.Writer) (*installer, error) {
	rel, err := findRelease(variant, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	base, err := fetch.CacheDir("libtensorflow")
	if err != nil {
		return nil, err
	}
	return &installer{base: base, release: rel, log: log}, nil
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
