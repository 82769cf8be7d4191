//go:build !unix

package finetune

import (
	"io"
	"os"
)

const nameless, sharedMapping = false, false

// mapFile reads a file's first bytes: the pictures have to fit into memory where files are not mapped.
func mapFile(file *os.File, size int64) ([]byte, error) {
	content := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(file, 0, size), content)
	return content, err
}

func unmapFile([]byte) error { return nil }
