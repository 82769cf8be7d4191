package finetune

import (
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// chunk is how many images go through a base at once, on each core.
const chunk = 4

// picture is an image to compute features of: its content, and how to make of it what the base takes.
type picture interface {
	content() ([]byte, error)
	// key is what the picture's features are kept under.
	key(content []byte) [sha256.Size]byte
	// raw returns float32 [height, width, channels] of 0 … 255, of the base's size.
	raw(ctx context.Context, content []byte) (*tensor.Tensor, error)
	// pixels puts the same, preprocessed, into x.
	pixels(ctx context.Context, content []byte, x *tensor.Tensor) error
	// asked returns the signature of an exported model, and its inputs, for the picture.
	asked() (signature string, inputs map[string]*tensor.Tensor, err error)
	// name is the picture's file; "" without one.
	name() string
	// shown is the picture as a person sees it.
	shown() (image.Image, error)
}

// exampleCount is how many pictures an exported model is asked about.
const exampleCount = 8

// extractor computes features of pictures on all cores, chunk by chunk, so that few images are in memory at a time, however
// many there are.
type extractor struct {
	base     *base
	cache    *featureCache       // nil: features are computed each time
	lost     func(error)         // hears, once, that features cannot be kept
	progress func(done, all int) // may be nil
	batches  sync.Pool           // of *tensor.Tensor, chunk images that go through the base at once
}

func newExtractor(o *Options, b *base) *extractor {
	var once sync.Once
	e := &extractor{base: b, progress: o.OnFeatures, lost: func(err error) {
		once.Do(func() {
			o.logf("features are not kept for the next run: %v (a folder that can be written to, with space, helps: set XDG_CACHE_HOME)", err)
		})
	}}
	e.batches.New = func() any { return tensor.Must(tensor.New(tensor.Float32, append([]int{chunk}, b.shape...)...)) }
	dir, err := featureCacheDir(o)
	if err == nil {
		e.cache, err = openFeatureCache(dir, b.key(), b.width)
	}
	if err != nil {
		e.lost(err)
	}
	return e
}

func (e *extractor) close() {
	if e.cache != nil {
		if err := e.cache.close(); err != nil {
			e.lost(err)
		}
	}
}

// key names what features depend on beside the image: the base with its weights, and how images are made ready for it.
func (b *base) key() string {
	return fmt.Sprintf("%s-%dx%dx%d-%v", b.hash[:32], b.shape[0], b.shape[1], b.shape[2], b.preprocess)
}

// input is what the exported model takes: images of 0 … 255, which it resizes and preprocesses itself.
func (b *base) input() input {
	return input{shape: []int{b.width}, features: true, preprocess: images.None.String()}
}

// inPlaceOf puts features in the place of a data set's images. Without an extractor the images stay.
func (e *extractor) inPlaceOf(ctx context.Context, d *data, err error) (*data, error) {
	if e == nil || err != nil {
		return d, err
	}
	d.input = e.base.input()
	sets := []*train.Dataset{d.training, d.validation, d.test}
	for s, of := range []*[]picture{&d.pictures.training, &d.pictures.validation, &d.pictures.test} {
		set := sets[s]
		if set == nil {
			continue
		}
		n := set.Samples()
		pictures, rows := digitsOf(set.X, e.base), make([]float32, n*e.base.width)
		if err := e.features(ctx, pictures, rows, make([]error, n), func(err error) error { return err }); err != nil {
			return nil, err
		}
		*of = pictures
		if set.X, err = tensor.Of(rows, n, e.base.width); err != nil {
			return nil, err
		}
		set.Scale = 0
	}
	return d, nil
}

// features fills rows, one of base.width numbers a picture. broken[i] is set for a picture that cannot be read, whose row stays
// zero; tooMany may end the work after one.
func (e *extractor) features(ctx context.Context, pictures []picture, rows []float32, broken []error, tooMany func(error) error) error {
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	count := counter(e.progress, len(pictures))
	for from := 0; from < len(pictures); from += chunk {
		to := min(from+chunk, len(pictures))
		workers.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if err := e.chunk(ctx, pictures[from:to], rows[from*e.base.width:to*e.base.width], broken[from:to]); err != nil {
				return err
			}
			for _, err := range broken[from:to] {
				if err != nil {
					if err := tooMany(err); err != nil {
						return err
					}
				}
			}
			count(to - from)
			return nil
		})
	}
	return workers.Wait()
}

// counter returns a function for any goroutine that adds to the number done, and tells progress, one call after the other.
func counter(progress func(done, all int), all int) func(n int) {
	var mu sync.Mutex
	done := 0
	return func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if done += n; progress != nil {
			progress(done, all)
		}
	}
}

