package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/fetch"
)

// entry is one file of a wheel that a test makes.
type entry struct {
	name, content string
	mode          fs.FileMode
}

// tensorflowEntries are what every TensorFlow wheel has, in miniature.
var tensorflowEntries = []entry{
	{name: "tensorflow/libtensorflow_cc.so.2", content: "the library"},
	{name: "tensorflow/libtensorflow_framework.so.2", content: "the framework"},
	{name: "tensorflow/include/tensorflow/c/c_api.h", content: "// header"},
	{name: "tensorflow/include/tensorflow/c/experimental/ops.h", content: "// header"},
	{name: "tensorflow/include/tsl/platform/ctstring.h", content: "// header"},
	{name: "tensorflow/include/tsl/platform/env.h", content: "// not needed"},
	{name: "tensorflow/python/_pywrap.so", content: "not needed"},
	{name: "tensorflow.libs/libomp.so.5", content: "OpenMP"},
}

// cudaEntries are a CUDA wheel in miniature.
var cudaEntries = []entry{
	{name: "nvidia/cublas/lib/libcublas.so.12", content: "cuBLAS"},
	{name: "nvidia/nccl/lib/libnccl.so.2", content: "NCCL"},
	{name: "nvidia/cublas/lib/__init__.py", content: ""},
	{name: "nvidia/cublas/include/cublas.h", content: "not needed"},
	{name: "nvidia/cuda_nvcc/bin/ptxas", content: "assembler"},
	{name: "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc", content: "bitcode"},
}

// makeWheel returns a zip archive with the entries.
func makeWheel(t *testing.T, entries []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode | 0o644)
		w, err := z.CreateHeader(h)
		require.NoError(t, err)
		_, err = w.Write([]byte(e.content))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return buf.Bytes()
}

// testbed is an installer for made-up wheels whose pip is a shell script that
// serves them from a folder.
type testbed struct {
	*installer
	t     *testing.T
	index string // what the fake pip serves
	calls string // one line for each download
	out   bytes.Buffer
}

