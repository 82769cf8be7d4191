package images

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// counted returns an image of h × w × c different values.
func counted(h, w, c int) *tensor.Tensor {
	values := make([]float32, h*w*c)
	for i := range values {
		values[i] = float32(i%251) + 0.5
	}
	return tensor.Must(tensor.Of(values, h, w, c))
}

func numbers(t *testing.T, x *tensor.Tensor) []float32 {
	t.Helper()
	v, err := tensor.Data[float32](x)
	require.NoError(t, err)
	return v
}

// still is no change.
var still = change{side: 1, zoom: 1, contrast: 1}

func changed(t *testing.T, img *tensor.Tensor, a Augmentation, set func(*change)) []float32 {
	t.Helper()
	c := still
	set(&c)
	a.Range = [2]float32{0, 255}
	out, err := a.make(img, c)
	require.NoError(t, err)
	require.Equal(t, img.Shape(), out.Shape())
	return numbers(t, out)
}

func TestNoChange(t *testing.T) {
	for _, img := range []*tensor.Tensor{counted(5, 7, 3), tensor.Must(tensor.Of([]uint8{1, 2, 3, 4, 5, 6}, 2, 3, 1))} {
		for seed := range uint64(20) {
			out, err := Augmentation{}.Apply(img, seed)
			require.NoError(t, err)
			require.NotSame(t, &img.Bytes()[0], &out.Bytes()[0], "a copy")
			require.Equal(t, img, out)
		}
	}
}

func TestFlips(t *testing.T) {
	img := tensor.Must(tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3, 1))
	for _, a := range []Augmentation{{}, {Constant: true, FillValue: 9}} {
		require.Equal(t, []float32{3, 2, 1, 6, 5, 4}, changed(t, img, a, func(c *change) { c.mirrored = true }))
		require.Equal(t, []float32{4, 5, 6, 1, 2, 3}, changed(t, img, a, func(c *change) { c.upsideDown = true }))
	}
	seen := map[float32]int{}
	for seed := range uint64(400) {
		out, err := Augmentation{Flip: Both}.Apply(img, seed)
		require.NoError(t, err)
		seen[numbers(t, out)[0]]++
	}
	require.Len(t, seen, 4)
	for first, n := range seen {
		require.InDelta(t, 100, n, 35, "first pixel %v", first)
	}
}

func TestQuarterTurns(t *testing.T) {
	const side = 6
	img := counted(side, side, 2)
	from := numbers(t, img)
	for quarter := range 5 {
		want := make([]float32, len(from))
		for row := range side {
			for column := range side {
				x, y := column, row
				for range quarter { // counter-clockwise: the upper right corner comes to the upper left
					x, y = side-1-y, x
				}
				copy(want[(row*side+column)*2:][:2], from[(y*side+x)*2:])
			}
		}
		require.Equal(t, want, changed(t, img, Augmentation{Constant: true}, func(c *change) { c.angle = float64(quarter) * math.Pi / 2 }), "%d quarters", quarter)
	}
}

// Translations by whole pixels, what comes in from outside, and crops, by hand.
func TestWhatComesIn(t *testing.T) {
	row := tensor.Must(tensor.Of([]float32{1, 2, 3, 4}, 1, 4, 1))
	for _, c := range []struct {
		name string
		a    Augmentation
		set  func(*change)
		want []float32
	}{
		{"right, mirrored", Augmentation{}, func(c *change) { c.right = 0.5 }, []float32{2, 1, 1, 2}},
		{"left, mirrored", Augmentation{}, func(c *change) { c.right = -0.5 }, []float32{3, 4, 4, 3}},
		{"right, filled", Augmentation{Constant: true, FillValue: 9}, func(c *change) { c.right = 0.5 }, []float32{9, 9, 1, 2}},
		{"far right, mirrored", Augmentation{}, func(c *change) { c.right = 1 }, []float32{4, 3, 2, 1}},
		{"far right, filled", Augmentation{Constant: true}, func(c *change) { c.right = 1 }, []float32{0, 0, 0, 0}},
		{"the left half", Augmentation{}, func(c *change) { c.side = 0.5 }, []float32{1, 1.25, 1.75, 2.25}},
		{"the right half", Augmentation{}, func(c *change) { c.side, c.left = 0.5, 1 }, []float32{2.75, 3.25, 3.75, 4}},
		{"the middle, larger", Augmentation{}, func(c *change) { c.zoom = 0.5 }, []float32{1.75, 2.25, 2.75, 3.25}},
		{"smaller, filled", Augmentation{Constant: true}, func(c *change) { c.zoom = 3 }, []float32{0, 1, 4, 0}},
	} {
		require.Equal(t, c.want, changed(t, row, c.a, c.set), c.name)
	}
}

