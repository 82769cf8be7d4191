package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/tfbridge"
)

const (
	models = "../../scripts/testdata/models/"
	digits = "../../scripts/testdata/mnist/"
)

// TestMain lets the test binary stand in for the command, for what shows only in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("CAMBIUM_TEST_INFER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is the command as a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), "CAMBIUM_TEST_INFER=1")
	return c
}

func TestTensorFlowIsSilent(t *testing.T) {
	needTensorFlow(t)
	args := []string{"run", digits + "cnn/saved_model", digits + "digits/3_1.png"}
	var errs bytes.Buffer
	c := process(t, args...)
	c.Stderr = &errs
	out, err := c.Output()
	require.NoError(t, err, errs.String())
	require.Contains(t, string(out), "3_1.png")
	require.Empty(t, errs.String())

	c = process(t, append(args, "--verbose")...)
	c.Stderr = &errs
	_, err = c.Output()
	require.NoError(t, err)
	require.Contains(t, errs.String(), "tensorflow")
}

func TestInterruptEndsTheWork(t *testing.T) {
	needTensorFlow(t)
	c := process(t, "bench", digits+"mlp/saved_model", "--duration", "300s", "--verbose")
	stderr, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewScanner(stderr)
	require.True(t, lines.Scan(), "TensorFlow says something when it loads the model")
	require.NoError(t, c.Process.Signal(os.Interrupt))
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	var exit *exec.ExitError
	require.ErrorAs(t, c.Wait(), &exit)
	require.Equal(t, cli.Failed, exit.ExitCode())
	require.Equal(t, "infer: interrupted", last)
}

// infer runs a command line and returns its exit code and what it printed.
func infer(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Main(newRoot(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// inferJSON runs a command line that must succeed and decodes the one JSON document it prints.
func inferJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	code, out, errs := infer(args...)
	require.Equal(t, cli.Done, code, errs)
	require.Empty(t, errs)
	d := json.NewDecoder(strings.NewReader(out))
	require.NoError(t, d.Decode(into), out)
	require.False(t, d.More(), "more than one document: %s", out)
}

func needTensorFlow(t *testing.T) {
	t.Helper()
	if !tfbridge.Available {
		t.Skip("this build has no TensorFlow (CGO_ENABLED=0)")
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestHelpShowsAnExampleForEachCommand(t *testing.T) {
	for _, c := range newRoot().Commands() {
		t.Run(c.Name(), func(t *testing.T) {
			code, out, _ := infer(c.Name(), "--help")
			require.Equal(t, cli.Done, code)
			require.Contains(t, out, "Examples:\n  infer "+c.Name())
		})
	}
}

func TestVersionNamesModuleTensorFlowAndEngines(t *testing.T) {
	code, out, _ := infer("--version")
	require.Equal(t, cli.Done, code)
	require.Contains(t, out, "engines: ")
	require.Contains(t, out, "native")
	if tfbridge.Available {
		require.Regexp(t, `TensorFlow \d+\.\d+\.\d+`, out)
	}
}

// TestErrors checks the exit code and that the message is one line that names what is wrong.
func TestErrors(t *testing.T) {
	empty, text := write(t, "empty.pb", ""), write(t, "notes.pb", "no model at all, just text\x00\xff")
	for _, test := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"unknown command", []string{"frobnicate"}, cli.Usage, []string{"frobnicate"}},
		{"unknown flag", []string{"show", "x", "--frob"}, cli.Usage, []string{"--frob", "--help"}},
		{"no model", []string{"run"}, cli.Usage, []string{"MODEL"}},
		{"two models", []string{"show", "a", "b"}, cli.Usage, []string{"one MODEL"}},
		{"engine", []string{"run", "x", "--engine", "warp"}, cli.Usage, []string{"warp", "native"}},
		{"device", []string{"run", "x", "--device", "gpu:x"}, cli.Usage, []string{"--device", "gpu:x"}},
		{"preprocessing", []string{"run", "x", "--preprocess", "warp"}, cli.Usage, []string{"--preprocess", "warp", "caffe"}},
		{"tolerance", []string{"compare", "x", "--tolerance", "nan"}, cli.Usage, []string{"--tolerance"}},
		{"rows", []string{"compare", "x", "--batch", "0"}, cli.Usage, []string{"--batch"}},
		{"tags of a Keras file", []string{"run", digits + "mlp/my_mnist.keras", "--tags", "serve", "--engine", "native"}, cli.Failed, []string{"SavedModel", "serve"}},
		{"negative batch", []string{"run", "x", "--batch", "-1"}, cli.Usage, []string{"--batch"}},
		{"images and inputs", []string{"run", "x", "a.png", "--input", "b.npy"}, cli.Usage, []string{"--input"}},
		{"kind of output", []string{"run", "x", "--output", "y.exe"}, cli.Usage, []string{".exe", ".npz"}},
		{"bench batch", []string{"bench", "x", "--batch", "1,zero"}, cli.Usage, []string{"zero"}},
		{"missing", []string{"show", "no/such/model"}, cli.Failed, []string{"no/such/model"}},
		{"empty file", []string{"show", empty}, cli.Failed, []string{empty}},
		{"not a model", []string{"show", text}, cli.Failed, []string{text}},
		{"directory without a model", []string{"show", digits}, cli.Failed, []string{"saved_model.pb"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errs := infer(test.args...)
			require.Equal(t, test.code, code, errs)
			require.Empty(t, out)
			require.Regexp(t, `^infer: [^\n]+\n$`, errs)
			for _, s := range test.says {
				require.Contains(t, errs, s)
			}
		})
	}
}
