package mnist

import (
	"cmp"
	"fmt"
	"image"
	"math"
)

// largestShape keeps the largest connected shape, and the parts of the digit that do not touch it, and clears the rest. It
// returns the rectangle around them too. Shapes that touch the edge of the picture (the table beside the paper, a shadow) count
// only if there is no other.
func (p plane) largestShape() (plane, image.Rectangle, error) {
	labels, shapes := p.shapes()
	best := -1
	for i, s := range shapes {
		if best < 0 || cmp.Or(p.rank(s)-p.rank(shapes[best]), s.pixels-shapes[best].pixels) > 0 {
			best = i
		}
	}
	if best < 0 {
		return plane{}, image.Rectangle{}, fmt.Errorf("%w: there is no shape in the image", ErrNoDigit)
	}
	main := shapes[best]
	keep := make([]bool, len(shapes))
	area := main.area
	near := main.area.Inset(-max(main.area.Dx(), main.area.Dy()) / 4)
	for i, s := range shapes {
		keep[i] = i == best || (s.surrounds() == main.surrounds() && 20*s.pixels >= main.pixels && s.area.Overlaps(near))
		if keep[i] {
			area = area.Union(s.area)
		}
	}
	out := newPlane(p.w, p.h)
	for i, label := range labels {
		if label > 0 && keep[label-1] {
			out.v[i] = p.v[i]
		}
	}
	return out, area, nil
}

// shape is a connected set of pixels.
type shape struct {
	pixels int // of more than half ink
	outer  int // of them at the edge of the picture
	area   image.Rectangle
}

// surrounds reports whether the shape lies along the edge of the picture, as the table beside the paper does; a digit that
// is cut off only meets it.
func (s shape) surrounds() bool { return 2*s.outer > max(s.area.Dx(), s.area.Dy()) }

// shapes labels the pixels that have ink, 1 for the first shape; pixels that touch at a corner are connected. A shape
// without a pixel of half ink is noise: it has label 0.
func (p plane) shapes() (labels []int, shapes []shape) {
	labels = make([]int, len(p.v))
	var stack []int
	for start, v := range p.v {
		if v < 0.5 || labels[start] != 0 {
			continue
		}
		label := len(shapes) + 1
		s := shape{area: image.Rect(start%p.w, start/p.w, start%p.w+1, start/p.w+1)}
		labels[start] = label
		for stack = append(stack[:0], start); len(stack) > 0; {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := i%p.w, i/p.w
			if p.v[i] >= 0.25 { // the digits of MNIST were measured without their faint rims, more or less
				s.area = s.area.Union(image.Rect(x, y, x+1, y+1))
			}
			if p.v[i] >= 0.5 {
				s.pixels++
				if x == 0 || y == 0 || x == p.w-1 || y == p.h-1 {
					s.outer++
				}
			}
			for ny := max(y-1, 0); ny <= min(y+1, p.h-1); ny++ {
				for nx := max(x-1, 0); nx <= min(x+1, p.w-1); nx++ {
					// Faint pixels belong to a shape but do not join two.
					if n := ny*p.w + nx; labels[n] == 0 && p.v[n] > 0 && (p.v[n] >= 0.5 || p.v[i] >= 0.5) {
						labels[n] = label
						stack = append(stack, n)
					}
				}
			}
		}
		shapes = append(shapes, s)
	}
	return labels, shapes
}

// rank tells what the digit is rather: a shape within the picture, or one along its edge, or a speck.
func (p plane) rank(s shape) int {
	switch {
	case 12*max(s.area.Dx(), s.area.Dy()) < max(p.w, p.h):
		return 0
	case s.surrounds():
		return 1
	default:
		return 2
	}
}

// strokeShare is the width of MNIST's thinner strokes, as a share of the box: 2 of 20 pixels.
const strokeShare = 0.1

