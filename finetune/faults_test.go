package finetune

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// head are the settings of a short training on the base of digits, on a folder of images.
func head(t *testing.T, data string) Options {
	t.Helper()
	o := digits(t, "base.keras")
	o.Data, o.Epochs, o.ValidationSplit = data, 5, 0.25
	return o
}

// noise writes a class of images of noise.
func noise(t *testing.T, dir string, images int, seed uint64) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	r := train.NewRandom(seed, 1)
	for i := range images {
		m := image.NewGray(image.Rect(0, 0, 8, 8))
		for p := range m.Pix {
			m.Pix[p] = uint8(r.IntN(256))
		}
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, m))
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.png", i)), b.Bytes(), 0o600))
	}
}

// broken are files that look like images by their names.
func broken(t *testing.T) map[string][]byte {
	t.Helper()
	var whole bytes.Buffer
	m := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * i)
	}
	m.Set(1, 1, color.White)
	require.NoError(t, jpeg.Encode(&whole, m, nil))
	var huge bytes.Buffer
	require.NoError(t, png.Encode(&huge, image.NewGray(image.Rect(0, 0, 4, 4))))
	size := huge.Bytes()
	copy(size[16:24], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536 × 65536
	return map[string][]byte{
		"cut.jpg":   whole.Bytes()[:whole.Len()/2],
		"empty.png": nil,
		"text.jpg":  []byte("a letter, not a picture\n"),
		"huge.png":  size,
	}
}

// In every way of reading a folder, what is no image is listed and left out, up to a limit.
func TestBrokenImages(t *testing.T) {
	for _, base := range []bool{false, true} {
		t.Run(fmt.Sprint("base ", base), func(t *testing.T) {
			dir := t.TempDir()
			squares(t, dir, 30)
			o := options(t, dir)
			if base {
				o = head(t, dir)
			}
			var log bytes.Buffer
			o.Log = &log
			bad := broken(t)
			for name, content := range bad {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "left", name), content, 0o600))
			}
			require.NoError(t, os.Mkdir(filepath.Join(dir, "right", "folder.png"), 0o755)) // no file: not an image, no mistake
			r := run(t, o)
			require.Equal(t, 60, r.Data.Train+r.Data.Validation)
			require.Len(t, r.Data.Skipped, len(bad))
			for _, path := range r.Data.Skipped {
				require.Contains(t, bad, filepath.Base(path))
				require.Contains(t, log.String(), "skipped: "+path)
			}

			log.Reset()
			for name, content := range bad {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "right", name), content, 0o600))
			}
			_, err := Run(context.Background(), o)
			require.ErrorIs(t, err, ErrData)
			require.ErrorContains(t, err, "more than 6 of 68 images cannot be read")
			require.Equal(t, 7, strings.Count(log.String(), "\n"), "each is named")
		})
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	squares(t, dir, 20)
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "left", "dangling.png")))
	want := 1
	if makePipe(filepath.Join(dir, "left", "0pipe.png")) == nil { // the first that is read
		want++
	}
	if os.Getuid() != 0 { // who may read everything
		require.NoError(t, os.Chmod(filepath.Join(dir, "left", "03.png"), 0))
		want++
	}
	for _, o := range []Options{options(t, dir), head(t, dir)} {
		r := run(t, o)
		require.Len(t, r.Data.Skipped, want)
	}
}

// Results among the data would be a class in the next run; a base that the results replace could not be resumed from.
func TestResultsInTheWay(t *testing.T) {
	data := t.TempDir()
	noise(t, filepath.Join(data, "a"), 4, 1)
	noise(t, filepath.Join(data, "b"), 4, 2)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(data, link))
	for _, out := range []string{data, filepath.Join(data, "a", "new"), filepath.Join(link, "results")} {
		o := options(t, data)
		o.Out = out
		_, err := Run(t.Context(), o)
		require.ErrorIs(t, err, ErrOption, out)
		require.ErrorContains(t, err, "outside of the data")
	}
	entries, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing was written")

	o := options(t, data)
	o.Base = filepath.Join(o.Out, "saved_model")
	_, err = Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "take the place of the base")

	o = options(t, data)
	model := filepath.Join(o.Out, "saved_model")
	require.NoError(t, os.MkdirAll(model, 0o755))
	_, err = Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "which no earlier run wrote")
	require.DirExists(t, model)

	o = options(t, data)
	o.Target = "price"
	_, err = Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "no .csv table")

	o = options(t, "houses.csv")
	o.ImageSize = 64
	_, err = Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "has no images")
}

func TestClassesThatCannotBeLearned(t *testing.T) {
	for name, c := range map[string]struct {
		images []int
		want   string
	}{
		"one class":      {[]int{9}, "one class only"},
		"one image":      {[]int{9, 1}, `class "c001" has 1 training samples`},
		"an empty class": {[]int{9, 0, 9}, "c001"},
		"no class":       {nil, "has no folders; one for each class is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, n := range c.images {
				noise(t, filepath.Join(dir, fmt.Sprintf("c%03d", i)), n, uint64(i))
			}
			for _, o := range []Options{options(t, dir), head(t, dir)} {
				_, err := Run(context.Background(), o)
				require.ErrorIs(t, err, ErrData)
				require.ErrorContains(t, err, c.want)
				require.ErrorContains(t, err, dir)
				require.NoDirExists(t, o.Out)
			}
		})
	}
}

