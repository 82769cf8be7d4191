package plot

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// pixels counts the pixels of a colour.
func pixels(m image.Image, c color.RGBA) (n int) {
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			if color.RGBAModel.Convert(m.At(x, y)) == c {
				n++
			}
		}
	}
	return n
}

func decoded(t *testing.T, b *bytes.Buffer, size image.Point) image.Image {
	t.Helper()
	m, err := png.Decode(b)
	require.NoError(t, err)
	require.Equal(t, size, m.Bounds().Size())
	return m
}

func TestWrite(t *testing.T) {
	x := []float64{1, 2, 3, 4}
	curve := Panel{Title: "loss", X: "epoch", Y: "loss", Marks: []Mark{{"best", 2}, {"second part", 3}}, Series: []Series{
		{Name: "training", X: x, Y: []float64{4, 3, 2, 1}}, {Name: "validation", X: x, Y: []float64{4, math.NaN(), 3, math.Inf(1)}}}}
	points := Panel{Title: "XOR", XRange: [2]float64{-1, 2}, YRange: [2]float64{-1, 2}, Field: func(x, _ float64) float64 { return x },
		Series: []Series{{Name: "0", X: []float64{0, 1}, Y: []float64{0, 1}, Scatter: true}, {Name: "one", X: []float64{1}, Y: []float64{0}}}}
	var b bytes.Buffer
	size, err := Write(&b, curve, points)
	require.NoError(t, err)
	require.Equal(t, image.Pt(960, 360), size)
	m := decoded(t, &b, size)
	require.Greater(t, pixels(m, palette[0]), 100, "the first series")
	require.Greater(t, pixels(m, palette[1]), 50, "the second series")
	require.Greater(t, pixels(m, shades{}.Colors()[shadeSteps-1].(color.RGBA)), 1000, "the field where it is 1")
}

func TestNothingToDraw(t *testing.T) {
	var b bytes.Buffer
	size, err := Write(&b, Panel{Series: []Series{{Name: "empty"}, {Name: "nan", X: []float64{1}, Y: []float64{math.NaN()}}}})
	require.NoError(t, err)
	decoded(t, &b, size)
}

func TestConfusion(t *testing.T) {
	for _, classes := range []int{1, 3, 25, 200} {
		labels, counts := make([]string, classes), make([][]int, classes)
		for i := range counts {
			labels[i], counts[i] = "class", make([]int, classes)
			counts[i][i] = 9
		}
		var b bytes.Buffer
		size, err := Confusion(&b, labels, counts)
		require.NoError(t, err)
		require.LessOrEqual(t, size.X, 1240)
		require.Greater(t, pixels(decoded(t, &b, size), palette[0]), 300, "%d classes: the diagonal is full", classes)
	}
	_, err := Confusion(&bytes.Buffer{}, []string{"a"}, nil)
	require.Error(t, err)
}

func TestClassName(t *testing.T) {
	names := []string{"daisy", "Zürich γάτα кошка", "고양이", "", "a\nb", "cat 🐈"}
	want := []string{"daisy", "Zürich γάτα кошка", "#3", "#4", "#5", "#6"}
	for i := range names {
		require.Equal(t, want[i], ClassName(names, i))
	}
	var b bytes.Buffer
	_, err := Confusion(&b, names, [][]int{{1, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0}, {}, {}, {}, {}})
	require.NoError(t, err)
}

func TestSheet(t *testing.T) {
	red := color.RGBA{250, 0, 0, 255}
	small, wide := image.NewRGBA(image.Rect(0, 0, 2, 2)), image.NewRGBA(image.Rect(10, 20, 410, 120))
	for _, m := range []*image.RGBA{small, wide} {
		for i := 0; i < len(m.Pix); i += 4 {
			copy(m.Pix[i:], []byte{250, 0, 0, 255})
		}
	}
	for _, n := range []int{1, 6, 7, 24} {
		tiles := make([]Tile, n)
		tiles[0] = Tile{small, []string{"a short line", "a line that is far too long for the picture that it stands below"}}
		var b bytes.Buffer
		size, err := Sheet(&b, "wrong", tiles)
		require.NoError(t, err)
		m := decoded(t, &b, size)
		require.Equal(t, TileSide*TileSide, pixels(m, red), "%d tiles", n)
		require.Greater(t, pixels(m, palette[1]), 20, "the second line")
	}
	require.Equal(t, image.Pt(TileSide, TileSide/4), Fit(wide).Bounds().Size())
	require.Equal(t, image.Pt(1, TileSide), Fit(image.NewGray(image.Rect(0, 0, 1, 100000))).Bounds().Size())
	require.Equal(t, red, Fit(wide).RGBAAt(70, 20))
	_, err := Sheet(full{}, "", nil)
	require.ErrorContains(t, err, "disk full")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrorsComeBack(t *testing.T) {
	_, err := Write(full{}, Panel{})
	require.ErrorContains(t, err, "disk full")
}
