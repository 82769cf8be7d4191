package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

const digitsBase = "../../scripts/testdata/digits_base"

// onDigits is the command that trains a head for the digits 5-9 on the base of 0-4, in a process of its own.
func onDigits(t *testing.T, cache, out string, more ...string) *exec.Cmd {
	t.Helper()
	if !tfbridge.Available {
		t.Skip("a base runs on TensorFlow, which is not built in")
	}
	return process(t, append([]string{"--base", filepath.Join(digitsBase, "base.keras"), "--data", digitsBase, "--out", out}, more...), "XDG_CACHE_HOME="+cache)
}

// process is the command in a process of its own.
func process(t *testing.T, args []string, environment ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self, args...)
	c.Env = append(append(os.Environ(), "CAMBIUM_TEST_COMMAND=1"), environment...)
	c.Stderr = &bytes.Buffer{}
	return c
}

// limited lets a command write files of so many bytes only: what fails then fails as on a full disk, after some of the bytes.
func limited(t *testing.T, c *exec.Cmd, kilobytes string) *exec.Cmd {
	t.Helper()
	shell, err := exec.LookPath("bash") // others count in other blocks
	if err != nil {
		t.Skip("no bash to set the limit in")
	}
	c.Path, c.Args = shell, append([]string{"bash", "-c", `ulimit -f ` + kilobytes + `; exec "$0" "$@"`}, c.Args...)
	return c
}

func stderr(c *exec.Cmd) string { return c.Stderr.(*bytes.Buffer).String() }

// Killed ten times at random moments, from the start of the process to its end, a run ends with the very weights of one that was
// left alone, and no file is ever half there.
func TestKilledAtAnyMoment(t *testing.T) {
	killed(t, 10, "--epochs", "300", "--patience", "0", "--dropout", "0.1", "--hidden", "16", "--batch", "8")
}

// So does one that trains the base, with variants of the images anew in each epoch. TensorFlow's sums are in a settled order without
// oneDNN's kernels.
func TestKilledWhileUnfreezing(t *testing.T) {
	t.Setenv("TF_ENABLE_ONEDNN_OPTS", "0")
	killed(t, 6, "--epochs", "20", "--patience", "0", "--unfreeze", "all", "--unfreeze-epochs", "6", "--unfreeze-learning-rate", "0.001",
		"--augment", "rotation=0.05", "--augment-variants", "1")
}

// killed lets a run be killed so many times at random moments, and compares what comes of it with a run that was left alone.
func killed(t *testing.T, times int, settings ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts TensorFlow a dozen times")
	}
	dir := t.TempDir()
	whole, broken := filepath.Join(dir, "whole"), filepath.Join(dir, "broken")
	settings = append(settings, "--json")
	began := time.Now()
	c := onDigits(t, filepath.Join(dir, "cache of whole"), whole, settings...)
	require.NoError(t, c.Run(), stderr(c))
	duration := time.Since(began)

	random := train.NewRandom(uint64(began.UnixNano()), 1)
	for i := range times {
		if i == times/2 { // a complete run's results are there, to be replaced by the same
			c := onDigits(t, filepath.Join(dir, "cache"), broken, append(settings, "--resume")...)
			require.NoError(t, c.Run(), stderr(c))
		}
		c := onDigits(t, filepath.Join(dir, "cache"), broken, append(settings, "--resume")...)
		require.NoError(t, c.Start())
		time.Sleep(time.Duration(random.Float64() * float64(duration)))
		_ = c.Process.Signal(syscall.SIGKILL) // fails where the run is over
		_ = c.Wait()
		whatIsThereIsWhole(t, broken)
	}
	c = onDigits(t, filepath.Join(dir, "cache"), broken, append(settings, "--resume")...)
	require.NoError(t, c.Run(), stderr(c))
	require.Equal(t, epochs(t, whole), epochs(t, broken))
	want, got := exported(t, whole), exported(t, broken)
	require.Equal(t, want, got, "every bit of the exported model")
	require.Equal(t, entries(t, whole), entries(t, broken), "nothing temporary is left")
	require.Equal(t, entries(t, filepath.Join(whole, "checkpoint")), entries(t, filepath.Join(broken, "checkpoint")))
}

