package images

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// Augmentation says how far training images are changed at random, so that a model learns what does not matter: Keras's RandomFlip,
// RandomRotation, RandomZoom, RandomTranslation, RandomContrast and RandomBrightness in this order, with a crop after the flip. Every
// figure is a largest change, and each image's own is uniform up to there; the zero value changes nothing.
//
// What moves pixels is one bilinear resampling, however much of it there is, so that nothing is blurred twice.
type Augmentation struct {
	Flip        Flip
	Crop        float64 // a window of 1-Crop … 1 of the sides, anywhere in the image, is enlarged to the whole; in [0, 1)
	Rotation    float64 // of a full turn, either way; in [0, 1]
	Zoom        float64 // the part of the sides that is seen is 1-Zoom … 1+Zoom; in [0, 1)
	Translation float64 // of the height and of the width, each either way; in [0, 1]
	Contrast    float64 // distances from each channel's mean are multiplied by 1-Contrast … 1+Contrast; in [0, 1]
	Brightness  float64 // of the range of values, darker or lighter; in [0, 1]

	// Constant fills what comes in from outside the image with FillValue. Else it is the image, mirrored at its edges.
	Constant  bool
	FillValue float32
	// Range is of the values, and where contrast and brightness are cut off; the zero value means 0 … 255.
	Range [2]float32
}

// Flip says along which axes an image may be mirrored, each for every other image.
type Flip uint8

// The flips; the zero value is NoFlip.
const (
	NoFlip     Flip = iota
	Horizontal      // left and right change places
	Vertical        // top and bottom do
	Both            // each of both, on its own
)

var flipNames = []string{NoFlip: "none", Horizontal: "horizontal", Vertical: "vertical", Both: "both"}

// fraction is one of an augmentation's figures, by its name in a specification.
type fraction struct {
	name  string
	value *float64
	below bool // it must be below 1
}

func (a *Augmentation) fractions() []fraction {
	return []fraction{{"crop", &a.Crop, true}, {"rotation", &a.Rotation, false}, {"zoom", &a.Zoom, true}, {"translation", &a.Translation, false},
		{"contrast", &a.Contrast, false}, {"brightness", &a.Brightness, false}}
}

// ParseAugmentation reads a specification such as "flip,rotation=0.1,zoom=0.1": names of Augmentation's fields in small letters, each
// with its figure. "flip" alone is horizontal; vertical and both are the others. "fill=0" fills with a value and "fill=reflect", the
// default, mirrors. "" and "none" change nothing.
func ParseAugmentation(spec string) (Augmentation, error) {
	var a Augmentation
	if spec == "" || spec == "none" {
		return a, nil
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(spec, ",") {
		name, value, given := strings.Cut(strings.TrimSpace(part), "=")
		if seen[name] {
			return a, fmt.Errorf("%w: augmentation %q names %s twice", ErrOptions, spec, name)
		}
		seen[name] = true
		if err := a.set(name, value, given); err != nil {
			return a, fmt.Errorf("%w: augmentation %q: %w", ErrOptions, spec, err)
		}
	}
	return a, a.Validate()
}

func (a *Augmentation) set(name, value string, given bool) error {
	switch name {
	case "flip":
		if !given {
			value = flipNames[Horizontal]
		}
		for f, n := range flipNames {
			if n == value {
				a.Flip = Flip(f)
				return nil
			}
		}
		return fmt.Errorf("flip %q; %s are possible", value, strings.Join(flipNames, ", "))
	case "fill":
		if value == "reflect" {
			return nil
		}
		v, err := strconv.ParseFloat(value, 32)
		if err != nil || v-v != 0 {
			return fmt.Errorf("fill %q; reflect or a number are possible", value)
		}
		a.Constant, a.FillValue = true, float32(v)
		return nil
	}
	names := []string{"flip"}
	for _, f := range a.fractions() {
		if names = append(names, f.name); f.name != name {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%s needs a number, as %s=0.1, not %q", name, name, value)
		}
		*f.value = v
		return nil
	}
	return fmt.Errorf("%q is none of %s, fill", name, strings.Join(names, ", "))
}

// String returns the specification that ParseAugmentation reads; "none" for no change. It leaves Range out.
func (a Augmentation) String() string {
	var parts []string
	switch a.Flip {
	case NoFlip:
	case Horizontal:
		parts = append(parts, "flip")
	default:
		parts = append(parts, "flip="+flipNames[min(a.Flip, Both)])
	}
	for _, f := range a.fractions() {
		if *f.value != 0 {
			parts = append(parts, f.name+"="+strconv.FormatFloat(*f.value, 'g', -1, 64))
		}
	}
	if parts == nil {
		return "none"
	}
	if a.Constant {
		parts = append(parts, "fill="+strconv.FormatFloat(float64(a.FillValue), 'g', -1, 32))
	}
	return strings.Join(parts, ",")
}

// MarshalText is String, for JSON and for flags.
func (a Augmentation) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAugmentation.
func (a *Augmentation) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAugmentation(string(text))
	return err
}

