package finetune

import (
	"cmp"
	"fmt"
	"image"
	"io"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/tensor"
)

// Mistake is a sample that the trained model takes for another class.
type Mistake struct {
	Sample      int     `json:"sample"`          // its place among the samples that were read, from 0
	Image       string  `json:"image,omitempty"` // its file
	Label       string  `json:"label"`
	Predicted   string  `json:"predicted"`
	Probability float64 `json:"probability"` // of the class that it was taken for

	label, predicted int
	picture          picture // nil for tables
}

// worstCount is how many mistakes are kept.
const worstCount = 24

// mistakes returns the wrong predictions of the highest probability; y are the classes of some samples of a set, outputs what the
// model makes of them, pictures what all samples of the set are of.
func mistakes(y, outputs []float32, width int, samples []int32, classes []string, pictures []picture) []Mistake {
	var wrong []Mistake
	for i, at := range samples {
		m := Mistake{Sample: int(at), label: int(y[i])}
		if p := outputs[i*width : (i+1)*width]; width > 1 {
			m.predicted = argmax(p)
			m.Probability = float64(p[m.predicted])
		} else if m.Probability = 1 - float64(p[0]); p[0] > 0.5 { // a sigmoid
			m.predicted, m.Probability = 1, float64(p[0])
		}
		if m.predicted != m.label {
			wrong = append(wrong, m)
		}
	}
	slices.SortStableFunc(wrong, func(a, b Mistake) int { return cmp.Compare(b.Probability, a.Probability) })
	wrong = wrong[:min(len(wrong), worstCount)]
	for i := range wrong {
		m := &wrong[i]
		m.Label, m.Predicted = classes[m.label], classes[m.predicted]
		if pictures != nil {
			m.picture = pictures[m.Sample]
			m.Image = m.picture.name()
		}
	}
	return wrong
}

// measured returns the samples that the reports are about, and their name: the test samples where there are any.
func (r *Report) measured() (*Measures, string) {
	if r.Test != nil {
		return r.Test, "test"
	}
	return r.Validation, "validation"
}

// thumbnails are the pictures of the mistakes, small; nil for those that cannot be shown.
func (m *Measures) thumbnails() []image.Image {
	if m == nil {
		return nil
	}
	small := make([]image.Image, len(m.Worst))
	var workers errgroup.Group
	workers.SetLimit(min(runtime.GOMAXPROCS(0), 4)) // whole photographs are large
	for i, w := range m.Worst {
		workers.Go(func() error {
			if w.picture == nil {
				return nil
			}
			if whole, err := w.picture.shown(); err == nil {
				small[i] = plot.Fit(whole)
			}
			return nil
		})
	}
	_ = workers.Wait() // there are no errors
	return small
}

// contactSheet draws worst.png: the images that the model is most wrong about, each with its class and what it was taken for. There is
// none where nothing is wrong, or there are no images.
func (s *session) contactSheet() error {
	m, part := s.report.measured()
	if m == nil || len(m.Worst) == 0 || m.Worst[0].picture == nil {
		return nil
	}
	tiles := make([]plot.Tile, len(m.Worst))
	for i, w := range m.Worst {
		tiles[i] = plot.Tile{Image: s.thumbnails[i], Lines: []string{
			"true: " + plot.ClassName(s.data.classes, w.label), "predicted: " + plot.ClassName(s.data.classes, w.predicted), fmt.Sprintf("%.1f %%", 100*w.Probability)}}
	}
	wrong, all := m.wrong()
	title := fmt.Sprintf("%d of %d %s images are taken for another class; the surest first", wrong, all, part)
	return s.picture("worst", func(w io.Writer) (image.Point, error) { return plot.Sheet(w, title, tiles) })
}

// wrong counts the samples that were taken for another class, and all.
func (m *Measures) wrong() (wrong, all int) {
	for i, row := range m.Confusion {
		for j, n := range row {
			if all += n; i != j {
				wrong += n
			}
		}
	}
	return wrong, all
}

func (f file) name() string { return f.path }

func (f file) shown() (image.Image, error) {
	content, err := f.content()
	if err != nil {
		return nil, err
	}
	x, err := images.Decode(content, images.RGBA)
	if err != nil {
		return nil, err
	}
	size, pixels := x.Shape(), x.Bytes()
	for i := 3; i < len(pixels); i += 4 {
		pixels[i] = 255 // models do not see what is transparent
	}
	return &image.NRGBA{Pix: pixels, Stride: 4 * size[1], Rect: image.Rect(0, 0, size[1], size[0])}, nil
}

func (d digit) name() string { return "" }

func (d digit) shown() (image.Image, error) {
	content, err := d.content()
	if err != nil {
		return nil, err
	}
	size := d.set.Shape()
	return &image.Gray{Pix: content, Stride: size[2], Rect: image.Rect(0, 0, size[2], size[1])}, nil
}

// digitsOf returns the pictures of a set of bytes [n, height, width].
func digitsOf(set *tensor.Tensor, b *base) []picture {
	pictures := make([]picture, set.Shape()[0])
	for i := range pictures {
		pictures[i] = digit{set, i, b}
	}
	return pictures
}
