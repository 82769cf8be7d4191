package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/fetch"
)

// installer puts one release into one folder of the cache.
type installer struct {
	base    string // <cache>/cambium/libtensorflow
	release release
	log     io.Writer
}

// manifest is written last into an installation: what it was made from and
// which files it must have.
type manifest struct {
	Version string           `json:"version"`
	Variant string           `json:"variant"`
	Wheels  []string         `json:"wheels"` // SHA-256, in the order of pins.go
	Files   map[string]int64 `json:"files"`  // size by slash-separated path
}

const manifestFile = "manifest.json"

func readManifest(dir string) (m manifest, err error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, manifestFile), err)
	}
	return m, nil
}

// dir is where the installation lies, or will.
func (in *installer) dir() string { return filepath.Join(in.base, in.release.name()) }

// installed returns the installation if it is there, made from the pinned
// wheels, and every file has its size.
func (in *installer) installed() (library, error) {
	dir := in.dir()
	m, err := readManifest(dir)
	if err != nil {
		return library{}, err
	}
	if !slices.Equal(m.Wheels, in.release.sums()) {
		return library{}, fmt.Errorf("%s was made from other wheels than this version of Cambium pins", dir)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return library{}, err
		}
		if info.Size() != m.Files[name] {
			return library{}, fmt.Errorf("%s/%s has %d bytes, expected %d", dir, name, info.Size(), m.Files[name])
		}
	}
	return library{dir: dir, version: m.Version}, nil
}

func (r release) sums() (sums []string) {
	for _, w := range r.wheels {
		sums = append(sums, w.sha256)
	}
	return sums
}

// install makes sure that the release is in the cache. It downloads only the
// wheels that are not there yet from an interrupted run, and unpacks into a
// temporary folder that becomes the installation when it is complete.
func (in *installer) install(ctx context.Context) (library, error) {
	if lib, err := in.installed(); err == nil {
		fmt.Fprintf(in.log, "TensorFlow %s (%s) is installed in %s\n", lib.version, in.release.variant, lib.dir)
		return lib, nil
	}
	unlock, err := fetch.Lock(ctx, filepath.Join(in.base, ".lock"), in.log)
	if err != nil {
		return library{}, err
	}
	defer unlock()
	lib, err := in.installed() // the process that held the lock may have done it
	if err == nil {
		return lib, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(in.log, "installing again: %v\n", err)
	}
	if err := in.removeLeftovers(); err != nil {
		return library{}, err
	}
	fmt.Fprintf(in.log, "installing TensorFlow %s (%s) for %s/%s: %s to download\n",
		in.release.version, in.release.variant, in.release.os, in.release.arch, megabytes(in.release.download()))
	for i, w := range in.release.wheels {
		if err := in.download(ctx, i, w); err != nil {
			return library{}, err
		}
	}
	if err := in.unpackAll(ctx); err != nil {
		return library{}, err
	}
	if lib, err = in.installed(); err != nil {
		return library{}, err
	}
	return lib, os.RemoveAll(in.downloads())
}

// downloads is the folder of verified wheels that wait to be unpacked.
func (in *installer) downloads() string { return in.dir() + ".wheels" }

// removeLeftovers deletes what processes that were killed left behind. Called
// under the lock, so nobody is writing there.
func (in *installer) removeLeftovers() error {
	name := in.release.name()
	for _, pattern := range []string{
		filepath.Join(in.base, "."+name+".tmp-*"), // package atomicfile's
		filepath.Join(in.base, name+".old-*"),
		filepath.Join(in.downloads(), "tmp-*"),
	} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, dir := range left {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// download brings wheel number i into the downloads folder, verified.
func (in *installer) download(ctx context.Context, i int, w wheel) (err error) {
	file := filepath.Join(in.downloads(), w.file)
	if _, err := os.Stat(file); err == nil {
		if err := fetch.Verify(file, w.sha256); err == nil {
			fmt.Fprintf(in.log, "[%d/%d] %s: downloaded before\n", i+1, len(in.release.wheels), w.project)
			return nil
		}
	}
	fmt.Fprintf(in.log, "[%d/%d] %s %s: downloading %s from PyPI\n", i+1, len(in.release.wheels), w.project, w.version, megabytes(w.size))
	if err := os.MkdirAll(in.downloads(), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(in.downloads(), "tmp-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := pipDownload(ctx, w, tmp, in.log); err != nil {
		return err
	}
	if err := fetch.Verify(filepath.Join(tmp, w.file), w.sha256); err != nil {
		return fmt.Errorf("%w; nothing was installed: try again, and if it happens again, look at the index that pip uses (pip config list)", err)
	}
	return os.Rename(filepath.Join(tmp, w.file), file)
}

// unpackAll makes the installation out of the verified wheels.
func (in *installer) unpackAll(ctx context.Context) error {
	var total int64
	err := atomicfile.Dir(in.dir(), func(dir string) error {
		m := manifest{Version: in.release.version, Variant: in.release.variant, Wheels: in.release.sums(), Files: map[string]int64{}}
		for _, w := range in.release.wheels {
			fmt.Fprintf(in.log, "unpacking %s\n", w.project)
			sizes, err := unpack(ctx, filepath.Join(in.downloads(), w.file), dir)
			if err != nil {
				return err
			}
			maps.Copy(m.Files, sizes)
		}
		for _, n := range m.Files {
			total += n
		}
		if err := in.link(dir, m.Files); err != nil {
			return err
		}
		data, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, manifestFile), data, 0o644)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(in.log, "TensorFlow %s (%s) is installed in %s (%s)\n", in.release.version, in.release.variant, in.dir(), megabytes(total))
	return nil
}

// link gives the libraries the names that the linker looks for (-ltensorflow).
// TensorFlow finds the CUDA libraries by itself under nvidia/, except NCCL.
func (in *installer) link(dir string, files map[string]int64) error {
	links := map[string]string{
		"libtensorflow.so":           "libtensorflow_cc.so.2",
		"libtensorflow_framework.so": "libtensorflow_framework.so.2",
	}
	if in.release.os == "darwin" {
		links = map[string]string{
			"libtensorflow.dylib":           "libtensorflow_cc.2.dylib",
			"libtensorflow_framework.dylib": "libtensorflow_framework.2.dylib",
		}
	}
	if in.release.variant == "gpu" {
		links["libnccl.so.2"] = "../nvidia/nccl/lib/libnccl.so.2"
	}
	for name, target := range links {
		size, ok := files[path.Join("lib", target)]
		if !ok {
			return fmt.Errorf("the wheels of TensorFlow %s hold no %s", in.release.version, target)
		}
		if err := os.Symlink(target, filepath.Join(dir, "lib", name)); err != nil {
			return err
		}
		files["lib/"+name] = size
	}
	if _, ok := files["include/tensorflow/c/c_api.h"]; !ok {
		return fmt.Errorf("the wheels of TensorFlow %s hold no tensorflow/c/c_api.h", in.release.version)
	}
	return nil
}

// megabytes formats a size as pip does, in 10⁶ bytes.
func megabytes(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d MB", (n+5e5)/1e6)
}
