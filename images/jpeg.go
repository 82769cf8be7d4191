package images

import "image"

// ycbcrRows converts a JPEG's planes the way libjpeg does by default, and TensorFlow and Pillow with it: chroma that has fewer
// samples is interpolated ("fancy upsampling", jdsample.c), then converted with 16-bit fixed-point factors (jdcolor.c).
// The standard library repeats samples instead, which is off by tens of levels beside coloured edges.
func ycbcrRows(img *image.YCbCr) func(y int, dst []uint8) {
	b := img.Bounds()
	width := b.Dx()
	cb, cr := newChroma(img, img.Cb), newChroma(img, img.Cr)
	u, v := make([]uint8, width+1), make([]uint8, width+1) // pixels are written two at a time
	return func(y int, dst []uint8) {
		cb.row(u, y-b.Min.Y)
		cr.row(v, y-b.Min.Y)
		luma := img.Y[img.YOffset(b.Min.X, y):]
		for x := range width {
			r, g, b := toRGB(int32(luma[x]), int32(u[x])-128, int32(v[x])-128)
			set(dst[4*x:], r, g, b, 255)
		}
	}
}

// toRGB is jdcolor.c's ycc_rgb_convert: R = Y + 1.402 Cr, G = Y - 0.344136286 Cb - 0.714136286 Cr, B = Y + 1.772 Cb.
func toRGB(y, cb, cr int32) (r, g, b uint8) {
	const half = 1 << 15
	return clamp(y + (91881*cr+half)>>16), clamp(y + (-22554*cb-46802*cr+half)>>16), clamp(y + (116130*cb+half)>>16)
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

// chroma is a plane of colour samples and how they spread over the pixels.
type chroma struct {
	plane         []uint8
	stride        int
	width, height int // in samples
	h, v          int // pixels a sample spans
	sums          []int32
}

func newChroma(img *image.YCbCr, plane []uint8) *chroma {
	c := &chroma{plane: plane, stride: img.CStride, h: 1, v: 1}
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		c.h = 2
	case image.YCbCrSubsampleRatio420:
		c.h, c.v = 2, 2
	case image.YCbCrSubsampleRatio440:
		c.v = 2
	case image.YCbCrSubsampleRatio411:
		c.h = 4
	case image.YCbCrSubsampleRatio410:
		c.h, c.v = 4, 2
	}
	c.width, c.height = (img.Bounds().Dx()+c.h-1)/c.h, (img.Bounds().Dy()+c.v-1)/c.v
	c.sums = make([]int32, c.width)
	return c
}

// row puts the samples of the pixels at row y into dst.
func (c *chroma) row(dst []uint8, y int) {
	near := c.samples(y / c.v)
	far := near // the next closest row; at the edges there is none
	if y%2 == 1 {
		far = c.samples(min(y/2+1, c.height-1))
	} else if y > 0 && c.v == 2 {
		far = c.samples(y/2 - 1)
	}
	switch {
	case c.h == 1 && c.v == 1:
		copy(dst, near)
	case c.h == 1: // h1v2_fancy_upsample
		bias := 1 + uint16(y%2)
		for x := range near {
			dst[x] = uint8((3*uint16(near[x]) + uint16(far[x]) + bias) >> 2)
		}
	case c.h == 2 && c.v == 1 && c.width > 2: // h2v1_fancy_upsample
		for x, s := range near {
			c.sums[x] = int32(s)
		}
		spread(dst, c.sums, 1, 1, 2)
	case c.h == 2 && c.v == 2 && c.width > 2: // h2v2_fancy_upsample
		for x := range near {
			c.sums[x] = 3*int32(near[x]) + int32(far[x])
		}
		spread(dst, c.sums, 4, 8, 7)
	default: // int_upsample
		for x := range len(dst) - 1 {
			dst[x] = near[x/c.h]
		}
	}
}

func (c *chroma) samples(row int) []uint8 { return c.plane[row*c.stride:][:c.width] }

// spread writes two pixels a sample: three quarters of the sample and one of its neighbour, divided by unit and rounded
// up and down alternately.
func spread(dst []uint8, sums []int32, unit, left, right int32) {
	last := len(sums) - 1
	for x, s := range sums {
		before, after := sums[max(x-1, 0)], sums[min(x+1, last)]
		dst[2*x] = uint8((3*s + before + left) / (4 * unit))
		dst[2*x+1] = uint8((3*s + after + right) / (4 * unit))
	}
}
