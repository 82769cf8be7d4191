package mnist_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
)

const digits = "../scripts/testdata/mnist/digits" // by scripts/export_mnist.py: 20 digits of the test set

// realDigits returns the pixels of the 20 digits, 28 × 28 each.
func realDigits(t testing.TB) [][]uint8 {
	paths, err := images.Expand(digits)
	require.NoError(t, err)
	require.Len(t, paths, 20)
	var list [][]uint8
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		img, err := images.Decode(data, images.Gray)
		require.NoError(t, err)
		list = append(list, img.Bytes())
	}
	return list
}

func grey(pixels []uint8, height, width int) *tensor.Tensor {
	return tensor.Must(tensor.Of(pixels, height, width, 1))
}

func values(t testing.TB, x *tensor.Tensor) []float32 {
	v, err := tensor.Data[float32](x)
	require.NoError(t, err)
	return v
}

func TestDigitsOfTheDataSetPassUnchanged(t *testing.T) {
	for n, pixels := range realDigits(t) {
		negative, coloured := make([]uint8, 784), make([]uint8, 0, 784*4)
		for i, v := range pixels {
			negative[i] = 255 - v
			coloured = append(coloured, v, v, v, 255)
		}
		for way, img := range map[string]*tensor.Tensor{
			"grey": grey(pixels, 28, 28), "dark on light": grey(negative, 28, 28), "RGBA": tensor.Must(tensor.Of(coloured, 28, 28, 4)),
		} {
			got, err := mnist.Digit(img, mnist.Options{Shape: []int{784}})
			require.NoError(t, err)
			for i, v := range values(t, got) {
				require.Equal(t, float32(pixels[i])/255, v, "digit %d, %s", n, way)
			}
		}
	}
}

// photograph draws a digit the way a camera sees it: large, somewhere on the paper, in light that falls off to one side.
type photograph struct {
	width, height, size int
	paper, ink          float64 // levels where the light is brightest
	falloff             float64 // share of the light that the darkest side has lost
	noise               float64
	table               bool // dark stripes along two edges
	pen                 bool // a thin line only
	transparent         bool // no paper: the digit is in the alpha channel
}

func (p photograph) draw(digit []uint8, random *rand.Rand) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	margin := (min(p.width, p.height) - p.size) / 2
	left, top := random.IntN(p.width-p.size-margin+1)+margin/2, random.IntN(p.height-p.size-margin+1)+margin/2
	for y := range p.height {
		for x := range p.width {
			cover := sample(digit, float64(x-left)*28/float64(p.size), float64(y-top)*28/float64(p.size))
			if p.pen {
				cover = max(0, 1-4*math.Abs(cover-0.5)) // the outline of the digit
			}
			light := 1 - p.falloff*(float64(x)/float64(p.width)+math.Pow(float64(y)/float64(p.height)-0.5, 2))/1.25
			v := light*(p.paper*(1-cover)+p.ink*cover) + random.NormFloat64()*p.noise
			if p.table && (x < p.width/12 || y > p.height*11/12) {
				v = 45
			}
			level := uint8(min(max(v, 0), 255))
			img.SetNRGBA(x, y, color.NRGBA{level, level, level, 255})
			if p.transparent {
				img.SetNRGBA(x, y, color.NRGBA{uint8(p.ink), uint8(p.ink), uint8(p.ink), uint8(255 * cover)})
			}
		}
	}
	return img
}

// sample interpolates a digit of 28 × 28 at a place in its own pixels: 0..1, 0 outside.
func sample(digit []uint8, x, y float64) float64 {
	at := func(x, y int) float64 {
		if x < 0 || y < 0 || x > 27 || y > 27 {
			return 0
		}
		return float64(digit[y*28+x]) / 255
	}
	x, y = x-0.5, y-0.5
	i, j := int(math.Floor(x)), int(math.Floor(y))
	u, v := x-float64(i), y-float64(j)
	return (1-v)*((1-u)*at(i, j)+u*at(i+1, j)) + v*((1-u)*at(i, j+1)+u*at(i+1, j+1))
}

