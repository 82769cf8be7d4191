package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppendFlags(t *testing.T) {
	tests := []struct {
		name, value string
		flags       []string
		want, err   string
	}{
		{name: "plain", value: "-O2 -g", flags: []string{"-I/a"}, want: "-O2 -g -I/a"},
		{name: "nothing set", flags: []string{"-I/a", "-I/b"}, want: "-I/a -I/b"},
		{name: "there already", value: "-I/a -O2", flags: []string{"-I/a"}, want: "-I/a -O2"},
		{name: "a longer flag is there", value: "-I/a/b", flags: []string{"-I/a"}, want: "-I/a/b -I/a"},
		{name: "space", value: "-g", flags: []string{"-I/a b"}, want: "-g '-I/a b'"},
		{name: "space, there already", value: "-g '-I/a b'", flags: []string{"-I/a b"}, want: "-g '-I/a b'"},
		{name: "single quote", flags: []string{"-I/it's"}, want: `"-I/it's"`},
		{name: "double quote", flags: []string{`-I/a"b`}, want: `'-I/a"b'`},
		{name: "both quotes", flags: []string{`-I/a"'b`}, err: "both kinds of quotes"},
		{name: "line break", flags: []string{"-I/a\nb"}, err: "line break"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := appendFlags(tt.value, tt.flags)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// The lines that env prints go through a real shell and come out as the flags.
func TestPrintEnvInShell(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no POSIX shell on this system")
	}
	for _, dir := range []string{"/opt/tf", "/opt/with space", "/opt/it's", `/opt/"quoted"`, "/opt/$HOME `id`"} {
		t.Run(dir, func(t *testing.T) {
			t.Setenv("CGO_CFLAGS", "-DA='b c'")
			t.Setenv("CGO_LDFLAGS", "")
			var lines bytes.Buffer
			lib := library{dir: dir}
			require.NoError(t, lib.printEnv(&lines))
			out, err := exec.Command("sh", "-c", lines.String()+`printf '%s\n%s' "$CGO_CFLAGS" "$CGO_LDFLAGS"`).Output()
			require.NoError(t, err)
			cflags, ldflags, ok := strings.Cut(string(out), "\n")
			require.True(t, ok)
			want, err := appendFlags("-DA='b c'", []string{"-I" + dir + "/include"})
			require.NoError(t, err)
			require.Equal(t, want, cflags)
			want, err = appendFlags("", []string{"-L" + dir + "/lib", "-Wl,-rpath," + dir + "/lib"})
			require.NoError(t, err)
			require.Equal(t, want, ldflags)

			// Evaluated twice: nothing is added.
			t.Setenv("CGO_CFLAGS", cflags)
			t.Setenv("CGO_LDFLAGS", ldflags)
			var again bytes.Buffer
			require.NoError(t, lib.printEnv(&again))
			require.Equal(t, lines.String(), again.String())
		})
	}
	require.ErrorContains(t, library{dir: "/a,b"}.printEnv(&bytes.Buffer{}), "comma")
}

// makeRoot makes the skeleton of an installed libtensorflow.
func makeRoot(t *testing.T, libraryFile string) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "lib"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "include", "tensorflow", "c"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "include", "tensorflow", "c", "c_api.h"), nil, 0o644))
	if libraryFile != "" {
		require.NoError(t, os.WriteFile(filepath.Join(root, "lib", libraryFile), nil, 0o644))
		if link := linkName(); libraryFile != link {
			require.NoError(t, os.Symlink(libraryFile, filepath.Join(root, "lib", link)))
		}
	}
	return root
}

