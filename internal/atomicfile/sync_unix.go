//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// syncDirectory flushes the names in a directory to the disk, where the file system can.
func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, dir.Close())
}