func TestAThousandClasses(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand folders, and a picture of a million cells")
	}
	dir := t.TempDir()
	for i := range 1000 {
		noise(t, filepath.Join(dir, fmt.Sprintf("c%03d", i)), 2, uint64(i))
	}
	o := head(t, dir)
	o.Epochs, o.LearningRate, o.ValidationSplit, o.L2 = 10, 0.01, 0.5, 0
	r := run(t, o)
	require.Len(t, r.Data.Classes, 1000)
	require.Len(t, r.Validation.Confusion, 1000)
	require.Greater(t, r.History[len(r.History)-1].Logs["accuracy"], 0.5, "what it was shown it knows")
}

// frozen writes a graph as a frozen TensorFlow 1 model.
func frozen(t *testing.T, g *graph.Graph) string {
	t.Helper()
	data, err := proto.Marshal(g.Def)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "model.pb")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// inputsOf builds a model that takes inputs of some types and shapes and sums them up as floats.
func inputsOf(t *testing.T, dtype tensor.DType, shapes ...tensor.Shape) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder()
	var sums []graph.Ref
	for i, s := range shapes {
		x := b.Placeholder(fmt.Sprint("x", i), dtype, s)
		if dtype == tensor.String {
			x = b.Op("StringToHashBucketFast", fmt.Sprint("hash", i), []graph.Ref{x}, graph.Attrs{"num_buckets": 9})
			x = b.Op("Cast", fmt.Sprint("float", i), []graph.Ref{x}, graph.Attrs{"SrcT": tensor.Int64, "DstT": tensor.Float32, "Truncate": false})
		}
		axes := b.Ints(fmt.Sprint("axes", i), 0)
		sums = append(sums, b.Op("Sum", fmt.Sprint("sum", i), []graph.Ref{x, axes}, graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32, "keep_dims": false}))
	}
	b.Op("AddN", "out", sums, graph.Attrs{"T": tensor.Float32, "N": len(sums)})
	g, err := b.Finish()
	require.NoError(t, err)
	return g
}

func TestBasesThatTakeSomethingElse(t *testing.T) {
	pictures := tensor.Shape{-1, 8, 8, 3}
	for name, g := range map[string]*graph.Graph{
		"text":         inputsOf(t, tensor.String, tensor.Shape{-1}),
		"rows":         inputsOf(t, tensor.Float32, tensor.Shape{-1, 784}),
		"two pictures": inputsOf(t, tensor.Float32, pictures, pictures),
		"ten channels": inputsOf(t, tensor.Float32, tensor.Shape{-1, 8, 8, 10}),
	} {
		t.Run(name, func(t *testing.T) {
			o := digits(t, "base.keras")
			o.Base, o.Preprocess = frozen(t, g), "unit"
			_, err := Run(context.Background(), o)
			require.ErrorIs(t, err, ErrOption)
			require.ErrorContains(t, err, o.Base)
			require.ErrorContains(t, err, "takes")
			if name == "text" {
				require.ErrorContains(t, err, "serving_default (x0, object [?])")
			}
			require.NoDirExists(t, o.Out)
		})
	}
}

func TestDamagedBases(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(digitsBase, "base.keras"))
	require.NoError(t, err)
	flipped := func(at int) []byte {
		data := bytes.Clone(whole)
		data[at] ^= 0x55
		return data
	}
	damaged := map[string][]byte{"empty": {}, "text": []byte("hello\n"), "cut": whole[:len(whole)/2], "without its end": whole[:len(whole)-1]}
	r := train.NewRandom(1, 1)
	for i := range 12 {
		at := r.IntN(len(whole))
		damaged[fmt.Sprintf("bit flips %d at %d", i, at)] = flipped(at)
	}
	for name, content := range damaged {
		o := digits(t, "base.keras")
		o.Epochs = 1
		o.Base = filepath.Join(t.TempDir(), "base.keras")
		require.NoError(t, os.WriteFile(o.Base, content, 0o600))
		_, err := Run(context.Background(), o)
		if strings.HasPrefix(name, "bit") && err == nil {
			continue // of the archive's names or dates
		}
		require.ErrorContains(t, err, o.Base, name)
		require.NoDirExists(t, o.Out)
	}
	o := digits(t, "base.keras")
	o.Base = t.TempDir()
	_, err = Run(context.Background(), o)
	require.ErrorContains(t, err, o.Base)
}

// The cache may go while it is used: what has been computed is used, and the next run computes anew.
func TestTheCacheIsRemoved(t *testing.T) {
	o := digits(t, "base.keras")
	o.Epochs = 3
	run(t, o)
	first := o.Out
	for _, keep := range []bool{true, false} { // the folder itself, or a file in its place
		o.Out, o.Cache = filepath.Join(t.TempDir(), "out"), t.TempDir()
		var once sync.Once
		o.OnFeatures = func(int, int) {
			once.Do(func() {
				_ = os.RemoveAll(o.Cache)
				if !keep {
					_ = os.WriteFile(o.Cache, nil, 0o600)
				}
			})
		}
		run(t, o)
		require.Equal(t, weightsIn(t, first), weightsIn(t, o.Out))
		_ = os.RemoveAll(o.Cache)
		run(t, o)
		require.Equal(t, weightsIn(t, first), weightsIn(t, o.Out))
	}
}

// An interrupt while features are computed keeps those that are there, and leaves no directory of results.
func TestInterruptedFeatures(t *testing.T) {
	o := digits(t, "base.keras")
	o.Epochs = 3
	run(t, o)
	first := o.Out
	o.Out, o.Cache = filepath.Join(t.TempDir(), "out"), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o.OnFeatures = func(done, all int) {
		if done > all/2 {
			cancel()
		}
	}
	_, err := Run(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, o.Out)
	o.OnFeatures, o.Resume = nil, true
	run(t, o)
	require.Equal(t, weightsIn(t, first), weightsIn(t, o.Out))
}
