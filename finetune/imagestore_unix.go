//go:build unix

package finetune

import (
	"fmt"
	"os"
	"syscall"
)

// nameless says that an open file can lose its name and stay.
const nameless = true

// sharedMapping says that what is written to a mapped file is seen in memory.
const sharedMapping = true

// mapFile maps a file's first bytes into memory, to read.
func mapFile(file *os.File, size int64) ([]byte, error) {
	if int64(int(size)) != size {
		return nil, fmt.Errorf("%w: %d bytes do not fit into a process's memory", ErrUnsupported, size)
	}
	return syscall.Mmap(int(file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
}

func unmapFile(mapped []byte) error {
	if mapped == nil {
		return nil
	}
	return syscall.Munmap(mapped)
}