// TestPhotographs holds the digit that is found against the one that was drawn: of the twenty it must be the nearest by
// far, and on the mean pixel no further away than scaling there and back makes it (up to 0.050 measured).
func TestPhotographs(t *testing.T) {
	tests := []struct {
		name string
		p    photograph
	}{
		{"scan", photograph{width: 300, height: 360, size: 250, paper: 245, ink: 30, noise: 3}},
		{"uneven light", photograph{width: 360, height: 300, size: 220, paper: 230, ink: 40, falloff: 0.6, noise: 5}},
		{"light on dark", photograph{width: 300, height: 300, size: 200, paper: 80, ink: 210, falloff: 0.5, noise: 5}},
		{"a table beside the paper", photograph{width: 360, height: 300, size: 180, paper: 220, ink: 40, falloff: 0.4, noise: 4, table: true}},
		{"small on a large picture", photograph{width: 640, height: 480, size: 110, paper: 210, ink: 60, falloff: 0.4, noise: 4}},
		{"an icon", photograph{width: 40, height: 36, size: 34, paper: 255, ink: 0}},
		{"a drawing without paper", photograph{width: 200, height: 200, size: 180, ink: 0, transparent: true}},
		{"a light drawing without paper", photograph{width: 200, height: 200, size: 180, ink: 255, transparent: true}},
	}
	originals := realDigits(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			for n := 0; n < len(originals); n += 2 { // one of each class
				digit := originals[n]
				path := filepath.Join(t.TempDir(), "photo")
				file, err := os.Create(path)
				require.NoError(t, err)
				img := test.p.draw(digit, random)
				if test.p.transparent {
					require.NoError(t, png.Encode(file, img))
				} else {
					require.NoError(t, jpeg.Encode(file, img, &jpeg.Options{Quality: 80}))
				}
				require.NoError(t, file.Close())

				got, err := mnist.ReadDigit(path, mnist.Options{})
				require.NoError(t, err)
				require.Equal(t, tensor.Shape{28, 28}, got.Shape())
				nearest, distance := closest(values(t, got), originals)
				require.Equal(t, n, nearest)
				require.Less(t, distance, 0.055)
			}
		})
	}
}

// closest returns the digit with the least mean difference from v, and that difference. The centre of mass may round to the pixel
// beside.
func closest(v []float32, digits [][]uint8) (int, float64) {
	best, least := -1, math.Inf(1)
	for n, digit := range digits {
		for shift := range 9 {
			sum := 0.0
			for i := range v {
				x, y := i%28+shift%3-1, i/28+shift/3-1
				was := 0.0
				if x >= 0 && y >= 0 && x < 28 && y < 28 {
					was = float64(digit[y*28+x]) / 255
				}
				sum += math.Abs(float64(v[i]) - was)
			}
			if sum < least {
				best, least = n, sum
			}
		}
	}
	return best, least / 784
}

func TestThinStrokesAreWidened(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	p := photograph{width: 300, height: 300, size: 280, paper: 230, ink: 60, falloff: 0.4, noise: 3, pen: true}
	for _, digit := range realDigits(t) {
		img := p.draw(digit, random)
		pixels := make([]uint8, 0, 300*300)
		for i := 0; i < len(img.Pix); i += 4 {
			pixels = append(pixels, img.Pix[i])
		}
		got, err := mnist.Digit(grey(pixels, 300, 300), mnist.Options{})
		require.NoError(t, err)
		full, touched := 0, 0
		for _, v := range values(t, got) {
			if v > 0.9 {
				full++
			}
			if v > 0.1 {
				touched++
			}
		}
		require.Greater(t, 3*full, touched, "strokes of a pixel's width would be grey all over")
	}
}

func TestCentreOfMass(t *testing.T) {
	// A bar with a heavy end: 20 pixels long in the result, its centre of mass at (14, 14), its box not.
	pixels := bytes.Repeat([]uint8{255}, 100*100)
	for y := 10; y < 90; y++ {
		width := 4
		if y < 30 {
			width = 20
		}
		for x := 40 - width/2; x < 40+width/2; x++ {
			pixels[y*100+x] = 0
		}
	}
	got, err := mnist.Digit(grey(pixels, 100, 100), mnist.Options{Shape: []int{28, 28, 1}})
	require.NoError(t, err)
	var mass, mx, my float64
	top, bottom := 28, 0
	for i, v := range values(t, got) {
		mass, mx, my = mass+float64(v), mx+float64(v)*float64(i%28), my+float64(v)*float64(i/28)
		if v > 0.1 {
			top, bottom = min(top, i/28), max(bottom, i/28)
		}
	}
	require.InDelta(t, 14, mx/mass, 0.51)
	require.InDelta(t, 14, my/mass, 0.51)
	require.InDelta(t, 20, bottom-top+1, 1.01)
	require.Greater(t, float64(top+bottom)/2, 14.0)
}

