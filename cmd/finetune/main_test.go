package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/train"
)

// TestMain lets the test binary be the command, for tests that send it signals.
func TestMain(m *testing.M) {
	if os.Getenv("CAMBIUM_TEST_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// table writes a table of two classes.
func table(t *testing.T, rows int) string {
	t.Helper()
	r := train.NewRandom(1, 1)
	var b strings.Builder
	b.WriteString("x,y,class\n")
	for i := range rows {
		fmt.Fprintf(&b, "%.3f,%.3f,%s\n", r.Normal()+float64(3*(i%2)), r.Normal(), []string{"no", "yes"}[i%2])
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func call(args ...string) (code int, stdout, stderr string) {
	var out, log bytes.Buffer
	code = cli.Main(newRoot(), args, &out, &log)
	return code, out.String(), log.String()
}

func TestReport(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	code, stdout, stderr := call("--data", table(t, 200), "--out", out, "--epochs", "5", "--hidden", "8", "--learning-rate", "0.01", "--json")
	require.Zero(t, code, stderr)
	var report struct {
		Data struct {
			Classes           []string
			Train, Validation int
		}
		History    []map[string]float64
		Validation struct{ Accuracy float64 }
		Engine     string
	}
	d := json.NewDecoder(strings.NewReader(stdout))
	require.NoError(t, d.Decode(&report))
	require.False(t, d.More(), "one document")
	require.Equal(t, []string{"no", "yes"}, report.Data.Classes)
	require.Len(t, report.History, 5)
	require.EqualValues(t, 1, report.History[0]["epoch"])
	for _, key := range []string{"loss", "accuracy", "val_loss", "val_accuracy", "seconds"} {
		require.Contains(t, report.History[0], key)
	}
	require.Greater(t, report.Validation.Accuracy, 0.8)

	code, stdout, _ = call("--data", table(t, 200), "--out", out, "--hidden", "0", "--epochs", "1")
	require.Zero(t, code)
	require.Contains(t, stdout, "accuracy")
	require.Contains(t, stdout, out)
}

// shades makes a folder of two classes of six images each.
func shades(t *testing.T, dir string, side int) {
	t.Helper()
	for class, name := range []string{"dark", "light"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		for i := range 6 {
			m := image.NewGray(image.Rect(0, 0, side, side))
			for k := range m.Pix {
				m.Pix[k] = uint8(180*class + 5*i + k/2)
			}
			f, err := os.Create(filepath.Join(dir, name, fmt.Sprintf("%d.png", i)))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, m))
			require.NoError(t, f.Close())
		}
	}
}

// Two classes of images, with variants of them.
func TestAugment(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	shades(t, dir, 8)
	code, stdout, stderr := call("--data", dir, "--out", out, "--image-size", "8", "--epochs", "2", "--augment", "flip,zoom=0.1", "--augment-variants", "3", "--json")
	require.Zero(t, code, stderr)
	var report struct {
		Data            struct{ Train, Validation, Augmented int }
		Hyperparameters struct {
			Augment         string
			AugmentVariants int `json:"augment_variants"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Equal(t, 10, report.Data.Train)
	require.Equal(t, 2, report.Data.Validation)
	require.Equal(t, 30, report.Data.Augmented)
	require.Equal(t, "flip,zoom=0.1", report.Hyperparameters.Augment)
	require.Equal(t, 3, report.Hyperparameters.AugmentVariants)
	require.FileExists(t, filepath.Join(out, "report.html"))
	code, stdout, _ = call("--data", dir, "--out", out, "--image-size", "8", "--epochs", "1", "--augment", "flip")
	require.Zero(t, code)
	require.Contains(t, stdout, "10 to train on and 40 variants of them")
}

func TestExitCodes(t *testing.T) {
	data := table(t, 50)
	code, _, stderr := call("--data", data, "--out", t.TempDir(), "--epochs", "2", "--warmup", "1", "--decay", "cosine", "--unfreeze", "none")
	require.Zero(t, code, stderr)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "--data and --out are needed"},
		{[]string{"--data", data}, 2, "--data and --out are needed"},
		{[]string{"--data", data, "--out", t.TempDir(), "extra"}, 2, "takes no arguments"},
		{[]string{"--wobble"}, 2, "--wobble"},
		{[]string{"--data", data, "--out", t.TempDir(), "--epochs", "x"}, 2, "epochs"},
		{[]string{"--data", data, "--out", t.TempDir(), "--optimizer", "wobble"}, 2, "wobble"},
		{[]string{"--data", data, "--out", t.TempDir(), "--target", "wobble"}, 2, "wobble"},
		{[]string{"--data", data, "--out", t.TempDir(), "--preprocess", "tf"}, 2, "--preprocess needs a --base"},
		{[]string{"--data", data, "--out", t.TempDir(), "--augment", "wobble"}, 2, "none of flip, crop, rotation"},
		{[]string{"--data", data, "--out", t.TempDir(), "--augment", "flip"}, 2, "not a table"},
		{[]string{"--data", data, "--out", t.TempDir(), "--augment", "flip", "--augment-variants", "0"}, 2, "0 variants"},
		{[]string{"--data", data, "--out", t.TempDir(), "--unfreeze", "all"}, 2, "no base whose layers"},
		{[]string{"--data", data, "--out", t.TempDir(), "--unfreeze-epochs", "3"}, 2, "nothing is unfrozen"},
		{[]string{"--data", data, "--out", t.TempDir(), "--warmup", "1", "--decay", "plateau"}, 2, "warm-up"},
		{[]string{"--data", "nowhere", "--out", t.TempDir()}, 1, "nowhere"},
		{[]string{"--data", data, "--out", data}, 1, "table.csv"},
		{[]string{"--data", data, "--out", t.TempDir(), "--learning-rate", "1e30", "--optimizer", "sgd", "--loss", "sparse_categorical_crossentropy",
			"--epochs", "50"}, 1, "not finite"},
	} {
		code, stdout, stderr := call(c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, stderr)
		require.Empty(t, stdout)
		require.Regexp(t, `^finetune: [^\n]+\n$`, stderr, "one line")
		require.Contains(t, stderr, c.want)
	}
	code, stdout, _ := call("--help")
	require.Zero(t, code)
	require.Contains(t, stdout, "finetune --data mnist --out my_model")
	code, stdout, _ = call("--version")
	require.Zero(t, code)
	require.Contains(t, stdout, "engines")
}

// Interrupted and killed again and again, a run loses at most one epoch each time and ends as one that was left alone.
func TestInterruptAndKill(t *testing.T) {
	data, whole, broken := table(t, 4000), filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "broken")
	args := func(out string, more ...string) []string {
		return append([]string{"--data", data, "--out", out, "--epochs", "40", "--batch", "1", "--hidden", "16", "--dropout", "0.2", "--patience", "0"}, more...)
	}
	code, _, stderr := call(args(whole)...)
	require.Zero(t, code, stderr)

	self, err := os.Executable()
	require.NoError(t, err)
	checkpoint := filepath.Join(broken, "checkpoint", "training.npz")
	for i, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		before := modified(checkpoint)
		c := exec.Command(self, args(broken, "--resume")...)
		c.Env = append(os.Environ(), "CAMBIUM_TEST_COMMAND=1")
		var log bytes.Buffer
		c.Stderr = &log
		require.NoError(t, c.Start())
		require.Eventually(t, func() bool { return modified(checkpoint) != before || exited(c) }, time.Minute, time.Millisecond)
		time.Sleep(time.Duration(i) * 3 * time.Millisecond)
		_ = c.Process.Signal(signal) // fails where the run is already over
		err := c.Wait()
		if err == nil {
			break
		}
		require.NoFileExists(t, filepath.Join(broken, "report.json"))
		if signal != syscall.SIGKILL {
			require.Equal(t, 1, c.ProcessState.ExitCode(), log.String())
			require.Contains(t, log.String(), "finetune: interrupted")
			require.Contains(t, log.String(), "--resume")
		}
	}
	code, _, stderr = call(args(broken, "--resume")...)
	require.Zero(t, code, stderr)
	require.Equal(t, epochs(t, whole), epochs(t, broken))
	left, err := os.ReadDir(filepath.Join(broken, "checkpoint"))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing but the checkpoint is left")
}

// modified returns when a file was written last; the zero time if it is not there.
func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// exited reports whether a started command is over.
func exited(c *exec.Cmd) bool { return c.Process.Signal(syscall.Signal(0)) != nil }

// epochs returns history.csv without the seconds.
func epochs(t *testing.T, out string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "history.csv"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, l := range lines {
		lines[i] = l[:strings.LastIndexByte(l, ',')]
	}
	return lines
}
