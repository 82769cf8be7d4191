package images

import (
	"context"
	"fmt"
	"iter"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/cambium-go/cambium/tensor"
)

// Options say how image files become tensors. The zero value decodes to RGB of 0 … 255 in the files' own size.
type Options struct {
	Mode          Mode
	Height, Width int           // pixels; 0: as in the file
	Interpolation Interpolation // how Height and Width are reached
	CropToAspect  bool          // cut the middle out instead of distorting, as Keras's crop_to_aspect_ratio
	Upright       bool          // turn photographs as their EXIF orientation says; TensorFlow and Keras do not
	Preprocess    Preprocess

	// Transform, if set, takes the place of cropping, resizing and preprocessing: uint8 [height, width, channels] in, float32 out.
	Transform func(*tensor.Tensor) (*tensor.Tensor, error)

	MaxPixels int // of one image; 0: DefaultMaxPixels
	BatchSize int // of Load; 0: 32
	Workers   int // goroutines that decode; 0: GOMAXPROCS
}

const (
	maxFile    = 512 << 20 // bytes of one image file
	maxDecoded = 1 << 30   // bytes of the images that are being decoded at one time
)

// Read returns one image: float32 [height, width, channels], or what Transform makes of it.
func Read(data []byte, o Options) (*tensor.Tensor, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	img, err := decode(data, o)
	if err != nil {
		return nil, err
	}
	if o.Transform != nil {
		if img, err = o.Transform(img); err == nil && img == nil {
			err = fmt.Errorf("%w: Transform returned no tensor", ErrOptions)
		}
		return img, err
	}
	if o.Height > 0 {
		if o.CropToAspect {
			if img, err = cropToAspect(img, o.Height, o.Width); err != nil {
				return nil, err
			}
		}
		if img, err = Resize(img, o.Height, o.Width, o.Interpolation); err != nil {
			return nil, err
		}
	}
	return o.Preprocess.Apply(img)
}

// ReadFile is Read of a file.
func ReadFile(path string, o Options) (*tensor.Tensor, error) {
	data, err := Content(path)
	if err != nil {
		return nil, err
	}
	img, err := Read(data, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

func (o Options) check() error {
	switch {
	case o.Mode > RGBA || o.Interpolation > LoadImg || o.Preprocess > MNIST:
		return fmt.Errorf("%w: mode %d, interpolation %d, preprocess %d", ErrOptions, o.Mode, o.Interpolation, o.Preprocess)
	case o.Height < 0 || o.Width < 0 || (o.Height == 0) != (o.Width == 0):
		return fmt.Errorf("%w: height %d and width %d; both are needed, or neither", ErrOptions, o.Height, o.Width)
	case o.Preprocess == MNIST && o.Transform == nil:
		return fmt.Errorf("%w: preprocess mnist needs a Transform", ErrOptions)
	default:
		return nil
	}
}

// Content returns the bytes of an image file as they are. Pipes and devices, which might never end, and files of more than 512 MiB are
// errors.
func Content(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrFormat, path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are read", ErrTooLarge, path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// Batch is what Load yields: the images of consecutive paths.
type Batch struct {
	Start  int            // the place of the first image in Load's paths
	Images *tensor.Tensor // float32 [n, height, width, channels]
}

// Load reads the files in batches of o.BatchSize, in the order of paths; the last batch may be shorter. While one batch is in use
// the next is being decoded on o.Workers goroutines, so that at most three batches are in memory, however many paths there
// are. All images of a batch must come out in one shape. The first error, which names its file, ends the loop; so does the end of
// ctx. No goroutine outlives the loop.
//
//	for batch, err := range images.Load(ctx, paths, options) {
//		if err != nil {
//			return err
//		}
//		use(batch.Images)
//	}
func Load(ctx context.Context, paths []string, o Options) iter.Seq2[Batch, error] {
	size := o.BatchSize
	if size <= 0 {
		size = 32
	}
	return func(yield func(Batch, error) bool) {
		if ctx == nil {
			yield(Batch{}, fmt.Errorf("%w: the context is nil; context.Background() never ends", ErrOptions))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		var producer sync.WaitGroup
		defer producer.Wait()
		defer cancel()
		type result struct {
			batch Batch
			err   error
		}
		results := make(chan result)
		producer.Go(func() {
			defer close(results)
			memory := semaphore.NewWeighted(maxDecoded)
			for start := 0; start < len(paths); start += size {
				images, err := loadBatch(ctx, paths[start:min(start+size, len(paths))], o, memory)
				select {
				case results <- result{Batch{start, images}, err}:
				case <-ctx.Done():
					return
				}
				if err != nil {
					return
				}
			}
		})
		seen := 0
		for r := range results {
			if !yield(r.batch, r.err) || r.err != nil {
				return
			}
			seen += r.batch.Images.Shape()[0]
		}
		if seen < len(paths) {
			yield(Batch{}, ctx.Err())
		}
	}
}

// loadBatch reads the files into one tensor.
func loadBatch(ctx context.Context, paths []string, o Options, memory *semaphore.Weighted) (*tensor.Tensor, error) {
	list := make([]*tensor.Tensor, len(paths))
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(max(o.Workers, 1))
	if o.Workers <= 0 {
		workers.SetLimit(runtime.GOMAXPROCS(0))
	}
	for i, path := range paths {
		workers.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			img, err := loadOne(ctx, path, o, memory)
			if err != nil {
				return err
			}
			list[i], err = img.Reshape(append([]int{1}, img.Shape()...)...) // a batch of one
			return err
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	for i, img := range list {
		if !img.Shape().Equal(list[0].Shape()) {
			return nil, fmt.Errorf("%w: %s is %v, %s is %v: set Height and Width", ErrOptions, paths[i], img.Shape()[1:], paths[0], list[0].Shape()[1:])
		}
	}
	return tensor.Concat(list...)
}

// loadOne reads a file once there is memory for its pixels.
func loadOne(ctx context.Context, path string, o Options, memory *semaphore.Weighted) (*tensor.Tensor, error) {
	data, err := Content(path)
	if err != nil {
		return nil, err
	}
	f, err := formatOf(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	size, err := f.check(data, o.MaxPixels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	bytes := min(int64(size.X)*int64(size.Y)*8, maxDecoded)
	if err := memory.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	defer memory.Release(bytes)
	img, err := Read(data, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}