// whatIsThereIsWhole reads every result in a directory.
func whatIsThereIsWhole(t *testing.T, out string) {
	t.Helper()
	if text, err := os.ReadFile(filepath.Join(out, "report.json")); err == nil {
		require.True(t, json.Valid(text))
		require.NotEmpty(t, exported(t, out)["saved_model.pb"])
	}
	checkpoints, err := filepath.Glob(filepath.Join(out, "checkpoint", "*.npz"))
	require.NoError(t, err)
	for _, path := range checkpoints {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		_, err = tensor.ReadNPZ(bytes.NewReader(text), int64(len(text)))
		require.NoError(t, err, path)
	}
}

// exported are the files of the exported model.
func exported(t *testing.T, out string) map[string]string {
	t.Helper()
	return files(t, filepath.Join(out, "saved_model"))
}

// files are those under a directory, by their paths in it.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		found[filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))] = string(text)
		return err
	}))
	return found
}

// results are the files of a run but for the checkpoint and the curves, which a new run starts anew.
func results(t *testing.T, out string) map[string]string {
	t.Helper()
	found := files(t, out)
	maps.DeleteFunc(found, func(name, _ string) bool {
		return strings.HasPrefix(name, "checkpoint/") || strings.HasPrefix(name, "tensorboard/")
	})
	return found
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// A full disk is one line and exit status 1; what was there stays, and nothing half-written is left.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	cache, out := filepath.Join(dir, "cache"), filepath.Join(dir, "out")
	c := onDigits(t, cache, out, "--epochs", "3")
	require.NoError(t, c.Run(), stderr(c))
	before := results(t, out)
	for _, kilobytes := range []string{"20", "60"} { // less than the checkpoint; more than that, less than the model
		c := limited(t, onDigits(t, cache, out, "--epochs", "3", "--seed", "7"), kilobytes)
		require.Error(t, c.Run())
		require.Equal(t, 1, c.ProcessState.ExitCode(), stderr(c))
		require.Regexp(t, `^finetune: [^\n]*file too large\n$`, stderr(c))
		require.Equal(t, before, results(t, out))
		for _, name := range entries(t, filepath.Join(out, "checkpoint")) {
			require.NotContains(t, name, "tmp")
		}
	}
	c = onDigits(t, cache, out, "--epochs", "3", "--seed", "7", "--resume") // there is room again
	require.NoError(t, c.Run(), stderr(c))
	require.NotEqual(t, before["saved_model/saved_model.pb"], results(t, out)["saved_model/saved_model.pb"])
}

// So it is where the disk fills while the base is trained: under the images as the base takes them, or under a checkpoint of it.
func TestFullDiskWhileUnfreezing(t *testing.T) {
	dir := t.TempDir()
	data, cache, out := filepath.Join(dir, "data"), filepath.Join(dir, "cache"), filepath.Join(dir, "out")
	shades(t, data, 28)
	settings := []string{"--data", data, "--epochs", "2", "--unfreeze", "all", "--unfreeze-epochs", "2"}
	c := onDigits(t, cache, out, settings...)
	require.NoError(t, c.Run(), stderr(c))
	before := results(t, out)
	settings = append(settings, "--seed", "7")
	for kilobytes, want := range map[string]string{"30": "the pixels of 12 images", "60": "finetuning.npz"} {
		c := limited(t, onDigits(t, cache, out, settings...), kilobytes)
		require.Error(t, c.Run())
		require.Equal(t, 1, c.ProcessState.ExitCode(), stderr(c))
		require.Regexp(t, `\nfinetune: [^\n]*`+want+`[^\n]*file too large\n$`, stderr(c))
		require.Equal(t, before, results(t, out))
		require.Equal(t, []string{"training.npz"}, entries(t, filepath.Join(out, "checkpoint")), "the head is trained")
	}
	c = onDigits(t, cache, out, append(settings, "--resume")...) // there is room again
	require.NoError(t, c.Run(), stderr(c))
	require.NotEqual(t, before["saved_model/saved_model.pb"], results(t, out)["saved_model/saved_model.pb"])
}

