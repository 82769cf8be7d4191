// Package cli is what the commands share: exit codes, one-line errors, --version, and the interrupt.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The exit codes of the command-line contract.
const (
	Done   = 0 // the work is done; scan and compare: clean, equal
	Failed = 1 // the work failed; scan and compare: findings, different
	Usage  = 2 // the command line was wrong; scan and compare: could not tell
)

// exitError carries an exit code; without an error it ends the command silently.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// Exit ends the command with a code and prints nothing more.
func Exit(code int) error { return &exitError{code: code} }

// WithCode makes err end the command with a code.
func WithCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: code, err: err}
}

// UsageError says that the command line was wrong.
func UsageError(format string, args ...any) error {
	return WithCode(Usage, fmt.Errorf(format, args...))
}

// Main runs a command line to its end and returns the exit code. An interrupt (SIGINT, SIGTERM) cancels the command's
// context; a second one ends the process at once. Errors are one line on stderr: "name: what: why".
func Main(root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal meets the default handler

	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return UsageError("%w; see '%s --help'", err, c.CommandPath())
	})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return report(ctx, root.Name(), root.ExecuteContext(ctx), stderr)
}

func report(ctx context.Context, name string, err error, stderr io.Writer) int {
	if err == nil {
		return Done
	}
	code := Failed
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	} else if strings.HasPrefix(err.Error(), "unknown command") {
		code = Usage
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	_, _ = fmt.Fprintf(stderr, "%s: %s\n", name, OneLine(err.Error()))
	return code
}

// OneLine joins the lines of a message, so that an error stays one line.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Args makes a wrong number of arguments an error of usage. most < 0 means any number.
func Args(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || (most >= 0 && len(args) > most) {
			return UsageError("%s: takes %s, %d arguments were given; see '%s --help'", c.Name(), what, len(args), c.CommandPath())
		}
		return nil
	}
}

// IsTerminal reports whether a person watches what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