func TestOpenRoot(t *testing.T) {
	tests := []struct {
		name, file string
		spoil      string // path removed below the root
		version    string
		fits       bool
		err        string
	}{
		{name: "official archive", file: "libtensorflow.so.2.18.0", version: "2.18.0", fits: true},
		{name: "older", file: "libtensorflow.so.2.11.0", version: "2.11.0"},
		{name: "2.180 is not 2.18", file: "libtensorflow.so.2.180.0", version: "2.180.0"},
		{name: "no version in its name", file: linkName(), version: "of unknown version", fits: true},
		{name: "no library", err: "has no lib/" + linkName()},
		{name: "no header", file: "libtensorflow.so.2.18.0", spoil: "include", err: "has no include/tensorflow/c/c_api.h"},
		{name: "no such folder", spoil: ".", err: "expected a folder with"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := makeRoot(t, tt.file)
			if tt.spoil != "" {
				require.NoError(t, os.RemoveAll(filepath.Join(root, tt.spoil)))
			}
			lib, err := openRoot(root)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				require.ErrorContains(t, err, root)
				require.ErrorIs(t, err, os.ErrNotExist)
				return
			}
			require.NoError(t, err)
			require.Equal(t, root, lib.dir)
			require.Equal(t, tt.version, lib.version)
			require.Equal(t, tt.fits, lib.fits())
		})
	}
}

func TestRun(t *testing.T) {
	root := makeRoot(t, "libtensorflow.so.2.11.0")
	empty := t.TempDir()
	file := filepath.Join(empty, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	tests := []struct {
		name           string
		args           []string
		env            map[string]string
		code           int
		stdout, stderr string
	}{
		{name: "no command", code: 2, stderr: "usage:"},
		{name: "unknown command", args: []string{"remove"}, code: 2, stderr: "usage:"},
		{name: "unknown flag", args: []string{"env", "-x"}, code: 2, stderr: "not defined: -x"},
		{name: "too many arguments", args: []string{"env", "now"}, code: 2, stderr: "usage:"},
		{name: "help", args: []string{"--help"}, code: 0, stderr: "usage:"},
		{name: "help of a command", args: []string{"install", "-h"}, code: 0, stderr: "usage:"},
		{name: "unknown variant", args: []string{"install", "-variant", "tpu"}, code: 1, stderr: "VARIANT=tpu"},
		{name: "VARIANT", args: []string{"install"}, env: map[string]string{"VARIANT": "tpu"}, code: 1, stderr: "VARIANT=tpu"},
		{name: "not installed", args: []string{"env"}, code: 1, stderr: "libtensorflow: env: TensorFlow is not installed yet"},
		{name: "cache is a file", args: []string{"install"}, env: map[string]string{"XDG_CACHE_HOME": file}, code: 1, stderr: "set XDG_CACHE_HOME to a folder you can write"},
		{name: "no TENSORFLOW_ROOT", args: []string{"install"}, env: map[string]string{"TENSORFLOW_ROOT": empty}, code: 1, stderr: "TENSORFLOW_ROOT=" + empty},
		{name: "TENSORFLOW_ROOT", args: []string{"install"}, env: map[string]string{"TENSORFLOW_ROOT": root}, code: 0, stderr: "note: Cambium is built and tested with TensorFlow 2.18"},
		{name: "env of TENSORFLOW_ROOT", args: []string{"env"}, env: map[string]string{"TENSORFLOW_ROOT": root}, code: 0, stdout: "-Wl,-rpath," + filepath.Join(root, "lib")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("VARIANT", "")
			t.Setenv("TENSORFLOW_ROOT", "")
			t.Setenv("XDG_CACHE_HOME", filepath.Join(empty, "cache"))
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			var stdout, stderr bytes.Buffer
			require.Equal(t, tt.code, run(t.Context(), tt.args, &stdout, &stderr), stderr.String())
			require.Contains(t, stdout.String(), tt.stdout)
			require.Contains(t, stderr.String(), tt.stderr)
			if tt.stdout == "" {
				require.Empty(t, stdout.String(), "stdout is for the shell")
			}
		})
	}
}

func TestRunInterrupted(t *testing.T) {
	t.Setenv("TENSORFLOW_ROOT", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	require.Equal(t, 1, run(ctx, []string{"install", "-variant", "cpu"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "interrupted")
}
