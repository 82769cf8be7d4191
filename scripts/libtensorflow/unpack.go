package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// place says where a file of a wheel goes below the installation's folder, or
// "" if a build does not need it. TensorFlow's library looks for what lies
// beside it ($ORIGIN/../nvidia/…/lib, $ORIGIN/../tensorflow.libs), so those
// keep their names.
func place(name string) string {
	base := path.Base(name)
	switch {
	case path.Dir(name) == "tensorflow" && strings.HasPrefix(base, "libtensorflow_"):
		return "lib/" + base
	case path.Dir(name) == "tensorflow" && strings.HasPrefix(base, "THIRD_PARTY_NOTICES"), name == "tensorflow/include/LICENSE":
		return base
	case strings.HasPrefix(name, "tensorflow.libs/"):
		return name
	case strings.HasPrefix(name, "nvidia/") && (strings.Contains(name, "/lib/") || strings.HasPrefix(name, "nvidia/cuda_nvcc/")):
		if base == "__init__.py" || strings.Contains(name, "/include/") {
			return ""
		}
		return name
	case strings.HasPrefix(name, "nvidia_") && base == "License.txt":
		return name
	}
	header, ok := strings.CutPrefix(name, "tensorflow/include/")
	if ok {
		for _, prefix := range []string{"tensorflow/c/", "tensorflow/core/platform/ctstring", "tsl/platform/ctstring", "xla/tsl/c/"} {
			if strings.HasPrefix(header, prefix) {
				return "include/" + header
			}
		}
	}
	return ""
}

// unpack writes the files of a wheel that a build needs below dir and returns
// their sizes by slash-separated path. Each file's CRC-32 is checked by reading
// it whole. A name that would leave dir is an error.
func unpack(ctx context.Context, wheelFile, dir string) (map[string]int64, error) {
	z, err := zip.OpenReader(wheelFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", wheelFile, err)
	}
	defer z.Close() // only read
	sizes := map[string]int64{}
	for _, f := range z.File {
		to := place(f.Name)
		if to == "" || strings.HasSuffix(f.Name, "/") {
			continue
		}
		if !f.Mode().IsRegular() || path.Clean(to) != to || !filepath.IsLocal(filepath.FromSlash(to)) {
			return nil, fmt.Errorf("%s: unsafe entry %q", wheelFile, f.Name)
		}
		if sizes[to], err = unpackFile(ctx, f, filepath.Join(dir, filepath.FromSlash(to))); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", wheelFile, f.Name, err)
		}
	}
	return sizes, nil
}

func unpackFile(ctx context.Context, f *zip.File, to string) (n int64, err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, err
	}
	r, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close() // only read
	perm := fs.FileMode(0o644)
	if f.Mode()&0o111 != 0 || strings.Contains(to, "/bin/") { // ptxas
		perm = 0o755
	}
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(w, contextReader{ctx, r})
	return n, errors.Join(err, w.Close())
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
