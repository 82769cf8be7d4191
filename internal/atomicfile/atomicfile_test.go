package atomicfile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/atomicfile"
)

var errDisk = errors.New("no space left on device")

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// names lists what is in a directory, so that nothing temporary stays unseen.
func names(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func content(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	require.NoError(t, atomicfile.Write(path, text("one")))
	require.Equal(t, "one", content(t, path))
	require.NoError(t, os.Chmod(path, 0o600))

	require.ErrorIs(t, atomicfile.Write(path, func(w io.Writer) error {
		return errors.Join(text("half")(w), errDisk)
	}), errDisk)
	require.Equal(t, "one", content(t, path))
	require.Equal(t, []string{"report.json"}, names(t, dir))

	require.NoError(t, atomicfile.Write(path, text("two")))
	require.Equal(t, "two", content(t, path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, []string{"report.json"}, names(t, dir))
}

func TestWriteThroughLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(target, []byte("old"), 0o644))
	require.NoError(t, os.Symlink("target", link))
	require.NoError(t, atomicfile.Write(link, text("new")))
	require.Equal(t, "new", content(t, target))
	_, err := os.Readlink(link)
	require.NoError(t, err)
}

func TestWriteWhereNothingCanBeWritten(t *testing.T) {
	dir := t.TempDir()
	require.ErrorIs(t, atomicfile.Write(filepath.Join(dir, "missing", "f"), text("x")), os.ErrNotExist)
	require.ErrorContains(t, atomicfile.Write(dir, text("x")), "not a regular file")
	require.Empty(t, names(t, dir))
	if _, err := os.Stat("/dev/full"); err == nil {
		require.ErrorContains(t, atomicfile.Write("/dev/full", text("x")), "not a regular file")
	}
}

func fillWith(files map[string]string, err error) func(string) error {
	return func(dir string) error {
		for name, s := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte(s), 0o644); err != nil {
				return err
			}
		}
		return err
	}
}

func TestDir(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "saved_model")
	require.ErrorIs(t, atomicfile.Dir(path, fillWith(map[string]string{"a": "half"}, errDisk)), errDisk)
	require.Empty(t, names(t, parent))

	require.NoError(t, atomicfile.Dir(path, fillWith(map[string]string{"a": "1", "variables/b": "2"}, nil)))
	require.Equal(t, "2", content(t, filepath.Join(path, "variables", "b")))

	require.ErrorIs(t, atomicfile.Dir(path, fillWith(map[string]string{"a": "half"}, errDisk)), errDisk)
	require.Equal(t, "1", content(t, filepath.Join(path, "a")))

	require.NoError(t, atomicfile.Dir(path, fillWith(map[string]string{"c": "3"}, nil)))
	require.Equal(t, []string{"c"}, names(t, path))
	require.Equal(t, []string{"saved_model"}, names(t, parent))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode().Perm())
}

func TestMerge(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(path, "model"), 0o755))
	for _, name := range []string{"kept", "report", "model/old"} {
		require.NoError(t, os.WriteFile(filepath.Join(path, name), []byte("before"), 0o600))
	}
	fill := func(failed error) func(string) error {
		return func(dir string) error {
			require.Equal(t, path, filepath.Dir(dir))
			matches, err := filepath.Match(atomicfile.MergeTemporary, filepath.Base(dir))
			require.NoError(t, err)
			require.True(t, matches)
			require.NoError(t, os.Mkdir(filepath.Join(dir, "model"), 0o755))
			for _, name := range []string{"report", "zebra", "model/new"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("after"), 0o600))
			}
			return failed
		}
	}
	require.ErrorIs(t, atomicfile.Merge(path, "report", fill(errDisk)), errDisk)
	require.Equal(t, []string{"kept", "model", "report"}, names(t, path))
	require.Equal(t, []string{"old"}, names(t, filepath.Join(path, "model")))
	require.Equal(t, "before", content(t, filepath.Join(path, "report")))

	require.NoError(t, atomicfile.Merge(path, "report", fill(nil)))
	require.Equal(t, []string{"kept", "model", "report", "zebra"}, names(t, path))
	require.Equal(t, []string{"new"}, names(t, filepath.Join(path, "model")))
	require.Equal(t, "after", content(t, filepath.Join(path, "report")))
	require.Equal(t, "before", content(t, filepath.Join(path, "kept")))

	require.NoError(t, os.Mkdir(filepath.Join(path, "folder"), 0o755)) // in the way of a file
	require.NoError(t, atomicfile.Merge(path, "folder", func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "folder"), []byte("file"), 0o600)
	}))
	require.Equal(t, "file", content(t, filepath.Join(path, "folder")))
	require.ErrorIs(t, atomicfile.Merge(filepath.Join(path, "missing"), "report", fill(nil)), os.ErrNotExist)
}

func TestDirWhereNothingCanBeWritten(t *testing.T) {
	parent := t.TempDir()
	file := filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	require.ErrorContains(t, atomicfile.Dir(file, fillWith(nil, nil)), "not a directory")
	require.ErrorIs(t, atomicfile.Dir(filepath.Join(parent, "missing", "d"), fillWith(nil, nil)), os.ErrNotExist)
	require.Equal(t, []string{"file"}, names(t, parent))
}

func ExampleWrite() {
	dir, _ := os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "labels.txt")
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "daisy")
		return err
	})
	data, _ := os.ReadFile(path)
	fmt.Print(string(data), err)
	// Output:
	// daisy
	// <nil>
}

func ExampleDir() {
	parent, _ := os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(parent) }()
	path := filepath.Join(parent, "saved_model")
	err := atomicfile.Dir(path, func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "saved_model.pb"), nil, 0o644)
	})
	entries, _ := os.ReadDir(path)
	fmt.Println(entries[0].Name(), err)
	// Output: saved_model.pb <nil>
}
