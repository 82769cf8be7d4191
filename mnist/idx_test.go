package mnist_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
)

// idx returns a tensor as an IDX file.
func idx(t testing.TB, x *tensor.Tensor) []byte {
	var b bytes.Buffer
	require.NoError(t, mnist.WriteIDX(&b, x))
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestIDXRoundTrip(t *testing.T) {
	for _, x := range []*tensor.Tensor{
		tensor.Must(tensor.Of([]uint8{1, 2, 3, 4, 5, 255}, 1, 2, 3)),
		tensor.Must(tensor.Of([]int8{-1, 2}, 2)),
		tensor.Must(tensor.Of([]int16{-1, 0x102}, 2, 1)),
		tensor.Must(tensor.Of([]int32{-1, 0x1020304}, 2)),
		tensor.Must(tensor.Of([]float32{-1.5, 2}, 2)),
		tensor.Must(tensor.Of([]float64{-1.5, 2}, 2)),
		tensor.Scalar(uint8(7)),
		tensor.Must(tensor.New(tensor.Uint8, 0, 28, 28)),
	} {
		data := idx(t, x)
		for _, file := range [][]byte{data, gzipped(t, data)} {
			got, err := mnist.DecodeIDX(file)
			require.NoError(t, err)
			require.True(t, got.Equal(x), "%v", x)
		}
	}
	require.Equal(t, []byte{0, 0, 0x0b, 1, 0, 0, 0, 1, 1, 2}, idx(t, tensor.Must(tensor.Of([]int16{0x102}))), "big-endian")
}

func TestWriteIDXRefuses(t *testing.T) {
	for _, x := range []*tensor.Tensor{nil, tensor.Scalar("7"), tensor.Scalar(int64(7))} {
		require.ErrorIs(t, mnist.WriteIDX(&bytes.Buffer{}, x), mnist.ErrShape)
	}
	full := errors.New("no space left on device")
	for n := range 10 {
		require.ErrorIs(t, mnist.WriteIDX(&limited{n, full}, tensor.Must(tensor.Of([]uint8{1, 2}))), full)
	}
}

// limited takes so many bytes and then fails.
type limited struct {
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return l.left, l.err
	}
	l.left -= len(p)
	return len(p), nil
}

func TestReadIDXRefuses(t *testing.T) {
	good := idx(t, tensor.Must(tensor.Of([]uint8{1, 2, 3, 4, 5, 6}, 3, 2)))
	edit := func(at int, with ...byte) []byte {
		data := bytes.Clone(good)
		copy(data[at:], with)
		return data
	}
	corrupt := gzipped(t, good)
	corrupt[len(corrupt)-6] ^= 1 // the checksum
	tests := []struct {
		name string
		data []byte
		says string
	}{
		{"empty", nil, "ends within its header: unexpected EOF"},
		{"dimensions cut", good[:9], "ends within its header"},
		{"elements cut", good[:len(good)-1], "IDX says [3,2] of uint8, which a file of 17 bytes does not hold"},
		{"bytes behind", append(bytes.Clone(good), 0), "1 bytes behind the elements"},
		{"an image", []byte("\x89PNG\r\n\x1a\n"), "not an IDX file: it starts with 89 50 4e 47"},
		{"unknown type", edit(2, 0x0a), "not an IDX file"},
		{"more images than bytes", edit(4, 0x00, 0xff), "a file of 18 bytes does not hold"},
		{"dimensions that overflow", edit(4, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff), "does not hold"},
		{"negative dimension", edit(4, 0xff), "a dimension of"},
		{"rank of 255", edit(3, 0xff), "ends within its header"},
		{"gzip of nothing", []byte{0x1f, 0x8b, 8}, "gzip"},
		{"gzip cut", gzipped(t, good)[:25], "unexpected EOF"},
		{"gzip of something short", gzipped(t, good[:16]), "IDX ends within its [3,2] elements: unexpected EOF"},
		{"gzip checksum", corrupt, "checksum"},
		{"gzip of a lie", gzipped(t, edit(4, 0x10)), "does not hold"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "train-images-idx3-ubyte")
			require.NoError(t, os.WriteFile(path, test.data, 0o644))
			_, err := mnist.ReadIDX(path)
			require.ErrorIs(t, err, mnist.ErrFormat)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, path)
		})
	}
	_, err := mnist.ReadIDX(filepath.Join(t.TempDir(), "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = mnist.ReadIDX(t.TempDir())
	require.ErrorIs(t, err, mnist.ErrFormat)
}

// writeSet writes the four files of a data set, and returns their folder.
func writeSet(t testing.TB, images, labels *tensor.Tensor) string {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"train-images-idx3-ubyte.gz": gzipped(t, idx(t, images)), "train-labels-idx1-ubyte": idx(t, labels),
		"t10k-images-idx3-ubyte": idx(t, images), "t10k-labels-idx1-ubyte.gz": gzipped(t, idx(t, labels)),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	return dir
}

func TestRead(t *testing.T) {
	images := tensor.Must(tensor.Of([]uint8{0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6}, 3, 2, 2))
	labels := tensor.Must(tensor.Of([]uint8{7, 0, 2}))
	data, err := mnist.Read(writeSet(t, images, labels))
	require.NoError(t, err)
	require.True(t, data.Train.Images.Equal(images) && data.Test.Labels.Equal(labels))
	require.Equal(t, 3, data.Train.Len())
	require.Equal(t, 8, data.Train.Classes())

	first, err := data.Train.Rows(0, 1)
	require.NoError(t, err)
	x, err := first.Scaled(2, 2, 1)
	require.NoError(t, err)
	require.True(t, x.Equal(tensor.Must(tensor.Of([]float32{0, 0.2, 0.4, 0.6}, 1, 2, 2, 1))))
	x, err = data.Test.Scaled()
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{3, 2, 2}, x.Shape())
	_, err = data.Test.Scaled(784)
	require.ErrorIs(t, err, tensor.ErrShape)
	_, err = data.Test.Rows(2, 4)
	require.ErrorIs(t, err, tensor.ErrShape)
}

