package images_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
)

const recorded = "../scripts/testdata/images" // by scripts/record_images.py

// expected returns what TensorFlow, Keras and Pillow made of the recorded files.
func expected(t testing.TB) map[string]*tensor.Tensor {
	data, err := os.ReadFile(filepath.Join(recorded, "expected.npz"))
	require.NoError(t, err)
	list, err := tensor.ReadNPZ(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	arrays := map[string]*tensor.Tensor{}
	for _, a := range list {
		arrays[a.Name] = a.Tensor
	}
	return arrays
}

func recordedFile(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join(recorded, name))
	require.NoError(t, err)
	return data
}

// difference returns the largest difference of two uint8 images, and the mean of all.
func difference(t testing.TB, a, b *tensor.Tensor) (int, float64) {
	require.Equal(t, b.String(), a.String())
	most, sum := 0, 0
	for i, v := range a.Bytes() {
		d := int(v) - int(b.Bytes()[i])
		d = max(d, -d)
		most = max(most, d)
		sum += d
	}
	return most, float64(sum) / float64(a.Len())
}

// TestDecode holds every file kind against TensorFlow and Pillow. PNG, BMP and GIF are equal; for JPEG, whose inverse cosine
// transform may round differently, the table says how far a pixel and the mean may be off.
func TestDecode(t *testing.T) {
	arrays := expected(t)
	limits := []struct {
		kind string // prefix of the expected array
		mode images.Mode
		ext  string
		max  int
		mean float64
	}{
		{"tf:", images.RGB, ".png", 0, 0}, {"tf:", images.RGB, ".bmp", 0, 0}, {"tf:", images.RGB, ".gif", 0, 0}, {"tf:", images.RGB, ".jpg", 3, 0.1},
		{"pil:", images.RGB, ".png", 0, 0}, {"pil:", images.RGB, ".bmp", 0, 0}, {"pil:", images.RGB, ".gif", 0, 0}, {"pil:", images.RGB, ".jpg", 3, 0.1},
		{"pil_L:", images.Gray, ".png", 0, 0}, {"pil_L:", images.Gray, ".bmp", 0, 0}, {"pil_L:", images.Gray, ".gif", 0, 0}, {"pil_L:", images.Gray, ".jpg", 2, 0.1},
		{"pil_RGBA:", images.RGBA, ".png", 0, 0}, {"pil_RGBA:", images.RGBA, ".bmp", 0, 0}, {"pil_RGBA:", images.RGBA, ".gif", 0, 0},
		{"tf_gray:", images.Gray, ".png", 1, 0.7}, // it truncates where Pillow rounds
		{"tf_gray:", images.Gray, ".jpg", 8, 0.1}, // its own luminance, where that is no RGB colour's
	}
	files := 0
	for _, limit := range limits {
		for name, want := range arrays {
			file, ok := strings.CutPrefix(name, limit.kind)
			if !ok || filepath.Ext(file) != limit.ext {
				continue
			}
			files++
			got, err := images.Decode(recordedFile(t, file), limit.mode)
			require.NoError(t, err, name)
			most, mean := difference(t, got, want)
			t.Logf("%s: max %d, mean %.4f", name, most, mean)
			require.LessOrEqual(t, most, limit.max, name)
			require.LessOrEqual(t, mean, limit.mean, name)
		}
	}
	require.Greater(t, files, 60)
}

func TestUpright(t *testing.T) {
	arrays := expected(t)
	for i := 1; i <= 8; i++ {
		name := fmt.Sprintf("orientation_%d.jpg", i)
		got, err := images.ReadFile(filepath.Join(recorded, name), images.Options{Upright: true})
		require.NoError(t, err)
		pixels, err := got.Convert(tensor.Uint8)
		require.NoError(t, err)
		most, _ := difference(t, pixels, arrays["upright:"+name])
		require.LessOrEqual(t, most, 3, name)

		as, err := images.ReadFile(filepath.Join(recorded, name), images.Options{})
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{20, 31, 3}, as.Shape(), "as Keras does, the orientation is ignored unless it is asked for")
	}
}

func TestResize(t *testing.T) {
	arrays := expected(t)
	img, checked := arrays["resize_from"], 0
	for name, want := range arrays {
		parts := strings.Split(name, ":")
		var height, width int
		if _, err := fmt.Sscanf(parts[len(parts)-1], "%dx%d", &height, &width); err != nil {
			continue
		}
		checked++
		o := images.Options{Height: height, Width: width}
		switch {
		case name == "resize:bilinear:"+parts[len(parts)-1]:
			got, err := images.Resize(img, height, width, images.Bilinear)
			require.NoError(t, err)
			require.True(t, got.Equal(want), "%s: bit for bit", name)
			o.Interpolation = images.Bilinear
		case parts[0] == "resize":
			got, err := images.Resize(img, height, width, images.Nearest)
			require.NoError(t, err)
			require.True(t, got.Equal(want), name)
			o.Interpolation = images.Nearest
		case parts[0] == "load_img":
			o.Interpolation = images.LoadImg
		case parts[0] == "crop":
			o.CropToAspect = true
		}
		got, err := images.ReadFile(filepath.Join(recorded, "photo.png"), o)
		require.NoError(t, err)
		floats, err := want.Convert(tensor.Float32)
		require.NoError(t, err)
		require.True(t, got.Equal(floats), "%s: bit for bit", name)
	}
	require.Greater(t, checked, 25)
}

