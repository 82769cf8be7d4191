package finetune

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // formats that grey images are told from
	_ "image/jpeg" // the same
	_ "image/png"  // the same
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

const (
	// defaultImageSize is the side that images are resized to without a base.
	defaultImageSize = 28
	// mostBroken is the share of files that may be unreadable, and leastBroken how many always may.
	mostBroken, leastBroken = 0.1, 3
	// mostImageBytes bounds the images that are held in memory.
	mostImageBytes = 8 << 30
)

// loadFolder reads a folder with a sub-folder of images per class, or with train, validation (or val) and test folders of
// that kind.
func loadFolder(ctx context.Context, o *Options, e *extractor) (*data, error) {
	root := o.Data
	if isDir(filepath.Join(root, "train")) {
		root = filepath.Join(root, "train")
	}
	if within(o.Out, root) {
		return nil, fmt.Errorf("%s: %w: the results in %s would be read as a class the next time; choose a directory outside of the data", o.Data, ErrOption, o.Out)
	}
	classes, paths, of, err := images.Classes(root)
	if err != nil {
		return nil, wrap(ErrData, err)
	}
	r := &folderReader{o: o, classes: classes, side: o.ImageSize, mode: images.RGB, extractor: e}
	if r.side == 0 {
		r.side = defaultImageSize
	}
	if gray(paths) {
		r.mode = images.Gray
	}
	if err := r.foreign(root); err != nil {
		return nil, err
	}
	d := &data{classes: classes, input: input{shape: []int{r.side, r.side, r.mode.Channels()}, scale: 1.0 / 255, preprocess: "none"}}
	if e != nil {
		d.input = e.base.input()
	}
	if d.training, d.pictures.training, err = r.read(ctx, paths, of); err != nil {
		return nil, err
	}
	if root != o.Data {
		if d.validation, d.pictures.validation, err = r.extra(ctx, "validation", "val"); err != nil {
			return nil, err
		}
		if d.test, d.pictures.test, err = r.extra(ctx, "test"); err != nil {
			return nil, err
		}
	}
	d.skipped = r.skipped
	return d, nil
}

// folderReader reads folders of one data set.
type folderReader struct {
	o       *Options
	classes []string
	side    int
	mode    images.Mode
	skipped []string
	// extractor, if there is one, gives the features of images in place of their bytes.
	extractor *extractor
}

// extra reads a further folder, the first of the names that is there; nil if none is.
func (r *folderReader) extra(ctx context.Context, names ...string) (*train.Dataset, []picture, error) {
	for _, name := range names {
		dir := filepath.Join(r.o.Data, name)
		if !isDir(dir) {
			continue
		}
		classes, paths, of, err := images.Classes(dir)
		if err != nil {
			return nil, nil, wrap(ErrData, err)
		}
		place := make([]int, len(classes))
		for i, c := range classes {
			if place[i] = slices.Index(r.classes, c); place[i] < 0 {
				return nil, nil, fmt.Errorf("%s: %w: class %q has no training images", dir, ErrData, c)
			}
		}
		for i, c := range of {
			of[i] = place[c]
		}
		return r.read(ctx, paths, of)
	}
	return nil, nil, nil
}

// read reads images on all cores, with an extractor their features, and says which they are of. Unreadable images are left out,
// up to a limit.
func (r *folderReader) read(ctx context.Context, paths []string, of []int) (*train.Dataset, []picture, error) {
	var mu sync.Mutex
	var unreadable []string
	limit := max(leastBroken, int(mostBroken*float64(len(paths))))
	tooMany := func(err error) error {
		mu.Lock()
		defer mu.Unlock()
		if unreadable = append(unreadable, err.Error()); len(unreadable) <= limit {
			return nil
		}
		if len(unreadable) == limit+1 {
			slices.Sort(unreadable)
			r.o.logf("%s", strings.Join(unreadable, "\n"))
		}
		return fmt.Errorf("%s: %w: more than %d of %d images cannot be read, such as: %w", r.o.Data, ErrData, limit, len(paths), err)
	}
	if r.extractor != nil {
		return r.features(ctx, paths, of, tooMany)
	}
	return r.bytes(ctx, paths, of, tooMany)
}

// bytes decodes and resizes images.
func (r *folderReader) bytes(ctx context.Context, paths []string, of []int, tooMany func(error) error) (*train.Dataset, []picture, error) {
	size := r.side * r.side * r.mode.Channels()
	if len(paths) > mostImageBytes/size {
		return nil, nil, fmt.Errorf("%s: %w: %d images of %d bytes do not fit into memory; a smaller --image-size helps", r.o.Data, ErrData, len(paths), size)
	}
	pixels, pictures, broken := make([]uint8, len(paths)*size), make([]picture, len(paths)), make([]error, len(paths))
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	count := counter(r.o.OnFeatures, len(paths))
	for i, path := range paths {
		pictures[i] = file{path: path}
		workers.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if broken[i] = r.one(pixels[i*size:(i+1)*size], path); broken[i] != nil {
				if err := tooMany(broken[i]); err != nil {
					return err
				}
			}
			count(1)
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, nil, err
	}
	pixels, labels, err := whole(r, pixels, size, of, broken, paths)
	if err != nil {
		return nil, nil, err
	}
	x, err := tensor.Of(pixels, len(labels), r.side, r.side, r.mode.Channels())
	if err != nil {
		return nil, nil, err
	}
	return &train.Dataset{X: x, Scale: 1.0 / 255, Y: vector(labels)}, unbroken(pictures, broken), nil
}