func TestReadRefuses(t *testing.T) {
	images, labels := tensor.Must(tensor.New(tensor.Uint8, 3, 2, 2)), tensor.Must(tensor.New(tensor.Uint8, 3))
	replace := func(name string, x *tensor.Tensor) string {
		dir := writeSet(t, images, labels)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), idx(t, x), 0o644))
		return dir
	}
	for says, dir := range map[string]string{
		"3 images and 4 labels":                      replace("train-labels-idx1-ubyte", tensor.Must(tensor.New(tensor.Uint8, 4))),
		"is uint8 [3], not uint8 of rank 3":          replace("t10k-images-idx3-ubyte", labels),
		"is int8 [3], not uint8 of rank 1":           replace("train-labels-idx1-ubyte", tensor.Must(tensor.New(tensor.Int8, 3))),
		"training images are [2,2], the test images": replace("t10k-images-idx3-ubyte", tensor.Must(tensor.New(tensor.Uint8, 3, 2, 3))),
		"with something in it":                       replace("train-labels-idx1-ubyte", tensor.Must(tensor.New(tensor.Uint8, 0))),
	} {
		_, err := mnist.Read(dir)
		require.ErrorIs(t, err, mnist.ErrFormat)
		require.ErrorContains(t, err, says)
	}
	_, err := mnist.Read(t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "train-images-idx3-ubyte.gz")
}

// TestTheRealOne reads MNIST if it has been fetched, and holds Digit to its promise: every digit passes unchanged.
func TestTheRealOne(t *testing.T) {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	data, err := mnist.Read(filepath.Join(cache, "cambium", "mnist"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("MNIST has not been fetched into the cache")
	}
	require.NoError(t, err)
	require.Equal(t, "uint8 [60000,28,28]", data.Train.Images.String())
	require.Equal(t, "uint8 [10000,28,28]", data.Test.Images.String())
	require.Equal(t, 10, data.Train.Classes())
	for i := range data.Test.Len() {
		one, err := data.Test.Rows(i, i+1)
		require.NoError(t, err)
		want, err := one.Scaled(784)
		require.NoError(t, err)
		got, err := mnist.Digit(tensor.Must(one.Images.Reshape(28, 28, 1)), mnist.Options{Shape: []int{1, 784}})
		require.NoError(t, err)
		require.True(t, got.Equal(want), "test digit %d", i)
	}
}

func FuzzDecodeIDX(f *testing.F) {
	for _, x := range []*tensor.Tensor{tensor.Must(tensor.New(tensor.Uint8, 2, 3, 4)), tensor.Must(tensor.Of([]float32{1, 2})), tensor.Scalar(uint8(1))} {
		f.Add(idx(f, x))
		f.Add(gzipped(f, idx(f, x)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := mnist.DecodeIDX(data)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(x.Bytes()), 1032*len(data))
		again, err := mnist.DecodeIDX(idx(t, x))
		require.NoError(t, err)
		require.True(t, again.Equal(x))
	})
}