func TestColours(t *testing.T) {
	img := tensor.Must(tensor.Of([]float32{10, 100, 30, 200}, 1, 2, 2)) // two channels, means 20 and 150
	require.Equal(t, []float32{5, 75, 35, 225}, changed(t, img, Augmentation{}, func(c *change) { c.contrast = 1.5 }))
	require.Equal(t, []float32{0, 0, 70, 255}, changed(t, img, Augmentation{}, func(c *change) { c.contrast = 5 }), "cut off")
	require.Equal(t, []float32{20, 150, 20, 150}, changed(t, img, Augmentation{}, func(c *change) { c.contrast = 0 }))
	require.Equal(t, []float32{61, 151, 81, 251}, changed(t, img, Augmentation{}, func(c *change) { c.brightness = 0.2 }))
	require.Equal(t, []float32{0, 0, 0, 0}, changed(t, img, Augmentation{}, func(c *change) { c.brightness = -1 }))
	unit := tensor.Must(tensor.Of([]float32{-1, 0.5}, 1, 2, 1))
	out, err := Augmentation{Brightness: 1, Range: [2]float32{-1, 1}}.Apply(unit, 3)
	require.NoError(t, err)
	v := numbers(t, out)
	require.True(t, v[0] >= -1 && v[1] <= 1 && v[0] != -1 || v[0] == -1 && v[1] < 0.5, "%v", v)
}

// Bytes are the float32 result, rounded.
func TestBytes(t *testing.T) {
	pixels := make([]uint8, 9*11*3)
	for i := range pixels {
		pixels[i] = uint8(37 * i)
	}
	img := tensor.Must(tensor.Of(pixels, 9, 11, 3))
	a := Augmentation{Flip: Both, Crop: 0.2, Rotation: 0.2, Zoom: 0.2, Translation: 0.2, Contrast: 0.5, Brightness: 0.3, Constant: true, FillValue: 300}
	for seed := range uint64(30) {
		got, err := a.Apply(img, seed)
		require.NoError(t, err)
		whole, err := a.Apply(tensor.Must(img.Cast(tensor.Float32)), seed)
		require.NoError(t, err)
		for i, v := range numbers(t, whole) {
			require.Equal(t, uint8(math.Round(float64(min(v, 255)))), got.Bytes()[i])
		}
		again, err := a.Apply(img, seed)
		require.NoError(t, err)
		require.Equal(t, got, again, "the same seed")
		other, err := a.Apply(img, seed+1)
		require.NoError(t, err)
		require.NotEqual(t, got, other)
	}
	require.Equal(t, uint8(37), pixels[1], "the image itself stays")
}