// TestPillowNearestIsAnother finds a size where the two ways to take the nearest pixel differ.
func TestPillowNearestIsAnother(t *testing.T) {
	ramp := make([]float32, 596)
	for i := range ramp {
		ramp[i] = float32(i)
	}
	img := tensor.Must(tensor.Of(ramp, 1, 596, 1))
	a, err := images.Resize(img, 1, 299, images.Nearest)
	require.NoError(t, err)
	b, err := images.Resize(img, 1, 299, images.LoadImg)
	require.NoError(t, err)
	most, err := tensor.MaxAbsDiff(a, b)
	require.NoError(t, err)
	require.Equal(t, 1.0, most)
}

func TestPreprocess(t *testing.T) {
	arrays := expected(t)
	for _, p := range []images.Preprocess{images.TF, images.Torch, images.Caffe} {
		got, err := p.Apply(arrays["preprocess_from"])
		require.NoError(t, err)
		require.True(t, got.Equal(arrays["preprocess:"+p.String()]), "%v: bit for bit", p)
	}
	bytes := tensor.Must(tensor.Of([]uint8{0, 51, 255}, 1, 1, 3))
	unit, err := images.Unit.Apply(bytes)
	require.NoError(t, err)
	require.True(t, unit.Equal(tensor.Must(tensor.Of([]float32{0, 0.2, 1}, 1, 1, 3))))
	floats := tensor.Must(tensor.Of([]float32{0, 51, 255}, 1, 1, 3))
	none, err := images.None.Apply(floats)
	require.NoError(t, err)
	require.True(t, none.Equal(floats))
	require.NotSame(t, floats, none, "the caller's tensor stays his own")

	for name := range strings.SplitSeq("none unit tf torch caffe mnist", " ") {
		p, err := images.ParsePreprocess(name)
		require.NoError(t, err)
		require.Equal(t, name, p.String())
	}
	_, err = images.ParsePreprocess("keras")
	require.ErrorIs(t, err, images.ErrOptions)
	require.ErrorContains(t, err, "none, unit, tf, torch, caffe, mnist are possible")
	_, err = images.Caffe.Apply(tensor.Must(tensor.New(tensor.Uint8, 2, 2, 1)))
	require.ErrorIs(t, err, images.ErrOptions)
	for _, bad := range []*tensor.Tensor{nil, tensor.Scalar("x"), tensor.Scalar(float32(1))} {
		_, err = images.TF.Apply(bad)
		require.ErrorIs(t, err, images.ErrOptions)
	}
}