func newTestbed(t *testing.T, wheels ...[]byte) *testbed {
	t.Helper()
	root := t.TempDir()
	b := &testbed{t: t, index: filepath.Join(root, "index"), calls: filepath.Join(root, "calls")}
	b.installer = &installer{base: filepath.Join(root, "cache"), log: &b.out, release: release{version: "2.18.1", variant: "cpu", os: "linux", arch: "amd64"}}
	require.NoError(t, os.Mkdir(b.index, 0o755))
	require.NoError(t, os.Mkdir(b.base, 0o755))
	for i, data := range wheels {
		sum := sha256.Sum256(data)
		w := wheel{project: "project" + string(rune('a'+i)), version: "1.0", platform: "any", size: int64(len(data)), sha256: hex.EncodeToString(sum[:])}
		w.file = w.project + "-1.0.whl"
		b.release.wheels = append(b.release.wheels, w)
		b.serve(i, data)
	}
	bin := filepath.Join(root, "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	script := `#!/bin/sh
for last; do test "$previous" = --dest && dest=$last; previous=$last; done
test "$last" = --version && exit 0
echo "$last" >>'` + b.calls + `'
/bin/cp '` + b.index + `'/"${last%%=*}"-* "$dest"
`
	require.NoError(t, os.WriteFile(filepath.Join(bin, "pip3"), []byte(script), 0o755))
	t.Setenv("PATH", bin)
	t.Setenv("PYTHON", "")
	return b
}

// serve changes what the fake pip gives for wheel i.
func (b *testbed) serve(i int, data []byte) {
	require.NoError(b.t, os.WriteFile(filepath.Join(b.index, b.release.wheels[i].file), data, 0o644))
}

// downloadCount is how often pip was asked for a wheel.
func (b *testbed) downloadCount() int {
	data, err := os.ReadFile(b.calls)
	if err != nil {
		return 0
	}
	return strings.Count(string(data), "\n")
}

// requireNothingInstalled fails if there is an installation or anything that
// was half written.
func (b *testbed) requireNothingInstalled() {
	b.t.Helper()
	_, err := b.installed()
	require.ErrorIs(b.t, err, fs.ErrNotExist)
	require.NoDirExists(b.t, b.dir())
	for _, pattern := range []string{".*tmp-*", "*.old-*", "*/tmp-*"} {
		left, err := filepath.Glob(filepath.Join(b.base, pattern))
		require.NoError(b.t, err)
		require.Empty(b.t, left)
	}
}

func TestInstall(t *testing.T) {
	b := newTestbed(t, makeWheel(t, tensorflowEntries), makeWheel(t, cudaEntries))
	b.release.variant = "gpu"
	lib, err := b.install(t.Context())
	require.NoError(t, err)
	require.Equal(t, b.dir(), lib.dir)
	require.Equal(t, "2.18.1", lib.version)

	for name, content := range map[string]string{
		"lib/libtensorflow.so":                            "the library",
		"lib/libtensorflow_cc.so.2":                       "the library",
		"lib/libtensorflow_framework.so":                  "the framework",
		"include/tensorflow/c/c_api.h":                    "// header",
		"include/tensorflow/c/experimental/ops.h":         "// header",
		"include/tsl/platform/ctstring.h":                 "// header",
		"lib/libnccl.so.2":                                "NCCL",
		"tensorflow.libs/libomp.so.5":                     "OpenMP",
		"nvidia/cublas/lib/libcublas.so.12":               "cuBLAS",
		"nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc": "bitcode",
	} {
		data, err := os.ReadFile(filepath.Join(b.dir(), name))
		require.NoError(t, err)
		require.Equal(t, content, string(data), name)
	}
	for _, name := range []string{"include/tsl/platform/env.h", "lib/_pywrap.so", "nvidia/cublas/include", "nvidia/cublas/lib/__init__.py"} {
		require.NoFileExists(t, filepath.Join(b.dir(), name))
	}
	info, err := os.Stat(filepath.Join(b.dir(), "nvidia/cuda_nvcc/bin/ptxas"))
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100, "ptxas must be executable")
	require.NoDirExists(t, b.downloads(), "the wheels are not needed any more")
	require.Contains(t, b.out.String(), "to download")
	require.Equal(t, 2, b.downloadCount())

	_, err = b.install(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, b.downloadCount(), "a second install must not download")
}

func TestInstallDarwin(t *testing.T) {
	b := newTestbed(t, makeWheel(t, []entry{
		{name: "tensorflow/libtensorflow_cc.2.dylib", content: "the library"},
		{name: "tensorflow/libtensorflow_framework.2.dylib", content: "the framework"},
		{name: "tensorflow/include/tensorflow/c/c_api.h", content: "// header"},
	}))
	b.release.os, b.release.arch = "darwin", "arm64"
	_, err := b.install(t.Context())
	require.NoError(t, err)
	target, err := os.Readlink(filepath.Join(b.dir(), "lib", "libtensorflow.dylib"))
	require.NoError(t, err)
	require.Equal(t, "libtensorflow_cc.2.dylib", target)
}

func TestInstallRefuses(t *testing.T) {
	good := makeWheel(t, tensorflowEntries)
	tests := []struct {
		name  string
		wheel []byte
		spoil func(b *testbed)
		want  string
		is    error
	}{
		{name: "another file under the name", wheel: good, spoil: func(b *testbed) { b.serve(0, makeWheel(t, cudaEntries)) }, want: "expected ", is: fetch.ErrChecksum},
		{name: "truncated download", wheel: good, spoil: func(b *testbed) { b.serve(0, good[:len(good)/2]) }, want: "try again", is: fetch.ErrChecksum},
		{name: "empty download", wheel: good, spoil: func(b *testbed) { b.serve(0, nil) }, want: "(0 bytes)", is: fetch.ErrChecksum},
		{name: "pip fails", wheel: good, spoil: func(b *testbed) { require.NoError(b.t, os.RemoveAll(b.index)) }, want: "pip3 download projecta==1.0: exit status"},
		{name: "pip gives another file", wheel: good, spoil: func(b *testbed) { b.release.wheels[0].file = "other.whl" }, want: "something else than other.whl"},
		{name: "no pip", wheel: good, spoil: func(b *testbed) { b.t.Setenv("PATH", b.t.TempDir()) }, want: "python3-pip", is: errNoPip},
		{name: "PYTHON without pip", wheel: good, spoil: func(b *testbed) { b.t.Setenv("PYTHON", "/nonexistent/python3") }, want: "PYTHON=", is: errNoPip},
		{name: "cache that cannot be written", wheel: good, spoil: func(b *testbed) { b.base = filepath.Join(b.calls, "x") }, want: "XDG_CACHE_HOME"},
		{name: "not a zip", wheel: []byte("<html>404</html>"), want: "not a valid zip", is: zip.ErrFormat},
		{name: "no library", wheel: makeWheel(t, tensorflowEntries[1:]), want: "hold no libtensorflow_cc.so.2"},
		{name: "no header", wheel: makeWheel(t, tensorflowEntries[:2]), want: "hold no tensorflow/c/c_api.h"},
		{name: "path that leaves the folder", wheel: makeWheel(t, append([]entry{{name: "tensorflow/include/tensorflow/c/../../../../evil.h"}}, tensorflowEntries...)), want: "unsafe entry"},
		{name: "path that moves inside the folder", wheel: makeWheel(t, append([]entry{{name: "tensorflow/include/tensorflow/c/../c/evil.h"}}, tensorflowEntries...)), want: "unsafe entry"},
		{name: "symbolic link", wheel: makeWheel(t, append([]entry{{name: "tensorflow.libs/link", content: "/etc/passwd", mode: fs.ModeSymlink}}, tensorflowEntries...)), want: "unsafe entry"},
		{name: "the same file twice", wheel: makeWheel(t, append(tensorflowEntries[:1:1], tensorflowEntries...)), want: "file exists", is: fs.ErrExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestbed(t, tt.wheel)
			if tt.spoil != nil {
				tt.spoil(b)
			}
			_, err := b.install(t.Context())
			require.ErrorContains(t, err, tt.want)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			if tt.name != "cache that cannot be written" {
				b.requireNothingInstalled()
			}
		})
	}
}

// A process that was killed leaves a temporary folder and, maybe, wheels that
// were verified: the next one must use the latter and remove the former.
func TestInstallResumes(t *testing.T) {
	first, second := makeWheel(t, tensorflowEntries), makeWheel(t, cudaEntries)
	b := newTestbed(t, first, second)
	b.serve(1, second[:10])
	_, err := b.install(t.Context())
	require.ErrorIs(t, err, fetch.ErrChecksum)
	require.FileExists(t, filepath.Join(b.downloads(), b.release.wheels[0].file))
	require.Equal(t, 2, b.downloadCount())

	halfUnpacked := filepath.Join(b.base, "."+b.release.name()+".tmp-123", "lib")
	require.NoError(t, os.MkdirAll(halfUnpacked, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(b.downloads(), "tmp-456"), 0o755))
	b.serve(1, second)
	_, err = b.install(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, b.downloadCount(), "the first wheel must not be fetched again")
	require.NoDirExists(t, filepath.Dir(halfUnpacked))

	// A wheel that was damaged on disk is fetched again.
	require.NoError(t, os.RemoveAll(b.dir()))
	require.NoError(t, os.Mkdir(b.downloads(), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(b.downloads(), b.release.wheels[0].file), first[:20], 0o644))
	_, err = b.install(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, b.downloadCount())
}

func TestInstallRepairs(t *testing.T) {
	tests := []struct {
		name   string
		damage func(dir string) error
	}{
		{"a file is gone", func(dir string) error { return os.Remove(filepath.Join(dir, "lib/libtensorflow_cc.so.2")) }},
		{"the link is gone", func(dir string) error { return os.Remove(filepath.Join(dir, "lib/libtensorflow.so")) }},
		{"a file is short", func(dir string) error { return os.Truncate(filepath.Join(dir, "lib/libtensorflow_cc.so.2"), 3) }},
		{"no manifest", func(dir string) error { return os.Remove(filepath.Join(dir, manifestFile)) }},
		{"unreadable manifest", func(dir string) error { return os.WriteFile(filepath.Join(dir, manifestFile), []byte("{"), 0o644) }},
		{"made from other wheels", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, manifestFile), []byte(`{"version":"2.17.0","wheels":["00"]}`), 0o644)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestbed(t, makeWheel(t, tensorflowEntries))
			_, err := b.install(t.Context())
			require.NoError(t, err)
			require.NoError(t, tt.damage(b.dir()))
			_, err = b.installed()
			require.Error(t, err)
			_, err = b.install(t.Context())
			require.NoError(t, err)
			data, err := os.ReadFile(filepath.Join(b.dir(), "lib/libtensorflow.so"))
			require.NoError(t, err)
			require.Equal(t, "the library", string(data))
		})
	}
}

func TestInstallInterrupted(t *testing.T) {
	b := newTestbed(t, makeWheel(t, tensorflowEntries))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.install(ctx)
	require.ErrorIs(t, err, context.Canceled)
	b.requireNothingInstalled()

	// Interrupted while unpacking: the wheel is kept, nothing else.
	require.NoError(t, os.MkdirAll(b.downloads(), 0o755))
	require.NoError(t, b.download(t.Context(), 0, b.release.wheels[0]))
	require.ErrorIs(t, b.unpackAll(ctx), context.Canceled)
	b.requireNothingInstalled()
	require.FileExists(t, filepath.Join(b.downloads(), b.release.wheels[0].file))
}

func TestInstallTwoAtOnce(t *testing.T) {
	b := newTestbed(t, makeWheel(t, tensorflowEntries), makeWheel(t, cudaEntries))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		other := *b.installer
		other.log = &bytes.Buffer{}
		wg.Go(func() { _, errs[i] = other.install(t.Context()) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 2, b.downloadCount(), "one process must do the work")
}

func TestPins(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range releases {
		require.False(t, seen[r.name()], r.name())
		seen[r.name()] = true
		found, err := findRelease(r.variant, r.os, r.arch)
		require.NoError(t, err)
		require.Equal(t, r.name(), found.name())
		require.Positive(t, r.download())
		for _, w := range r.wheels {
			require.Regexp(t, `^[0-9a-f]{64}$`, w.sha256, w.file)
			require.True(t, strings.HasPrefix(w.file, strings.ReplaceAll(w.project, "-", "_")+"-"+w.version+"-"), w.file)
		}
	}
	_, err := findRelease("gpu", "darwin", "arm64")
	require.ErrorContains(t, err, "VARIANT=cpu on darwin/arm64")
	require.ErrorContains(t, err, "TENSORFLOW_ROOT")
}
