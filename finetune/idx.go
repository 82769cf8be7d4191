package finetune

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// loadFetched reads MNIST or Fashion-MNIST, fetched into the user's cache the first time.
func loadFetched(_ context.Context, o *Options) (*data, error) {
	return nil, fmt.Errorf("%w: data %s", ErrUnsupported, o.Data)
}

// hasIDX reports whether a folder holds an IDX data set.
func hasIDX(dir string) bool {
	for _, suffix := range []string{"", ".gz"} {
		if _, err := os.Stat(filepath.Join(dir, "train-images-idx3-ubyte"+suffix)); err == nil {
			return true
		}
	}
	return false
}