// Where features cannot be kept, the command says so once, and does its work all the same.
func TestFullDiskUnderTheCache(t *testing.T) {
	dir := t.TempDir()
	cache := filepath.Join(dir, "cache")
	var weights []map[string]string
	for i, kilobytes := range []string{"200", "unlimited", "unlimited"} { // the features take 1.5 MB
		out := filepath.Join(dir, "out", string(rune('a'+i)))
		c := limited(t, onDigits(t, cache, out, "--epochs", "3"), kilobytes)
		require.NoError(t, c.Run(), stderr(c))
		require.Equal(t, map[bool]int{true: 1, false: 0}[i == 0], strings.Count(stderr(c), "features are not kept"), stderr(c))
		weights = append(weights, exported(t, out))
	}
	require.Equal(t, weights[0], weights[1])
	require.Equal(t, weights[1], weights[2])
}

func TestFullStdout(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer full.Close()
	for _, more := range [][]string{{"--json"}, nil} {
		out := filepath.Join(t.TempDir(), "out")
		c := process(t, append([]string{"--data", table(t, 100), "--out", out, "--epochs", "2"}, more...))
		c.Stdout = full
		require.Error(t, c.Run())
		require.Equal(t, 1, c.ProcessState.ExitCode())
		require.Regexp(t, `finetune: [^\n]*no space left on device\n$`, stderr(c))
		require.FileExists(t, filepath.Join(out, "report.json"), "the results are there")
	}
}

func TestPlacesForResults(t *testing.T) {
	data := table(t, 100)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
	places := map[string]string{file: "it is a file", filepath.Join(file, "below"): "not a directory"}
	if locked := filepath.Join(t.TempDir(), "locked"); os.Getuid() != 0 {
		require.NoError(t, os.Mkdir(locked, 0o500))
		places[filepath.Join(locked, "below")] = "permission denied"
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		places["/dev/full"] = "it is a file"
	}
	if _, err := os.Stat("/proc/self"); err == nil { // where not even root can
		places["/proc/cambium"] = "no directory for the results"
	}
	for out, want := range places {
		code, stdout, stderr := call("--data", data, "--out", out, "--epochs", "1")
		require.Equal(t, 1, code, out)
		require.Empty(t, stdout)
		require.Regexp(t, "^finetune: [^\n]*"+regexp.QuoteMeta(out)+"[^\n]*"+want+"[^\n]*\n$", stderr)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))

	strange := filepath.Join(t.TempDir(), "ü 1, 2 (3)")
	for range 2 {
		code, _, stderr := call("--data", data, "--out", strange, "--epochs", "1")
		require.Zero(t, code, stderr)
	}
	require.FileExists(t, filepath.Join(strange, "report.json"))
}

// An interrupt at any moment, while features are computed too, is exit status 1, and the run goes on from there.
func TestInterruptOnABase(t *testing.T) {
	dir := t.TempDir()
	cache, out := filepath.Join(dir, "cache"), filepath.Join(dir, "out")
	settings := []string{"--epochs", "2000", "--patience", "0", "--batch", "4", "--resume"}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c := onDigits(t, cache, out, settings...)
		before := modified(filepath.Join(out, "checkpoint", "training.npz"))
		require.NoError(t, c.Start())
		require.Eventually(t, func() bool { return modified(filepath.Join(out, "checkpoint", "training.npz")) != before }, time.Minute, time.Millisecond)
		require.NoError(t, c.Process.Signal(signal))
		require.Error(t, c.Wait())
		require.Equal(t, 1, c.ProcessState.ExitCode(), stderr(c))
		require.Regexp(t, `^every complete epoch [^\n]*--resume[^\n]*\nfinetune: interrupted\n$`, stderr(c))
		require.NoFileExists(t, filepath.Join(out, "report.json"))
		require.Equal(t, []string{"training.npz"}, entries(t, filepath.Join(out, "checkpoint")))
	}
}