// chunk computes the features of a few pictures, taking from the cache what it knows.
func (e *extractor) chunk(ctx context.Context, pictures []picture, rows []float32, broken []error) error {
	var hashes [][sha256.Size]byte
	var places []int
	width, batch := e.base.width, e.batches.Get().(*tensor.Tensor)
	defer e.batches.Put(batch)
	for i, p := range pictures {
		content, err := p.content()
		if err != nil {
			broken[i] = err
			continue
		}
		hash := p.key(content)
		if e.cache != nil {
			if known := e.cache.get(hash); known != nil {
				copy(rows[i*width:], known)
				continue
			}
		}
		x, err := batch.Rows(len(places), len(places)+1)
		if err == nil {
			err = p.pixels(ctx, content, x)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			broken[i] = err
			continue
		}
		hashes, places = append(hashes, hash), append(places, i)
	}
	if len(places) == 0 {
		return nil
	}
	x, err := batch.Rows(0, len(places))
	if err != nil {
		return err
	}
	return e.run(ctx, x, func(k int, features []float32) { copy(rows[places[k]*width:], features) }, hashes)
}

// run sends a batch through the base, and gives and keeps what comes out.
func (e *extractor) run(ctx context.Context, x *tensor.Tensor, give func(k int, features []float32), hashes [][sha256.Size]byte) error {
	y, err := e.base.model.Predict(ctx, x)
	if err != nil {
		return fmt.Errorf("base: %w", err)
	}
	values, err := tensor.Data[float32](y)
	if err != nil {
		return fmt.Errorf("base: %w", err)
	}
	features := make([][]float32, len(hashes))
	for k := range features {
		features[k] = values[k*e.base.width : (k+1)*e.base.width : (k+1)*e.base.width]
		give(k, features[k])
	}
	if e.cache != nil {
		if err := e.cache.put(hashes, features); err != nil {
			e.lost(err) // what has been computed is used all the same
		}
	}
	return nil
}

// file is a picture in an image file, decoded by TensorFlow.
type file struct {
	path string
	base *base
}

func (f file) content() ([]byte, error) { return images.Content(f.path) }

func (f file) key(content []byte) [sha256.Size]byte { return sha256.Sum256(content) }

func (f file) raw(ctx context.Context, content []byte) (*tensor.Tensor, error) {
	if err := images.Check(content); err != nil { // before it is decoded in C
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	out, err := f.base.decoder.CallSignature(ctx, rawSignature, map[string]*tensor.Tensor{"bytes": tensor.Scalar(string(content))})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return out[imageInput].Reshape(f.base.shape...)
}

func (f file) pixels(ctx context.Context, content []byte, x *tensor.Tensor) error {
	err := images.Check(content)
	if err == nil {
		x, err = x.Reshape(append([]int{1}, f.base.shape...)...)
	}
	if err == nil {
		err = f.base.decoder.PredictInto(ctx, tensor.Scalar(string(content)), x)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

// digit is a picture of an IDX file, one of bytes [n, height, width].
type digit struct {
	set  *tensor.Tensor
	at   int
	base *base
}

func (d digit) content() ([]byte, error) {
	rows, err := d.set.Rows(d.at, d.at+1)
	if err != nil {
		return nil, err
	}
	return rows.Bytes(), nil
}

func (d digit) key(content []byte) [sha256.Size]byte { return sha256.Sum256(content) }

func (d digit) raw(_ context.Context, content []byte) (*tensor.Tensor, error) {
	size, want := d.set.Shape(), d.base.shape
	grey, err := tensor.FromBytes(tensor.Uint8, content, size[1], size[2], 1)
	if err != nil {
		return nil, err
	}
	x, err := images.Resize(grey, want[0], want[1], images.Bilinear)
	if err == nil && want[2] == 3 {
		x, err = repeated(x)
	}
	return x, err
}

func (d digit) pixels(ctx context.Context, content []byte, x *tensor.Tensor) error {
	raw, err := d.raw(ctx, content)
	return d.base.preprocessed(x, raw, err)
}

// preprocessed puts into x what the base takes, made of pixels of 0 … 255.
func (b *base) preprocessed(x, raw *tensor.Tensor, err error) error {
	if err != nil {
		return err
	}
	if raw, err = b.preprocess.Apply(raw); err != nil {
		return err
	}
	if len(raw.Bytes()) != len(x.Bytes()) {
		return fmt.Errorf("%w: an image of shape %v, not %v", ErrData, raw.Shape(), x.Shape())
	}
	copy(x.Bytes(), raw.Bytes())
	return nil
}

// repeated makes three equal channels of one.
func repeated(x *tensor.Tensor) (*tensor.Tensor, error) {
	grey, err := tensor.Data[float32](x)
	if err != nil {
		return nil, err
	}
	rgb := make([]float32, 0, 3*len(grey))
	for _, v := range grey {
		rgb = append(rgb, v, v, v)
	}
	return tensor.Of(rgb, x.Shape()[0], x.Shape()[1], 3)
}
