package finetune

import (
	"errors"
	"os"
	"syscall"
)

// reserve gives a file its size, and all of it a place on the disk.
func reserve(file *os.File, size int64) error {
	err := syscall.Fallocate(int(file.Fd()), 0, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) { // by the file system: a full disk shows when it is full
		return file.Truncate(size)
	}
	return err
}
