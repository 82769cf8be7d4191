package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cambium-go/cambium/tfbridge"
)

// TensorFlowSuffix is what the name of the program that has TensorFlow ends in, beside the one that starts without it.
const TensorFlowSuffix = "-tensorflow"

// HandOver continues in the program of the same name that has TensorFlow, if this one was built without and the other
// stands beside it: bin/infer answers in milliseconds where TensorFlow is not needed, since loading its library alone
// takes a sixth of a second, and becomes bin/infer-tensorflow where it is. It returns only if there is nothing to hand
// over to, or on failure. Nothing may have been read from standard input or written before.
func HandOver() error {
	if tfbridge.Available {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil //nolint:nilerr // who does not know where it stands has nobody beside it
	}
	other := strings.TrimSuffix(self, ".exe") + TensorFlowSuffix
	if _, err := os.Stat(other); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	args := append([]string{filepath.Clean(os.Args[0])}, os.Args[1:]...)
	return fmt.Errorf("%s: %w", other, syscall.Exec(other, args, os.Environ()))
}
