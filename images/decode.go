package images

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"

	"github.com/cambium-go/cambium/tensor"
)

// Errors that callers branch on.
var (
	// ErrFormat says that a file is no PNG, JPEG, GIF or BMP image, or a damaged one.
	ErrFormat = errors.New("images: not a readable image")
	// ErrTooLarge says that an image has more pixels than Options allow, or than its file can hold.
	ErrTooLarge = errors.New("images: image too large")
	// ErrOptions says that options are impossible, or do not fit an image.
	ErrOptions = errors.New("images: wrong options")
)

// Mode says which channels a decoded image has.
type Mode uint8

// The modes; the zero value is RGB.
const (
	RGB  Mode = iota // 3 channels; alpha is dropped
	Gray             // 1 channel: Pillow's "L"
	RGBA             // 4 channels, alpha not multiplied in
)

// Channels returns 3, 1 or 4.
func (m Mode) Channels() int { return [...]int{RGB: 3, Gray: 1, RGBA: 4}[m] }

// String returns Keras's name of the mode: "rgb", "grayscale", "rgba".
func (m Mode) String() string { return [...]string{RGB: "rgb", Gray: "grayscale", RGBA: "rgba"}[m] }

// DefaultMaxPixels bounds an image that is decoded, unless Options say otherwise: about 10,800 × 10,800. An image with 16 bits
// a channel may have half as many.
const DefaultMaxPixels = 112 << 20

// maxPixelsPerByte is more than the formats can compress: a byte of a PNG with one bit a pixel unpacks to at most 8 · 1032 pixels
// (DEFLATE), a code of 12 bits in a GIF to fewer than 4096. An image that claims more is a lie.
const maxPixelsPerByte = 10_000

// Decode decodes a PNG, JPEG, GIF (first frame) or BMP image: uint8 [height, width, channels]. At most DefaultMaxPixels.
func Decode(data []byte, mode Mode) (*tensor.Tensor, error) {
	return decode(data, Options{Mode: mode})
}

// Check reports whether data starts as a PNG, JPEG, GIF or BMP image of at most DefaultMaxPixels, without decoding it.
func Check(data []byte) error {
	f, err := formatOf(data)
	if err != nil {
		return err
	}
	_, err = f.check(data, 0)
	return err
}

// decode applies the options Mode, Upright and MaxPixels.
func decode(data []byte, o Options) (*tensor.Tensor, error) {
	f, err := formatOf(data)
	if err != nil {
		return nil, err
	}
	size, err := f.check(data, o.MaxPixels)
	if err != nil {
		return nil, err
	}
	img, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, f.name, err)
	}
	c := o.Mode.Channels()
	pixels := make([]uint8, size.X*size.Y*c)
	row := rowReader(img)
	line := make([]uint8, size.X*4)
	// A GIF's first frame may cover a part of the canvas only; the rest stays black.
	area := img.Bounds().Intersect(image.Rectangle{Max: size})
	for y := area.Min.Y; y < area.Max.Y; y++ {
		row(y, line[:4*area.Dx()])
		o.Mode.put(pixels[(y*size.X+area.Min.X)*c:], line[:4*area.Dx()])
	}
	if o.Upright {
		pixels, size = upright(pixels, size, c, orientation(data))
	}
	return tensor.Of(pixels, size.Y, size.X, c)
}

// put stores a line of RGBA pixels in the mode's channels.
func (m Mode) put(dst, rgba []uint8) {
	switch m {
	case RGBA:
		copy(dst, rgba)
	case Gray:
		for i := 0; i < len(rgba); i += 4 {
			r, g, b := uint32(rgba[i]), uint32(rgba[i+1]), uint32(rgba[i+2])
			dst[i/4] = uint8((r*19595 + g*38470 + b*7471 + 0x8000) >> 16) // Pillow, Convert.c: L24
		}
	default:
		for i, at := 0, 0; i < len(rgba); i, at = i+4, at+3 {
			dst[at], dst[at+1], dst[at+2] = rgba[i], rgba[i+1], rgba[i+2]
		}
	}
}

