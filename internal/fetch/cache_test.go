package fetch

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCacheDir(t *testing.T) {
	root := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", root)
	dir, err := CacheDir("a", "b")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "cambium", "a", "b"), dir)
	require.DirExists(t, dir)

	file := filepath.Join(root, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Setenv("XDG_CACHE_HOME", file)
	_, err = CacheDir("a")
	require.ErrorContains(t, err, "set XDG_CACHE_HOME to a folder you can write")

	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", root)
	t.Setenv("LocalAppData", root)
	dir, err = CacheDir("a")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(dir, root), dir)
}

func TestVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, appendix B.1
	require.NoError(t, Verify(path, abc))
	require.NoError(t, os.WriteFile(path, []byte("ab"), 0o600))
	err := Verify(path, abc)
	require.ErrorIs(t, err, ErrChecksum)
	require.ErrorContains(t, err, path+" (2 bytes)")
	require.ErrorIs(t, Verify(path+"x", abc), os.ErrNotExist)
}

func TestLockWaits(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no lock on this system")
	}
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path, io.Discard)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var log bytes.Buffer
	_, err = Lock(ctx, path, &log)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Contains(t, log.String(), "waiting for another process")

	unlock()
	unlock, err = Lock(t.Context(), path, io.Discard)
	require.NoError(t, err)
	unlock()
	_, err = Lock(t.Context(), filepath.Join(path, "x"), io.Discard)
	require.ErrorContains(t, err, "XDG_CACHE_HOME")
}