func TestDecodeRefuses(t *testing.T) {
	png := recordedFile(t, "photo.png")
	huge := bytes.Clone(png)
	copy(huge[16:], "\x00\x01\x00\x00\x00\x01\x00\x00") // 65536 × 65536
	bomb := bytes.Clone(png)
	copy(bomb[16:], "\x00\x00\x20\x00\x00\x00\x20\x00") // 8192 × 8192 in 1.3 KB
	// The header's checksum is the four bytes behind it.
	for _, file := range [][]byte{huge, bomb} {
		copy(file[29:], checksum(file[12:29]))
	}
	tests := []struct {
		name string
		data []byte
		is   error
		says string
	}{
		{"empty", nil, images.ErrFormat, "the file is empty"},
		{"WebP", []byte("RIFF\x00\x00\x00\x00WEBP"), images.ErrFormat, "PNG, JPEG, GIF and BMP are known"},
		{"cut", png[:len(png)/2], images.ErrFormat, "not enough pixel data"},
		{"header cut", png[:20], images.ErrFormat, "PNG: unexpected EOF"},
		{"65536 × 65536", huge, images.ErrTooLarge, "65536 × 65536 pixels; 117440512 pixels are allowed"},
		{"more than the file can hold", bomb, images.ErrTooLarge, "the file cannot hold them"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := images.Decode(test.data, images.RGB)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, err := images.Read(png, images.Options{MaxPixels: 20*31 - 1})
	require.ErrorIs(t, err, images.ErrTooLarge)
	_, err = images.Read(recordedFile(t, "rgb16.png"), images.Options{MaxPixels: 20*31*2 - 1})
	require.ErrorIs(t, err, images.ErrTooLarge, "16 bits a channel count twice")
	for _, o := range []images.Options{{Height: 3}, {Width: -1, Height: 1}, {Mode: 9}, {Preprocess: images.MNIST}, {Height: 1 << 20, Width: 1 << 20}} {
		_, err := images.Read(png, o)
		require.ErrorIs(t, err, images.ErrOptions)
	}
	noTensor := func(*tensor.Tensor) (*tensor.Tensor, error) { return nil, nil }
	_, err = images.Read(png, images.Options{Transform: noTensor})
	require.ErrorIs(t, err, images.ErrOptions)
}

// TestDamagedFiles cuts and flips every kind of file everywhere: an error or an image of the right size, never a panic.
func TestDamagedFiles(t *testing.T) {
	for _, name := range []string{"photo.png", "palette.png", "photo.bmp", "photo.gif", "photo_420.jpg", "photo_progressive.jpg", "orientation_6.jpg"} {
		data := recordedFile(t, name)
		for n := 0; n < len(data); n += 7 {
			_, err := images.Decode(data[:n], images.RGB)
			if err == nil { // only what stands behind the last pixel may be missing
				require.Greater(t, n, len(data)-30, "%s cut to %d bytes", name, n)
			}
		}
		for i := range data {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			img, err := images.Read(flipped, images.Options{Upright: true, MaxPixels: 1 << 20})
			if err == nil {
				require.Equal(t, 3, img.Shape()[2])
			}
		}
	}
}

func TestCrop(t *testing.T) {
	img := tensor.Must(tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3, 1))
	got, err := images.Crop(img, 0, 1, 2, 2)
	require.NoError(t, err)
	require.True(t, got.Equal(tensor.Must(tensor.Of([]float32{2, 3, 5, 6}, 2, 2, 1))))
	for _, bad := range [][4]int{{-1, 0, 1, 1}, {0, 0, 3, 1}, {0, 2, 1, 2}, {0, 0, 0, 1}} {
		_, err := images.Crop(img, bad[0], bad[1], bad[2], bad[3])
		require.ErrorIs(t, err, images.ErrOptions)
	}
	for _, bad := range []*tensor.Tensor{nil, tensor.Scalar("x"), tensor.Must(tensor.New(tensor.Uint8, 3, 3)), tensor.Must(tensor.New(tensor.Uint8, 0, 3, 3))} {
		_, err := images.Crop(bad, 0, 0, 1, 1)
		require.ErrorIs(t, err, images.ErrOptions)
		_, err = images.Resize(bad, 1, 1, images.Bilinear)
		require.ErrorIs(t, err, images.ErrOptions)
	}
}

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "sub/c.bmp", "empty/readme", "d.png/e.gif"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
	names := func(args ...string) ([]string, error) {
		for i := range args {
			args[i] = filepath.Join(dir, args[i])
		}
		paths, err := images.Expand(args...)
		for i := range paths {
			var relErr error
			paths[i], relErr = filepath.Rel(dir, paths[i])
			require.NoError(t, relErr)
		}
		return paths, err
	}
	got, err := names("notes.txt", ".", "sub/*", "*.[jP]*")
	require.NoError(t, err)
	require.Equal(t, []string{"notes.txt", "a.jpeg", "b.PNG", "sub/c.bmp", "a.jpeg", "b.PNG"}, got)
	for _, bad := range []string{"missing.png", "*.tiff", "empty"} {
		_, err := names(bad)
		require.ErrorIs(t, err, os.ErrNotExist, bad)
	}
	_, err = images.Expand("[")
	require.ErrorIs(t, err, images.ErrOptions)
}

func TestClasses(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"tulips/2.png", "tulips/1.png", "daisy/deep/er.jpg", "daisy/LICENSE", ".git/x.png", "README",
		"tulips/.ipynb_checkpoints/1-checkpoint.png", "tulips/._1.png"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
	require.NoError(t, os.Symlink("tulips", filepath.Join(dir, "link")))
	classes, paths, labels, err := images.Classes(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"daisy", "link", "tulips"}, classes)
	require.Equal(t, []int{0, 1, 1, 2, 2}, labels)
	require.Equal(t, filepath.Join(dir, "daisy/deep/er.jpg"), paths[0])
	require.True(t, slices.IsSorted(paths))

	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	_, _, _, err = images.Classes(dir)
	require.ErrorContains(t, err, "empty")
	for _, bad := range []string{filepath.Join(dir, "tulips"), filepath.Join(dir, "missing")} {
		_, _, _, err = images.Classes(bad)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// checksum returns the CRC of a PNG chunk.
func checksum(chunk []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk))
}

var errTransform = errors.New("no digit in it")

func FuzzDecode(f *testing.F) {
	entries, err := os.ReadDir(recorded)
	require.NoError(f, err)
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".npz" {
			f.Add(recordedFile(f, e.Name()), uint8(len(e.Name())))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, mode uint8) {
		o := images.Options{Mode: images.Mode(mode % 3), Upright: true, MaxPixels: 1 << 16}
		img, err := images.Read(data, o)
		if err != nil {
			return
		}
		require.Equal(t, o.Mode.Channels(), img.Shape()[2])
	})
}