func TestNoDigit(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	paper := photograph{width: 200, height: 200, size: 100, paper: 200, falloff: 0.5, noise: 4}.draw(make([]uint8, 784), random)
	var noisy []uint8
	for i := 0; i < len(paper.Pix); i += 4 {
		noisy = append(noisy, paper.Pix[i])
	}
	for name, img := range map[string]*tensor.Tensor{
		"white": grey(bytes.Repeat([]uint8{255}, 900), 30, 30), "black": grey(make([]uint8, 900), 30, 30),
		"paper": grey(noisy, 200, 200), "one pixel": grey([]uint8{7}, 1, 1), "one line": grey(make([]uint8, 50), 1, 50),
	} {
		_, err := mnist.Digit(img, mnist.Options{})
		require.ErrorIs(t, err, mnist.ErrNoDigit, name)
	}
}

func TestDigitRefuses(t *testing.T) {
	img := tensor.Must(tensor.New(tensor.Uint8, 28, 28, 1))
	for _, shape := range [][]int{{}, {28}, {28, 29}, {-28, -28}, {1 << 62, 1 << 62}} {
		_, err := mnist.Digit(img, mnist.Options{Shape: shape})
		require.ErrorIs(t, err, mnist.ErrShape)
	}
	for _, bad := range []*tensor.Tensor{
		nil, tensor.Scalar("7"), tensor.Must(tensor.New(tensor.Float32, 28, 28, 1)), tensor.Must(tensor.New(tensor.Uint8, 28, 28)),
		tensor.Must(tensor.New(tensor.Uint8, 28, 28, 2)), tensor.Must(tensor.New(tensor.Uint8, 0, 28, 1)),
	} {
		_, err := mnist.Digit(bad, mnist.Options{})
		require.ErrorIs(t, err, mnist.ErrShape)
	}
	_, err := mnist.ReadDigit(filepath.Join(t.TempDir(), "missing.png"), mnist.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWritePNG(t *testing.T) {
	for _, pixels := range realDigits(t) {
		x, err := mnist.Digit(grey(pixels, 28, 28), mnist.Options{Shape: []int{784}})
		require.NoError(t, err)
		for _, digit := range []*tensor.Tensor{x, grey(pixels, 28, 28)} {
			var b bytes.Buffer
			require.NoError(t, mnist.WritePNG(&b, digit))
			img, err := images.Decode(b.Bytes(), images.Gray)
			require.NoError(t, err)
			require.Equal(t, pixels, img.Bytes())
		}
	}
	for _, bad := range []*tensor.Tensor{nil, tensor.Scalar("x"), tensor.Must(tensor.New(tensor.Float32, 783)), tensor.Must(tensor.New(tensor.Float64, 784))} {
		require.ErrorIs(t, mnist.WritePNG(io.Discard, bad), mnist.ErrShape)
	}
}

// TestWithTheLoader shows how a loader of images prepares digits.
func TestWithTheLoader(t *testing.T) {
	paths, err := images.Expand(digits)
	require.NoError(t, err)
	o := images.Options{Mode: images.RGBA, Upright: true, Preprocess: images.MNIST, BatchSize: 8}
	o.Transform = func(img *tensor.Tensor) (*tensor.Tensor, error) {
		return mnist.Digit(img, mnist.Options{Shape: []int{28, 28, 1}})
	}
	n := 0
	for batch, err := range images.Load(t.Context(), paths, o) {
		require.NoError(t, err)
		n += batch.Images.Shape()[0]
		require.Equal(t, tensor.Shape{28, 28, 1}, batch.Images.Shape()[1:])
	}
	require.Equal(t, 20, n)
}

func FuzzDigit(f *testing.F) {
	for _, pixels := range realDigits(f) {
		f.Add(pixels, uint8(28), uint8(0))
		f.Add(pixels, uint8(56), uint8(0))
		f.Add(pixels, uint8(14), uint8(2))
	}
	f.Fuzz(func(t *testing.T, pixels []uint8, width, channels uint8) {
		c := []int{1, 3, 4}[channels%3]
		w := max(int(width), 1)
		h := min(len(pixels)/(w*c), 4096)
		if h == 0 {
			return
		}
		got, err := mnist.Digit(tensor.Must(tensor.Of(pixels[:w*h*c], h, w, c)), mnist.Options{})
		if err != nil {
			require.ErrorIs(t, err, mnist.ErrNoDigit)
			return
		}
		for i, v := range values(t, got) {
			require.True(t, v >= 0 && v <= 1, fmt.Sprint("pixel ", i, " is ", v))
		}
	})
}
