package images

import "math"

// affine says where a pixel of a result is looked up: column x and row y of the result are at a·x + b·y + c and d·x + e·y + f
// of the image. The middle of the upper left pixel is at (0, 0), as in TensorFlow's ImageProjectiveTransform.
type affine struct{ a, b, c, d, e, f float64 }

var identity = affine{a: 1, e: 1}

// then returns the transformation that looks up by m first, and what m gives by n.
func (m affine) then(n affine) affine {
	return affine{
		n.a*m.a + n.b*m.d, n.a*m.b + n.b*m.e, n.a*m.c + n.b*m.f + n.c,
		n.d*m.a + n.e*m.d, n.d*m.b + n.e*m.e, n.d*m.c + n.e*m.f + n.f,
	}
}

// affine returns where the pixels of a changed image come from. The last change is looked up first.
func (c change) affine(height, width int) affine {
	h, w := float64(height), float64(width)
	x, y := (w-1)/2, (h-1)/2 // the middle
	m := identity
	if c.right != 0 || c.down != 0 {
		m = m.then(affine{1, 0, -c.right * w, 0, 1, -c.down * h})
	}
	if c.zoom != 1 {
		m = m.then(affine{c.zoom, 0, x * (1 - c.zoom), 0, c.zoom, y * (1 - c.zoom)})
	}
	if c.angle != 0 {
		sin, cos := math.Sincos(c.angle)
		sin, cos = exact(sin), exact(cos)
		m = m.then(affine{cos, -sin, x - x*cos + y*sin, sin, cos, y - x*sin - y*cos})
	}
	if s := c.side; s != 1 { // edges lie half a pixel beside the middles of pixels
		m = m.then(affine{s, 0, c.left*(1-s)*w + (s-1)/2, 0, s, c.top*(1-s)*h + (s-1)/2})
	}
	if c.mirrored {
		m = m.then(affine{-1, 0, w - 1, 0, 1, 0})
	}
	if c.upsideDown {
		m = m.then(affine{1, 0, 0, 0, -1, h - 1})
	}
	return m
}

// exact returns a sine or cosine of a quarter turn without its rounding error.
func exact(v float64) float64 {
	if r := math.Round(v); math.Abs(v-r) < 1e-15 {
		return r
	}
	return v
}

// move looks an image's pixels up, between four of them bilinearly.
func (a Augmentation) move(from []float32, h, w, channels int, m affine) []float32 {
	out := make([]float32, len(from))
	if m == identity {
		copy(out, from)
		return out
	}
	at := 0
	for row := range h {
		for column := range w {
			x := float64(m.a*float64(column)) + float64(m.b*float64(row)) + m.c
			y := float64(m.d*float64(column)) + float64(m.e*float64(row)) + m.f
			if !a.Constant {
				x, y = reflected(x, w), reflected(y, h)
			}
			a.between(out[at:at+channels], from, h, w, x, y)
			at += channels
		}
	}
	return out
}

// between sets out to the values at column x and row y.
func (a Augmentation) between(out, from []float32, h, w int, x, y float64) {
	left, top := math.Floor(x), math.Floor(y)
	if !(left >= -1 && top >= -1 && left < float64(w) && top < float64(h)) {
		for k := range out {
			out[k] = a.FillValue
		}
		return
	}
	right, down := float32(x-left), float32(y-top)
	column, row := int(left), int(top)
	if column >= 0 && row >= 0 && column+1 < w && row+1 < h { // most of them
		n := len(out)
		above, below := from[(row*w+column)*n:][:2*n], from[((row+1)*w+column)*n:][:2*n]
		for k := range out {
			out[k] = weighted(weighted(above[k], above[n+k], right), weighted(below[k], below[n+k], right), down)
		}
		return
	}
	pixel := func(row, column, k int) float32 {
		if row < 0 || row >= h || column < 0 || column >= w {
			return a.FillValue
		}
		return from[(row*w+column)*len(out)+k]
	}
	for k := range out {
		above := weighted(pixel(row, column, k), pixel(row, column+1, k), right)
		below := weighted(pixel(row+1, column, k), pixel(row+1, column+1, k), right)
		out[k] = weighted(above, below, down)
	}
}

// weighted is (1-weight)·a + weight·b, each step rounded; a itself for weight 0 and b itself for 1.
func weighted(a, b, weight float32) float32 { return float32((1-weight)*a) + float32(weight*b) }

// reflected mirrors a place along n pixels at their edges, as often as needed: [d c b a | a b c d | d c b a].
func reflected(x float64, n int) float64 {
	size := float64(n)
	if x < -0.5 || x > size-0.5 {
		x = math.Mod(x+0.5, 2*size)
		if x < 0 {
			x += 2 * size
		}
		if x > size {
			x = 2*size - x
		}
		x -= 0.5
	}
	return min(max(x, 0), size-1)
}
