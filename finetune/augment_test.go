package finetune

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// moved is an augmentation that leaves hardly an image as it is.
var moved = images.Augmentation{Flip: images.Both, Rotation: 0.1, Translation: 0.1, Brightness: 0.2}

// augmented loads and splits the data of o, and adds their variants.
func augmented(t *testing.T, o *Options, e *extractor) (*data, []int32) {
	t.Helper()
	d, err := load(context.Background(), o, e)
	require.NoError(t, err)
	held, err := d.split(o)
	require.NoError(t, err)
	require.NoError(t, d.augment(context.Background(), o, e, held))
	return d, held
}

func TestVariantsOfImages(t *testing.T) {
	o := options(t, folderOf(t)) // 3 images of each of 2 classes
	o.Augment, o.AugmentVariants = moved, 3
	before, err := load(context.Background(), &o, nil)
	require.NoError(t, err)
	d, held := augmented(t, &o, nil)
	require.Len(t, held, 2)
	require.Equal(t, 6, d.originals)
	require.Equal(t, 6+4*3, d.training.Samples())
	size := d.training.Features()
	require.Equal(t, before.training.X.Bytes(), d.training.X.Bytes()[:6*size], "the images come first, as they were")
	l, err := labels(d.training, 2)
	require.NoError(t, err)
	out := map[int]bool{int(held[0]): true, int(held[1]): true}
	at := 6
	for i := range 6 {
		for k := 0; k < 3 && !out[i]; k++ {
			require.Equal(t, l[i], l[at])
			require.NotEqual(t, d.training.X.Bytes()[i*size:][:size], d.training.X.Bytes()[at*size:][:size])
			at++
		}
	}
	require.Equal(t, d.training.Samples(), at)

	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 7} {
		runtime.GOMAXPROCS(procs)
		again, _ := augmented(t, &o, nil)
		require.Equal(t, d.training.X.Bytes(), again.training.X.Bytes(), "%d cores", procs)
	}
	o.Seed++
	other, _ := augmented(t, &o, nil)
	require.NotEqual(t, d.training.X.Bytes()[6*size:], other.training.X.Bytes()[6*size:], "another seed")
}

func TestVariantsThroughABase(t *testing.T) {
	o := digits(t, "base.keras")
	o.Augment, o.AugmentVariants = moved, 2
	b, err := openBase(context.Background(), &o)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.close()) }()
	computed := func() (d *data, held []int32, records int) {
		e := newExtractor(&o, b)
		before := len(e.cache.known)
		d, held = augmented(t, &o, e)
		e.close()
		return d, held, len(e.cache.known) - before
	}
	d, held, records := computed()
	require.Equal(t, 250, d.originals)
	require.Equal(t, 250+225*2, d.training.Samples())
	require.Equal(t, 750+225*2, records, "test images have no variants")
	require.Equal(t, 500, d.test.Samples())
	require.Len(t, d.pictures.training, d.training.Samples())
	out := map[int]bool{}
	for _, i := range held {
		out[int(i)] = true
	}
	l, err := labels(d.training, 5)
	require.NoError(t, err)
	for j, p := range d.pictures.training[d.originals:] {
		of := p.(variant).picture.(digit).at
		require.False(t, out[of], "no variant of an image that is held out")
		require.Equal(t, l[of], l[d.originals+j])
	}

	again, _, records := computed()
	require.Zero(t, records, "all features are in the cache")
	require.Equal(t, d.training.X, again.training.X)
	o.AugmentVariants = 3
	_, _, records = computed()
	require.Equal(t, 225, records, "one variant more of each")
	o.Augment.Rotation = 0.11
	_, _, records = computed()
	require.Equal(t, 225*3, records, "other variants")
	o.Seed, o.ValidationSplit = 2, 0
	_, _, records = computed()
	require.Equal(t, 250*3, records, "another seed")
}

func TestVariantsOfPhotographs(t *testing.T) {
	o := digits(t, "base.keras")
	o.Data, o.Augment = folderOf(t), moved
	r := run(t, o)
	require.Equal(t, DataReport{Classes: []string{"left", "right"}, Train: 4, Validation: 2, Augmented: 16}, r.Data)
}