// IsZero reports whether no image is changed.
func (a Augmentation) IsZero() bool {
	for _, f := range a.fractions() {
		if *f.value != 0 {
			return false
		}
	}
	return a.Flip == NoFlip
}

// Validate returns an error that wraps ErrOptions if a figure is outside its range.
func (a Augmentation) Validate() error {
	for _, f := range a.fractions() {
		if v := *f.value; !(v >= 0 && v <= 1) || (f.below && v == 1) {
			return fmt.Errorf("%w: augmentation %s=%v is not between 0 and 1", ErrOptions, f.name, v)
		}
	}
	if lo, hi := a.Range[0], a.Range[1]; a.Flip > Both || !(hi >= lo) || math.IsInf(float64(hi-lo), 0) {
		return fmt.Errorf("%w: augmentation with flip %d and values of %v … %v", ErrOptions, a.Flip, lo, hi)
	}
	return nil
}

// change is what happens to one image.
type change struct {
	mirrored, upsideDown bool
	side, left, top      float64 // of the crop: the window's share of the sides, and its place in what is left of them
	angle                float64 // radians, counter-clockwise
	zoom                 float64
	down, right          float64 // shares of the height and of the width
	contrast             float64 // factor
	brightness           float64 // share of the range, added
}

// draw returns the change that a seed stands for. Each figure has its own random number: one setting does not change the others.
func (a Augmentation) draw(seed uint64) change {
	uniform := func(stream uint64, low, high float64) float64 {
		return low + (high-low)*float64(mixed(mixed(seed)+stream)>>11)/(1<<53)
	}
	around := func(stream uint64, middle, far float64) float64 { return uniform(stream, middle-far, middle+far) }
	return change{
		mirrored:   a.Flip&Horizontal != 0 && uniform(0, 0, 1) < 0.5,
		upsideDown: a.Flip&Vertical != 0 && uniform(1, 0, 1) < 0.5,
		side:       uniform(2, 1-a.Crop, 1), left: uniform(3, 0, 1), top: uniform(4, 0, 1),
		angle:      around(5, 0, a.Rotation) * 2 * math.Pi,
		zoom:       around(6, 1, a.Zoom),
		down:       around(7, 0, a.Translation),
		right:      around(8, 0, a.Translation),
		contrast:   around(9, 1, a.Contrast),
		brightness: around(10, 0, a.Brightness),
	}
}

// mixed is a step of SplitMix64 (Steele et al. 2014): every bit of the result depends on every bit of x.
func mixed(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Apply returns the variant of an image, uint8 or float32 [height, width, channels], that a seed stands for: the same shape and type,
// with the same bits wherever and whenever it is computed. The image itself stays as it is. Bytes are rounded, and need the Range of
// 0 … 255.
//
//	for epoch := range epochs {
//		variant, err := augmentation.Apply(img, seed+uint64(epoch))
//	}
func (a Augmentation) Apply(img *tensor.Tensor, seed uint64) (*tensor.Tensor, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	if err := checkImage(img); err != nil {
		return nil, err
	}
	if a.Range == [2]float32{} {
		a.Range = [2]float32{0, 255}
	} else if img.DType() == tensor.Uint8 && a.Range != [2]float32{0, 255} {
		return nil, fmt.Errorf("%w: augmentation of bytes, with values of %v … %v", ErrOptions, a.Range[0], a.Range[1])
	}
	return a.make(img, a.draw(seed))
}

// make changes an image.
func (a Augmentation) make(img *tensor.Tensor, c change) (*tensor.Tensor, error) {
	cast, err := img.Cast(tensor.Float32)
	if err != nil {
		return nil, err
	}
	from, err := tensor.Data[float32](cast)
	if err != nil {
		return nil, err
	}
	h, w, channels := img.Shape()[0], img.Shape()[1], img.Shape()[2]
	pixels := a.move(from, h, w, channels, c.affine(h, w))
	if c.contrast != 1 {
		contrast(pixels, channels, float32(c.contrast))
		a.cut(pixels)
	}
	if c.brightness != 0 {
		more := float32(c.brightness) * (a.Range[1] - a.Range[0])
		for i := range pixels {
			pixels[i] += more
		}
		a.cut(pixels)
	}
	if img.DType() == tensor.Float32 {
		return tensor.Of(pixels, h, w, channels)
	}
	bytes := make([]uint8, len(pixels))
	for i, v := range pixels {
		bytes[i] = uint8(math.Round(float64(min(max(v, 0), 255))))
	}
	return tensor.Of(bytes, h, w, channels)
}

// cut keeps values in the range.
func (a Augmentation) cut(pixels []float32) {
	for i, v := range pixels {
		pixels[i] = min(max(v, a.Range[0]), a.Range[1])
	}
}

// contrast multiplies each channel's distances from its mean.
func contrast(pixels []float32, channels int, factor float32) {
	for c := range channels {
		sum := 0.0
		for i := c; i < len(pixels); i += channels {
			sum += float64(pixels[i])
		}
		mean := float32(sum / float64(len(pixels)/channels))
		for i := c; i < len(pixels); i += channels {
			pixels[i] = float32((pixels[i]-mean)*factor) + mean
		}
	}
}
