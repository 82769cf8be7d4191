package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrChecksum is returned (wrapped) when a file is not the one whose SHA-256
// was pinned: truncated, altered, or another version.
var ErrChecksum = errors.New("checksum mismatch")

// CacheDir returns the folder for elem under the user's cache folder,
// <cache>/cambium/elem…, and creates it. The cache folder is $XDG_CACHE_HOME
// where that is set (on every system), else [os.UserCacheDir].
//
// The error names the folder that could not be created and says which variable
// moves it.
func CacheDir(elem ...string) (string, error) {
	root := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(root) {
		var err error
		if root, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("cache folder: %w (set XDG_CACHE_HOME to an absolute path)", err)
		}
	}
	dir := filepath.Join(append([]string{root, "cambium"}, elem...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache folder: %w (set XDG_CACHE_HOME to a folder you can write)", err)
	}
	return dir, nil
}

// Verify reads the file and returns nil if its SHA-256 is want, 64 lower-case
// hexadecimal digits. A file that is different gives [ErrChecksum] with both
// sums, the path and the size read.
func Verify(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s (%d bytes): %w: sha256 %s, expected %s", path, n, ErrChecksum, got, want)
	}
	return nil
}
