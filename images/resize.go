package images

import (
	"fmt"
	"math"

	"github.com/cambium-go/cambium/tensor"
)

// Interpolation says how an image is resized.
type Interpolation uint8

// The interpolations; the zero value is Bilinear.
const (
	Bilinear Interpolation = iota // tf.image.resize: half-pixel centres, no antialiasing; image_dataset_from_directory
	Nearest                       // tf.image.resize(method="nearest")
	LoadImg                       // Pillow's nearest: keras.utils.load_img(target_size=…); here and there one pixel beside Nearest
)

// Resize resizes an image [h, w, channels] of uint8 or float32 to [height, width, channels]: float32 with Bilinear, else of
// the image's own type.
func Resize(img *tensor.Tensor, height, width int, by Interpolation) (*tensor.Tensor, error) {
	if err := checkImage(img); err != nil {
		return nil, err
	}
	if height <= 0 || width <= 0 || height > DefaultMaxPixels/width {
		return nil, fmt.Errorf("%w: resize to %d × %d", ErrOptions, height, width)
	}
	s := img.Shape()
	rows, columns := newGrid(s[0], height, by), newGrid(s[1], width, by)
	if img.DType() == tensor.Uint8 {
		return resize[uint8](img, rows, columns, by)
	}
	return resize[float32](img, rows, columns, by)
}

// checkImage checks that img is [height, width, channels] of uint8 or float32 with pixels in it.
func checkImage(img *tensor.Tensor) error {
	if d := img.DType(); d != tensor.Uint8 && d != tensor.Float32 {
		return fmt.Errorf("%w: an image is uint8 or float32 [height,width,channels], this is %v", ErrOptions, img)
	}
	if img.Rank() != 3 || img.Len() == 0 {
		return fmt.Errorf("%w: an image is [height,width,channels], this is %v", ErrOptions, img)
	}
	return nil
}

func resize[T uint8 | float32](img *tensor.Tensor, rows, columns grid, by Interpolation) (*tensor.Tensor, error) {
	pixels, err := tensor.Data[T](img)
	if err != nil {
		return nil, err
	}
	w, c := img.Shape()[1], img.Shape()[2]
	if by == Bilinear {
		return tensor.Of(bilinear(pixels, w, c, rows, columns), len(rows.low), len(columns.low), c)
	}
	out := make([]T, 0, len(rows.low)*len(columns.low)*c)
	for _, y := range rows.low {
		for _, x := range columns.low {
			out = append(out, pixels[(y*w+x)*c:][:c]...)
		}
	}
	return tensor.Of(out, len(rows.low), len(columns.low), c)
}

// bilinear is resize_bilinear_op.cc: each step is rounded to float32, in the same order.
func bilinear[T uint8 | float32](pixels []T, w, c int, rows, columns grid) []float32 {
	out := make([]float32, 0, len(rows.low)*len(columns.low)*c)
	for i, yLow := range rows.low {
		above, below := pixels[yLow*w*c:], pixels[rows.high[i]*w*c:]
		for j, xLow := range columns.low {
			left, right := xLow*c, columns.high[j]*c
			for k := range c {
				top := lerp(float32(above[left+k]), float32(above[right+k]), columns.weight[j])
				bottom := lerp(float32(below[left+k]), float32(below[right+k]), columns.weight[j])
				out = append(out, lerp(top, bottom, rows.weight[i]))
			}
		}
	}
	return out
}

// lerp keeps the compiler from fusing the product and the sum, which would round once.
func lerp(a, b, weight float32) float32 { return a + float32((b-a)*weight) }

// grid says for each pixel along one dimension of the result which pixels it comes from.
type grid struct {
	low, high []int
	weight    []float32 // of high
}

// newGrid maps out pixels onto in pixels, centre on centre.
func newGrid(in, out int, by Interpolation) grid {
	g := grid{low: make([]int, out)}
	scale := float32(in) / float32(out)
	switch by {
	case Nearest: // resize_nearest_neighbor_op.cc, half_pixel_centers
		for i := range g.low {
			g.low[i] = min(int((float32(i)+0.5)*scale), in-1)
		}
	case LoadImg: // Pillow, Geometry.c: ImagingScaleAffine
		step := float64(in) / float64(out)
		at := step * 0.5
		for i := range g.low {
			g.low[i] = min(int(at), in-1)
			at += step
		}
	default: // image_resizer_state.h, compute_interpolation_weights
		g.high, g.weight = make([]int, out), make([]float32, out)
		for i := range g.low {
			at := float32((float32(i)+0.5)*scale) - 0.5
			floor := float32(math.Floor(float64(at)))
			g.low[i] = max(int(floor), 0)
			g.high[i] = min(int(math.Ceil(float64(at))), in-1)
			g.weight[i] = at - floor
		}
	}
	return g
}

// cropToAspect cuts the middle out of an image so that it has the aspect ratio of height × width: keras's smart_resize.
func cropToAspect(img *tensor.Tensor, height, width int) (*tensor.Tensor, error) {
	h, w := img.Shape()[0], img.Shape()[1]
	// Keras divides in float32; a crop of 0 pixels is impossible there too.
	cropHeight := max(min(h, int(float32(w*height)/float32(width))), 1)
	cropWidth := max(min(w, int(float32(h*width)/float32(height))), 1)
	if cropHeight == h && cropWidth == w {
		return img, nil
	}
	return Crop(img, (h-cropHeight)/2, (w-cropWidth)/2, cropHeight, cropWidth)
}

// Crop cuts the rectangle of height × width pixels whose upper left corner is at (top, left) out of an image.
func Crop(img *tensor.Tensor, top, left, height, width int) (*tensor.Tensor, error) {
	if err := checkImage(img); err != nil {
		return nil, err
	}
	s := img.Shape()
	if top < 0 || left < 0 || height <= 0 || width <= 0 || top > s[0]-height || left > s[1]-width {
		return nil, fmt.Errorf("%w: cut %d × %d pixels at (%d, %d) out of %v", ErrOptions, height, width, top, left, s)
	}
	size := s[2] * img.DType().Size()
	data := make([]byte, 0, height*width*size)
	for y := top; y < top+height; y++ {
		data = append(data, img.Bytes()[(y*s[1]+left)*size:][:width*size]...)
	}
	return tensor.FromBytes(img.DType(), data, height, width, s[2])
}