// An interrupted run with augmentation, resumed, ends as one that was not.
func TestResumeAugmented(t *testing.T) {
	whole := options(t, folderOf(t))
	whole.Augment, whole.Patience = moved, 0
	want := run(t, whole)
	require.Equal(t, 16, want.Data.Augmented)
	require.Equal(t, moved, want.Hyperparameters.Augment)
	text, err := os.ReadFile(filepath.Join(whole.Out, "report.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"augment": "`+moved.String()+`"`)
	broken := whole
	broken.Out, broken.Resume = filepath.Join(t.TempDir(), "out"), true
	crash := errors.New("crash")
	broken.OnEpoch = func(e train.Epoch) error {
		if e.Epoch == 4 {
			return crash
		}
		return nil
	}
	_, err = Run(context.Background(), broken)
	require.ErrorIs(t, err, crash)
	broken.OnEpoch = nil
	require.Equal(t, want.Validation, run(t, broken).Validation)
	require.Equal(t, weightsIn(t, whole.Out), weightsIn(t, broken.Out))
	broken.Augment.Flip = images.NoFlip
	_, err = Run(context.Background(), broken)
	require.ErrorIs(t, err, train.ErrCheckpoint)
}

// A base is trained on new variants in each epoch, also in a run that was interrupted.
func TestVariantsOfEachEpoch(t *testing.T) {
	o := unfrozenDigits(t, "base.keras", "1")
	o.Augment, o.AugmentVariants, o.UnfreezeEpochs, o.Epochs = moved, 1, 4, 3
	want := run(t, o)
	require.Len(t, want.History, 7)
	for _, stop := range []int{4, 5} {
		broken := o
		broken.Out, broken.Resume = filepath.Join(t.TempDir(), "out"), true
		crash := errors.New("crash")
		broken.OnEpoch = func(e train.Epoch) error {
			if e.Epoch == stop {
				return crash
			}
			return nil
		}
		_, err := Run(context.Background(), broken)
		require.ErrorIs(t, err, crash)
		broken.OnEpoch = nil
		got := run(t, broken)
		for i := range want.History {
			require.InDelta(t, want.History[i].Logs["loss"], got.History[i].Logs["loss"], resumeTolerance, "epoch %d", i+1)
		}
	}

	b, err := openBase(context.Background(), &o)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.close()) }()
	s := &session{o: o, base: b}
	s.data, _ = augmented(t, &o, newExtractor(&o, b))
	s.images, err = newImageStore(context.Background(), t.TempDir(), b, s.data.pictures.training, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.images.close()) }()
	pixels := func(from, to int) []float32 {
		x, err := s.images.rows(from, to)
		require.NoError(t, err)
		values, err := tensor.Data[float32](x)
		require.NoError(t, err)
		return slices.Clone(values)
	}
	n, all := s.data.originals, s.data.training.Samples()
	before, second := pixels(0, all), []float32(nil)
	for _, epoch := range []int{1, 2, 3, 2} {
		require.NoError(t, s.varyImages(context.Background(), epoch))
		after := pixels(0, all)
		require.Equal(t, before[:n*28*28], after[:n*28*28], "the images themselves stay")
		require.Equal(t, epoch == 1, slices.Equal(before, after), "epoch %d", epoch)
		switch {
		case epoch == 2 && second == nil:
			second = after
		case epoch == 2:
			require.Equal(t, second, after, "the same epoch has the same variants")
		case epoch == 3:
			require.NotEqual(t, second, after)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.varyImages(ctx, 2), context.Canceled)
}

func TestWrongAugmentation(t *testing.T) {
	for want, change := range map[string]func(o *Options){
		"not a table":            func(o *Options) { o.Augment = moved },
		"zoom=3 is not between":  func(o *Options) { o.Augment.Zoom = 3 },
		"0 variants":             func(o *Options) { o.Augment, o.AugmentVariants = moved, 0 },
		"do not fit into memory": func(o *Options) { o.Data, o.Augment, o.AugmentVariants = folderOf(t), moved, 1_000_000_000 },
	} {
		o := options(t, blobs(t))
		change(&o)
		_, err := Run(context.Background(), o)
		require.ErrorContains(t, err, want)
	}
}