// The figures are uniform over the ranges that the settings name.
func TestRanges(t *testing.T) {
	a := Augmentation{Crop: 0.4, Rotation: 0.1, Zoom: 0.2, Translation: 0.3, Contrast: 0.5, Brightness: 0.6}
	const draws = 4000
	figures := map[string]struct {
		of        func(change) float64
		low, high float64
	}{
		"crop":       {func(c change) float64 { return c.side }, 0.6, 1},
		"left":       {func(c change) float64 { return c.left }, 0, 1},
		"top":        {func(c change) float64 { return c.top }, 0, 1},
		"rotation":   {func(c change) float64 { return c.angle / 2 / math.Pi }, -0.1, 0.1},
		"zoom":       {func(c change) float64 { return c.zoom }, 0.8, 1.2},
		"down":       {func(c change) float64 { return c.down }, -0.3, 0.3},
		"right":      {func(c change) float64 { return c.right }, -0.3, 0.3},
		"contrast":   {func(c change) float64 { return c.contrast }, 0.5, 1.5},
		"brightness": {func(c change) float64 { return c.brightness }, -0.6, 0.6},
	}
	for name, f := range figures {
		low, high, sum := math.Inf(1), math.Inf(-1), 0.0
		for seed := range uint64(draws) {
			v := f.of(a.draw(seed))
			low, high, sum = min(low, v), max(high, v), sum+v
		}
		span := f.high - f.low
		require.True(t, low >= f.low && low < f.low+0.01*span, "%s: from %v", name, low)
		require.True(t, high <= f.high && high > f.high-0.01*span, "%s: to %v", name, high)
		require.InDelta(t, (f.low+f.high)/2, sum/draws, 0.02*span, name)
	}
	for seed := range uint64(100) {
		alone := Augmentation{Rotation: 0.1}.draw(seed)
		require.Equal(t, a.draw(seed).angle, alone.angle, "other settings do not change it")
		require.Equal(t, change{side: 1, left: alone.left, top: alone.top, angle: alone.angle, zoom: 1, contrast: 1}, alone)
	}
}

// TestAsKeras holds each change against Keras's layer: scripts/record_augment.py.
func TestAsKeras(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "scripts", "testdata", "images", "augmented.npz"))
	require.NoError(t, err)
	list, err := tensor.ReadNPZ(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	arrays := map[string]*tensor.Tensor{}
	for _, a := range list {
		arrays[a.Name] = a.Tensor
	}
	changes := map[string]func(c *change, by float64){
		"rotation":   func(c *change, by float64) { c.angle = by * 2 * math.Pi },
		"zoom":       func(c *change, by float64) { c.zoom = 1 + by },
		"down":       func(c *change, by float64) { c.down = by },
		"right":      func(c *change, by float64) { c.right = by },
		"contrast":   func(c *change, by float64) { c.contrast = 1 + by },
		"brightness": func(c *change, by float64) { c.brightness = by },
		"mirrored":   func(c *change, by float64) { c.mirrored = by != 0 },
		"upsideDown": func(c *change, by float64) { c.upsideDown = by != 0 },
	}
	checked := 0
	for name, set := range changes {
		by := arrays[name+":by"]
		require.NotNil(t, by, name)
		for fill, a := range map[string]Augmentation{"reflect": {}, "constant": {Constant: true, FillValue: 40}} {
			want, ok := arrays[name+":"+fill]
			if !ok {
				continue // the layer has no fill
			}
			size := arrays["image"].Len()
			for i, v := range numbers(t, by) {
				got := changed(t, arrays["image"], a, func(c *change) { set(c, float64(v)) })
				// Keras looks up in float32: a place on a pixel's edge may come from its neighbour, at a weight of about 1e-6.
				require.InDeltaSlice(t, numbers(t, want)[i*size:(i+1)*size], got, 2e-3, "%s %s %v", name, fill, v)
				checked++
			}
		}
	}
	require.Greater(t, checked, 40)
}

