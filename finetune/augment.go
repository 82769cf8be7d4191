package finetune

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
)

// augment puts o.AugmentVariants variants of every image that is trained on behind the training samples. Images that are held out,
// and those of the validation and the test set, have none.
func (d *data) augment(ctx context.Context, o *Options, e *extractor, held []int32) error {
	d.originals = d.training.Samples()
	if o.Augment.IsZero() {
		return nil
	}
	if d.input.columns != nil {
		return fmt.Errorf("%w: augmentation needs images, not a table", ErrOption)
	}
	l, err := labels(d.training, len(d.classes))
	if err != nil {
		return err
	}
	size := len(d.training.X.Bytes()) / len(l)
	if n := len(l) - len(held); o.AugmentVariants > mostImageBytes/size/n {
		return fmt.Errorf("%w: %d variants of %d images of %d bytes each do not fit into memory; fewer of them help", ErrData, o.AugmentVariants, n, size)
	}
	out := make([]bool, len(l))
	for _, i := range held {
		out[i] = true
	}
	var of []int // the image that each variant is of
	for i := range d.originals {
		for k := 0; k < o.AugmentVariants && !out[i]; k++ {
			of, l = append(of, i), append(l, l[i])
		}
	}
	var x *tensor.Tensor
	if e != nil {
		x, err = d.variantFeatures(ctx, o, e, of)
	} else {
		x, err = d.variantBytes(ctx, o, of)
	}
	if err != nil {
		return err
	}
	d.training.Y = vector(l)
	d.training.X, err = tensor.Concat(d.training.X, x)
	return err
}

// variantFeatures sends variants of the training images through the base: float32 [variants, width].
func (d *data) variantFeatures(ctx context.Context, o *Options, e *extractor, of []int) (*tensor.Tensor, error) {
	variants, rows := make([]picture, len(of)), make([]float32, len(of)*e.base.width)
	for j, i := range of {
		variants[j] = variant{d.pictures.training[i], e.base, o.Augment, o.Seed, j % o.AugmentVariants}
	}
	if err := e.features(ctx, variants, rows, make([]error, len(of)), func(err error) error { return err }); err != nil {
		return nil, err
	}
	d.pictures.training = append(d.pictures.training, variants...)
	return tensor.Of(rows, len(of), e.base.width)
}

// variantBytes makes variants of the training images, bytes [n, height, width] or [n, height, width, channels].
func (d *data) variantBytes(ctx context.Context, o *Options, of []int) (*tensor.Tensor, error) {
	shape, size := d.training.X.Shape(), d.training.Features()
	channels, pixels := 1, make([]byte, len(of)*size)
	if len(shape) == 4 {
		channels = shape[3]
	}
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	const block = 64
	for from := 0; from < len(of); from += block {
		workers.Go(func() error {
			for j := from; j < min(from+block, len(of)); j++ {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				content := d.training.X.Bytes()[of[j]*size:][:size]
				img, err := tensor.FromBytes(tensor.Uint8, content, shape[1], shape[2], channels)
				if err == nil {
					img, err = o.Augment.Apply(img, variantSeed(sha256.Sum256(content), o.Seed, j%o.AugmentVariants))
				}
				if err != nil {
					return err
				}
				copy(pixels[j*size:], img.Bytes())
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	return tensor.FromBytes(tensor.Uint8, pixels, append([]int{len(of)}, shape[1:]...)...)
}

// varyImages puts new variants of the training images into the image store, in the place of the last epoch's. Those of the first
// epoch are there, and the head was trained on them. A resumed run's epochs have the same ones.
func (s *session) varyImages(ctx context.Context, epoch int) error {
	if epoch == 1 {
		return nil
	}
	variants := slices.Clone(s.data.pictures.training[s.data.originals:])
	for i, p := range variants {
		v := p.(variant)
		v.number += (epoch - 1) * s.o.AugmentVariants
		variants[i] = v
	}
	return s.images.fill(ctx, s.data.originals, variants, s.o.OnFeatures)
}

// variantSeed settles how a variant differs from its image: by the image's content, the run's seed and the variant's number.
// Neither other images nor their order nor the machine have a part in it.
func variantSeed(image [sha256.Size]byte, seed uint64, number int) uint64 {
	h := sha256.New()
	h.Write(image[:])
	_ = binary.Write(h, binary.LittleEndian, [2]uint64{seed, uint64(number)}) // a hash takes everything
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// variant is a picture, changed at random.
type variant struct {
	picture
	base   *base
	how    images.Augmentation
	seed   uint64
	number int
}

// key tells variants from each other, and from the picture itself.
func (v variant) key(content []byte) [sha256.Size]byte {
	image := v.picture.key(content)
	return sha256.Sum256(fmt.Appendf(nil, "%x augmented by %v, seed %d, number %d", image, v.how, v.seed, v.number))
}

func (v variant) raw(ctx context.Context, content []byte) (*tensor.Tensor, error) {
	x, err := v.picture.raw(ctx, content)
	if err != nil {
		return nil, err
	}
	return v.how.Apply(x, variantSeed(v.picture.key(content), v.seed, v.number))
}

func (v variant) pixels(ctx context.Context, content []byte, x *tensor.Tensor) error {
	raw, err := v.raw(ctx, content)
	return v.base.preprocessed(x, raw, err)
}
