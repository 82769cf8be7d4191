package mnist

import (
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"slices"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
)

const (
	side = 28 // of an image of MNIST
	box  = 20 // of the digit in it
)

// Options say how a digit is returned.
type Options struct {
	Shape []int // of the result: [28,28] (the default), [784], [28,28,1], or any with 784 elements
}

// ReadDigit reads an image file (PNG, JPEG, GIF, BMP) and returns its digit, see Digit. Photographs are turned upright by
// their EXIF orientation.
func ReadDigit(path string, o Options) (*tensor.Tensor, error) {
	var digit *tensor.Tensor
	_, err := images.ReadFile(path, images.Options{Mode: images.RGBA, Upright: true, Transform: func(img *tensor.Tensor) (*tensor.Tensor, error) {
		var err error
		digit, err = Digit(img, o)
		return digit, err
	}})
	return digit, err
}

// Digit makes of an image [height, width, channels] of uint8 (1 grey, 3 RGB or 4 RGBA channels) what a model trained on MNIST
// expects: float32 of 0..1, a light digit on a dark ground, 28×28 in the shape that o asks for. The package comment says how.
// ErrNoDigit if the image is blank.
func Digit(img *tensor.Tensor, o Options) (*tensor.Tensor, error) {
	shape := tensor.Shape(o.Shape)
	if shape == nil {
		shape = tensor.Shape{side, side}
	}
	if n, err := shape.Elements(); err != nil || n != side*side {
		return nil, fmt.Errorf("%w: %v for a digit; it has 784 pixels", ErrShape, shape)
	}
	grey, err := toGrey(img)
	if err != nil {
		return nil, err
	}
	pixels, ok := ready(grey)
	if !ok {
		if pixels, err = find(grey); err != nil {
			return nil, err
		}
	}
	return tensor.Of(pixels, shape...)
}

// plane is a picture of one channel.
type plane struct {
	w, h int
	v    []float32 // row by row
}

func newPlane(w, h int) plane { return plane{w, h, make([]float32, w*h)} }

// toGrey returns the luminance of 0..255. What is transparent becomes white paper, or black if the opaque part is light.
func toGrey(img *tensor.Tensor) (plane, error) {
	if img.DType() != tensor.Uint8 || img.Rank() != 3 || img.Len() == 0 {
		return plane{}, fmt.Errorf("%w: a digit comes from uint8 [height,width,channels], not %v", ErrShape, img)
	}
	c := img.Shape()[2]
	if c != 1 && c != 3 && c != 4 {
		return plane{}, fmt.Errorf("%w: an image with %d channels; 1, 3 and 4 are known", ErrShape, c)
	}
	p := newPlane(img.Shape()[1], img.Shape()[0])
	pixels := img.Bytes()
	for i := range p.v {
		px := pixels[i*c:]
		if c == 1 {
			p.v[i] = float32(px[0])
		} else { // Pillow's "L": a grey pixel keeps its value
			p.v[i] = float32((uint32(px[0])*19595 + uint32(px[1])*38470 + uint32(px[2])*7471 + 0x8000) >> 16)
		}
	}
	if c == 4 {
		p.blend(pixels)
	}
	return p, nil
}

// blend puts RGBA pixels on paper.
func (p plane) blend(rgba []uint8) {
	var light, opaque float64
	for i, v := range p.v {
		a := float64(rgba[4*i+3])
		light, opaque = light+a*float64(v), opaque+a
	}
	paper := float32(255)
	if light > opaque*127 && opaque < 254*float64(len(p.v)) {
		paper = 0
	}
	for i := range p.v {
		a := float32(rgba[4*i+3]) / 255
		p.v[i] = p.v[i]*a + paper*(1-a)
	}
}

// ready returns the pixels of an image that is in the data set's format already, or the negative of one: 28×28 with an even
// ground, which is seen along a quarter of the edge at least (the clothes of Fashion-MNIST reach the rest).
func ready(p plane) ([]float32, bool) {
	if p.w != side || p.h != side {
		return nil, false
	}
	var edge []float32
	for i, v := range p.v {
		if x, y := i%side, i/side; x == 0 || y == 0 || x == side-1 || y == side-1 {
			edge = append(edge, v)
		}
	}
	slices.Sort(edge)
	const even = 8
	dark, light := edge[len(edge)/4] <= even, edge[3*len(edge)/4] >= 255-even
	if !dark && !light {
		return nil, false
	}
	out := slices.Clone(p.v)
	for i, v := range out {
		if !dark {
			v = 255 - v
		}
		out[i] = v / 255
	}
	return out, true
}

// find finds the digit in a picture and draws it as the data set has it.
func find(p plane) ([]float32, error) {
	p = p.shrink(maxWorking)
	ink, err := p.ink()
	if err != nil {
		return nil, err
	}
	ink, area, err := ink.largestShape()
	if err != nil {
		return nil, err
	}
	ink, area = ink.widen(area)
	return ink.crop(area).intoBox().centred(), nil
}

// maxWorking is the longest side in pixels of the picture that the digit is looked for in.
const maxWorking = 512

// intoBox scales the picture so that its longer side has 20 pixels.
func (p plane) intoBox() plane {
	scale := float64(box) / float64(max(p.w, p.h))
	w := max(int(math.Round(float64(p.w)*scale)), 1)
	h := max(int(math.Round(float64(p.h)*scale)), 1)
	return p.resize(w, h)
}

// centred places the picture into 28×28 so that its centre of mass is at pixel (14, 14), as those of MNIST are within half
// a pixel.
func (p plane) centred() []float32 {
	var mass, mx, my float64
	for y := range p.h {
		for x := range p.w {
			v := float64(p.v[y*p.w+x])
			mass, mx, my = mass+v, mx+v*float64(x), my+v*float64(y)
		}
	}
	left := place(mx/mass, p.w)
	top := place(my/mass, p.h)
	out := make([]float32, side*side)
	for y := range p.h {
		copy(out[(top+y)*side+left:], p.v[y*p.w:(y+1)*p.w])
	}
	return out
}

// place returns where something of the given size starts if its centre comes to 14, kept inside of 0..28.
func place(centre float64, size int) int {
	return min(max(int(math.Round(side/2-centre)), 0), side-size)
}

// WritePNG writes a digit of 784 values of 0..1 (or bytes), in any shape, as a grey PNG of 28×28 pixels, light on dark as in MNIST.
func WritePNG(w io.Writer, digit *tensor.Tensor) error {
	img := image.NewGray(image.Rect(0, 0, side, side))
	if d := digit.DType(); (d != tensor.Float32 && d != tensor.Uint8) || digit.Len() != side*side {
		return fmt.Errorf("%w: a digit is 784 values of float32 or uint8, not %v", ErrShape, digit)
	}
	if digit.DType() == tensor.Uint8 {
		copy(img.Pix, digit.Bytes())
		return png.Encode(w, img)
	}
	values, err := tensor.Data[float32](digit)
	if err != nil {
		return err
	}
	for i, v := range values {
		img.Pix[i] = uint8(math.Round(255 * float64(min(max(v, 0), 1))))
	}
	return png.Encode(w, img)
}