func TestParseAugmentation(t *testing.T) {
	a, err := ParseAugmentation("flip, rotation=0.1,zoom=0.25,fill=12.5")
	require.NoError(t, err)
	require.Equal(t, Augmentation{Flip: Horizontal, Rotation: 0.1, Zoom: 0.25, Constant: true, FillValue: 12.5}, a)
	for _, spec := range []string{"none", "flip", "flip=vertical", "flip=both,crop=0.2", "crop=0.125,rotation=1,zoom=0.5,translation=0.1,contrast=1,brightness=0.2,fill=-1"} {
		a, err := ParseAugmentation(spec)
		require.NoError(t, err)
		require.Equal(t, spec, a.String())
		require.Equal(t, spec == "none", a.IsZero())
	}
	a, err = ParseAugmentation("")
	require.NoError(t, err)
	require.True(t, a.IsZero())
	for spec, want := range map[string]string{
		"wobble=1": "flip, crop, rotation, zoom, translation, contrast, brightness, fill", "rotation": "needs a number", "rotation=x": `not "x"`,
		"rotation=1.5": "between 0 and 1", "zoom=1": "between 0 and 1", "zoom=NaN": "between 0 and 1", "contrast=-0.1": "between 0 and 1",
		"flip=up": "horizontal", "fill=wrap": "reflect", "fill=": "reflect", "fill=Inf": "reflect", "flip,flip": "twice", ",": `""`, "crop=1": "between 0 and 1",
	} {
		_, err := ParseAugmentation(spec)
		require.ErrorIs(t, err, ErrOptions, spec)
		require.ErrorContains(t, err, want, spec)
	}
}

func TestWrongAugmentations(t *testing.T) {
	img := counted(4, 4, 1)
	for _, a := range []Augmentation{{Zoom: 2}, {Flip: 7}, {Range: [2]float32{1, 0}}, {Range: [2]float32{0, float32(math.Inf(1))}}, {Range: [2]float32{float32(math.NaN()), 1}}} {
		_, err := a.Apply(img, 1)
		require.ErrorIs(t, err, ErrOptions, "%+v", a)
	}
	for _, wrong := range []*tensor.Tensor{tensor.Must(tensor.New(tensor.Float32, 4, 4)), tensor.Must(tensor.New(tensor.Int32, 4, 4, 1)), tensor.Must(tensor.New(tensor.Float32, 0, 4, 1))} {
		_, err := Augmentation{}.Apply(wrong, 1)
		require.ErrorIs(t, err, ErrOptions)
	}
	_, err := Augmentation{Range: [2]float32{0, 1}}.Apply(tensor.Must(tensor.New(tensor.Uint8, 4, 4, 1)), 1)
	require.ErrorIs(t, err, ErrOptions)
	one, err := Augmentation{Flip: Both, Crop: 0.9, Rotation: 1, Zoom: 0.9, Translation: 1}.Apply(tensor.Must(tensor.Of([]float32{7}, 1, 1, 1)), 1)
	require.NoError(t, err)
	require.Equal(t, []float32{7}, numbers(t, one), "mirrored, one pixel is everywhere")
}

func FuzzParseAugmentation(f *testing.F) {
	for _, s := range []string{"flip,rotation=0.1", "flip=both,fill=3,zoom=0.5", "crop=1e-9,contrast=1,brightness=0x1p-3", "fill=reflect", ",,=,"} {
		f.Add(s)
	}
	img := counted(3, 4, 2)
	f.Fuzz(func(t *testing.T, spec string) {
		a, err := ParseAugmentation(spec)
		if err != nil {
			return
		}
		out, err := a.Apply(img, 5)
		require.NoError(t, err)
		for _, v := range numbers(t, out) {
			require.False(t, v != v, spec)
		}
		again, err := ParseAugmentation(a.String())
		require.NoError(t, err)
		if a.IsZero() {
			a = Augmentation{}
		}
		require.Equal(t, a, again, strings.TrimSpace(spec))
	})
}

func BenchmarkAugment(b *testing.B) {
	img := counted(224, 224, 3)
	a := Augmentation{Flip: Horizontal, Rotation: 0.1, Zoom: 0.1, Translation: 0.1, Contrast: 0.2, Brightness: 0.2}
	for i := 0; b.Loop(); i++ {
		if _, err := a.Apply(img, uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
}
