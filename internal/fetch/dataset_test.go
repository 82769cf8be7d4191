package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gzipped compresses content and returns the SHA-256 sum of the content.
func gzipped(t *testing.T, content string) (data []byte, sum string) {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	s := sha256.Sum256([]byte(content))
	return buf.Bytes(), hex.EncodeToString(s[:])
}

// made is a data set of one file, whose source writes data and counts.
func made(t *testing.T, data []byte, sum string, calls *int) dataset {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return dataset{
		name: "made", about: "made-up data", sums: map[string]string{"a.gz": sum},
		source: func(_ context.Context, tmp string, _ io.Writer) (string, error) {
			*calls++
			return tmp, os.WriteFile(filepath.Join(tmp, "a.gz"), data, 0o600)
		},
	}
}

func TestFetchOnce(t *testing.T) {
	data, sum := gzipped(t, "sixty thousand digits")
	calls := 0
	d := made(t, data, sum, &calls)
	var log bytes.Buffer
	dir, err := d.fetch(t.Context(), &log)
	require.NoError(t, err)
	require.Contains(t, log.String(), "fetching made-up data into "+dir)
	got, err := os.ReadFile(filepath.Join(dir, "a.gz"))
	require.NoError(t, err)
	require.Equal(t, data, got)

	log.Reset()
	again, err := d.fetch(t.Context(), &log)
	require.NoError(t, err)
	require.Equal(t, dir, again)
	require.Empty(t, log.String())
	require.Equal(t, 1, calls)
}

func TestFetchTogether(t *testing.T) {
	data, sum := gzipped(t, "sixty thousand digits")
	calls := 0
	d := made(t, data, sum, &calls)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = d.fetch(t.Context(), io.Discard) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 1, calls)
}

func TestFetchRefuses(t *testing.T) {
	data, sum := gzipped(t, "sixty thousand digits")
	other, _ := gzipped(t, "something else")
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 0x10
	for name, served := range map[string][]byte{
		"another file": other,
		"truncated":    data[:len(data)-5],
		"damaged":      flipped,
		"empty":        {},
		"not gzip":     []byte("<html>not found</html>"),
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			d := made(t, served, sum, &calls)
			_, err := d.fetch(t.Context(), io.Discard)
			require.ErrorIs(t, err, ErrChecksum)
			require.ErrorContains(t, err, "a.gz")
			dir, err := CacheDir(d.name)
			require.NoError(t, err)
			require.NoFileExists(t, filepath.Join(dir, "a.gz"))
		})
	}
}

func TestSourcesUnavailable(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir()) // no go, no apt-get
	_, err := MNIST(t.Context(), io.Discard)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "go mod download")
	if _, statErr := os.Stat(fashionFolder); statErr != nil {
		_, err = FashionMNIST(t.Context(), io.Discard)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, "into a folder")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = MNIST(ctx, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}

// The published files, where they can be had: every sum must be right.
func TestPublished(t *testing.T) {
	if os.Getenv("CAMBIUM_DOWNLOAD") == "" {
		t.Skip("downloads 43 MB; set CAMBIUM_DOWNLOAD=1")
	}
	for name, get := range map[string]func(context.Context, io.Writer) (string, error){"MNIST": MNIST, "FashionMNIST": FashionMNIST} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			dir, err := get(ctx, t.Output())
			if errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
				t.Skip(err)
			}
			require.NoError(t, err)
			files, err := filepath.Glob(filepath.Join(dir, "*-ubyte.gz"))
			require.NoError(t, err)
			require.Len(t, files, 4)
		})
	}
}
