// Package atomicfile writes files and directories so that a reader sees the old content or the new one, never half of it,
// even if the program is killed, the disk is full or the power fails: the content is written under a temporary name in the
// same directory, flushed to the disk, and renamed.
//
//	err := atomicfile.Write("report.json", func(w io.Writer) error {
//		return json.NewEncoder(w).Encode(report)
//	})
//
// # Caveats
//
// A directory that replaces another one takes two renames: for a moment neither stands under the name, and a crash just
// then leaves the old one beside it as NAME.old-*. A killed program leaves a temporary name, .NAME.tmp-*, behind.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path by what write writes, or leaves everything as it was and returns the error. An existing
// file's permissions are kept, a new file's are 0644 less the umask.
func Write(path string, write func(io.Writer) error) (err error) {
	path = resolve(path)
	mode := fs.FileMode(0o644)
	if old, err := os.Stat(path); err == nil {
		if !old.Mode().IsRegular() {
			return fmt.Errorf("write %s: it is not a regular file", path)
		}
		mode = old.Mode().Perm()
	}
	file, err := create(path, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close() // closed twice on some ways here, which does no harm
			_ = os.Remove(file.Name())
		}
	}()
	buffer := bufio.NewWriterSize(file, 1<<16)
	if err := write(buffer); err != nil {
		return err
	}
	if err := errors.Join(buffer.Flush(), file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDirectory(filepath.Dir(path))
}

// Dir replaces the directory at path by what fill puts into the empty directory whose path it gets, or leaves everything as
// it was and returns the error. What path names must not exist, or be a directory.
func Dir(path string, fill func(dir string) error) (err error) {
	path = resolve(path)
	old, err := os.Stat(path)
	if err == nil && !old.IsDir() {
		return fmt.Errorf("write %s: it is not a directory", path)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temporary)
		}
	}()
	mode := fs.FileMode(0o755)
	if old != nil {
		mode = old.Mode().Perm()
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := fill(temporary); err != nil {
		return err
	}
	if err := syncTree(temporary); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := replace(temporary, path, old != nil); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDirectory(filepath.Dir(path))
}

// Merge moves what fill puts into the empty directory whose path it gets into the directory at path, in the place of what has
// the same names there, the entry called last at the end. If fill fails, everything stays as it was. A killed program leaves
// the temporary directory inside path: MergeTemporary matches its name.
func Merge(path, last string, fill func(dir string) error) (err error) {
	temporary, err := os.MkdirTemp(path, MergeTemporary)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	if err := fill(temporary); err != nil {
		return err
	}
	entries, err := os.ReadDir(temporary)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Name() != last {
			names = append(names, e.Name())
		}
	}
	if len(names) < len(entries) {
		names = append(names, last)
	}
	for _, name := range names {
		from, to := filepath.Join(temporary, name), filepath.Join(path, name)
		old, err := os.Lstat(to)
		if err := replace(from, to, err == nil && old.IsDir()); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return syncDirectory(path)
}

// MergeTemporary is the pattern of the names that Merge gives its temporary directories.
const MergeTemporary = ".merge.tmp-*"

// replace renames from to path, moving a directory that is there out of the way first and back if that fails.
func replace(from, path string, directory bool) error {
	if !directory {
		return os.Rename(from, path)
	}
	aside, err := os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+".old-*")
	if err != nil {
		return err
	}
	kept := filepath.Join(aside, filepath.Base(path))
	if err := os.Rename(path, kept); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(from, path); err != nil {
		return errors.Join(err, os.Rename(kept, path), os.Remove(aside))
	}
	return os.RemoveAll(aside)
}

// create opens a new file beside path, under a name that nobody uses.
func create(path string, mode fs.FileMode) (*os.File, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(mode); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return file, nil
}

// resolve follows a symbolic link, so that what it points to is replaced and not the link.
func resolve(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return filepath.Clean(path)
}

// syncTree flushes every file and directory under root to the disk.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return errors.Join(err, syncDirectory(path))
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return syncFile(path)
	})
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