// format is one of the file formats.
type format struct {
	name   string
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var formats = []format{
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"JPEG", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
	{"GIF", "GIF8", gif.DecodeConfig, gif.Decode},
	{"BMP", "BM", bmp.DecodeConfig, bmp.Decode},
}

func formatOf(data []byte) (format, error) {
	for _, f := range formats {
		if bytes.HasPrefix(data, []byte(f.magic)) {
			return f, nil
		}
	}
	if len(data) == 0 {
		return format{}, fmt.Errorf("%w: the file is empty", ErrFormat)
	}
	return format{}, fmt.Errorf("%w: PNG, JPEG, GIF and BMP are known, it starts with %q", ErrFormat, data[:min(8, len(data))])
}

// check returns the image's width and height, if it may be decoded.
func (f format) check(data []byte, maxPixels int) (image.Point, error) {
	config, err := f.config(bytes.NewReader(data))
	if err != nil {
		return image.Point{}, fmt.Errorf("%w: %s: %w", ErrFormat, f.name, err)
	}
	w, h := config.Width, config.Height
	if w <= 0 || h <= 0 {
		return image.Point{}, fmt.Errorf("%w: %s of %d × %d pixels", ErrFormat, f.name, w, h)
	}
	if maxPixels <= 0 {
		maxPixels = DefaultMaxPixels
	}
	switch config.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		maxPixels /= 2
	}
	if w > maxPixels/h {
		return image.Point{}, fmt.Errorf("%w: %s of %d × %d pixels; %d pixels are allowed", ErrTooLarge, f.name, w, h, maxPixels)
	}
	if w > maxPixelsPerByte*len(data)/h {
		return image.Point{}, fmt.Errorf("%w: %s of %d × %d pixels in %d bytes: the file cannot hold them", ErrTooLarge, f.name, w, h, len(data))
	}
	return image.Pt(w, h), nil
}

// rowReader returns a function that puts the row at y into dst, which holds the image's width times R, G, B, A.
func rowReader(img image.Image) func(y int, dst []uint8) {
	left := img.Bounds().Min.X
	switch img := img.(type) {
	case *image.Gray:
		return func(y int, dst []uint8) {
			for i, v := range img.Pix[img.PixOffset(left, y):][:len(dst)/4] {
				set(dst[4*i:], v, v, v, 255)
			}
		}
	case *image.RGBA: // the decoders make these for images without alpha
		return func(y int, dst []uint8) { copy(dst, img.Pix[img.PixOffset(left, y):]) }
	case *image.NRGBA:
		return func(y int, dst []uint8) { copy(dst, img.Pix[img.PixOffset(left, y):]) }
	case *image.RGBA64: // without alpha too
		return func(y int, dst []uint8) { upperBytes(dst, img.Pix[img.PixOffset(left, y):]) }
	case *image.NRGBA64:
		return func(y int, dst []uint8) { upperBytes(dst, img.Pix[img.PixOffset(left, y):]) }
	case *image.Gray16:
		return func(y int, dst []uint8) {
			pix := img.Pix[img.PixOffset(left, y):]
			for i := range len(dst) / 4 {
				set(dst[4*i:], pix[2*i], pix[2*i], pix[2*i], 255)
			}
		}
	case *image.Paletted:
		return palettedRows(img)
	case *image.YCbCr:
		return ycbcrRows(img)
	default: // CMYK
		return func(y int, dst []uint8) {
			for i := range len(dst) / 4 {
				c, _ := color.NRGBAModel.Convert(img.At(left+i, y)).(color.NRGBA)
				set(dst[4*i:], c.R, c.G, c.B, c.A)
			}
		}
	}
}

func set(dst []uint8, r, g, b, a uint8) { dst[0], dst[1], dst[2], dst[3] = r, g, b, a }

// upperBytes takes the more significant byte of each big-endian channel.
func upperBytes(dst, pix []uint8) {
	for i := range dst {
		dst[i] = pix[2*i]
	}
}

func palettedRows(img *image.Paletted) func(y int, dst []uint8) {
	var colors [256]color.NRGBA
	for i, c := range img.Palette {
		colors[i], _ = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	return func(y int, dst []uint8) {
		for i, v := range img.Pix[img.PixOffset(img.Rect.Min.X, y):][:len(dst)/4] {
			set(dst[4*i:], colors[v].R, colors[v].G, colors[v].B, colors[v].A)
		}
	}
}
