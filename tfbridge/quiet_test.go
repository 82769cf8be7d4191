//go:build cgo && linux

package tfbridge_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tfbridge"
)

// TensorFlow writes nothing to standard error, from the start of the process on, unless it is asked to. The test runs itself in
// processes of their own: what TensorFlow logs it logs once.
func TestLogLevel(t *testing.T) {
	const variable = "CAMBIUM_TEST_LOG_LEVEL"
	if level := os.Getenv(variable); level != "" {
		opts := tfbridge.Options{}
		if level == "info" {
			opts.LogLevel = tfbridge.LogInfo
		}
		m := openMLP(t, opts)
		_, err := m.Predict(t.Context(), pattern(t, 1, 0))
		require.NoError(t, err)
		return
	}
	for _, c := range []struct {
		level, environment string
		quiet              bool
	}{
		{"nothing", "", true},
		{"info", "", false},
		{"nothing", "TF_CPP_MIN_LOG_LEVEL=0", false},
		{"info", "TF_CPP_MIN_LOG_LEVEL=3", true},
	} {
		t.Run(c.level+" "+c.environment, func(t *testing.T) {
			var stderr bytes.Buffer
			p := exec.Command(os.Args[0], "-test.run=^TestLogLevel$")
			p.Env = []string{variable + "=" + c.level, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
			if c.environment != "" {
				p.Env = append(p.Env, c.environment)
			}
			p.Stderr = &stderr
			require.NoError(t, p.Run(), stderr.String())
			if c.quiet {
				require.Empty(t, stderr.String())
			} else {
				require.True(t, strings.Contains(stderr.String(), " tensorflow/") || strings.Contains(stderr.String(), "I0000"), stderr.String())
			}
		})
	}
}