// features sends images through the base.
func (r *folderReader) features(ctx context.Context, paths []string, of []int, tooMany func(error) error) (*train.Dataset, []picture, error) {
	e := r.extractor
	pictures, broken := make([]picture, len(paths)), make([]error, len(paths))
	for i, path := range paths {
		pictures[i] = file{path, e.base}
	}
	rows := make([]float32, len(paths)*e.base.width)
	if err := e.features(ctx, pictures, rows, broken, tooMany); err != nil {
		return nil, nil, err
	}
	rows, labels, err := whole(r, rows, e.base.width, of, broken, paths)
	if err != nil {
		return nil, nil, err
	}
	x, err := tensor.Of(rows, len(labels), e.base.width)
	if err != nil {
		return nil, nil, err
	}
	return &train.Dataset{X: x, Y: vector(labels)}, unbroken(pictures, broken), nil
}

// unbroken returns the pictures that could be read.
func unbroken(pictures []picture, broken []error) []picture {
	read := pictures[:0]
	for i, p := range pictures {
		if broken[i] == nil {
			read = append(read, p)
		}
	}
	return read
}

// whole keeps the samples, of size elements each, whose images could be read, and returns their labels.
func whole[T uint8 | float32](r *folderReader, samples []T, size int, of []int, broken []error, paths []string) ([]T, []int32, error) {
	n, labels := 0, make([]int32, 0, len(of))
	for i := range broken {
		if broken[i] != nil {
			r.skipped = append(r.skipped, paths[i])
			r.o.logf("skipped: %v", broken[i])
			continue
		}
		copy(samples[n*size:], samples[i*size:(i+1)*size])
		labels = append(labels, int32(of[i]))
		n++
	}
	if n == 0 {
		return nil, nil, fmt.Errorf("%s: %w: no image could be read", r.o.Data, ErrData)
	}
	return samples[:n*size], labels, nil
}

// one reads an image into its bytes.
func (r *folderReader) one(out []uint8, path string) error {
	img, err := images.ReadFile(path, images.Options{Mode: r.mode, Height: r.side, Width: r.side})
	if err != nil {
		return err
	}
	values, err := tensor.Data[float32](img)
	if err != nil {
		return err
	}
	for i, v := range values {
		out[i] = uint8(math.Round(float64(v)))
	}
	return nil
}

// mostLookedAt is how many image files are asked for their colours.
const mostLookedAt = 64

// gray reports whether image files have no colours: some of them, spread over all, are asked. Those that cannot be read say nothing.
func gray(paths []string) bool {
	read := false
	for i := range min(len(paths), mostLookedAt) {
		content, err := images.Content(paths[i*len(paths)/min(len(paths), mostLookedAt)])
		if err != nil {
			continue
		}
		config, _, err := image.DecodeConfig(bytes.NewReader(content))
		if err == nil && config.ColorModel != color.GrayModel && config.ColorModel != color.Gray16Model {
			return false
		}
		read = read || err == nil
	}
	return read
}

// foreignImages are the endings of image files that are not read.
var foreignImages = []string{".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jfif", ".jp2", ".jxl", ".dng", ".svg"}

// mostForeign is how many of them are named in the log.
const mostForeign = 5

// foreign lists the images of the classes' folders that are in a format that is not read.
func (r *folderReader) foreign(root string) error {
	found := 0
	for _, class := range r.classes {
		err := filepath.WalkDir(filepath.Join(root, class)+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
			hidden := strings.HasPrefix(entry.Name(), ".")
			switch {
			case err != nil:
				return err
			case entry.IsDir() && hidden:
				return fs.SkipDir
			case entry.IsDir() || hidden || !slices.Contains(foreignImages, strings.ToLower(filepath.Ext(path))):
				return nil
			}
			if found++; found <= mostForeign {
				r.o.logf("skipped: %s: PNG, JPEG, GIF and BMP files are read", filepath.Clean(path))
			}
			r.skipped = append(r.skipped, filepath.Clean(path))
			return nil
		})
		if err != nil {
			return err
		}
	}
	if found > mostForeign {
		r.o.logf("skipped: %d more images in such formats", found-mostForeign)
	}
	return nil
}

// within reports whether path is a directory or below it; neither needs to be there yet.
func within(path, directory string) bool {
	relative, err := filepath.Rel(resolved(directory), resolved(path))
	return err == nil && (relative == "." || filepath.IsLocal(relative))
}

// resolved returns a path from the root, with the symbolic links of what there is of it followed.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if followed, err := filepath.EvalSymlinks(path); err == nil {
		return followed
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolved(parent), filepath.Base(path))
	}
	return path
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