// widen makes strokes that are thinner than MNIST's as wide as those, in a picture with room for it.
func (p plane) widen(area image.Rectangle) (plane, image.Rectangle) {
	radius := (strokeShare*float64(max(area.Dx(), area.Dy())) - p.stroke()) / 2
	if radius < 0.5 {
		return p, area
	}
	n := int(math.Ceil(radius))
	out := newPlane(area.Dx()+2*n, area.Dy()+2*n)
	for y := range area.Dy() {
		for x := range area.Dx() {
			v := p.v[(area.Min.Y+y)*p.w+area.Min.X+x]
			if v == 0 {
				continue
			}
			for dy := -n; dy <= n; dy++ {
				for dx := -n; dx <= n; dx++ {
					// A pixel at the rim of the disc is covered in part.
					cover := float32(min(max(radius+0.5-math.Hypot(float64(dx), float64(dy)), 0), 1))
					to := &out.v[(y+n+dy)*out.w+x+n+dx]
					*to = max(*to, v*cover)
				}
			}
		}
	}
	return out, image.Rect(0, 0, out.w, out.h)
}

// stroke returns the width of the strokes in pixels: twice the area over the length of the outline.
func (p plane) stroke() float64 {
	area, outline := 0, 0
	solid := func(x, y int) bool { return x >= 0 && y >= 0 && x < p.w && y < p.h && p.v[y*p.w+x] >= 0.5 }
	for y := range p.h {
		for x := range p.w {
			if !solid(x, y) {
				continue
			}
			area++
			for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				if !solid(x+d[0], y+d[1]) {
					outline++
				}
			}
		}
	}
	// An outline that is counted in pixel edges is longer than it is, by 4/π on the average of all directions.
	return 2 * float64(area) / (float64(max(outline, 1)) * math.Pi / 4)
}

// crop cuts a rectangle out.
func (p plane) crop(area image.Rectangle) plane {
	out := newPlane(area.Dx(), area.Dy())
	for y := range out.h {
		copy(out.v[y*out.w:(y+1)*out.w], p.v[(area.Min.Y+y)*p.w+area.Min.X:])
	}
	return out
}

// shrink returns the picture with its longer side at most limit pixels long.
func (p plane) shrink(limit int) plane {
	longest := max(p.w, p.h)
	if longest <= limit {
		return p
	}
	return p.resize(max(p.w*limit/longest, 1), max(p.h*limit/longest, 1))
}

// resize averages over the area that each new pixel covers; where the picture grows it interpolates.
func (p plane) resize(w, h int) plane {
	across := newPlane(w, p.h)
	for y := range p.h {
		resample(across.v[y*w:(y+1)*w], p.v[y*p.w:(y+1)*p.w], 1, 1)
	}
	out := newPlane(w, h)
	for x := range w {
		resample(out.v[x:], across.v[x:], w, w)
	}
	return out
}

// resample resizes one line whose pixels stand strideOut and strideIn apart: a triangle as wide as the new pixel, or as the
// old one where that is wider (Pillow's BILINEAR and BOX in one).
func resample(out, in []float32, strideOut, strideIn int) {
	n, m := (len(out)+strideOut-1)/strideOut, (len(in)+strideIn-1)/strideIn
	scale := float64(m) / float64(n)
	for i := range n {
		from, to := float64(i)*scale, float64(i+1)*scale
		var sum, weights float64
		if scale >= 1 {
			for j := int(from); j < min(int(math.Ceil(to)), m); j++ {
				weight := min(to, float64(j+1)) - max(from, float64(j))
				sum, weights = sum+weight*float64(in[j*strideIn]), weights+weight
			}
		} else {
			at := (from+to)/2 - 0.5
			low := min(max(int(math.Floor(at)), 0), m-1)
			high := min(low+1, m-1)
			weight := min(max(at-float64(low), 0), 1)
			sum, weights = (1-weight)*float64(in[low*strideIn])+weight*float64(in[high*strideIn]), 1
		}
		out[i*strideOut] = float32(sum / weights)
	}
}
