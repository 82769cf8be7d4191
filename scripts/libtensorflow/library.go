package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// library is a TensorFlow C library on disk, ready to be linked with.
type library struct {
	dir     string // holds lib/ and include/
	version string // of TensorFlow, "of unknown version" if it does not show
}

// linkName is the file that the linker wants to see for -ltensorflow.
func linkName() string {
	if runtime.GOOS == "darwin" {
		return "libtensorflow.dylib"
	}
	return "libtensorflow.so"
}

// openRoot checks that root (TENSORFLOW_ROOT) holds what a build needs: the
// library under its link name and the C header. A Python package's folder has
// the library under another name; the error says which link is missing.
func openRoot(root string) (library, error) {
	dir, err := filepath.Abs(root)
	if err != nil {
		return library{}, err
	}
	for _, need := range []string{
		filepath.Join("lib", linkName()),
		filepath.Join("include", "tensorflow", "c", "c_api.h"),
	} {
		if _, err := os.Stat(filepath.Join(dir, need)); err != nil {
			return library{}, fmt.Errorf("TENSORFLOW_ROOT=%s has no %s (%w); expected a folder with lib/%s and include/tensorflow/c/c_api.h, "+
				"as https://www.tensorflow.org/install/lang_c unpacks it", root, need, errors.Unwrap(err), linkName())
		}
	}
	return library{dir: dir, version: versionOf(dir)}, nil
}

var versionInName = regexp.MustCompile(`\d+\.\d+\.\d+`)

// versionOf tells the version without loading the library: from the file that
// the link name leads to (libtensorflow.so.2.18.1), else from the manifest of
// our own installation.
func versionOf(dir string) string {
	file, err := filepath.EvalSymlinks(filepath.Join(dir, "lib", linkName()))
	if err == nil {
		if v := versionInName.FindString(filepath.Base(file)); v != "" {
			return v
		}
	}
	if m, err := readManifest(dir); err == nil {
		return m.Version
	}
	return "of unknown version"
}

// fits reports whether the library is of the minor release that the binding was
// generated for, or does not say.
func (l library) fits() bool {
	minor := tensorflowVersion[:strings.LastIndex(tensorflowVersion, ".")+1]
	return strings.HasPrefix(l.version, minor) || !versionInName.MatchString(l.version)
}

// printEnv writes the lines that a shell evaluates before `go build`: the
// user's own flags first (from the environment or `go env -w`), ours after
// them. Evaluating the lines twice adds nothing the second time.
func (l library) printEnv(w io.Writer) error {
	lib := filepath.Join(l.dir, "lib")
	if strings.ContainsAny(lib, ",:") {
		return fmt.Errorf("%s: a folder with a comma or colon in its name cannot be a run path (XDG_CACHE_HOME or TENSORFLOW_ROOT moves it)", lib)
	}
	for _, v := range []struct {
		name  string
		flags []string
	}{
		{"CGO_CFLAGS", []string{"-I" + filepath.Join(l.dir, "include")}},
		{"CGO_LDFLAGS", []string{"-L" + lib, "-Wl,-rpath," + lib}},
	} {
		value, err := appendFlags(goEnv(v.name), v.flags)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "export %s=%s\n", v.name, shellQuote(value)); err != nil {
			return err
		}
	}
	return nil
}

// goEnv is the value that the go command would use for one of the CGO_*FLAGS:
// the environment's, else what `go env -w` stored, else its default.
func goEnv(name string) string {
	if v, ok := os.LookupEnv(name); ok {
		return v
	}
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return "-O2 -g" // the go command's default
	}
	return strings.TrimSpace(string(out))
}

// appendFlags adds flags that are not in value yet, quoted as the go command
// reads its CGO_*FLAGS: fields separated by spaces, a field with spaces in
// single or double quotes, no escapes.
func appendFlags(value string, flags []string) (string, error) {
	for _, f := range flags {
		q := f
		switch {
		case !strings.ContainsAny(f, " \t\r\n'\""):
		case !strings.ContainsAny(f, "'\n"):
			q = "'" + f + "'"
		case !strings.ContainsAny(f, "\"\n"):
			q = `"` + f + `"`
		default:
			return "", fmt.Errorf("%q: the go command cannot take a flag with both kinds of quotes or a line break (XDG_CACHE_HOME or TENSORFLOW_ROOT moves the folder)", f)
		}
		if !strings.Contains(" "+value+" ", " "+q+" ") {
			value += " " + q
		}
	}
	return strings.TrimSpace(value), nil
}

// shellQuote makes one word of s for any POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
