package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// errNoPip says that there is no pip to download with, and what to do.
var errNoPip = errors.New("no pip found (tried: python3 -m pip, pip3, pip, python -m pip): " +
	"install one (Debian, Ubuntu: apt install python3-pip; macOS: xcode-select --install), " +
	"name one with PYTHON=/path/to/python3, or set TENSORFLOW_ROOT to an installed libtensorflow")

// findPip returns the command line of a pip that runs.
func findPip(ctx context.Context) ([]string, error) {
	candidates := [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}, {"python", "-m", "pip"}}
	if python := os.Getenv("PYTHON"); python != "" {
		candidates = [][]string{{python, "-m", "pip"}}
	}
	for _, pip := range candidates {
		if exec.CommandContext(ctx, pip[0], append(pip[1:], "--version")...).Run() == nil {
			return pip, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, errNoPip
}

// pipDownload fetches w into the folder dir. pip's own configuration (index,
// proxy, certificates, --find-links) applies; its output goes to log.
func pipDownload(ctx context.Context, w wheel, dir string, log io.Writer) error {
	pip, err := findPip(ctx)
	if err != nil {
		return err
	}
	args := append(pip[1:], "download", "--disable-pip-version-check", "--no-input", "--no-cache-dir",
		"--no-deps", "--only-binary=:all:", "--platform", w.platform,
		"--implementation", "cp", "--python-version", pythonVersion,
		"--dest", dir, w.project+"=="+w.version)
	cmd := exec.CommandContext(ctx, pip[0], args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets pip remove its temporary files
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s download %s==%s: %w (its message is above; PIP_INDEX_URL, PIP_FIND_LINKS and HTTPS_PROXY apply)",
			strings.Join(pip, " "), w.project, w.version, err)
	}
	if _, err := os.Stat(filepath.Join(dir, w.file)); err != nil {
		return fmt.Errorf("pip downloaded something else than %s for %s==%s", w.file, w.project, w.version)
	}
	return nil
}
